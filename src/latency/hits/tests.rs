use super::*;
use hdrhistogram::serialization::{Serializer, V2Serializer};
use proptest::prelude::*;

const EXTREMES: Extremes = Extremes { min: 1_000, max: 3_600_000_000_000, sum: 7 };

/// Hits of any kind: with gaps of all lengths, and counts of one byte to five.
fn hits() -> impl Strategy<Value = Hits> {
    let bucket = prop_oneof![0..buckets::COUNT as u16, 400..420_u16];
    let count = prop_oneof![1..4_u32, 1..=u32::MAX];
    prop::collection::btree_map(bucket, count, 1..60)
        .prop_map(|hits| Hits { buckets: hits.into_iter().collect() })
}

fn extremes() -> Vec<u8> {
    postcard::to_stdvec(&EXTREMES).unwrap()
}

/// As the library reads them.
fn by_the_library(v2: &[u8]) -> Result<Vec<(u16, u32)>, LatencyError> {
    let mut hits = Hits::default();
    hits.ask_the_library(v2).map(|()| hits.buckets)
}

proptest! {
    #[test]
    fn the_library_writes_the_same(hits in hits()) {
        let mut theirs = extremes();
        V2Serializer::new().serialize(&hits.histogram(), &mut theirs).unwrap();
        prop_assert_eq!(&hits.write(&EXTREMES), &theirs);
        let mut back = Hits::default();
        back.read(&theirs).unwrap();
        prop_assert_eq!(&back.buckets, &hits.buckets);
        prop_assert_eq!(by_the_library(&theirs[extremes().len()..]), Ok(hits.buckets));
    }

    #[test]
    fn what_is_read_here_the_library_reads_so_too(
        hits in hits(), at in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let mut v2 = hits.write(&EXTREMES)[extremes().len()..].to_vec();
        // Anything in the midst of a payload, whose length is told all the same.
        let at = at.index(v2.len() - HEADER) + HEADER;
        v2.splice(at..(at + bytes.len() / 2).min(v2.len()), bytes);
        let payload = (v2.len() - HEADER) as u32;
        v2[4..8].copy_from_slice(&payload.to_be_bytes());
        let mut walked = Hits::default();
        if walked.walk(&v2).is_some() {
            prop_assert_eq!(by_the_library(&v2), Ok(walked.buckets));
        }
    }
}

#[test]
fn what_is_written_otherwise_is_left_to_the_library() {
    let hits = Hits { buckets: vec![(3, 1), (700, 2)] };
    let plain = hits.write(&EXTREMES)[extremes().len()..].to_vec();
    // The last count, 2, in ten bytes too many, is one that the library reads.
    let mut long = plain[..plain.len() - 1].to_vec();
    long.extend([0x84, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]);
    let payload = (long.len() - HEADER) as u32;
    long[4..8].copy_from_slice(&payload.to_be_bytes());
    let mut read = Hits::default();
    assert!(read.walk(&plain).is_some() && read.walk(&long).is_none());
    read.read(&[extremes(), long].concat()).unwrap();
    assert_eq!(read.buckets, hits.buckets);
}

#[test]
fn more_than_there_are_buckets_is_refused() {
    let last = buckets::COUNT as u16 - 1;
    let full = Hits { buckets: vec![(last, 1)] };
    let mut bytes = full.write(&EXTREMES);
    assert!(Hits::default().read(&bytes).is_ok());
    let length = extremes().len() + 4;
    bytes.extend([2]);
    let payload = (bytes.len() - extremes().len() - HEADER) as u32;
    bytes[length..length + 4].copy_from_slice(&payload.to_be_bytes());
    assert!(matches!(Hits::default().read(&bytes), Err(LatencyError::Histogram(_))));
}
