//! The stamps of log entries: time that never goes back and never jumps, whatever the wall clock
//! does (rule 19).

use crate::clock::{Clock, Timestamp};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Wall time pulls stamps by at most this share of the time that passed: one tenth.
const PULL_SHARE: u32 = 10;

/// Stamps of one leadership. Kept finer than a millisecond, so that many stamps lose no time.
#[derive(Clone, Copy, Debug)]
pub struct Stamps {
    /// Replicated time since the Unix epoch at `read_at`.
    last: Duration,
    /// Monotonic reading at `last`.
    read_at: Duration,
}

impl Stamps {
    /// Starts from the last stamp in the log. A leadership may jump once, forward, to the wall
    /// clock: a cluster that was off over night must not live in yesterday. That takes clocks of
    /// a majority that agree, and the clock of a cluster of one always agrees with itself.
    #[must_use]
    pub fn new(last_in_log: Timestamp, wall: Timestamp, monotonic: Duration) -> Self {
        Self { last: since_epoch(last_in_log.max(wall)), read_at: monotonic }
    }

    /// Goes on from `last`, the stamp of an entry or the reading of a leader, without a jump.
    #[must_use]
    pub fn resume(last: Timestamp, monotonic: Duration) -> Self {
        Self { last: since_epoch(last), read_at: monotonic }
    }

    /// The present moment; nothing is changed by reading it.
    #[must_use]
    pub fn read(&self, wall: Timestamp, monotonic: Duration) -> Timestamp {
        timestamp(self.now(wall, monotonic))
    }

    /// Takes the present moment as the stamp of an entry.
    pub fn take(&mut self, wall: Timestamp, monotonic: Duration) -> Timestamp {
        let now = self.now(wall, monotonic);
        *self = Self { last: now, read_at: self.read_at.max(monotonic) };
        timestamp(now)
    }

    fn now(&self, wall: Timestamp, monotonic: Duration) -> Duration {
        let elapsed = monotonic.saturating_sub(self.read_at);
        let passed = self.last.saturating_add(elapsed);
        let pull_max = elapsed / PULL_SHARE;
        let wall = since_epoch(wall);
        if wall >= passed {
            passed + (wall - passed).min(pull_max)
        } else {
            passed - (passed - wall).min(pull_max)
        }
    }
}

/// The stamps with the clock they follow. Clones share them.
#[derive(Clone)]
pub(super) struct SharedStamps {
    held: Arc<Mutex<Held>>,
    clock: Arc<dyn Clock>,
}

struct Held {
    stamps: Stamps,
    /// The term in which this node leads and takes stamps.
    led: Option<Led>,
}

struct Led {
    term: u64,
    has_jumped: bool,
}

impl SharedStamps {
    /// Starts from the last stamp in the log.
    pub(super) fn new(last_in_log: Timestamp, clock: Arc<dyn Clock>) -> Self {
        let stamps = Stamps::new(last_in_log, clock.wall(), clock.monotonic());
        Self { held: Arc::new(Mutex::new(Held { stamps, led: None })), clock }
    }

    /// Starts from the last stamp in the log, without a jump: this node does not lead.
    pub(super) fn following(last_in_log: Timestamp, clock: Arc<dyn Clock>) -> Self {
        let stamps = Stamps::resume(last_in_log, clock.monotonic());
        Self { held: Arc::new(Mutex::new(Held { stamps, led: None })), clock }
    }

    /// The present moment in replicated time.
    pub(super) fn now(&self) -> Timestamp {
        self.held().stamps.read(self.clock.wall(), self.clock.monotonic())
    }

    /// Takes the present moment as the stamp of an entry.
    pub(super) fn take(&self) -> Timestamp {
        self.held().stamps.take(self.clock.wall(), self.clock.monotonic())
    }

