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
    let times = (moment(), moment(), moment(), duration(), duration(), duration());
    (times, prop::sample::select(Outcome::ALL.to_vec()), evidence, text(), rejection, any::<bool>()).prop_map(
        |(
            (due_at, sent_at, done_at, total, wait, predict),
            outcome,
            evidence,
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
                    evidence,
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

proptest! {
    #[test]
    fn entries_come_back_as_they_were(entries in entries()) {
        let body = pack(entries.iter().map(|(number, entry)| (*number, entry)));
        let row = unpack(&body).unwrap();
        let back: Vec<Entry> = row.entries(|number| Some(name(number))).collect();
        prop_assert_eq!(back, entries.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>());
    }

    #[test]
    fn damaged_rows_are_refused_or_read_without_a_panic(
        entries in entries(), at in any::<prop::sample::Index>(), byte in any::<u8>(), noise in any::<Vec<u8>>(),
    ) {
        let mut body = pack(entries.iter().map(|(number, entry)| (*number, entry)));
        let at = at.index(body.len());
        body[at] = byte;
        for body in [body, [vec![FORMAT], noise].concat()] {
            if let Ok(row) = unpack(&body) {
                let _ = (row.entries(|n| Some(name(n))).count(), row.sums().count());
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
        total: Some(Duration::from_micros(420_123)),
        wait: Some(Duration::from_micros(50_321)),
        predict: Some(Duration::from_micros(310_987)),
        error: None,
        rejection: None,
    };
    Entry { model: name(1), at: t(421), what: What::Heartbeat { heartbeat, in_hours: true } }
}

#[test]
fn a_warm_heartbeat_takes_a_few_dozen_bytes() {
    let entry = warm_heartbeat();
    let one = pack([(1, &entry)]).len();
    let more = pack([(1, &entry), (1, &entry), (1, &entry)]).len();
    assert!(one <= 80 && more - one <= 2 * 60, "{one} B, three {more} B");
}

/// Rows of files in use: if this fails, [`FORMAT`] needs a new number, and the old one a reader.
#[test]
fn the_form_on_disk_is_as_it_was() {
    let mut entries = vec![warm_heartbeat()];
    let at = entries[0].at;
    let boot = What::Boot { took: Some(Duration::from_secs(9)) };
    let spent = What::Spent { from: at - Duration::from_secs(30), to: at, how: Spent::Cold };
    let state = What::State { from: State::Unknown, to: State::Warm, reason: None };
    for what in [boot, spent, What::Paused { until: None }, What::Resumed, state, What::Tracked] {
        entries.push(Entry { model: name(2), at, what });
    }
    let body = pack(entries.iter().map(|entry| (7, entry)));
    assert_eq!(body.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat(), GOLDEN);
}

const GOLDEN: &str = "0180cdc5daa2dbe3f9300707000001ffccbf910380897a000001010100f8a2aac8010100e8acff1701\
    00f891a594010000070001010900070002ffaf9dc2df01000107000400070005070007080600070008";

#[test]
fn a_long_text_is_cut_between_characters() {
    let mut entry = warm_heartbeat();
    entry.what = What::Aimed { at: "é".repeat(2000) };
    let body = pack([(1, &entry)]);
    let back: Vec<Entry> = unpack(&body).unwrap().entries(|n| Some(name(n))).collect();
    assert_eq!(back[0].what, What::Aimed { at: "é".repeat(512) });
}
