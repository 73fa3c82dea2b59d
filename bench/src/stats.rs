//! Medians, spreads and percentiles. All of them are exact: nothing is sampled.

use serde::Serialize;

/// A quantity over the pairs of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// The middle value.
    pub(crate) median: f64,
    /// The smallest.
    pub(crate) min: f64,
    /// The largest.
    pub(crate) max: f64,
}

impl Spread {
    /// The spread of some values; zeros when there are none.
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self {
            median: round(median_of_sorted(&sorted)),
            min: round(sorted.first().copied().unwrap_or(0.0)),
            max: round(sorted.last().copied().unwrap_or(0.0)),
        }
    }
}

fn median_of_sorted(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The value below which `share` (0 to 1) of the sorted microseconds lie, in milliseconds.
pub(crate) fn percentile_ms(sorted_us: &[u64], share: f64) -> f64 {
    if sorted_us.is_empty() {
        return 0.0;
    }
    let last = sorted_us.len() - 1;
    let index = (share * last as f64).round() as usize;
    round(sorted_us[index.min(last)] as f64 / 1000.0)
}

/// Three places are more than a shared machine can justify.
pub(crate) fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles() {
        let spread = Spread::of(&[3.0, 1.0, 2.0, 10.0]);
        assert_eq!((spread.median, spread.min, spread.max), (2.5, 1.0, 10.0));
        assert_eq!(Spread::of(&[]).median, 0.0);
        let us: Vec<u64> = (0..=1000).map(|n| n * 1000).collect();
        assert_eq!(percentile_ms(&us, 0.99), 990.0);
        assert_eq!(percentile_ms(&us, 0.5), 500.0);
        assert_eq!(percentile_ms(&[], 0.5), 0.0);
    }
}
