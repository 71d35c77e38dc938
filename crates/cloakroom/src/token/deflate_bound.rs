//! A proof that zlib cannot make a short text smaller, so that it need not be asked.
//!
//! The usual session, `{"user_id":42}`, is far too short to gain from compression, and running zlib costs more than all
//! else that is done for it. This bounds from below the bits of the one block that zlib writes for a short text, for each
//! block type of RFC 1951 and whatever the matcher chooses.

use std::sync::LazyLock;

/// Longer texts are not looked at. zlib ends a block only after 16,383 symbols, so these have one.
const MAX_LENGTH: usize = 255;

/// zlib's two header bytes and four check bytes.
const WRAPPER_BYTES: usize = 6;

/// Whether zlib's stream of the text is longer than that for certain.
pub(super) fn is_longer(text: &[u8], limit: usize) -> bool {
    least_length_without_matches(text).is_some_and(|least| least > limit)
        || least_stream_length(text) > limit
}

/// As [`least_stream_length`], of a text in which no three bytes come twice, so that all are literals; none of others.
/// It is a little lower for a third of the work: nothing is assumed about which symbols there are, only how many.
fn least_length_without_matches(text: &[u8]) -> Option<usize> {
    let length = text.len();
    if length > MAX_LENGTH {
        return None;
    }
    let x_log_x = &*X_LOG_X;
    let mut counts = [0_u8; 256];
    let (mut distinct, mut terms) = (0, 0);
    let mut seen = TripleSet::default();
    let (mut triple, mut repeats) = (u32::MAX, false);
    for &byte in text {
        let count = &mut counts[usize::from(byte)];
        distinct += usize::from(*count == 0);
        *count += 1;
        // With one more of a symbol its term grows by that.
        terms += x_log_x.steps[usize::from(*count)];
        // The first two are none yet, and no others begin like them.
        triple = (triple << 8 | u32::from(byte)) & 0x00ff_ffff;
        repeats |= seen.insert(triple);
    }
    if repeats {
        return None;
    }
    let end_of_block = 1;
    let terms = f64::from(terms) / STEPS_PER_BIT;
    let data_bits = rounded_down(x_log_x.of(length + end_of_block) - terms);
    let code_length_bits = 2 + STRETCH_BITS[distinct + end_of_block] + ZEROS_BITS[256 - distinct];
    let entries = length_code_entries(distinct + end_of_block);
    let dynamic_bits = dynamic_bits(entries, code_length_bits.into(), data_bits);
    Some(stream_length(length, fixed_bits(length), dynamic_bits))
}

/// A number of bytes that zlib's stream of the text is never shorter than; 0 for texts that are not looked at.
fn least_stream_length(text: &[u8]) -> usize {
    if text.len() > MAX_LENGTH {
        return 0;
    }
    let survey = Survey::of(text);
    stream_length(text.len(), survey.fixed_bits(), survey.dynamic_bits())
}

/// The bytes of the stream whose block takes the fewest bits.
fn stream_length(text: usize, fixed_bits: usize, dynamic_bits: usize) -> usize {
    let bits = stored_bits(text).min(fixed_bits).min(dynamic_bits);
    WRAPPER_BYTES + bits.div_ceil(8)
}

/// RFC 1951, section 3.2.4: the header fills a byte, two lengths follow, then the text.
fn stored_bits(length: usize) -> usize {
    8 + 32 + 8 * length
}

/// Section 3.2.6: block header, end of block, literals of 8 bits. Those of 9 take one more.
fn fixed_bits(literals: usize) -> usize {
    3 + 7 + 8 * literals
}

/// Section 3.2.7: block header, counts, the code of the code lengths, the code lengths, the data.
fn dynamic_bits(length_code_entries: usize, code_length_bits: usize, data_bits: usize) -> usize {
    3 + 14 + 3 * length_code_entries + code_length_bits + data_bits
}

/// What is certain about the symbols of the block.
///
/// A match may begin only where the next three bytes stood before, and that holds at each of its bytes but the last two.
/// So one match lies within one run of such places. Bytes that no run reaches are literals for certain. Each run reaches
/// at least one byte that no other run reaches, and so costs a match or a literal of its own.
struct Survey {
    /// How often each byte is a literal for certain.
    literals: [u8; 256],
    /// Sum of the above.
    literal_count: usize,
    /// How many of them take 9 bits in the fixed code instead of 8.
    wide_count: usize,
    /// Bytes that are a literal for certain.
    certain: ByteSet,
    /// Bytes that a match may reach somewhere.
    doubtful: ByteSet,
    /// Runs of places where a match may begin.
    runs: usize,
    /// Such places.
    match_places: usize,
}

