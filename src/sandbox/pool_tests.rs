//! The instance's life on a clock that is a number.

use super::super::chance::Spread;
use super::*;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn conduct() -> Conduct {
    Conduct {
        idle_timeout: s(60),
        boot: Spread::fixed(s(10)),
        wait: Spread::fixed(ms(20)),
        predict: Spread::fixed(s(1)),
        ..Conduct::default()
    }
}

struct Bench {
    pool: Pool,
    chance: Chance,
    events: Vec<Event>,
}

impl Bench {
    fn new(conduct: Conduct, always_on: bool) -> Self {
        Self { pool: Pool::new(conduct, always_on, s(0)), chance: Chance::new(1), events: Vec::new() }
    }

    fn submit(&mut self, seq: u64, at: Moment, deadline: Option<Moment>) {
        self.until(at);
        let ticket = Ticket { seq, created: at, ready: at + ms(20), predict: s(1), deadline, stuck: false };
        self.pool.submit(ticket, at, &mut self.chance);
    }

    fn until(&mut self, now: Moment) {
        self.pool.advance(now, &mut self.chance, &mut self.events);
    }

    fn starts(&self) -> Vec<(u64, Moment, Option<Duration>)> {
        self.events
            .iter()
            .filter_map(|event| {
                if let Event::Started { seq, at, boot } = event { Some((*seq, *at, *boot)) } else { None }
            })
            .collect()
    }
}

#[test]
fn cold_then_warm_then_idle_then_cold_again() {
    let mut bench = Bench::new(conduct(), false);
    bench.submit(1, s(100), None);
    bench.submit(2, s(150), None);
    // It ended at 151.02 s, and so goes at 211.02 s.
    bench.submit(3, s(211), None);
    bench.submit(4, s(300), None);
    bench.until(s(400));
    assert_eq!(
        bench.starts(),
        [
            (1, s(110), Some(s(10))),
            (2, s(150) + ms(20), None),
            (3, s(211) + ms(20), None),
            (4, s(310), Some(s(10)))
        ]
    );
    assert_eq!(bench.pool.power, Power::Off);
}

#[test]
fn what_comes_during_a_boot_queues_for_the_same_instance_and_is_served_one_by_one() {
    let mut bench = Bench::new(conduct(), false);
    bench.submit(1, s(0), None);
    bench.submit(2, s(4), None);
    bench.submit(3, s(10) + ms(500), None);
    bench.until(s(30));
    assert_eq!(bench.starts(), [(1, s(10), Some(s(10))), (2, s(11), Some(s(10))), (3, s(12), None)]);
    let boots = bench.events.iter().filter(|event| matches!(event, Event::Booted { .. })).count();
    assert_eq!(boots, 1);
}

#[test]
fn two_slots_run_two() {
    let mut bench = Bench::new(Conduct { slots: 2, ..conduct() }, true);
    for seq in 1..=3 {
        bench.submit(seq, s(1), None);
    }
    bench.until(s(10));
    let at: Vec<_> = bench.starts().iter().map(|start| start.1).collect();
    assert_eq!(at, [s(1) + ms(20), s(1) + ms(20), s(2) + ms(20)]);
}

#[test]
fn a_deadline_ends_what_waits_and_what_runs() {
    let mut bench = Bench::new(conduct(), false);
    bench.submit(1, s(0), Some(s(5)));
    bench.submit(2, s(1), Some(s(10) + ms(500)));
    bench.submit(3, s(1), Some(s(60)));
    bench.until(s(30));
    let expired: Vec<_> = bench.events.iter().filter(|e| matches!(e, Event::Expired { .. })).collect();
    assert_eq!(
        expired,
        [
            &Event::Expired { seq: 1, at: s(5), running: false, booting: true },
            &Event::Expired { seq: 2, at: s(10) + ms(500), running: true, booting: false }
        ]
    );
    // The slot comes free at the deadline.
    assert_eq!(bench.starts().last(), Some(&(3, s(10) + ms(500), Some(s(10)))));
}

#[test]
fn it_restarts_by_itself_while_idle_and_never_under_a_prediction() {
    let mut bench = Bench::new(Conduct { restarts_every: Some(s(20)), ..conduct() }, false);
    bench.submit(1, s(0), None);
    // Up at 10 s, so due to restart at 30 s; busy then until 30.5 s.
    bench.submit(2, s(29) + ms(480), None);
    bench.submit(3, s(35), None);
    bench.until(s(41));
    assert!(bench.events.contains(&Event::Booted {
        from: s(30) + ms(500),
        until: s(40) + ms(500),
        alone: true
    }));
    assert_eq!(bench.starts().last(), Some(&(3, s(40) + ms(500), Some(s(10)))));
}

#[test]
fn what_is_always_on_is_never_cold_and_an_evicted_one_is() {
    let mut on = Bench::new(conduct(), true);
    on.submit(1, s(9000), None);
    on.pool.evict();
    on.until(s(9001));
    assert_eq!(on.starts(), [(1, s(9000) + ms(20), None)]);

    let mut off = Bench::new(conduct(), false);
    off.submit(1, s(0), None);
    off.until(s(20));
    off.pool.evict();
    off.submit(2, s(20), None);
    off.until(s(40));
    assert_eq!(off.starts().last(), Some(&(2, s(30), Some(s(10)))));
}

#[test]
fn a_stuck_one_waits_for_ever_and_holds_nobody_up() {
    let mut bench = Bench::new(conduct(), true);
    let ticket =
        Ticket { seq: 1, created: s(1), ready: s(1), predict: s(1), deadline: Some(s(50)), stuck: true };
    bench.pool.submit(ticket, s(1), &mut bench.chance);
    bench.submit(2, s(2), None);
    bench.until(s(60));
    assert_eq!(bench.starts(), [(2, s(2) + ms(20), None)]);
    assert!(bench.events.contains(&Event::Expired { seq: 1, at: s(50), running: false, booting: false }));
}

#[test]
fn a_cancel_frees_the_slot_and_a_boot_nobody_waits_for_still_ends() {
    let mut bench = Bench::new(conduct(), false);
    bench.submit(1, s(0), None);
    bench.until(s(3));
    assert_eq!(bench.pool.cancel(1, s(3)), Some(Removed::Waiting { booting: true }));
    assert_eq!(bench.pool.cancel(1, s(3)), None);
    bench.submit(2, s(11), None);
    bench.until(s(12));
    assert_eq!(bench.starts(), [(2, s(11) + ms(20), None)]);
    assert_eq!(bench.pool.cancel(2, s(11) + ms(500)), Some(Removed::Running));
}
