//! How long things take, as counts in fixed buckets: no allocation, a handful of instructions for each value.

/// The bound of the first bucket is 2 to this power, in microseconds: 32 µs.
const FIRST_POWER: u32 = 5;
/// Bounds double from bucket to bucket. The last one is 2 to the 24 µs, 16.8 s; what takes longer has no bound.
const BOUNDS: usize = 20;

/// Durations, counted by powers of two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; BOUNDS + 1],
    micros: u64,
}

impl Histogram {
    /// Counts a duration, given in microseconds.
    pub fn record(&mut self, micros: u64) {
        // The power of two at or above the value, as the number of bits of the value less one.
        let power = u64::BITS - micros.saturating_sub(1).leading_zeros();
        let bucket = (power.saturating_sub(FIRST_POWER) as usize).min(BOUNDS);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.micros = self.micros.saturating_add(micros);
    }

    /// For each bucket its bound in microseconds, which belongs to it, and how many durations were up to that long. The
    /// ones that were longer than the last bound are only in [`Histogram::count`].
    pub fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        let bounds = (FIRST_POWER..).map(|power| 1 << power);
        let counts = self.counts.iter().take(BOUNDS).scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        bounds.zip(counts)
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How long they were together, in microseconds.
    pub fn sum_micros(&self) -> u64 {
        self.micros
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        let bounds: Vec<u64> = Histogram::default().cumulative().map(|(bound, _)| bound).collect();
        assert_eq!((bounds.len(), bounds[0], bounds[19]), (20, 32, 16_777_216));
        for micros in [0, 1, 31, 32, 33, 63, 64, 65, 999, 1024, 1025, 16_777_215, 16_777_216, 16_777_217, u64::MAX] {
            let mut histogram = Histogram::default();
            histogram.record(micros);
            for (bound, count) in histogram.cumulative() {
                assert_eq!(count, u64::from(micros <= bound), "{micros} and {bound}");
            }
            assert_eq!((histogram.count(), histogram.sum_micros()), (1, micros));
        }
    }

    #[test]
    fn counts_add_up() {
        let mut histogram = Histogram::default();
        (0..=1000).for_each(|micros| histogram.record(micros));
        let counts: Vec<u64> = histogram.cumulative().map(|(_, count)| count).collect();
        assert_eq!(counts[..6], [33, 65, 129, 257, 513, 1001]);
        assert_eq!((histogram.count(), histogram.sum_micros()), (1001, 500_500));
    }
}
