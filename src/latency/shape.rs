//! A distribution as it is drawn, from what other programs read too.

use base64::prelude::{BASE64_STANDARD, Engine};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

/// A distribution as it is drawn: how many lie in each of some columns that grow by the same factor.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// The shortest, in seconds, to the bucket.
    pub least: f64,
    /// The longest, in seconds, to the bucket.
    pub most: f64,
    /// How many in each column.
    pub counts: Vec<u64>,
}

impl Shape {
    /// That of all of these together, each as [`super::Distribution::to_base64`] has it; what can't be read is left
    /// out. None where nothing is left.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>, columns: usize) -> Option<Self> {
        let mut whole: Option<Histogram<u64>> = None;
        for part in parts {
            let Ok(bytes) = BASE64_STANDARD.decode(part) else { continue };
            let Ok(histogram) = Deserializer::new().deserialize::<u64, _>(&mut &*bytes) else { continue };
            match &mut whole {
                Some(whole) => drop(whole.add(histogram)),
                None => whole = Some(histogram),
            }
        }
        let whole = whole.filter(|whole| !whole.is_empty())?;
        let (mut least, mut most) = (whole.min(), whole.max());
        if whole.equivalent(least, most) {
            (least, most) = (whole.median_equivalent(least), whole.median_equivalent(least));
        }
        let (least, most) = (least.max(1) as f64 / 1e6, most.max(1) as f64 / 1e6);
        let mut counts = vec![0; columns.max(1)];
        for bucket in whole.iter_recorded() {
            let at = (bucket.value_iterated_to().max(1) as f64 / 1e6).clamp(least, most);
            let share = if most > least { (at / least).ln() / (most / least).ln() } else { 0.0 };
            let column = ((share * counts.len() as f64) as usize).min(counts.len() - 1);
            counts[column] += bucket.count_since_last_iteration();
        }
        Some(Self { least, most, counts })
    }
}
