//! Looks for nodes that gossip does not know. It resolves names every few seconds, because a
//! headless Service shows a new pod only then, and greets every address that is not known to be
//! live. The results are for the node that forms a cluster: silence means unknown, never "no node".

use super::GossipError;
use super::address::{OwnAddress, host_and_port, resolve};
use super::socket::sendable;
use chitchat::{Chitchat, ChitchatHandle, ChitchatId};
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// Where other nodes can be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// Gossip addresses of some nodes, `HOST:PORT`.
    Seeds(Vec<String>),
    /// A DNS name; each of its A and AAAA records is a node with this gossip port.
    Service { name: String, port: u16 },
}

impl Discovery {
    /// The names to resolve, and their ports.
    ///
    /// # Errors
    /// A seed is not `HOST:PORT`.
    pub(super) fn names(&self) -> Result<Vec<(String, u16)>, GossipError> {
        match self {
            Self::Service { name, port } => Ok(vec![(name.clone(), *port)]),
            Self::Seeds(seeds) => seeds.iter().map(|seed| split(seed)).collect(),
        }
    }
}

fn split(seed: &str) -> Result<(String, u16), GossipError> {
    match host_and_port(seed) {
        None | Some((_, 0)) => Err(GossipError::Seed { seed: seed.to_owned() }),
        Some((host, port)) => Ok((host.to_owned(), port)),
    }
}

/// What discovery has learnt. Initially nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiscoveryAnswers {
    /// When every name last resolved to an address.
    pub last: Option<Instant>,
    /// Since when every round was answered without interruption.
    pub answered_since: Option<Instant>,
    /// Names without an address in the last round, with their ports.
    pub unresolved: BTreeSet<String>,
    /// Since when every round was answered and showed no other node. `None` if a node is known,
    /// dead or alive, or if a name was not answered, which means unknown.
    pub alone_since: Option<Instant>,
    /// Addresses of others, whether or not a node answers there.
    pub others: BTreeSet<SocketAddr>,
    /// Whether gossip knows another node. A dead one counts for as long as gossip remembers it.
    pub knows_another: bool,
}

impl DiscoveryAnswers {
    /// How long discovery has been answered and has shown no other node.
    #[must_use]
    pub fn alone_for(&self, now: Instant) -> Option<Duration> {
        self.alone_since.map(|since| now.saturating_duration_since(since))
    }

    /// How long discovery has been answered, whatever it has shown.
    #[must_use]
    pub fn answered_for(&self, now: Instant) -> Option<Duration> {
        self.answered_since.map(|since| now.saturating_duration_since(since))
    }

    /// Adds the results of a round.
    fn add(&mut self, round: Round, now: Instant) {
        let Round { mut others, is_answered, unresolved, knows_another } = round;
        self.answered_since = is_answered.then(|| self.answered_since.unwrap_or(now));
        self.unresolved = unresolved;
        if is_answered {
            self.last = Some(now);
        } else {
            others.append(&mut self.others);
        }
        let is_alone = is_answered && others.is_empty() && !knows_another;
        self.alone_since = is_alone.then(|| self.alone_since.unwrap_or(now));
        self.others = others;
        self.knows_another = knows_another;
    }
}

/// The results of one lookup of all names.
struct Round {
    others: BTreeSet<SocketAddr>,
    /// Every name resolved to at least one address.
    is_answered: bool,
    unresolved: BTreeSet<String>,
    knows_another: bool,
}

/// The addresses of all names that resolve, for a socket of one family, and the names that do not
/// resolve.
pub(super) async fn resolve_all(
    names: &[(String, u16)],
    is_v6: bool,
) -> (BTreeSet<SocketAddr>, BTreeSet<String>) {
    let looks = names.iter().map(|(host, port)| resolve(host, *port));
    collect(names, join_all(looks).await, is_v6)
}

fn collect(
    names: &[(String, u16)],
    looks: Vec<io::Result<BTreeSet<SocketAddr>>>,
    is_v6: bool,
) -> (BTreeSet<SocketAddr>, BTreeSet<String>) {
    let (mut found, mut unresolved) = (BTreeSet::new(), BTreeSet::new());
    for ((host, port), look) in names.iter().zip(looks) {
        match look {
            Ok(addresses) => found.extend(of_family(&addresses, is_v6)),
            Err(error) => {
                unresolved.insert(format!("{host}:{port}"));
                tracing::debug!(host, %error, "name not resolved");
            }
        }
    }
    (found, unresolved)
}

