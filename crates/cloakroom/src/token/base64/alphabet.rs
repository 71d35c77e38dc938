/// The characters for the numbers 0 to 63, and the way back: RFC 4648, sections 4 and 5.
pub(super) struct Alphabet {
    characters: [u8; 64],
    /// [`FOREIGN`] for what is no character of the alphabet.
    sextets: [u8; 256],
}

/// More than any six bits.
const FOREIGN: u8 = 0x80;

pub(super) static STANDARD: Alphabet = Alphabet::new(*b"+/");
pub(super) static URL_SAFE: Alphabet = Alphabet::new(*b"-_");

impl Alphabet {
    const fn new(last: [u8; 2]) -> Self {
        let mut characters = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789..";
        [characters[62], characters[63]] = last;
        let mut sextets = [FOREIGN; 256];
        let mut sextet = 0;
        while sextet < 64 {
            sextets[characters[sextet as usize] as usize] = sextet;
            sextet += 1;
        }
        Self {
            characters,
            sextets,
        }
    }

    /// The number of a character.
    pub(super) fn sextet(&self, character: u8) -> Option<u8> {
        Some(self.sextets[usize::from(character)]).filter(|&sextet| sextet != FOREIGN)
    }

    /// Writes all the bytes, without padding. `out` has [room](encoded_length) for exactly that.
    pub(super) fn encode(&self, bytes: &[u8], out: &mut [u8]) {
        let character = |bits: u32| self.characters[(bits & 63) as usize];
        let (groups, rest) = bytes.as_chunks::<3>();
        let (quads, rest_out) = out.as_chunks_mut::<4>();
        for (group, quad) in groups.iter().zip(&mut *quads) {
            let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
            *quad = [18, 12, 6, 0].map(|shift| character(bits >> shift));
        }
        let bits = match *rest {
            [first] => u32::from_be_bytes([0, first, 0, 0]),
            [first, second] => u32::from_be_bytes([0, first, second, 0]),
            _ => return,
        };
        for (place, shift) in rest_out.iter_mut().zip([18, 12, 6]) {
            *place = character(bits >> shift);
        }
    }

    /// Reads text that has no padding; none if it is not what [`encode`](Self::encode) writes. `out` has
    /// [room](decoded_length) for exactly that.
    pub(super) fn decode(&self, text: &[u8], out: &mut [u8]) -> Option<()> {
        let sextet = |character: u8| self.sextets[usize::from(character)];
        // Whether anything was foreign is asked once, at the end.
        let mut seen = 0;
        let (eights, rest) = text.as_chunks::<8>();
        let (sixes, rest_out) = out.as_chunks_mut::<6>();
        for (eight, six) in eights.iter().zip(&mut *sixes) {
            let eight = eight.map(sextet);
            seen |= eight.iter().fold(0, |seen, sextet| seen | sextet);
            let bits = (eight.iter()).fold(0, |bits, &sextet| bits << 6 | u64::from(sextet));
            let [_, _, bytes @ ..] = bits.to_be_bytes();
            *six = bytes;
        }
        let (quads, rest) = rest.as_chunks::<4>();
        let (threes, rest_out) = rest_out.as_chunks_mut::<3>();
        for (quad, three) in quads.iter().zip(&mut *threes) {
            let quad = quad.map(sextet);
            seen |= quad.iter().fold(0, |seen, sextet| seen | sextet);
            let bits = (quad.iter()).fold(0, |bits, &sextet| bits << 6 | u32::from(sextet));
            let [_, bytes @ ..] = bits.to_be_bytes();
            *three = bytes;
        }
        // Bits that no byte takes have to be zero, and one character alone makes no byte.
        let unused = match (rest, rest_out) {
            ([], []) => 0,
            (&[first, second], [out]) => {
                let (first, second) = (sextet(first), sextet(second));
                seen |= first | second;
                *out = first << 2 | second >> 4;
                second << 4
            }
            (&[first, second, third], [out, out_too]) => {
                let (first, second, third) = (sextet(first), sextet(second), sextet(third));
                seen |= first | second | third;
                (*out, *out_too) = (first << 2 | second >> 4, second << 4 | third >> 2);
                third << 6
            }
            _ => return None,
        };
        (seen < FOREIGN && unused == 0).then_some(())
    }
}

/// How many characters so many bytes take.
pub(super) fn encoded_length(bytes: usize) -> usize {
    bytes / 3 * 4 + [0, 2, 3][bytes % 3]
}

/// How many bytes so many characters are.
pub(super) fn decoded_length(characters: usize) -> usize {
    characters / 4 * 3 + [0, 0, 1, 2][characters % 4]
}

#[cfg(test)]
mod tests {
    use base64::engine::{Engine, general_purpose};
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    fn encoded(alphabet: &Alphabet, bytes: &[u8]) -> Vec<u8> {
        let mut text = vec![0; encoded_length(bytes.len())];
        alphabet.encode(bytes, &mut text);
        text
    }

    fn decoded(alphabet: &Alphabet, text: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = vec![0; decoded_length(text.len())];
        alphabet.decode(text, &mut bytes).map(|()| bytes)
    }

    proptest! {
        #[test]
        fn p1_bytes_become_what_another_encoder_writes(bytes in vec(any::<u8>(), 0..200)) {
            for (alphabet, other) in [(&STANDARD, general_purpose::STANDARD_NO_PAD), (&URL_SAFE, general_purpose::URL_SAFE_NO_PAD)] {
                let text = encoded(alphabet, &bytes);
                prop_assert_eq!(&text, &other.encode(&bytes).into_bytes());
                prop_assert_eq!(decoded(alphabet, &text), Some(bytes.clone()));
            }
        }

        #[test]
        fn p1_text_is_read_as_another_strict_decoder_reads_it(
            text in vec(select(b"AAAAABQgwzZ059_-+/=. \0\x7f\x80\xff".to_vec()), 0..30),
            good in vec(select(b"AQgwBCZ059_-".to_vec()), 0..40),
        ) {
            for text in [text, good] {
                for (alphabet, other) in [(&STANDARD, general_purpose::STANDARD_NO_PAD), (&URL_SAFE, general_purpose::URL_SAFE_NO_PAD)] {
                    prop_assert_eq!(decoded(alphabet, &text), other.decode(&text).ok());
                }
            }
        }
    }

    /// At each place of the unrolled loops.
    #[test]
    fn s51_a_foreign_character_is_found_wherever_it_stands() {
        for length in 0..40 {
            let text = encoded(&URL_SAFE, &vec![0x5a; length]);
            for place in 0..text.len() {
                for foreign in (0..=255).filter(|&byte| URL_SAFE.sextet(byte).is_none()) {
                    let mut text = text.clone();
                    text[place] = foreign;
                    assert_eq!(decoded(&URL_SAFE, &text), None, "{length}, {place}, {foreign}");
                }
            }
        }
    }
}
