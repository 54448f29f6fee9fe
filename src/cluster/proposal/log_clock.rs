//! The stamps of log entries: time that never goes back and never jumps, whatever the wall clock
//! does (rule 19).

use crate::clock::{Clock, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::time::Duration;
use tracing::error;

/// The farthest that the clock of one node alone moves time at its start. Without it a clock that
/// is years ahead would end every run's memory of a week. After a longer stop, time is behind and
/// is pulled.
const ALONE_JUMP_MAX: Duration = Duration::from_hours(72);
/// A founder whose clock differs more from those of the others starts at theirs.
const FOUNDERS_AGREE_WITHIN: Duration = Duration::from_secs(60);

/// Wall time pulls stamps by at most this share of the elapsed time: one tenth.
const PULL_SHARE: u32 = 10;

/// Stamps of one leadership. Finer than a millisecond, so that many stamps lose no time.
#[derive(Clone, Copy, Debug)]
pub struct LogClock {
    /// Replicated time since the Unix epoch at `read_at`.
    last: Duration,
    /// Monotonic reading at `last`.
    read_at: Duration,
}

impl LogClock {
    /// Starts from the last stamp in the log. A leadership may jump once, forward, to the wall
    /// clock: a cluster that was off overnight must not stay in yesterday. The jump needs a
    /// majority of agreeing clocks.
    #[must_use]
    pub fn new(last_in_log: Timestamp, wall: Timestamp, monotonic: Duration) -> Self {
        Self { last: since_epoch(last_in_log.max(wall)), read_at: monotonic }
    }

    /// The same, by the clock of one node alone.
    #[must_use]
    pub fn alone(last_in_log: Timestamp, wall: Timestamp, monotonic: Duration) -> Self {
        let wall =
            if last_in_log.is_known() { wall.min(last_in_log.after(ALONE_JUMP_MAX)) } else { wall };
        Self::new(last_in_log, wall, monotonic)
    }

    /// Continues from `last`, the stamp of an entry or the reading of a leader, without a jump.
    #[must_use]
    pub fn resume(last: Timestamp, monotonic: Duration) -> Self {
        Self { last: since_epoch(last), read_at: monotonic }
    }

    /// The current moment; reading it changes nothing.
    #[must_use]
    pub fn read(&self, wall: Timestamp, monotonic: Duration) -> Timestamp {
        timestamp(self.now(wall, monotonic))
    }

    /// Takes the current moment as the stamp of an entry.
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

/// The stamps with their clock. Clones share them.
#[derive(Clone)]
pub(in crate::cluster) struct SharedLogClock {
    held: Arc<Mutex<Held>>,
    clock: Arc<dyn Clock>,
}

struct Held {
    log_clock: LogClock,
    /// The term in which this node leads and takes stamps.
    led: Option<Led>,
    /// The clocks of the founders, and the monotonic time of their readings.
    founded: Option<(Timestamp, Duration)>,
}

struct Led {
    term: u64,
    has_jumped: bool,
}

impl SharedLogClock {
    /// Starts from the last stamp in the log.
    pub(in crate::cluster) fn new(last_in_log: Timestamp, clock: Arc<dyn Clock>) -> Self {
        let wall = clock.wall();
        let log_clock = LogClock::alone(last_in_log, wall, clock.monotonic());
        tell_bounded(last_in_log, wall);
        Self { held: Arc::new(Mutex::new(Held { log_clock, led: None, founded: None })), clock }
    }

    /// Starts from the last stamp in the log, without a jump: this node does not lead.
    pub(in crate::cluster) fn following(last_in_log: Timestamp, clock: Arc<dyn Clock>) -> Self {
        let log_clock = LogClock::resume(last_in_log, clock.monotonic());
        Self { held: Arc::new(Mutex::new(Held { log_clock, led: None, founded: None })), clock }
    }

    /// The current moment in replicated time.
    pub(in crate::cluster) fn now(&self) -> Timestamp {
        self.held().log_clock.read(self.clock.wall(), self.clock.monotonic())
    }

    /// Takes the current moment as the stamp of an entry.
    pub(in crate::cluster) fn take(&self) -> Timestamp {
        self.held().log_clock.take(self.clock.wall(), self.clock.monotonic())
    }

    /// Leads in `term`: continues from the last stamp in the log. The first leader of a log has no
    /// last stamp, and starts at its wall clock.
    pub(in crate::cluster) fn lead(&self, term: u64, last_in_log: Timestamp) {
        let mut held = self.held();
        if held.led.as_ref().is_some_and(|led| led.term == term) {
            return;
        }
        let (wall, monotonic) = (self.clock.wall(), self.clock.monotonic());
        held.log_clock = if last_in_log.is_known() {
            LogClock::resume(last_in_log.max(held.log_clock.read(wall, monotonic)), monotonic)
        } else {
            LogClock::new(last_in_log, first_stamp(held.founded, wall, monotonic), monotonic)
        };
        held.led = Some(Led { term, has_jumped: !last_in_log.is_known() });
    }

    /// Records the clocks of all founders, including this one's, for the first stamp.
    pub(in crate::cluster) fn found(&self, mut clocks: Vec<Timestamp>) {
        clocks.sort_unstable();
        let median = clocks.get(clocks.len().saturating_sub(1) / 2).copied();
        self.held().founded = median.map(|median| (median, self.clock.monotonic()));
    }

    /// Jumps forward to the wall clock, once in each leadership: the clocks of a majority agree. If
    /// this node alone is that majority, the jump is bounded.
    pub(in crate::cluster) fn jump(&self, is_alone: bool) {
        let mut held = self.held();
        let Some(led) = held.led.as_mut().filter(|led| !led.has_jumped) else { return };
        led.has_jumped = true;
        let (wall, monotonic) = (self.clock.wall(), self.clock.monotonic());
        let now = held.log_clock.read(wall, monotonic);
        if is_alone {
            tell_bounded(now, wall);
            held.log_clock = LogClock::alone(now, wall, monotonic);
        } else {
            held.log_clock = LogClock::new(now, wall, monotonic);
        }
    }

    /// Follows a leader whose replicated time is `now`.
    pub(in crate::cluster) fn follow(&self, now: Timestamp) {
        let mut held = self.held();
        held.led = None;
        held.log_clock = LogClock::resume(now, self.clock.monotonic());
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock()
    }
}

/// The first stamp of a log: the wall clock, unless most founders differ from it.
fn first_stamp(
    founded: Option<(Timestamp, Duration)>,
    wall: Timestamp,
    monotonic: Duration,
) -> Timestamp {
    let Some((median, at)) = founded else { return wall };
    let median = median.after(monotonic.saturating_sub(at));
    let apart = median.since(wall).max(wall.since(median));
    if apart <= FOUNDERS_AGREE_WITHIN {
        return wall;
    }
    error!(%wall, %median, "the clock of this node is not that of the others");
    median
}

/// Logs a clock that is not followed completely.
fn tell_bounded(last_in_log: Timestamp, wall: Timestamp) {
    if last_in_log.is_known() && wall > last_in_log.after(ALONE_JUMP_MAX) {
        error!(
            %wall,
            last = %last_in_log,
            "the clock is days ahead of the log: time goes on three days later, and is pulled"
        );
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
        let mut log_clock = LogClock::new(Timestamp(0), Timestamp(10_000), ms(0));
        let behind = Timestamp(3_000);
        assert_eq!(log_clock.take(behind, ms(1_000)), Timestamp(10_900));
        assert_eq!(log_clock.take(behind, ms(2_000)), Timestamp(11_800));
    }

    #[test]
    fn rule_19_a_wall_clock_that_jumps_ahead_pulls_by_a_tenth() {
        let mut log_clock = LogClock::new(Timestamp(0), Timestamp(10_000), ms(0));
        assert_eq!(log_clock.take(Timestamp(90_000_000), ms(1_000)), Timestamp(11_100));
        assert_eq!(log_clock.take(Timestamp(90_000_000), ms(1_000)), Timestamp(11_100));
    }

    #[test]
    fn rule_19_the_pull_ends_at_the_wall_clock() {
        let ahead = LogClock::new(Timestamp(0), Timestamp(10_000), ms(0));
        assert_eq!(ahead.read(Timestamp(10_995), ms(1_000)), Timestamp(10_995));
        assert_eq!(ahead.read(Timestamp(11_005), ms(1_000)), Timestamp(11_005));
    }

    #[test]
    fn rule_19_a_leadership_starts_at_the_later_of_log_and_wall() {
        let start = |log, wall| {
            LogClock::new(Timestamp(log), Timestamp(wall), ms(0)).read(Timestamp(wall), ms(0))
        };
        assert_eq!(start(50, 90), Timestamp(90));
        assert_eq!(start(90, 50), Timestamp(90));
    }

    #[test]
    fn rule_19_a_clock_that_is_years_ahead_ends_no_memory_of_a_week_where_none_agrees() {
        const YEARS: u64 = 10 * 365 * 24 * 3_600_000;
        let start = |last, wall| {
            LogClock::alone(Timestamp(last), Timestamp(wall), ms(0)).read(Timestamp(wall), ms(0))
        };
        assert_eq!(start(1_000, YEARS), Timestamp(1_000).after(ALONE_JUMP_MAX));
        // A night, a weekend.
        assert_eq!(start(1_000, 60 * 3_600_000), Timestamp(60 * 3_600_000));
        // There is no time to be ahead of.
        assert_eq!(start(0, YEARS), Timestamp(YEARS));
    }

    #[test]
    fn rule_19_a_founder_with_a_clock_of_its_own_begins_at_that_of_the_others() {
        let at = Timestamp(1_000_000_000);
        let year = at.after(Duration::from_hours(365 * 24));
        let first = |own, others: [Timestamp; 2]| {
            let mut clocks = [own, others[0], others[1]];
            clocks.sort_unstable();
            first_stamp(Some((clocks[1], ms(0))), own, ms(500))
        };
        assert_eq!(first(year, [at, at]), at.after(ms(500)));
        assert_eq!(first(at, [year, at]), at);
        assert_eq!(first_stamp(None, year, ms(0)), year);
    }

    #[test]
    fn many_stamps_lose_no_time() {
        let mut log_clock = LogClock::new(Timestamp(0), Timestamp(1_000), ms(0));
        let far_ahead = Timestamp(90_000_000);
        for count in 1..=10_000 {
            log_clock.take(far_ahead, Duration::from_micros(count * 1_900));
        }
        assert_eq!(log_clock.read(far_ahead, ms(19_000)), Timestamp(1_000 + 19_000 + 1_900));
    }

    #[test]
    fn rule_19_frequent_stamps_are_pulled_as_much_as_rare_ones() {
        let mut log_clock = LogClock::new(Timestamp(0), Timestamp(1_000_000), ms(0));
        for millis in 1..=1_000 {
            log_clock.take(Timestamp(0), ms(millis));
        }
        assert_eq!(log_clock.read(Timestamp(0), ms(1_000)), Timestamp(1_000_900));
    }
}