/// Those addresses of one name that a socket can send to. With two families each node has two
/// addresses, and is not silent because it listens at one. All addresses, if the socket can send to
/// none.
fn of_family(addresses: &BTreeSet<SocketAddr>, is_v6: bool) -> BTreeSet<SocketAddr> {
    let all: BTreeSet<SocketAddr> = addresses.iter().copied().map(canonical).collect();
    let reached: BTreeSet<SocketAddr> =
        all.iter().copied().filter(|address| sendable(*address, is_v6).is_some()).collect();
    if reached.is_empty() { all } else { reached }
}

pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    let ip: IpAddr = address.ip().to_canonical();
    SocketAddr::new(ip, address.port())
}

/// Looks for other nodes repeatedly.
pub(super) struct SeedResolver {
    pub names: Vec<(String, u16)>,
    pub own: OwnAddress,
    pub chitchat: Arc<ChitchatHandle>,
    pub answers: watch::Sender<DiscoveryAnswers>,
    /// Time between two rounds.
    pub every: Duration,
    /// Time between two greetings of addresses that are not live.
    pub greet_every: Duration,
    pub stop: CancellationToken,
}

impl SeedResolver {
    /// Runs until stopped.
    pub(super) async fn run(self) {
        let mut ticks = tokio::time::interval(self.every);
        let mut greetings = tokio::time::interval(self.greet_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        greetings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let rounds = async {
            loop {
                tokio::select! {
                    _ = ticks.tick() => self.round().await,
                    _ = greetings.tick() => self.greet().await,
                }
            }
        };
        self.stop.run_until_cancelled(rounds).await;
    }

    async fn round(&self) {
        let (found, unresolved) = resolve_all(&self.names, self.own.bound.is_ipv6()).await;
        let is_answered = !self.names.is_empty() && unresolved.is_empty();
        let others: BTreeSet<_> = found.into_iter().filter(|found| !self.own.is(*found)).collect();
        let (_, knows_another) = self.chitchat.with_chitchat(|chitchat| known(chitchat)).await;
        let round = Round { others, is_answered, unresolved, knows_another };
        self.answers.send_modify(|answers| answers.add(round, Instant::now()));
        self.greet().await;
    }

    /// Greets every found address that is not known to be live: a node there that forms a cluster
    /// must learn of this node first.
    async fn greet(&self) {
        let others = self.answers.borrow().others.clone();
        let (live, _) = self.chitchat.with_chitchat(|chitchat| known(chitchat)).await;
        for stranger in others.difference(&live) {
            if self.chitchat.gossip(*stranger).is_err() {
                tracing::debug!(%stranger, "gossip has ended");
            }
        }
    }
}

/// Addresses of live nodes, and whether any process except this one is known.
fn known(chitchat: &Chitchat) -> (BTreeSet<SocketAddr>, bool) {
    let live = chitchat.live_nodes().map(|id| id.gossip_advertise_addr).collect();
    let is_other = |id: &ChitchatId| id != chitchat.self_chitchat_id();
    (live, chitchat.node_states().keys().any(is_other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn alone() -> Round {
        let (others, unresolved) = (BTreeSet::new(), BTreeSet::new());
        Round { others, is_answered: true, unresolved, knows_another: false }
    }

    fn unanswered() -> Round {
        Round { is_answered: false, unresolved: ["a:1".to_owned()].into(), ..alone() }
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_service_is_one_name_and_seeds_are_many() {
        let service = Discovery::Service { name: "relay.ci".to_owned(), port: 3322 };
        assert_eq!(service.names().unwrap(), [("relay.ci".to_owned(), 3322)]);
        let seeds = Discovery::Seeds(vec!["a:1".to_owned(), "[::1]:2".to_owned()]);
        assert_eq!(seeds.names().unwrap(), [("a".to_owned(), 1), ("::1".to_owned(), 2)]);
    }

    #[test]
    fn a_seed_without_a_port_is_named() {
        for bad in ["relay-0", "relay-0:0", "relay-0:x"] {
            let seeds = Discovery::Seeds(vec!["a:1".to_owned(), bad.to_owned()]);
            let named = seeds.names().unwrap_err().to_string();
            assert_eq!(named, format!("seed {bad} is not HOST:PORT"));
        }
    }

    #[test]
    fn answers_that_show_nobody_else_add_up() {
        let (start, mut answers) = (Instant::now(), DiscoveryAnswers::default());
        assert_eq!(answers.alone_for(start), None);
        answers.add(alone(), start);
        answers.add(alone(), start + seconds(3));
        assert_eq!(answers.last, Some(start + seconds(3)));
        assert_eq!(answers.alone_for(start + seconds(10)), Some(seconds(10)));
    }

    #[test]
    fn a_round_without_an_answer_starts_the_count_anew() {
        let (start, mut answers) = (Instant::now(), DiscoveryAnswers::default());
        answers.add(alone(), start);
        answers.add(unanswered(), start + seconds(3));
        assert_eq!((answers.alone_since, answers.last), (None, Some(start)));
        answers.add(alone(), start + seconds(6));
        assert_eq!(answers.alone_for(start + seconds(10)), Some(seconds(4)));
    }

    #[test]
    fn nobody_is_alone_who_knows_another_or_is_shown_one() {
        let start = Instant::now();
        let shown = Round { others: [address("10.0.0.2:1")].into(), ..alone() };
        let known = Round { knows_another: true, ..alone() };
        for round in [shown, known] {
            let mut answers = DiscoveryAnswers::default();
            answers.add(alone(), start);
            answers.add(round, start);
            assert_eq!(answers.alone_since, None);
        }
    }

    #[test]
    fn a_name_that_stops_answering_keeps_the_others_it_showed() {
        let (start, mut answers) = (Instant::now(), DiscoveryAnswers::default());
        let other = address("10.0.0.2:1");
        answers.add(Round { others: [other].into(), ..alone() }, start);
        answers.add(unanswered(), start);
        assert_eq!(answers.others, [other].into());
        answers.add(alone(), start);
        assert_eq!(answers.others, BTreeSet::new());
    }

    #[test]
    fn one_name_without_records_makes_the_answer_incomplete_and_keeps_the_rest() {
        let names = [("a".to_owned(), 1), ("b".to_owned(), 1)];
        let found = || Ok([address("[::ffff:10.0.0.2]:1")].into());
        let failed = || Err(io::Error::other("no records"));
        let expected: BTreeSet<_> = [address("10.0.0.2:1")].into();
        let silent: BTreeSet<_> = ["b:1".to_owned()].into();
        assert_eq!(collect(&names, vec![found(), failed()], false), (expected.clone(), silent));
        assert_eq!(collect(&names, vec![found(), found()], false), (expected, BTreeSet::new()));
    }

    #[test]
    fn of_a_node_with_two_families_the_address_that_can_be_sent_to_counts() {
        let (v4, v6) = (address("10.0.0.2:1"), address("[fd00::2]:1"));
        assert_eq!(of_family(&[v4, v6].into(), false), [v4].into());
        assert_eq!(of_family(&[v4, v6].into(), true), [v4, v6].into());
        // A node that listens only there must not be missed.
        assert_eq!(of_family(&[v6].into(), false), [v6].into());
    }

    #[test]
    fn discovery_counts_as_answered_from_the_first_round_that_led_everywhere() {
        let (start, mut answers) = (Instant::now(), DiscoveryAnswers::default());
        let shown = || Round { others: [address("10.0.0.2:1")].into(), ..alone() };
        assert_eq!(answers.answered_for(start), None);
        answers.add(shown(), start);
        answers.add(shown(), start + seconds(3));
        assert_eq!(answers.answered_for(start + seconds(4)), Some(seconds(4)));
        answers.add(unanswered(), start + seconds(6));
        assert_eq!(answers.answered_for(start + seconds(7)), None);
        assert_eq!(answers.unresolved, ["a:1".to_owned()].into());
        answers.add(shown(), start + seconds(9));
        assert_eq!(answers.answered_for(start + seconds(9)), Some(seconds(0)));
        assert_eq!(answers.unresolved, BTreeSet::new());
    }

    #[tokio::test]
    async fn a_name_leads_to_all_its_addresses() {
        let (found, unresolved) = resolve_all(&[("localhost".to_owned(), 7)], false).await;
        assert_eq!(unresolved, BTreeSet::new());
        assert!(found.contains(&address("127.0.0.1:7")), "{found:?}");
    }
}
