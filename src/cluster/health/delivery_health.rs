//! Whether the deliveries of a node reach their targets, and in time. Each node records it and
//! reports it to the leader with its checks; the leader judges owners by it (rule 27).

use crate::clock::Clock;
use crate::cluster::transport::proto;
use crate::state_machine::millis;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// Failures further apart do not belong to one spell. Twice the longest wait between attempts,
/// unless `retry.max` sets another.
const SPELL_GAP_MAX: Duration = Duration::from_secs(600);

/// The state of a node's deliveries at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryHealth {
    /// Time since a target last answered, with any answer. `None`: never in this life.
    pub reached_ago: Option<Duration>,
    /// `None` if the last attempt got an answer, or none was made.
    pub failing: Option<Failing>,
    /// How long the oldest due work has waited; zero if none is due. Work that its target delays is
    /// not due.
    pub late_by: Duration,
}

/// A spell of attempts without an answer: no connection, no such host, or silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failing {
    /// Time since the first of them.
    pub lasting: Duration,
    /// Time since the last of them.
    pub last_ago: Duration,
}

/// Records the success of deliveries. Clones share it.
#[derive(Clone)]
pub struct DeliveryHealthRecorder {
    clock: Arc<dyn Clock>,
    moments: Arc<Mutex<Moments>>,
}

/// Readings of a monotonic clock.
#[derive(Debug, Default)]
struct Moments {
    reached_at: Option<Duration>,
    /// The first and the last failure of a spell.
    failed: Option<(Duration, Duration)>,
    due_since: Option<Duration>,
}

impl DeliveryHealthRecorder {
    /// No attempt was made yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, moments: Arc::default() }
    }

    /// A target answered, with any answer.
    pub fn reached(&self) {
        self.note(Moments::reached);
    }

    /// A target could not be reached, or did not answer.
    pub fn failed(&self) {
        self.note(Moments::failed);
    }

    /// Since when the oldest due work waits, by the clock of this node; `None` if none is due. It
    /// ages by itself, so a worker that hangs is also late.
    pub fn due_since(&self, since: Option<Duration>) {
        self.note(|moments, _| moments.due_since = since);
    }

    /// The current state of the deliveries.
    #[must_use]
    pub fn reach(&self) -> DeliveryHealth {
        self.note(|moments, now| moments.reach(now))
    }

    fn note<T>(&self, note: impl FnOnce(&mut Moments, Duration) -> T) -> T {
        let now = self.clock.monotonic();
        note(&mut self.moments.lock(), now)
    }
}

impl Moments {
    fn reached(&mut self, now: Duration) {
        self.reached_at = Some(now);
        self.failed = None;
    }

    fn failed(&mut self, now: Duration) {
        let spell = self.failed.filter(|(_, last)| now.saturating_sub(*last) < SPELL_GAP_MAX);
        self.failed = Some((spell.map_or(now, |(first, _)| first), now));
    }

    fn reach(&self, now: Duration) -> DeliveryHealth {
        let ago = |at: Duration| now.saturating_sub(at);
        let failing = |(first, last)| Failing { lasting: ago(first), last_ago: ago(last) };
        DeliveryHealth {
            reached_ago: self.reached_at.map(ago),
            failing: self.failed.map(failing),
            late_by: self.due_since.map(ago).unwrap_or_default(),
        }
    }
}

impl From<DeliveryHealth> for proto::Reach {
    fn from(reach: DeliveryHealth) -> Self {
        let failing = |failing: Failing| proto::Failing {
            lasting_ms: millis(failing.lasting),
            last_ago_ms: millis(failing.last_ago),
        };
        Self {
            reached_ago_ms: reach.reached_ago.map(millis),
            failing: reach.failing.map(failing),
            late_by_ms: millis(reach.late_by),
        }
    }
}

impl From<proto::Reach> for DeliveryHealth {
    fn from(told: proto::Reach) -> Self {
        let failing = |failing: proto::Failing| Failing {
            lasting: Duration::from_millis(failing.lasting_ms),
            last_ago: Duration::from_millis(failing.last_ago_ms),
        };
        Self {
            reached_ago: told.reached_ago_ms.map(Duration::from_millis),
            failing: told.failing.map(failing),
            late_by: Duration::from_millis(told.late_by_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::test_clock::ManualClock;
    use prost::Message as _;

    const SECOND: Duration = Duration::from_secs(1);

    fn delivery_health() -> (DeliveryHealthRecorder, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        let shared: Arc<dyn Clock> = clock.clone();
        (DeliveryHealthRecorder::new(shared), clock)
    }

    #[test]
    fn rule_27_before_the_first_attempt_nothing_is_wrong() {
        let (delivery_health, clock) = delivery_health();
        clock.advance(90 * SECOND);
        assert_eq!(delivery_health.reach(), DeliveryHealth::default());
    }

    #[test]
    fn rule_27_a_spell_of_failures_lasts_from_the_first_to_the_next_answer() {
        let (delivery_health, clock) = delivery_health();
        delivery_health.reached();
        for _ in 0..3 {
            clock.advance(10 * SECOND);
            delivery_health.failed();
        }
        clock.advance(SECOND);
        let failing = Failing { lasting: 21 * SECOND, last_ago: SECOND };
        let reach = delivery_health.reach();
        assert_eq!((reach.reached_ago, reach.failing), (Some(31 * SECOND), Some(failing)));
        delivery_health.reached();
        clock.advance(SECOND);
        let reach = delivery_health.reach();
        assert_eq!((reach.reached_ago, reach.failing), (Some(SECOND), None));
    }

    #[test]
    fn rule_27_two_failures_with_idle_time_between_are_no_long_spell() {
        let (delivery_health, clock) = delivery_health();
        delivery_health.failed();
        clock.advance(SPELL_GAP_MAX - Duration::from_millis(1));
        delivery_health.failed();
        let lasting = delivery_health.reach().failing.map(|failing| failing.lasting);
        assert_eq!(lasting, Some(SPELL_GAP_MAX - Duration::from_millis(1)));
        clock.advance(SPELL_GAP_MAX);
        delivery_health.failed();
        assert_eq!(
            delivery_health.reach().failing.map(|failing| failing.lasting),
            Some(Duration::ZERO)
        );
    }

    #[test]
    fn rule_27_what_is_due_grows_late_while_nobody_looks() {
        let (delivery_health, clock) = delivery_health();
        clock.advance(5 * SECOND);
        delivery_health.due_since(Some(3 * SECOND));
        clock.advance(30 * SECOND);
        assert_eq!(delivery_health.reach().late_by, 32 * SECOND);
        delivery_health.due_since(None);
        assert_eq!(delivery_health.reach().late_by, Duration::ZERO);
    }

    #[test]
    fn rule_27_the_facts_travel_whole() {
        let failing = Failing { lasting: 61 * SECOND, last_ago: SECOND };
        let told = DeliveryHealth {
            reached_ago: Some(62 * SECOND),
            failing: Some(failing),
            late_by: SECOND,
        };
        for reach in [DeliveryHealth::default(), told] {
            let check = proto::Check { reach: Some(reach.into()), ..proto::Check::default() };
            let heard = proto::Check::decode(check.encode_to_vec().as_slice()).unwrap();
            assert_eq!(heard.reach.map(DeliveryHealth::from), Some(reach));
        }
    }
}