impl Survey {
    fn of(text: &[u8]) -> Self {
        let mut survey = Self {
            literals: [0; 256],
            literal_count: 0,
            wide_count: 0,
            certain: ByteSet::default(),
            doubtful: ByteSet::default(),
            runs: 0,
            match_places: 0,
        };
        let mut seen = TripleSet::default();
        let mut triples = text
            .array_windows()
            .map(|&[first, second, third]| u32::from_be_bytes([0, first, second, third]));
        // How many bytes from here on a match may still reach.
        let (mut reach, mut in_run) = (0, false);
        for &byte in text {
            let repeats = triples.next().is_some_and(|triple| seen.insert(triple));
            if repeats {
                survey.runs += usize::from(!in_run);
                survey.match_places += 1;
                reach = 3;
            }
            in_run = repeats;
            if reach > 0 {
                reach -= 1;
                survey.doubtful.insert(byte);
            } else {
                survey.certain.insert(byte);
                survey.literals[usize::from(byte)] += 1;
                survey.literal_count += 1;
                survey.wide_count += usize::from(byte >= 144);
            }
        }
        survey
    }

    /// A match takes 12 bits or more.
    fn fixed_bits(&self) -> usize {
        fixed_bits(self.literal_count + self.runs) + self.wide_count
    }

    fn dynamic_bits(&self) -> usize {
        dynamic_bits(
            self.length_code_entries(),
            self.code_length_bits(),
            self.data_bits(),
        )
    }

    fn length_code_entries(&self) -> usize {
        const LENGTH_SYMBOLS: usize = 29;
        let present = self.certain.union(self.doubtful).len();
        length_code_entries(present + 1 + self.match_places.min(LENGTH_SYMBOLS))
    }

    /// The least number of bits for the code lengths themselves, of which none is coded in less than one bit.
    ///
    /// Walks over the 257 symbols up to the end of the block. Bytes that do not occur have length zero, certain literals
    /// and the end of the block do not; about the others nothing is assumed.
    fn code_length_bits(&self) -> usize {
        const END_OF_BLOCK: usize = 256;
        // zlib sends two distance code lengths even if there is no match.
        let mut bits = 2;
        let (mut next, mut zeros, mut stretch) = (0, 0, 0);
        let mut tell = |symbol| {
            zeros += symbol - next;
            next = symbol + 1;
            if symbol == END_OF_BLOCK || self.certain.contains(symbol) {
                if zeros > 0 {
                    bits += STRETCH_BITS[stretch] + ZEROS_BITS[zeros];
                    (zeros, stretch) = (0, 0);
                }
                stretch += 1;
            }
        };
        self.certain.union(self.doubtful).for_each(&mut tell);
        tell(END_OF_BLOCK);
        usize::from(bits + STRETCH_BITS[stretch])
    }

    /// The least number of bits for the symbols of the data, by Gibbs' inequality: no prefix code beats the entropy.
    ///
    /// Which symbol a run begins with is not known; the entropy is least if it is the most frequent one.
    fn data_bits(&self) -> usize {
        let x_log_x = &*X_LOG_X;
        let (mut most_frequent, mut terms) = (0, 0.0);
        self.certain.for_each(|byte| {
            let count = usize::from(self.literals[byte]);
            most_frequent = most_frequent.max(count);
            terms += x_log_x.of(count);
        });
        let end_of_block = 1;
        let total = self.literal_count + self.runs + end_of_block;
        let bits = x_log_x.of(total) - terms - x_log_x.of(most_frequent + self.runs)
            + x_log_x.of(most_frequent);
        rounded_down(bits)
    }
}

/// The least number of entries for the code of the code lengths, if there are at most so many symbols.
///
/// zlib's codes are complete: the sum of 2^-length over the symbols is 1. So not all lengths are above log2 of the
/// number of symbols, and the entry of a short length comes late in the order of section 3.2.7.
fn length_code_entries(most_symbols: usize) -> usize {
    match most_symbols.ilog2() {
        0 | 1 => 18,
        2 => 16,
        3 => 14,
        4 => 12,
        5 => 10,
        6 => 8,
        7 => 6,
        _ => 5,
    }
}

