//! Time in the relay: milliseconds since the Unix epoch, and the only place that reads the system
//! clock. Decisions take a [`Timestamp`] as an argument; only the shell has a [`Clock`].

use rustix::time::{ClockId, clock_gettime};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Continues while the machine is suspended, as the clocks of its peers do (rule 1).
#[cfg(target_os = "linux")]
const BOOT_TIME: ClockId = ClockId::Boottime;
/// The closest clock of other systems.
#[cfg(not(target_os = "linux"))]
const BOOT_TIME: ClockId = ClockId::Monotonic;

/// A moment in milliseconds since 1970-01-01T00:00:00Z. Zero means "unknown".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The value for "unknown".
    pub const UNKNOWN: Self = Self(0);

    /// Parses an RFC 3339 time. `None` for another text, and for a time before 1970.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let parsed: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(parsed.as_millisecond()).ok().map(Self)
    }

    /// The moment `later` after this one; at most the largest moment.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        let millis = u64::try_from(later.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// The moment `earlier` before this one; at least zero.
    #[must_use]
    pub fn before(self, earlier: Duration) -> Self {
        let millis = u64::try_from(earlier.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// Time from `start` to this moment; zero when `start` is later.
    #[must_use]
    pub fn since(self, start: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(start.0))
    }

    /// Whether the moment is known.
    #[must_use]
    pub fn is_known(self) -> bool {
        self.0 != 0
    }

    /// The calendar form, for formatting.
    #[must_use]
    pub fn to_calendar(self) -> jiff::Timestamp {
        i64::try_from(self.0)
            .ok()
            .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
            .unwrap_or(jiff::Timestamp::MAX)
    }
}

/// RFC 3339 with the shortest fraction that keeps the value.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_calendar())
    }
}

/// The shell's source of time. Tests pass a clock that they move by hand.
pub trait Clock: Send + Sync + 'static {
    /// Wall-clock time now. May jump in both directions.
    fn wall(&self) -> Timestamp;

    /// Time since some fixed moment of this process. Never goes back, and continues while the
    /// machine is suspended. Timers of the runtime stop then. An action that must not be late after
    /// a suspend checks this clock first and does not rely on a timer.
    fn monotonic(&self) -> Duration;
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Duration,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { started: since_boot() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one reader of the system clock")]
    fn wall(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }

    fn monotonic(&self) -> Duration {
        since_boot().saturating_sub(self.started)
    }
}

fn since_boot() -> Duration {
    let read = clock_gettime(BOOT_TIME);
    let seconds = u64::try_from(read.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(read.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_survives_a_round_trip_to_the_millisecond() {
        let parsed = Timestamp::parse_rfc3339("2026-11-20T18:53:34.691565194Z").unwrap();
        assert_eq!(parsed.to_string(), "2026-11-20T18:53:34.691Z");
    }

    #[test]
    fn rule_01_the_system_clock_goes_by_the_time_since_boot_and_never_back() {
        let boot_time = || Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap();
        let before = boot_time();
        let clock = SystemClock::default();
        let readings: Vec<_> = (0..1_000).map(|_| clock.monotonic()).collect();
        assert!(readings.is_sorted());
        let last = *readings.last().unwrap();
        assert!(last > Duration::ZERO);
        assert!(before <= clock.started && clock.started + last <= boot_time());
    }

    #[test]
    fn text_that_is_no_time_is_none() {
        assert_eq!(Timestamp::parse_rfc3339("yesterday"), None);
        assert_eq!(Timestamp::parse_rfc3339("1969-12-31T23:59:59Z"), None);
    }
}
