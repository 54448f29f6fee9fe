//! First formation: whether this node forms the cluster, waits, or stops. Pure: it takes the
//! answers of each round and returns a verdict.
//!
//! Two clusters over one set of runs send everything twice, so every doubt means waiting. Only
//! ordinal 0 forms, and only after two rounds in which all of the same directories were pristine. A
//! directory that holds a cluster never becomes pristine under its node id again. So no directory
//! held a cluster between the two rounds, and only ordinal 0 can have changed that since. The
//! verdict never depends on gossip, and never on an address that did not answer.

use crate::cluster::data_dir::identity::ClusterId;
use crate::cluster::membership::ordinal;
use crate::state_machine::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// How long discovery must have shown no other node before a replica forms a cluster of one (rule
/// 24). DNS servers keep answers for 5 to 30 s, and the records of a starting StatefulSet appear
/// within a few seconds of each other.
pub const WATCH_ALONE_MIN: Duration = Duration::from_secs(10);

/// How long discovery must have answered before a cluster with peers is formed. Members that joined
/// later need not be among the seeds of this node, but this node is among theirs, and they greet it
/// every second. One greeting may be lost.
pub const LISTEN_MIN: Duration = Duration::from_secs(2);

/// Why `replicas` and the pod's name do not match. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormationError {
    /// A node that may form a cluster needs the number of replicas to wait for.
    #[error("replicas is required with a service or a seed, pod {name:?} may form the cluster")]
    ReplicasMissing { name: String },
    /// `replicas` is zero.
    #[error("replicas is 0, the least is 1")]
    NoReplicas,
    /// The pod's name does not say which of the replicas this one is.
    #[error("pod name {name:?} does not end in a number, which {replicas} replicas need")]
    NoOrdinal { name: String, replicas: u16 },
}

/// How many replicas the first formation waits for. It has no effect once there is a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    replicas: u16,
}

impl Expected {
    /// Checks `replicas`, as configured, against the pod's name (rule 24).
    ///
    /// # Errors
    /// The two cannot lead to exactly one cluster.
    pub fn new(name: &str, replicas: Option<u16>) -> Result<Self, FormationError> {
        match (ordinal(name), replicas) {
            (Some(0) | None, None) => {
                Err(FormationError::ReplicasMissing { name: name.to_owned() })
            }
            (_, Some(0)) => Err(FormationError::NoReplicas),
            (None, Some(replicas)) if replicas > 1 => {
                Err(FormationError::NoOrdinal { name: name.to_owned(), replicas })
            }
            // Another ordinal never forms, so it needs no number.
            (Some(_), None) => Ok(Self { replicas: 1 }),
            (Some(_) | None, Some(replicas)) => Ok(Self { replicas }),
        }
    }

    /// The ordinals that must answer.
    fn ordinals(self) -> BTreeSet<u32> {
        (0..u32::from(self.replicas)).collect()
    }
}

/// What this node knows about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnState {
    pub node: NodeId,
    /// The pod's name.
    pub name: String,
    /// Peer address for other nodes, `HOST:PORT`.
    pub address: String,
    /// The data directory has never held an entry, a vote or a snapshot.
    pub is_pristine: bool,
    /// The cluster of the directory.
    pub cluster: Option<ClusterId>,
    /// `cluster.expected_cluster_id`: the only allowed cluster. If set, this node never forms one.
    pub expected_cluster: Option<ClusterId>,
    /// How long discovery has answered without interruption and shown no other node.
    pub watched_for: Duration,
    /// How long discovery has answered without interruption.
    pub discovered_for: Duration,
}

/// What a candidate said about itself when asked directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub node: NodeId,
    /// The pod's name.
    pub name: String,
    /// Peer address for other nodes, `HOST:PORT`.
    pub address: String,
    /// The cluster of its directory.
    pub cluster: Option<ClusterId>,
    /// Its data directory has never held an entry, a vote or a snapshot.
    pub is_pristine: bool,
}

/// A member of the first membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founder {
    /// The pod's name.
    pub name: String,
    /// Peer address, `HOST:PORT`.
    pub address: String,
}

