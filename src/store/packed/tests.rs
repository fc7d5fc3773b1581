//! That rows come back as they were, and that the form on disk stays.

use super::*;
use proptest::prelude::*;

fn moment() -> impl Strategy<Value = DateTime<Utc>> {
    let near = (1_763_000_000_i64..1_764_000_000, 0_u32..1_000_000_000);
    // What a server tells of its setup may be any time at all.
    let any = (-62_000_000_000_i64..253_000_000_000, 0_u32..1_000_000_000);
    prop_oneof![near, any].prop_map(|(s, ns)| DateTime::from_timestamp(s, ns).unwrap())
}

fn duration() -> impl Strategy<Value = Option<Duration>> {
    prop::option::of(any::<Duration>())
}

fn text() -> impl Strategy<Value = Option<String>> {
    prop::option::of("\\PC{0,40}")
}

fn heartbeat() -> impl Strategy<Value = What> {
    let rejection = prop::sample::select(vec![
        None,
        Some(Rejection::Token),
        Some(Rejection::Credit),
        Some(Rejection::Model),
        Some(Rejection::Input),
    ]);
    let evidence = prop::sample::select(vec![
        None,
        Some(Evidence::SetupTime),
        Some(Evidence::QueueWait),
        Some(Evidence::Latency),
    ]);
    let certainty = prop_oneof![Just(Certainty::FULL), (0.5..1.0).prop_map(Certainty::of)];
    let times = (moment(), moment(), moment(), duration(), duration(), duration());
    let outcome = prop::sample::select(Outcome::ALL.to_vec());
    (times, outcome, (evidence, certainty), text(), rejection, any::<bool>()).prop_map(
        |(
            (due_at, sent_at, done_at, total, wait, predict),
            outcome,
            (evidence, certainty),
            error,
            rejection,
            in_hours,
        )| {
            What::Heartbeat {
                heartbeat: Heartbeat {
                    due_at,
                    sent_at,
                    done_at,
                    outcome,
                    // A calibration's is known.
                    evidence: if outcome == Outcome::Calibration {
                        Some(Evidence::Calibrated)
                    } else {
                        evidence
                    },
                    certainty,
                    total,
                    wait,
                    predict,
                    error,
                    rejection,
                },
                in_hours,
            }
        },
    )
}

fn what() -> impl Strategy<Value = What> {
    let spent = prop::sample::select(vec![Spent::Warm, Spent::Cold, Spent::Unknown]);
    prop_oneof![
        heartbeat(),
        duration().prop_map(|took| What::Boot { took }),
        (moment(), moment(), spent).prop_map(|(from, to, how)| What::Spent { from, to, how }),
        (moment(), prop::option::of(moment()))
            .prop_map(|(started_at, completed_at)| What::Setup(Setup { started_at, completed_at })),
        prop::option::of(moment()).prop_map(|until| What::Paused { until }),
        Just(What::Resumed),
        "\\PC{0,40}".prop_map(|at| What::Aimed { at }),
        text().prop_map(|reason| What::State { from: State::Unknown, to: State::Booting, reason }),
        Just(What::Tracked),
    ]
}

fn name(number: u32) -> ModelName {
    format!("model-{number}").parse().unwrap()
}

fn entries() -> impl Strategy<Value = Vec<(u32, Entry)>> {
    let entry = (0_u32..5, moment(), what())
        .prop_map(|(number, at, what)| (number, Entry { model: name(number), at, what }));
    prop::collection::vec(entry, 0..20)
}

/// As the file has it: cut off at the µs, but for what is compared with a server's own words.
fn kept(entry: Entry) -> Entry {
    let at = |t: DateTime<Utc>| DateTime::from_timestamp_micros(t.timestamp_micros()).unwrap();
    let took = |d: Option<Duration>| d.map(|d| Duration::from_micros(micros(d)));
    let what = match entry.what {
        What::Heartbeat { heartbeat: h, in_hours } => What::Heartbeat {
            heartbeat: Heartbeat {
                due_at: at(h.due_at),
                sent_at: at(h.sent_at),
                done_at: at(h.done_at),
                total: took(h.total),
                wait: took(h.wait),
                predict: took(h.predict),
                ..h
            },
            in_hours,
        },
        What::Boot { took: boot } => What::Boot { took: took(boot) },
        What::Spent { from, to, how } => What::Spent { from: at(from), to: at(to), how },
        What::Paused { until } => What::Paused { until: until.map(at) },
        What::Setup(_) | What::Resumed | What::Aimed { .. } | What::State { .. } | What::Tracked => {
            entry.what
        }
    };
    Entry { at: at(entry.at), what, ..entry }
}

