/// The characters for the numbers 0 to 63, and the way back: RFC 4648, sections 4 and 5.
pub(super) struct Alphabet {
    characters: [u8; 64],
    /// For each place in a group of four what a character is there, in the bits where it belongs; [`FOREIGN`] for
    /// what is no character of the alphabet.
    sextets: [[u32; 256]; 4],
}

/// More than any 24 bits.
const FOREIGN: u32 = 1 << 31;

pub(super) static STANDARD: Alphabet = Alphabet::new(*b"+/");
pub(super) static URL_SAFE: Alphabet = Alphabet::new(*b"-_");

impl Alphabet {
    const fn new(last: [u8; 2]) -> Self {
        let mut sextets = [[FOREIGN; 256]; 4];
        let mut characters = [0; 64];
        let mut sextet = 0;
        while sextet < 64 {
            let character = match sextet {
                0..26 => b'A' + sextet,
                26..52 => b'a' + (sextet - 26),
                52..62 => b'0' + (sextet - 52),
                _ => last[sextet as usize - 62],
            };
            characters[sextet as usize] = character;
            let mut place = 0;
            while place < 4 {
                sextets[place][character as usize] = (sextet as u32) << (18 - 6 * place);
                place += 1;
            }
            sextet += 1;
        }
        Self {
            characters,
            sextets,
        }
    }

    /// The number of a character.
    #[allow(clippy::cast_possible_truncation, reason = "below 64, or foreign")]
    pub(super) fn sextet(&self, character: u8) -> Option<u8> {
        let sextet = self.sextets[3][usize::from(character)];
        (sextet != FOREIGN).then_some(sextet as u8)
    }

    /// Writes all the bytes, without padding. `out` has [room](encoded_length) for exactly that.
    pub(super) fn encode(&self, bytes: &[u8], out: &mut [u8]) {
        let character = |bits: u64| self.characters[(bits & 63) as usize];
        // Eight bytes are read at once, of which six are written.
        let whole = bytes.len().saturating_sub(2) / 6;
        let (eights, out) = out.split_at_mut(8 * whole);
        let mut bytes = bytes;
        for place in eights.as_chunks_mut::<8>().0 {
            let Some(eight) = bytes.first_chunk() else {
                return;
            };
            let bits = u64::from_be_bytes(*eight);
            place[0] = character(bits >> 58);
            place[1] = character(bits >> 52);
            place[2] = character(bits >> 46);
            place[3] = character(bits >> 40);
            place[4] = character(bits >> 34);
            place[5] = character(bits >> 28);
            place[6] = character(bits >> 22);
            place[7] = character(bits >> 16);
            bytes = &bytes[6..];
        }
        let (groups, rest) = bytes.as_chunks::<3>();
        let (quads, rest_out) = out.as_chunks_mut::<4>();
        for (&[a, b, c], [first, second, third, fourth]) in groups.iter().zip(&mut *quads) {
            *first = self.characters[usize::from(a >> 2)];
            *second = self.characters[usize::from((a & 3) << 4 | b >> 4)];
            *third = self.characters[usize::from((b & 15) << 2 | c >> 6)];
            *fourth = self.characters[usize::from(c & 63)];
        }
        let bits = match *rest {
            [first] => u64::from(first) << 16,
            [first, second] => u64::from(first) << 16 | u64::from(second) << 8,
            _ => return,
        };
        for (place, shift) in rest_out.iter_mut().zip([18, 12, 6]) {
            *place = character(bits >> shift);
        }
    }

    /// Reads text that has no padding; none if it is not what [`encode`](Self::encode) writes. `out` has
    /// [room](decoded_length) for exactly that.
    pub(super) fn decode(&self, text: &[u8], out: &mut [u8]) -> Option<()> {
        let [first, second, third, fourth] = &self.sextets;
        let group = |a: u8, b: u8, c: u8, d: u8| {
            first[usize::from(a)]
                | second[usize::from(b)]
                | third[usize::from(c)]
                | fourth[usize::from(d)]
        };
        // Whether anything was foreign is asked once, at the end.
        let mut seen = 0;
        let (eights, rest) = text.as_chunks::<8>();
        let (sixes, rest_out) = out.as_chunks_mut::<6>();
        for (&[a, b, c, d, e, f, g, h], six) in eights.iter().zip(&mut *sixes) {
            let (high, low) = (group(a, b, c, d), group(e, f, g, h));
            seen |= high | low;
            let [_, _, bytes @ ..] = (u64::from(high) << 24 | u64::from(low)).to_be_bytes();
            *six = bytes;
        }
        let (quads, rest) = rest.as_chunks::<4>();
        let (threes, rest_out) = rest_out.as_chunks_mut::<3>();
        for (&[a, b, c, d], three) in quads.iter().zip(&mut *threes) {
            let bits = group(a, b, c, d);
            seen |= bits;
            let [_, bytes @ ..] = bits.to_be_bytes();
            *three = bytes;
        }
        // One character alone makes no byte, and bits that no byte takes have to be zero.
        let last = match *rest {
            [] => 0,
            [a, b] => group(a, b, b'A', b'A'),
            [a, b, c] => group(a, b, c, b'A'),
            _ => return None,
        };
        let [_, bytes @ ..] = last.to_be_bytes();
        let (used, unused) = bytes.split_at_checked(rest_out.len())?;
        rest_out.copy_from_slice(used);
        ((seen | last) < FOREIGN && unused.iter().all(|&byte| byte == 0)).then_some(())
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
                    assert_eq!(
                        decoded(&URL_SAFE, &text),
                        None,
                        "{length}, {place}, {foreign}"
                    );
                }
            }
        }
    }
}
