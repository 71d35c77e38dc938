//! Medians and how far the rounds lie apart.

use serde::{Deserialize, Serialize};

/// The rounds of one figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    /// Half the distance from the first quartile to the third.
    pub(crate) spread: f64,
    pub(crate) rounds: usize,
}

impl Summary {
    /// None of no rounds.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values
            .into_iter()
            .filter(|value| value.is_finite())
            .collect();
        values.sort_by(f64::total_cmp);
        Some(Self {
            median: quantile(&values, 0.5)?,
            spread: (quantile(&values, 0.75)? - quantile(&values, 0.25)?) / 2.0,
            rounds: values.len(),
        })
    }
}

/// The value that this part of the sorted values is not above; between two of them in proportion.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(crate) fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = part.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_half_of_what_the_middle_half_covers() {
        let summary = Summary::of([5.0, 1.0, 4.0, 2.0, 3.0]).unwrap();
        assert_eq!(
            summary,
            Summary {
                median: 3.0,
                spread: 1.0,
                rounds: 5
            }
        );
        assert!(Summary::of([2.0]).unwrap().spread.abs() < 1e-9);
        assert_eq!(Summary::of([]), None);
        let without = Summary::of([1.0, f64::NAN, 3.0]).unwrap();
        assert!((without.median - 2.0).abs() < 1e-9);
    }

    #[test]
    fn quantiles_lie_between_their_neighbours_and_ends_are_ends() {
        let values = [10.0, 20.0, 30.0, 40.0];
        assert_eq!(quantile(&values, 0.0), Some(10.0));
        assert_eq!(quantile(&values, 0.5), Some(25.0));
        assert_eq!(quantile(&values, 1.0), Some(40.0));
        let hundred: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!(quantile(&hundred, 0.99), Some(99.0));
    }
}
