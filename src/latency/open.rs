//! Distributions being added up: all buckets open, 13 KB.

use super::hits::Hits;
use super::{Distribution, Extremes, LatencyError, buckets};

/// A sum of distributions. To be used for many, one after the other, as to open the buckets costs more than
/// to add to them.
#[derive(Debug)]
pub(crate) struct Open {
    /// None before anything is added: many a sum has no boots.
    counts: Vec<u32>,
    /// The buckets beyond which none was hit.
    from: usize,
    to: usize,
    extremes: Option<Extremes>,
    /// What is read at the time.
    hits: Hits,
}

impl Open {
    pub(crate) fn new() -> Self {
        Self { counts: Vec::new(), from: buckets::COUNT, to: 0, extremes: None, hits: Hits::default() }
    }

    /// Adds what was recorded there.
    pub(crate) fn add(&mut self, other: &Distribution) {
        if other.is_empty() {
            return;
        }
        self.counts.resize(buckets::COUNT, 0);
        if !other.sorted.is_empty() {
            self.add_bytes(&other.sorted).expect("checked when it was made");
        }
        for &ns in &other.fresh {
            // To the nearest microsecond.
            self.hit(buckets::index((ns + 500) / 1000), 1);
            self.widen(Extremes { min: ns, max: ns, sum: u128::from(ns) });
        }
    }

    /// Adds a distribution in its form at rest; one that can't be read adds nothing.
    pub(crate) fn add_bytes(&mut self, bytes: &[u8]) -> Result<(), LatencyError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.counts.resize(buckets::COUNT, 0);
        let mut hits = std::mem::take(&mut self.hits);
        let read = hits.read(bytes);
        if let Ok(extremes) = &read {
            for &(bucket, count) in &hits.buckets {
                self.hit(bucket.into(), count);
            }
            self.widen(*extremes);
        }
        self.hits = hits;
        read.map(drop)
    }

    /// The sum; it is empty again after.
    pub(crate) fn close(&mut self) -> Distribution {
        let sorted = self.hits().map_or_else(Vec::new, |(extremes, hits)| hits.write(&extremes));
        if self.extremes.take().is_some() {
            self.counts[self.from..self.to].fill(0);
            (self.from, self.to) = (buckets::COUNT, 0);
        }
        Distribution { sorted, fresh: Vec::new() }
    }

    /// What was hit; none where nothing was added.
    pub(super) fn hits(&self) -> Option<(Extremes, Hits)> {
        let extremes = self.extremes?;
        let hit = self.counts[self.from..self.to].iter().zip(self.from..).filter(|(count, _)| **count > 0);
        Some((extremes, Hits { buckets: hit.map(|(count, bucket)| (bucket as u16, *count)).collect() }))
    }

    /// Saturates rather than overflows.
    fn hit(&mut self, bucket: usize, times: u32) {
        let count = &mut self.counts[bucket];
        *count = count.saturating_add(times);
        self.from = self.from.min(bucket);
        self.to = self.to.max(bucket + 1);
    }

    fn widen(&mut self, by: Extremes) {
        self.extremes = Some(self.extremes.map_or(by, |own| Extremes {
            min: own.min.min(by.min),
            max: own.max.max(by.max),
            sum: own.sum.saturating_add(by.sum),
        }));
    }
}