/// What to do after a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formation {
    /// Ask again later.
    Wait(Waiting),
    /// Initialise a cluster of all these voters, in one step. The caller may repeat it if it failed
    /// before anything was written.
    Form { members: BTreeMap<NodeId, Founder> },
    /// This cluster exists: wait until its leader adds this node.
    Join(ClusterId),
    /// There is more than one cluster. Stop and alarm: a person has to decide which one is right.
    Conflict(BTreeSet<ClusterId>),
    /// `expected_cluster_id` forbids the next step. Stay unready and alarm.
    Refused(FormationRefusal),
}

/// What `expected_cluster_id` forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormationRefusal {
    /// The only existing cluster has another id.
    #[error("found cluster {found}, but expected_cluster_id is {expected}")]
    OtherCluster { expected: ClusterId, found: ClusterId },
    /// Every directory is empty, but the setting expects a cluster.
    #[error("all replicas are empty, but expected_cluster_id is {expected}")]
    AllEmpty { expected: ClusterId },
}

/// Why no cluster is formed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The own directory was used before, but belongs to no known cluster.
    OwnDirectoryUsed,
    /// Another pod forms the cluster.
    NotOrdinalZero { name: String },
    /// These pods have data but no cluster.
    NotPristine(BTreeSet<String>),
    /// One directory answered as two pods or at two addresses: a copied disk.
    SameNode(NodeId),
    /// Two directories answered for one ordinal.
    SameOrdinal(u32),
    /// These ordinals have not answered.
    Missing(BTreeSet<u32>),
    /// This many discovered addresses or names did not answer; each of them may know a cluster.
    Unreachable(usize),
    /// A cluster of one is expected, but these pods answered too.
    NotAlone(BTreeSet<String>),
    /// A cluster of one is expected, and discovery has shown no other node for this long.
    Watching(Duration),
    /// A cluster with peers is expected, and discovery has answered for this long.
    Listening(Duration),
    /// All conditions hold, and must hold for one more round.
    OneMoreRound,
}

fn list<T: ToString>(items: &BTreeSet<T>) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnDirectoryUsed => {
                f.write_str("the own data directory has been used, but is in no cluster")
            }
            Self::NotOrdinalZero { name } => {
                write!(f, "the pod with ordinal 0 forms the cluster, not {name}")
            }
            Self::NotPristine(names) => write!(f, "data but no cluster at {}", list(names)),
            Self::SameNode(node) => {
                write!(f, "node {node} answered twice, a copied data directory")
            }
            Self::SameOrdinal(ordinal) => write!(f, "two nodes answered as ordinal {ordinal}"),
            Self::Missing(ordinals) => write!(f, "no answer from ordinal {}", list(ordinals)),
            Self::Unreachable(count) => write!(f, "no answer from {count} discovered addresses"),
            Self::NotAlone(names) => write!(f, "replicas is 1, but there is also {}", list(names)),
            Self::Watching(watched) => write!(
                f,
                "nobody else for {} of {} s",
                watched.as_secs(),
                WATCH_ALONE_MIN.as_secs()
            ),
            Self::Listening(listened) => write!(
                f,
                "listening for members for {} of {} s",
                listened.as_secs(),
                LISTEN_MIN.as_secs()
            ),
            Self::OneMoreRound => f.write_str("every replica is empty, asking once more"),
        }
    }
}

/// Consecutive rounds of answers. Every question of a round must be asked after the previous round
/// was decided.
#[derive(Clone, Debug, Default)]
pub struct Rounds {
    /// All nodes that answered in the previous round, if it was complete.
    before: Option<BTreeMap<NodeId, Founder>>,
}

impl Rounds {
    /// Takes one round and decides. `unreachable` is the number of discovered addresses without an
    /// answer.
    #[must_use]
    pub fn decide(
        &mut self,
        own: &OwnState,
        expected: &Expected,
        seen: &[Answer],
        unreachable: usize,
    ) -> Formation {
        let before = self.before.take();
        if let Some(verdict) = known_cluster(own, seen) {
            return verdict;
        }
        let present = match complete(own, *expected, seen, unreachable) {
            Ok(present) => present,
            Err(waiting) => return Formation::Wait(waiting),
        };
        if let Some(expected) = own.expected_cluster {
            return Formation::Refused(FormationRefusal::AllEmpty { expected });
        }
        let is_confirmed = before.as_ref() == Some(&present);
        self.before = Some(present.clone());
        if !is_confirmed {
            return Formation::Wait(Waiting::OneMoreRound);
        }
        Formation::Form { members: founders(present, *expected) }
    }
}

