//! Where HdrHistogram's buckets lie, for the bounds and digits of [`super`].
//!
//! The first 256 are a microsecond wide each; from there on, every 128 are twice as wide as those before.

/// All of them.
pub(super) const COUNT: usize = 26 << HALF;

/// Two significant digits: this many powers of two share a width, but for the first, of which there are twice as many.
const HALF: u32 = 7;

/// In which bucket a value lies, in µs.
pub(super) fn index(value: u64) -> usize {
    let doublings = (u64::BITS - value.leading_zeros()).saturating_sub(HALF + 1);
    ((doublings as usize) << HALF) + (value >> doublings) as usize
}

/// The least value in a bucket, in µs.
pub(super) fn least(index: usize) -> u64 {
    let doublings = doublings(index);
    ((index - (doublings << HALF)) as u64) << doublings
}

/// The middle of a bucket, in µs, rounded up.
pub(super) fn middle(index: usize) -> u64 {
    least(index) + ((1 << doublings(index)) >> 1)
}

/// How often the width was doubled there.
fn doublings(index: usize) -> usize {
    (index >> HALF).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;

    #[test]
    fn they_lie_where_the_library_has_them() {
        let library =
            Histogram::<u32>::new_with_bounds(1, super::super::micros(super::super::LONGEST), 2).unwrap();
        assert_eq!(library.distinct_values(), COUNT);
        for bucket in 0..COUNT {
            let (first, last) = (least(bucket), library.highest_equivalent(least(bucket)));
            assert_eq!((index(first), index(last)), (bucket, bucket));
            assert_eq!(library.lowest_equivalent(last), first);
            assert_eq!(library.median_equivalent(first), middle(bucket));
            assert_eq!(least((bucket + 1).min(COUNT)), last + 1);
        }
    }
}
