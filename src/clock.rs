//! Time as the relay knows it: milliseconds since the Unix epoch, and the one place that reads
//! the system clock. Decisions take a [`Timestamp`] as an argument; only the shell owns a [`Clock`].

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment in milliseconds since 1970-01-01T00:00:00Z. Zero means "not known".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The value that stands for "not known".
    pub const UNKNOWN: Self = Self(0);

    /// Parses an RFC 3339 time. `None` when the text is not one or lies before 1970.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let parsed: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(parsed.as_millisecond()).ok().map(Self)
    }

    /// The moment `later` after this one, held at the largest representable moment.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        let millis = u64::try_from(later.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// The moment `earlier` before this one, held at zero.
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

/// Where the shell gets the time from. Tests pass a clock that they move by hand.
pub trait Clock: Send + Sync + 'static {
    /// Wall-clock time now. May jump, in both directions.
    fn wall(&self) -> Timestamp;

    /// Time since some fixed moment of this process. Never goes back.
    fn monotonic(&self) -> Duration;
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one reader of the system clock")]
    fn wall(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
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
    fn text_that_is_no_time_is_none() {
        assert_eq!(Timestamp::parse_rfc3339("yesterday"), None);
        assert_eq!(Timestamp::parse_rfc3339("1969-12-31T23:59:59Z"), None);
    }
}