/// Whole bits, by more below than the arithmetic can be wrong.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most 257 * log2(257), at least 0"
)]
fn rounded_down(bits: f64) -> usize {
    (bits - 1e-6).max(0.0) as usize
}

/// The least number of bits that tell so many zero lengths: singly, up to 10 with 3 extra bits, up to 138 with 7.
const ZEROS_BITS: [u16; 257] = {
    let mut bits = [0; 257];
    let mut zeros = 1;
    while zeros <= 256 {
        bits[zeros] = match zeros {
            5..=10 => 4,
            0..=4 | 11..=13 => bits[zeros - 1] + 1,
            14..=138 => 8,
            _ => 8 + bits[zeros - 138],
        };
        zeros += 1;
    }
    bits
};

/// The least number of bits that tell so many other lengths: the first singly, then singly or up to 6 equal ones with 2
/// extra bits.
const STRETCH_BITS: [u16; 258] = {
    let mut bits = [0; 258];
    let mut lengths = 1;
    while lengths <= 257 {
        bits[lengths] = match lengths {
            1..=4 => bits[lengths - 1] + 1,
            5..=7 => 4,
            _ => 3 + bits[lengths - 6],
        };
        lengths += 1;
    }
    bits
};

/// x * log2(x).
struct XLogX {
    values: [f64; MAX_LENGTH + 2],
    /// By how much a value is more than the one before, in parts of a bit, rounded up: whole numbers are added up
    /// faster.
    steps: [u32; 256],
}

const STEPS_PER_BIT: f64 = 65_536.0;

static X_LOG_X: LazyLock<XLogX> = LazyLock::new(|| {
    let value = |x: usize| match u32::try_from(x) {
        Ok(0) | Err(_) => 0.0,
        Ok(x) => f64::from(x) * f64::from(x).log2(),
    };
    XLogX {
        values: std::array::from_fn(value),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most 10 bits"
        )]
        steps: std::array::from_fn(|x| {
            let step = value(x) - value(x.saturating_sub(1));
            (step * STEPS_PER_BIT).ceil() as u32
        }),
    }
});

impl XLogX {
    fn of(&self, x: usize) -> f64 {
        self.values[x]
    }
}

/// A set of bytes.
#[derive(Clone, Copy, Default)]
struct ByteSet([u64; 4]);

impl ByteSet {
    fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    fn contains(&self, byte: usize) -> bool {
        self.0
            .get(byte >> 6)
            .is_some_and(|word| word >> (byte & 63) & 1 == 1)
    }

    fn union(self, other: Self) -> Self {
        Self(std::array::from_fn(|index| self.0[index] | other.0[index]))
    }

    fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Visits the members in ascending order.
    fn for_each(self, mut visit: impl FnMut(usize)) {
        for (start, mut word) in (0..).step_by(64).zip(self.0) {
            while word != 0 {
                visit(start + word.trailing_zeros() as usize);
                word &= word - 1;
            }
        }
    }
}

/// A set of three bytes each that may take one for another; then a repetition is seen where there is none, which only
/// weakens the bound.
struct TripleSet([u64; 64]);

impl Default for TripleSet {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl TripleSet {
    /// Whether the triple was there.
    #[inline]
    fn insert(&mut self, triple: u32) -> bool {
        let slot = triple.wrapping_mul(0x9e37_79b1) >> 20;
        let (word, bit) = (&mut self.0[slot as usize / 64], 1 << (slot % 64));
        let seen = *word & bit != 0;
        *word |= bit;
        seen
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::{super::compress::deflate_within, *};

    fn zlib_length(text: &[u8]) -> usize {
        deflate_within(text, text.len() + 64, <[u8]>::len).unwrap()
    }

    /// Something like a session, spelled out from a few bytes: each one is a character or a word.
    fn session(script: &[u8]) -> Vec<u8> {
        const WORDS: [&str; 32] = [
            "\"_id\":\"",
            "\"_fresh\":true,",
            "\"_permanent\":true,",
            "\"user_id\":",
            "\"username\":\"",
            "\"csrf_token\":\"",
            "\"visits\":",
            "\"_flashes\":[{\" t\":[\"message\",\"",
            "\"],",
            "\",",
            "\"}",
            "},",
            "null",
            "true",
            "false",
            "[]",
            "{}",
            "1.5",
            "0,",
            "42",
            "1700000000",
            "d41d8cd9",
            "8f00b204",
            "e9800998",
            "alice",
            "example.com",
            "\\u00e9",
            "\u{e9}",
            "\u{2603}",
            "aa",
            "abab",
            "\":\"",
        ];
        let mut text = b"{".to_vec();
        for &byte in script {
            match byte {
                32..=127 => text.push(byte),
                _ => text.extend_from_slice(WORDS[usize::from(byte) % WORDS.len()].as_bytes()),
            }
        }
        text.push(b'}');
        text
    }

    fn arbitrary() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            vec(any::<u8>(), 0..=MAX_LENGTH),
            vec(select(b"ab".to_vec()), 0..=MAX_LENGTH),
            vec(select(b"abcdefgh\xf0\xf1".to_vec()), 0..=MAX_LENGTH),
            (vec(any::<u8>(), 1..8), 0..64_usize).prop_map(|(part, count)| {
                let mut text = part.repeat(count);
                text.truncate(MAX_LENGTH);
                text
            }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100_000, ..ProptestConfig::default() })]

