/// The order of the subjects in a round: another each time, the same for the same seed. Steele, Lea and Flood's `SplitMix64`.
#[derive(Clone, Debug)]
pub struct Shuffle(u64);

impl Shuffle {
    /// Beginning with this number.
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// Fisher and Yates' shuffle.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            let choices = last as u64 + 1;
            let chosen = usize::try_from(self.next() % choices).unwrap_or(last);
            things.swap(last, chosen);
        }
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_order_and_each_place_is_reached() {
        let order = |seed| {
            let mut things: Vec<usize> = (0..8).collect();
            Shuffle::seeded(seed).shuffle(&mut things);
            things
        };
        assert_eq!(order(1), order(1));
        let firsts: std::collections::BTreeSet<_> = (0..200).map(|seed| order(seed)[0]).collect();
        assert_eq!(firsts.len(), 8);
        let mut sorted = order(7);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..8).collect::<Vec<_>>());
    }
}