proptest! {
    #[test]
    fn entries_come_back_as_they_were_to_the_microsecond(entries in entries()) {
        let body = pack(entries.iter().map(|(number, entry)| (*number, entry)));
        let row = unpack(&body).unwrap();
        let back: Vec<Entry> = row.entries(|number| Some(name(number))).collect();
        prop_assert_eq!(back, entries.into_iter().map(|(_, entry)| kept(entry)).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_packed_bit_by_bit_is_what_is_packed_at_once(entries in entries(), failed in entries()) {
        let mut packer = Packer::default();
        let mut parts: Vec<u8> = Vec::new();
        for (number, entry) in &entries {
            let mark = packer.mark();
            for (number, entry) in &failed {
                packer.push(*number, entry);
            }
            packer.back_to(mark);
            packer.push(*number, entry);
            parts.extend(packer.since(mark));
        }
        let at_once = pack(entries.iter().map(|(number, entry)| (*number, entry)));
        prop_assert_eq!(packer.body(), &at_once);
        prop_assert_eq!(parts, at_once);
    }

    #[test]
    fn damaged_rows_are_refused_or_read_without_a_panic(
        entries in entries(), at in any::<prop::sample::Index>(), byte in any::<u8>(), noise in any::<Vec<u8>>(),
    ) {
        let mut body = pack(entries.iter().map(|(number, entry)| (*number, entry)));
        if !body.is_empty() {
            let at = at.index(body.len());
            body[at] = byte;
        }
        for body in [body, [vec![FORMAT], noise.clone()].concat(), [vec![OLD], noise].concat()] {
            if let Ok(row) = unpack(&body) {
                let _ = (row.entries(|n| Some(name(n))).count(), row.sums().count());
                let again = cut(&body, DateTime::<Utc>::MAX_UTC).unwrap().1;
                assert!(unpack(&again).unwrap().sums().count() <= row.sums().count());
            }
        }
    }
}

fn warm_heartbeat() -> Entry {
    let t = |ms: i64| DateTime::from_timestamp_millis(1_763_660_000_000 + ms).unwrap();
    let heartbeat = Heartbeat {
        due_at: t(0),
        sent_at: t(1),
        done_at: t(421),
        outcome: Outcome::Warm,
        evidence: Some(Evidence::QueueWait),
        certainty: Certainty::FULL,
        total: Some(Duration::from_micros(420_123)),
        wait: Some(Duration::from_micros(50_321)),
        predict: Some(Duration::from_micros(310_987)),
        error: None,
        rejection: None,
    };
    Entry { model: name(1), at: t(421), what: What::Heartbeat { heartbeat, in_hours: true } }
}

/// A warm heartbeat, and the stretch that it vouches for, each 100 ms later than the one before.
fn beats(count: u32) -> Vec<(u32, Entry)> {
    let beat = |number: u32| {
        let later = Duration::from_micros(100_007) * number;
        let mut entry = warm_heartbeat();
        entry.at += later;
        if let What::Heartbeat { heartbeat: h, .. } = &mut entry.what {
            (h.due_at, h.sent_at, h.done_at) = (h.due_at + later, h.sent_at + later, h.done_at + later);
        }
        let spent = What::Spent { from: entry.at - Duration::from_secs(30), to: entry.at, how: Spent::Warm };
        [(number % 300, entry.clone()), (number % 300, Entry { what: spent, ..entry })]
    };
    (1..=count).flat_map(beat).collect()
}

#[test]
fn a_warm_heartbeat_and_its_stretch_take_some_thirty_bytes() {
    let beats = beats(1000);
    let body = pack(beats.iter().map(|(number, entry)| (*number, entry)));
    assert!(body.len() <= 30 * 1000, "{} B", body.len());
}

#[test]
fn stretches_that_adjoin_still_do() {
    let t = |ns: u32| DateTime::from_timestamp(1_763_660_000, ns).unwrap();
    let spent =
        |from, to| Entry { model: name(1), at: t(7), what: What::Spent { from, to, how: Spent::Warm } };
    let entries = [spent(t(1_999), t(5_001)), spent(t(5_001), t(9_500))];
    let body = pack(entries.iter().map(|entry| (1, entry)));
    let row = unpack(&body).unwrap();
    let sums: Vec<_> = row.sums().map(|(.., sum)| sum).collect();
    let [Sum::Spent { from, to, .. }, Sum::Spent { from: then, to: end, .. }] = sums[..] else {
        panic!("{sums:?}")
    };
    let base = 1_763_660_000 * SECOND;
    assert_eq!((from - base, to, then, end - base), (1, then, base + 5, 9));
}

fn all_kinds() -> Vec<Entry> {
    let mut entries = vec![warm_heartbeat()];
    let at = entries[0].at;
    let boot = What::Boot { took: Some(Duration::from_secs(9)) };
    let spent = What::Spent { from: at - Duration::from_secs(30), to: at, how: Spent::Cold };
    let state = What::State { from: State::Unknown, to: State::Warm, reason: None };
    for what in [boot, spent, What::Paused { until: None }, What::Resumed, state, What::Tracked] {
        entries.push(Entry { model: name(2), at, what });
    }
    entries
}

fn hex(body: &[u8]) -> String {
    body.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// Rows of files in use: if this fails, [`FORMAT`] needs a new number, and the old one a reader.
#[test]
fn the_form_on_disk_is_as_it_was() {
    let mut entries = all_kinds();
    let mut failed = warm_heartbeat();
    if let What::Heartbeat { heartbeat: h, .. } = &mut failed.what {
        (h.outcome, h.rejection, h.predict) = (Outcome::Rejected, Some(Rejection::Input), None);
        h.error = Some("no".to_owned());
    }
    entries.push(failed);
    let at = entries[0].at + Duration::from_nanos(5);
    let setup = What::Setup(Setup { started_at: at - Duration::from_secs(5), completed_at: Some(at) });
    for what in [setup, What::Aimed { at: "x".to_owned() }, What::Paused { until: Some(at) }] {
        entries.push(Entry { model: name(2), at, what });
    }
    let body = pack(entries.iter().map(|entry| (7, entry)));
    assert_eq!(hex(&body), GOLDEN);
}

const GOLDEN: &str = "02c0079092a3fdc282a206e08fb233d00f9bd219918903cbfd1272c0a8a5047300ff8dce1c35363808063971e4\
    8fb233d00f9bd21991890300036e6f0474fface2040500053701787500";

/// As earlier builds wrote it.
#[test]
fn rows_of_format_1_are_read_as_they_were_meant() {
    let body: Vec<u8> = (0..GOLDEN_1.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&GOLDEN_1[at..at + 2], 16).unwrap())
        .collect();
    let row = unpack(&body).unwrap();
    let back: Vec<Entry> = row.entries(|number| (number == 7).then(|| name(1))).collect();
    let meant = all_kinds().into_iter().map(|entry| Entry { model: name(1), ..entry });
    assert_eq!(back, meant.collect::<Vec<_>>());
    // What is cut of it is of the newest format.
    let (until, cut) = cut(&body, back[0].at - Duration::from_secs(10)).unwrap();
    assert_eq!((cut[0], until), (FORMAT, back[0].at.timestamp()));
    let spent = |row: &Row<'_>| {
        let sums = row.sums().filter_map(|(.., sum)| match sum {
            Sum::Spent { from, to, .. } => Some(to - from),
            Sum::Heartbeat { .. } | Sum::Boot { .. } => None,
        });
        sums.sum::<i64>()
    };
    assert_eq!((spent(&row), spent(&unpack(&cut).unwrap())), (30 * SECOND, 20 * SECOND));
}

const GOLDEN_1: &str = "0180cdc5daa2dbe3f9300707000001ffccbf910380897a000001010100f8a2aac8010100e8acff1701\
    00f891a594010000070001010900070002ffaf9dc2df01000107000400070005070007080600070008";

#[test]
fn a_long_text_is_cut_between_characters() {
    let mut entry = warm_heartbeat();
    entry.what = What::Aimed { at: "é".repeat(2000) };
    let body = pack([(1, &entry)]);
    let back: Vec<Entry> = unpack(&body).unwrap().entries(|n| Some(name(n))).collect();
    assert_eq!(back[0].what, What::Aimed { at: "é".repeat(512) });
}
