//! What of a tail's records is believed.

use super::*;
use tempfile::TempDir;

#[test]
fn a_torn_or_spoiled_record_ends_what_is_believed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tail");
    let mut tail = Tail::find(&path, 4711).0;
    let written: Vec<(i64, &[u8])> = vec![(5, b"one"), (5, b"two"), (6, b"three")];
    let mut ends = Vec::new();
    for (row, part) in &written {
        tail.append(*row, part, 4).unwrap();
        ends.push(fs::metadata(&path).unwrap().len() as usize);
    }
    let bytes = fs::read(&path).unwrap();
    let believed = |bytes: &[u8]| parts(bytes, 4711).map(|found| found.parts);
    let upto = |whole: usize| {
        let mut parts: Vec<Part> = Vec::new();
        for (row, part) in &written[..whole] {
            match parts.last_mut() {
                Some((last, body)) if last == row => body.extend(*part),
                _ => parts.push((*row, part.to_vec())),
            }
        }
        parts
    };
    assert_eq!(believed(&bytes), Ok(upto(3)));
    for at in 0..bytes.len() {
        let whole = ends.iter().filter(|end| **end <= at).count();
        match believed(&bytes[..at]) {
            Ok(parts) => assert_eq!(parts, upto(whole), "torn at {at}"),
            Err(_) => assert!(at < 16, "torn at {at}"),
        }
        let mut spoiled = bytes.clone();
        spoiled[at] ^= 1;
        match believed(&spoiled) {
            Ok(parts) => assert_eq!(parts, upto(whole), "spoiled at {at}"),
            Err(_) => assert!(at < 16, "spoiled at {at}"),
        }
    }
    // What comes next takes the place of what is torn.
    fs::write(&path, &bytes[..ends[1] + 7]).unwrap();
    let (mut tail, parts) = Tail::find(&path, 4711);
    assert_eq!(parts, upto(2));
    tail.append(6, b"three", 4).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    // Begun anew, it has a record of before right behind the first, which is nothing of its own.
    tail.append(7, b"one", 6).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len() as usize, bytes.len());
    let (mut tail, parts) = Tail::find(&path, 4711);
    assert_eq!(parts, [(7, b"one".to_vec())]);
    tail.append(7, b"four", 6).unwrap();
    assert_eq!(Tail::find(&path, 4711).1, [(7, b"onefour".to_vec())]);
}
