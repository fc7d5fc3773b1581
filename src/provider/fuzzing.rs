//! Servers' answers out of a fuzzer's bytes.
//!
//! They are written as HTTP has it, so that a person can read them: a line with the status and what is
//! asked for, headers, an empty line, the body.

use super::http::Reply;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

pub(crate) use super::cog::fuzzing::answered as cog;
pub(crate) use super::replicate::fuzzing::answered as replicate;

/// What was asked for, and the answer.
pub(super) fn exchange(data: &[u8]) -> (String, Reply) {
    let end = data.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((&data[..0], data), |end| (&data[..end], &data[end + 2..]));
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let (status, asked) = lines.next().unwrap_or_default().split_once(' ').unwrap_or(("200", "prediction"));
    let status = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
    let headers = lines.take(20).filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.parse::<HeaderName>().ok()?, value.trim().parse::<HeaderValue>().ok()?))
    });
    let headers: HeaderMap = headers.collect();
    (asked.to_owned(), Reply::new(status.unwrap_or(StatusCode::OK), headers, body))
}