        #[test]
        fn zlib_is_never_shorter_than_claimed_for_sessions(script in vec(any::<u8>(), 0..50)) {
            let text = session(&script);
            let length = zlib_length(&text);
            prop_assert!(length >= least_stream_length(&text), "{}", text.escape_ascii());
            prop_assert!(!is_longer(&text, length), "{}", text.escape_ascii());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

        /// Texts without a repetition, which chance alone makes only of many different bytes.
        #[test]
        fn zlib_is_never_shorter_than_the_quick_bound(text in vec(select(b"abcdefghijkl\xf0".to_vec()), 0..40)) {
            if let Some(least) = least_length_without_matches(&text) {
                prop_assert!(zlib_length(&text) >= least, "{}", text.escape_ascii());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

        #[test]
        fn zlib_is_never_shorter_than_claimed_for_anything(text in arbitrary()) {
            let length = zlib_length(&text);
            prop_assert!(length >= least_stream_length(&text));
            prop_assert!(!is_longer(&text, length));
        }
    }

    /// The least bits for so many of something, if a token tells up to `count` of them in `bits`.
    fn least_bits(tokens: &[(usize, usize)], wanted: usize) -> usize {
        let mut least = vec![0; wanted + 1];
        for reached in 1..=wanted {
            least[reached] = tokens
                .iter()
                .map(|&(count, bits)| bits + least[reached.saturating_sub(count)])
                .min()
                .unwrap();
        }
        least[wanted]
    }

    #[test]
    fn code_lengths_are_told_in_the_fewest_bits_there_are() {
        for number in 0..=256 {
            let zeros = least_bits(&[(1, 1), (10, 1 + 3), (138, 1 + 7)], number);
            assert_eq!(usize::from(ZEROS_BITS[number]), zeros, "{number}");
            let repeated = least_bits(&[(1, 1), (6, 1 + 2)], number);
            assert_eq!(
                usize::from(STRETCH_BITS[number + 1]),
                1 + repeated,
                "{number}"
            );
        }
        assert_eq!(STRETCH_BITS[0], 0);
    }

    #[test]
    fn a_complete_code_needs_the_entry_of_a_short_length() {
        // RFC 1951, section 3.2.7.
        const ORDER: [u32; 19] = [
            16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
        ];
        for distinct in 1..=255_u8 {
            let text: Vec<_> = (0..distinct).collect();
            let symbols = u32::from(distinct) + 1;
            let fits = |length: u32| (1..=15).contains(&length) && 1 << length <= symbols;
            let entries = ORDER.iter().position(|&length| fits(length)).unwrap() + 1;
            assert_eq!(
                Survey::of(&text).length_code_entries(),
                entries,
                "{distinct}"
            );
        }
    }

    #[test]
    fn usual_sessions_are_decided_without_zlib() {
        for text in [
            r#"{"username":"alice","visits":3}"#,
            r#"{"user_id":42}"#,
            r#"{"_permanent":true,"user_id":42}"#,
        ] {
            assert!(is_longer(text.as_bytes(), text.len() - 2), "{text}");
        }
        // And what zlib does win is left to it.
        let text = br#"{"roles":["reader","reader","reader","reader","reader"]}"#;
        assert!(zlib_length(text) < text.len() - 1);
        assert!(!is_longer(text, text.len() - 2));
    }
}
