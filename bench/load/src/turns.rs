//! Who has a turn in a round, and in which order.

use plan::Shuffle;

/// The places of those who can still be measured.
pub(crate) struct Turns(Vec<usize>);

impl Turns {
    pub(crate) fn of(subjects: usize) -> Self {
        Self((0..subjects).collect())
    }

    /// The order of the next round.
    pub(crate) fn next(&self, shuffle: &mut Shuffle) -> Vec<usize> {
        let mut order = self.0.clone();
        shuffle.shuffle(&mut order);
        order
    }

    /// Something is wrong with the one in this place: it has no more turns.
    pub(crate) fn leave_out(&mut self, place: usize) {
        self.0.retain(|fit| *fit != place);
    }
}

/// All of them in turn, round by round: the samples of each. Whom `measure` gives none has no more turns.
pub(crate) fn in_turn<Sample>(
    rounds: usize,
    subjects: usize,
    shuffle: &mut Shuffle,
    mut measure: impl FnMut(usize) -> Option<Sample>,
) -> Vec<Vec<Sample>> {
    let mut samples: Vec<Vec<Sample>> = (0..subjects).map(|_| Vec::new()).collect();
    let mut turns = Turns::of(subjects);
    for _ in 0..rounds {
        for place in turns.next(shuffle) {
            match measure(place) {
                Some(sample) => samples[place].push(sample),
                None => turns.leave_out(place),
            }
        }
    }
    samples
}
