//! Latencies in buckets that grow with the value: exact below 128, then 64 buckets for every power of two, so that a
//! percentile is at most 1.6 % too large. Recording is a handful of instructions and never allocates.

/// Buckets for each power of two.
const FINE: u64 = 1 << FINE_BITS;
const FINE_BITS: u32 = 6;
/// Values of 64 bits need so many.
const BUCKETS: usize = ((64 - FINE_BITS as usize) + 1) << FINE_BITS;

/// Counts of values.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    buckets: Box<[u64]>,
    count: u64,
    largest: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { buckets: vec![0; BUCKETS].into_boxed_slice(), count: 0, largest: 0 }
    }

    #[inline]
    pub(crate) fn record(&mut self, value: u64) {
        if let Some(bucket) = self.buckets.get_mut(bucket_of(value)) {
            *bucket += 1;
        }
        self.count += 1;
        self.largest = self.largest.max(value);
    }

    pub(crate) fn clear(&mut self) {
        self.buckets.fill(0);
        self.count = 0;
        self.largest = 0;
    }

    /// How many were recorded.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The value that a share (0 to 1) of all values does not exceed; 0 when nothing was recorded.
    pub(crate) fn quantile(&self, share: f64) -> u64 {
        let mut seen = 0;
        for (index, &count) in self.buckets.iter().enumerate() {
            seen += count;
            if count > 0 && seen as f64 >= share * self.count as f64 {
                return highest_in(index as u64).min(self.largest);
            }
        }
        self.largest
    }
}

fn bucket_of(value: u64) -> usize {
    let width = 64 - (value | 1).leading_zeros();
    let shift = width.saturating_sub(FINE_BITS + 1);
    let index = u64::from(shift) * FINE + (value >> shift);
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The largest value that falls into a bucket.
fn highest_in(index: u64) -> u64 {
    if index < 2 * FINE {
        return index;
    }
    let shift = index / FINE - 1;
    let above = u128::from(index - shift * FINE + 1) << shift;
    u64::try_from(above - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket_and_the_buckets_meet() {
        let edges = (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1, (1 << bit) + 1, 3 << bit >> 1]);
        for value in edges.chain(0..5_000).chain([u64::MAX]) {
            let index = bucket_of(value);
            assert!(index < BUCKETS, "{value}");
            assert!(value <= highest_in(index as u64), "{value}");
            assert!(index == 0 || value > highest_in(index as u64 - 1), "{value}");
            assert!(highest_in(index as u64) - value <= value / FINE, "{value} is off by more than a 64th");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let mut histogram = Histogram::new();
        assert_eq!((histogram.quantile(0.5), histogram.count()), (0, 0));
        for value in 1..=1_000 {
            histogram.record(value * 1_000);
        }
        for (share, expected) in [(0.5, 500_000_u64), (0.99, 990_000), (0.999, 999_000), (1.0, 1_000_000)] {
            let found = histogram.quantile(share);
            assert!(found >= expected && found - expected <= expected / FINE, "{share}: {found}");
        }
        histogram.clear();
        assert_eq!(histogram.quantile(1.0), 0);
    }
}