/// The verdict if any node, including this one, has a cluster.
fn known_cluster(own: &OwnState, seen: &[Answer]) -> Option<Formation> {
    let clusters: BTreeSet<ClusterId> =
        seen.iter().filter_map(|answer| answer.cluster).chain(own.cluster).collect();
    let found = *clusters.first()?;
    if clusters.len() > 1 {
        return Some(Formation::Conflict(clusters));
    }
    match own.expected_cluster {
        Some(expected) if expected != found => {
            Some(Formation::Refused(FormationRefusal::OtherCluster { expected, found }))
        }
        Some(_) | None => Some(Formation::Join(found)),
    }
}

/// All nodes of a round in which every needed node answered and all were pristine.
fn complete(
    own: &OwnState,
    expected: Expected,
    seen: &[Answer],
    unreachable: usize,
) -> Result<BTreeMap<NodeId, Founder>, Waiting> {
    if !own.is_pristine {
        return Err(Waiting::OwnDirectoryUsed);
    }
    // In a cluster of one, a name needs no number.
    let own_ordinal = ordinal(&own.name).or((expected.replicas == 1).then_some(0));
    if own_ordinal != Some(0) {
        return Err(Waiting::NotOrdinalZero { name: own.name.clone() });
    }
    let used: BTreeSet<String> = seen
        .iter()
        .filter(|answer| !answer.is_pristine)
        .map(|answer| answer.name.clone())
        .collect();
    if !used.is_empty() {
        return Err(Waiting::NotPristine(used));
    }
    let present = everyone(own, seen)?;
    if expected.replicas == 1 {
        alone(own, &present)?;
    } else {
        all_ordinals(&present, expected)?;
    }
    if unreachable > 0 {
        return Err(Waiting::Unreachable(unreachable));
    }
    if expected.replicas > 1 && own.discovered_for < LISTEN_MIN {
        return Err(Waiting::Listening(own.discovered_for));
    }
    Ok(present)
}

/// This node and all that answered, each once.
fn everyone(own: &OwnState, seen: &[Answer]) -> Result<BTreeMap<NodeId, Founder>, Waiting> {
    let myself = Founder { name: own.name.clone(), address: own.address.clone() };
    let mut present = BTreeMap::from([(own.node, myself)]);
    for answer in seen {
        let founder = Founder { name: answer.name.clone(), address: answer.address.clone() };
        let known = present.entry(answer.node).or_insert_with(|| founder.clone());
        if *known != founder {
            return Err(Waiting::SameNode(answer.node));
        }
    }
    Ok(present)
}

fn alone(own: &OwnState, present: &BTreeMap<NodeId, Founder>) -> Result<(), Waiting> {
    if present.len() > 1 {
        let others = present.iter().filter(|(node, _)| **node != own.node);
        return Err(Waiting::NotAlone(others.map(|(_, other)| other.name.clone()).collect()));
    }
    if own.watched_for < WATCH_ALONE_MIN {
        return Err(Waiting::Watching(own.watched_for));
    }
    Ok(())
}

fn all_ordinals(present: &BTreeMap<NodeId, Founder>, expected: Expected) -> Result<(), Waiting> {
    let mut answered = BTreeSet::new();
    for number in present.values().filter_map(|founder| ordinal(&founder.name)) {
        if !answered.insert(number) {
            return Err(Waiting::SameOrdinal(number));
        }
    }
    let missing: BTreeSet<u32> = &expected.ordinals() - &answered;
    if missing.is_empty() { Ok(()) } else { Err(Waiting::Missing(missing)) }
}

/// The first membership; surplus pods join later.
fn founders(present: BTreeMap<NodeId, Founder>, expected: Expected) -> BTreeMap<NodeId, Founder> {
    let is_expected = |founder: &Founder| {
        expected.replicas == 1
            || ordinal(&founder.name).is_some_and(|number| number < u32::from(expected.replicas))
    };
    present.into_iter().filter(|(_, founder)| is_expected(founder)).collect()
}

#[cfg(test)]
#[path = "formation_test.rs"]
mod tests;