    /// Leads in `term`: goes on from the last stamp in the log. The first leader of a log has
    /// nothing to go on from, and starts at its wall clock.
    pub(super) fn lead(&self, term: u64, last_in_log: Timestamp) {
        let mut held = self.held();
        if held.led.as_ref().is_some_and(|led| led.term == term) {
            return;
        }
        let (wall, monotonic) = (self.clock.wall(), self.clock.monotonic());
        held.stamps = if last_in_log.is_known() {
            Stamps::resume(last_in_log.max(held.stamps.read(wall, monotonic)), monotonic)
        } else {
            Stamps::new(last_in_log, wall, monotonic)
        };
        held.led = Some(Led { term, has_jumped: !last_in_log.is_known() });
    }

    /// Jumps forward to the wall clock, once in each leadership: the clocks of a majority agree.
    pub(super) fn jump(&self) {
        let mut held = self.held();
        let Some(led) = held.led.as_mut().filter(|led| !led.has_jumped) else { return };
        led.has_jumped = true;
        let (wall, monotonic) = (self.clock.wall(), self.clock.monotonic());
        held.stamps = Stamps::new(held.stamps.read(wall, monotonic), wall, monotonic);
    }

    /// Follows a leader whose replicated time is `now`.
    pub(super) fn follow(&self, now: Timestamp) {
        let mut held = self.held();
        held.led = None;
        held.stamps = Stamps::resume(now, self.clock.monotonic());
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn since_epoch(at: Timestamp) -> Duration {
    Duration::from_millis(at.0)
}

fn timestamp(since_epoch: Duration) -> Timestamp {
    Timestamp(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn rule_19_stamps_follow_the_monotonic_clock_when_the_wall_clock_goes_back() {
        let mut stamps = Stamps::new(Timestamp(0), Timestamp(10_000), ms(0));
        let behind = Timestamp(3_000);
        assert_eq!(stamps.take(behind, ms(1_000)), Timestamp(10_900));
        assert_eq!(stamps.take(behind, ms(2_000)), Timestamp(11_800));
    }

    #[test]
    fn rule_19_a_wall_clock_that_jumps_ahead_pulls_by_a_tenth() {
        let mut stamps = Stamps::new(Timestamp(0), Timestamp(10_000), ms(0));
        assert_eq!(stamps.take(Timestamp(90_000_000), ms(1_000)), Timestamp(11_100));
        assert_eq!(stamps.take(Timestamp(90_000_000), ms(1_000)), Timestamp(11_100));
    }

    #[test]
    fn rule_19_the_pull_ends_at_the_wall_clock() {
        let ahead = Stamps::new(Timestamp(0), Timestamp(10_000), ms(0));
        assert_eq!(ahead.read(Timestamp(10_995), ms(1_000)), Timestamp(10_995));
        assert_eq!(ahead.read(Timestamp(11_005), ms(1_000)), Timestamp(11_005));
    }

    #[test]
    fn rule_19_a_leadership_starts_at_the_later_of_log_and_wall() {
        let start = |log, wall| {
            Stamps::new(Timestamp(log), Timestamp(wall), ms(0)).read(Timestamp(wall), ms(0))
        };
        assert_eq!(start(50, 90), Timestamp(90));
        assert_eq!(start(90, 50), Timestamp(90));
    }

    #[test]
    fn many_stamps_lose_no_time() {
        let mut stamps = Stamps::new(Timestamp(0), Timestamp(1_000), ms(0));
        let far_ahead = Timestamp(90_000_000);
        for count in 1..=10_000 {
            stamps.take(far_ahead, Duration::from_micros(count * 1_900));
        }
        assert_eq!(stamps.read(far_ahead, ms(19_000)), Timestamp(1_000 + 19_000 + 1_900));
    }

    #[test]
    fn rule_19_frequent_stamps_are_pulled_as_much_as_rare_ones() {
        let mut stamps = Stamps::new(Timestamp(0), Timestamp(1_000_000), ms(0));
        for millis in 1..=1_000 {
            stamps.take(Timestamp(0), ms(millis));
        }
        assert_eq!(stamps.read(Timestamp(0), ms(1_000)), Timestamp(1_000_900));
    }
}
