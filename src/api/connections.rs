//! Open connections of one listener: how many there may be, how long they may wait for their
//! caller, and which gives way to a new one. What the relay itself is working on never does.

use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A connection without a first request is closed after this time: TLS, the preface of HTTP/2 and
/// a request head take a second at most.
const FIRST_REQUEST_MAX: Duration = Duration::from_secs(10);
/// A connection without a request under way is closed after this time. Senders open another one.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// A body that arrives; its reader cuts it off a second before.
const RECEIVING_MAX: Duration = Duration::from_secs(11);

/// The connections of one listener.
pub(super) struct Connections {
    max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: u64,
    open: HashMap<u64, Open>,
    /// Those that wait for their caller, by when they have waited long enough.
    waiting: BTreeSet<(Instant, u64)>,
}

struct Open {
    cut: CancellationToken,
    /// Requests that the relay is working on.
    calls: usize,
    /// When it has waited long enough; `None` while there are calls.
    until: Option<Instant>,
}

/// A connection that was let in. It leaves when this is dropped.
pub(super) struct Place {
    connections: Arc<Connections>,
    id: u64,
    /// Cancelled when the connection has to give way.
    pub cut: CancellationToken,
}

/// A request that the relay is working on, until this is dropped.
pub(super) struct Call {
    connections: Arc<Connections>,
    id: u64,
}

impl Connections {
    /// At most `max` at once.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, state: Mutex::default() })
    }

    /// Lets a connection in; in the place of the one that has waited longest, if there is no other.
    /// `None` where all are being worked on.
    pub fn admit(self: &Arc<Self>, now: Instant) -> Option<Place> {
        let cut = CancellationToken::new();
        let id = self.with(|state| {
            if state.open.len() >= self.max {
                let (_, longest) = *state.waiting.first()?;
                state.cut(longest);
            }
            state.last += 1;
            let id = state.last;
            state.open.insert(id, Open { cut: cut.clone(), calls: 0, until: None });
            state.wait(id, now + FIRST_REQUEST_MAX);
            Some(id)
        })?;
        Some(Place { connections: Arc::clone(self), id, cut })
    }

    /// Closes what has waited long enough.
    pub fn expire(&self, now: Instant) {
        self.with(|state| {
            while let Some((_, id)) = state.waiting.first().copied().filter(|(at, _)| *at <= now) {
                state.cut(id);
            }
        });
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock())
    }
}

impl State {
    fn wait(&mut self, id: u64, until: Instant) {
        let Some(open) = self.open.get_mut(&id).filter(|open| open.calls == 0) else { return };
        if let Some(before) = open.until.replace(until) {
            self.waiting.remove(&(before, id));
        }
        self.waiting.insert((until, id));
    }

    fn remove(&mut self, id: u64) -> Option<Open> {
        let open = self.open.remove(&id)?;
        if let Some(until) = open.until {
            self.waiting.remove(&(until, id));
        }
        Some(open)
    }

    /// Its place is free at once; its task closes it in a moment.
    fn cut(&mut self, id: u64) {
        if let Some(open) = self.remove(id) {
            open.cut.cancel();
        }
    }
}

impl Place {
    /// A request has begun whose body is still to come: it gives way like an idle connection.
    pub fn receiving(&self, now: Instant) {
        self.connections.with(|state| state.wait(self.id, now + RECEIVING_MAX));
    }

    /// A request is here in whole: it does not give way until the call is dropped.
    pub fn begin(&self) -> Call {
        self.connections.with(|state| {
            let Some(open) = state.open.get_mut(&self.id) else { return };
            open.calls += 1;
            if let Some(until) = open.until.take() {
                state.waiting.remove(&(until, self.id));
            }
        });
        Call { connections: Arc::clone(&self.connections), id: self.id }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.with(|state| state.remove(self.id));
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let now = Instant::now();
        self.connections.with(|state| {
            if let Some(open) = state.open.get_mut(&self.id) {
                open.calls = open.calls.saturating_sub(1);
            }
            state.wait(self.id, now + IDLE_MAX);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_cut(place: &Place) -> bool {
        place.cut.is_cancelled()
    }

    #[test]
    fn s07_the_one_that_has_waited_longest_gives_way_to_a_new_one() {
        let connections = Connections::new(2);
        let start = Instant::now();
        let first = connections.admit(start).unwrap();
        let second = connections.admit(start + Duration::from_secs(1)).unwrap();
        let third = connections.admit(start + Duration::from_secs(2)).unwrap();
        assert_eq!((is_cut(&first), is_cut(&second), is_cut(&third)), (true, false, false));
        drop(first);
        let _fourth = connections.admit(start + Duration::from_secs(3)).unwrap();
        assert!(is_cut(&second) && !is_cut(&third), "one that gave way is not counted twice");
    }

    #[test]
    fn s07_what_is_worked_on_stays_and_what_sends_its_body_gives_way() {
        let connections = Connections::new(2);
        let start = Instant::now();
        let (busy, slow) = (connections.admit(start).unwrap(), connections.admit(start).unwrap());
        let call = busy.begin();
        slow.receiving(start);
        let new = connections.admit(start).unwrap();
        assert!(is_cut(&slow) && !is_cut(&busy));
        let _working = new.begin();
        assert!(connections.admit(start).is_none(), "nobody waits");
        drop(call);
        assert!(connections.admit(start).is_some() && is_cut(&busy));
    }

    #[test]
    fn s07_a_stranger_that_sends_nothing_gives_way_before_a_caller_between_two_requests() {
        let connections = Connections::new(2);
        let now = Instant::now();
        let caller = connections.admit(now).unwrap();
        drop(caller.begin());
        let stranger = connections.admit(now + Duration::from_secs(1)).unwrap();
        let _new = connections.admit(now + Duration::from_secs(2)).unwrap();
        assert!(is_cut(&stranger) && !is_cut(&caller));
    }

    #[test]
    fn s07_nobody_waits_for_ever() {
        let connections = Connections::new(9);
        let start = Instant::now();
        let places: Vec<_> = (0..3).map(|_| connections.admit(start).unwrap()).collect();
        let call = places[1].begin();
        drop(places[2].begin());
        connections.expire(start + FIRST_REQUEST_MAX - Duration::from_millis(1));
        assert!(!places.iter().any(is_cut));
        connections.expire(start + FIRST_REQUEST_MAX);
        assert_eq!(places.iter().map(is_cut).collect::<Vec<_>>(), [true, false, false]);
        connections.expire(start + IDLE_MAX + FIRST_REQUEST_MAX);
        assert_eq!(places.iter().map(is_cut).collect::<Vec<_>>(), [true, false, true]);
        drop(call);
        connections.expire(start + 2 * IDLE_MAX + FIRST_REQUEST_MAX);
        assert!(is_cut(&places[1]));
    }

    #[test]
    fn two_requests_on_one_connection_are_two_calls() {
        let connections = Connections::new(1);
        let start = Instant::now();
        let place = connections.admit(start).unwrap();
        let (first, second) = (place.begin(), place.begin());
        drop(first);
        place.receiving(start);
        assert!(connections.admit(start).is_none());
        drop(second);
        assert!(connections.admit(start).is_some());
    }
}
