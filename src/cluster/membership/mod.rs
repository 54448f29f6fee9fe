//! Which nodes are members and which vote: one change at a time, decided from a view. Pure.
//!
//! The leader builds the view about once a second, calls [`next_change`], and executes the answer
//! before the next call. Gossip and DNS enter the view only as hints. A change that live voters
//! cannot commit is never proposed: a leader that waits for it accepts nothing.

mod admission;
mod joining;
mod level;
mod removal;
mod voters;

pub use admission::AdmittedNames;
pub use joining::{not_admitted, same_names};
pub use level::{Levels, Settling, Short, common, reachable};
pub use removal::{RemoveError, admin_remove};
pub use voters::{fault_tolerance, majority};

use super::data_dir::identity::ClusterId;
use crate::state_machine::NodeId;
use std::collections::BTreeSet;
use std::time::Duration;

/// A learner that lacks at most this many log entries counts as caught up: about one append
/// request. Under load no learner is ever level with the leader.
pub const CAUGHT_UP_LAG_MAX: u64 = 256;
/// How long a learner must have been caught up before it votes. Long enough that one lucky
/// heartbeat does not promote a node that is falling behind. Short, because until then a cluster
/// that was just scaled up has no second copy.
pub const CAUGHT_UP_MIN: Duration = Duration::from_secs(2);
/// How long a joiner must have been live before it is added: two rounds of gossip (500 ms).
pub const JOINER_LIVE_MIN: Duration = Duration::from_secs(1);
/// Age of the last append answer at which a voter no longer counts for a commit: seven missed
/// heartbeats (200 ms). It also loses its slots at this age (rule 2).
pub const ANSWERED_AGO_MAX: Duration = Duration::from_millis(1500);
/// How long a drained member must have been without a DNS record before it loses its vote, and how
/// long a voter must have been dead before a learner replaces it (rule 25). A restart on the same
/// machine is faster.
pub const ABSENT_VOTER_MAX: Duration = Duration::from_secs(60);
/// How long a second voter waits for a third learner to catch up, so that both are added at once. A
/// slower learner must not keep the cluster at one copy.
pub const THIRD_VOTER_WAIT_MAX: Duration = Duration::from_secs(30);
/// Maximum number of voters. Five survive two losses; more make every commit slower.
pub const VOTERS_MAX: usize = 5;

/// Whether a node is live, by gossip or by its answers to append requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    Live,
    /// Silent, but not for long enough to count as dead.
    Suspect,
    /// Dead for this long.
    Dead(Duration),
}

/// What DNS says about a pod's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dns {
    Present,
    /// DNS has answered without this name for this long.
    Absent(Duration),
    /// DNS did not answer, or is not asked. It never means that a pod is gone.
    Unknown,
}

/// A member as the leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterMember {
    pub node: NodeId,
    /// The pod's name.
    pub name: String,
    /// Peer address in the membership, `HOST:PORT`.
    pub address: String,
    /// Peer address that the node itself announces, `HOST:PORT`. `None` if it is unknown.
    pub announced_address: Option<String>,
    pub liveness: Liveness,
    /// Time since it last answered an append request of this leader. `None` if it never did.
    pub answered_ago: Option<Duration>,
    /// It has announced a shutdown, and has not started since.
    pub is_draining: bool,
    /// How long its lag has been at most [`CAUGHT_UP_LAG_MAX`], without interruption. `None` if it
    /// is not.
    pub caught_up_for: Option<Duration>,
    pub dns: Dns,
    /// Events in its spool, by its last report: on that disk and nowhere else.
    pub spooled: u64,
}

impl ClusterMember {
    fn is_live(&self) -> bool {
        self.liveness == Liveness::Live
    }

    fn has_been_dead_for(&self, least: Duration) -> bool {
        matches!(self.liveness, Liveness::Dead(lasting) if lasting >= least)
    }
}

/// A live node in gossip that is not a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joiner {
    pub node: NodeId,
    /// The pod's name.
    pub name: String,
    /// Peer address, `HOST:PORT`.
    pub address: String,
    /// The cluster of its directory.
    pub cluster: Option<ClusterId>,
    /// Its data directory has never held an entry, a vote or a snapshot.
    pub is_pristine: bool,
    /// The highest feature level it can apply.
    pub feature_level: u32,
    /// How long it has been live.
    pub live_for: Duration,
}

/// All inputs of a decision about the membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembershipView {
    pub cluster: ClusterId,
    /// The deciding node.
    pub leader: NodeId,
    /// Voters of the committed configuration.
    pub voters: BTreeSet<NodeId>,
    /// A joint configuration is in force and no node is finishing it.
    pub is_joint: bool,
    /// All members, voters and learners.
    pub members: Vec<ClusterMember>,
    pub joiners: Vec<Joiner>,
    /// Node ids that were removed. They never return.
    pub retired: BTreeSet<NodeId>,
    /// Members are given by `--seed`: there are no DNS records, so an absent one means nothing.
    pub has_static_seeds: bool,
    /// `cluster.removal_grace`.
    pub removal_grace: Duration,
    /// The active feature level. A node below it cannot apply the log.
    pub feature_level: u32,
    /// The names that may become members.
    pub admission: AdmittedNames,
}

impl MembershipView {
    fn is_voter(&self, member: &ClusterMember) -> bool {
        self.voters.contains(&member.node)
    }

    /// It would confirm an entry proposed now.
    fn answers(&self, member: &ClusterMember) -> bool {
        member.node == self.leader || member.answered_ago.is_some_and(|ago| ago <= ANSWERED_AGO_MAX)
    }

    fn is_absent_for(&self, member: &ClusterMember, least: Duration) -> bool {
        !self.has_static_seeds && matches!(member.dns, Dns::Absent(lasting) if lasting >= least)
    }

    /// It is gone for good, as far as is known: drained and without a record, or dead and without a
    /// record for the whole grace. Restarting pods get their record back.
    fn has_left(&self, member: &ClusterMember) -> bool {
        let was_drained = member.is_draining && self.is_absent_for(member, ABSENT_VOTER_MAX);
        was_drained || self.is_gone(member)
    }

    /// Dead and without a record for the whole grace.
    fn is_gone(&self, member: &ClusterMember) -> bool {
        member.has_been_dead_for(self.removal_grace)
            && self.is_absent_for(member, self.removal_grace)
    }

    /// How many of these voters would confirm an entry, and how many must.
    fn confirming(&self, voters: &BTreeSet<NodeId>) -> (usize, usize) {
        let confirms = |m: &&ClusterMember| voters.contains(&m.node) && self.answers(m);
        (self.members.iter().filter(confirms).count(), majority(voters.len()))
    }

    fn can_commit(&self, voters: &BTreeSet<NodeId>) -> bool {
        let (answering, needed) = self.confirming(voters);
        answering >= needed
    }
}

/// One change of the membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A joint configuration is unfinished: propose its second half.
    FinishJoint,
    /// Add a node that replicates and does not vote.
    AddLearner { node: NodeId, name: String, address: String },
    /// The member has another peer address.
    UpdateAddress { node: NodeId, address: String },
    /// Make exactly these the voters, in one joint change. Former voters stay as learners.
    SetVoters(BTreeSet<NodeId>),
    /// A pod came back with another data directory. In one joint change `new` votes instead of
    /// `old`, and `old` is removed. Retire `old` afterwards.
    Replace { old: NodeId, new: NodeId },
    /// Remove these members in one change, and retire them. Voters among them stop voting.
    Remove(BTreeSet<NodeId>),
}

/// The next change, if any. Call it again only after that change was made or abandoned, and with a
/// new view.
///
/// Also `None` if live voters could commit nothing, and while the leader is not a voter.
#[must_use]
pub fn next_change(view: &MembershipView) -> Option<Change> {
    if view.is_joint {
        return Some(Change::FinishJoint);
    }
    if !view.voters.contains(&view.leader) || !view.can_commit(&view.voters) {
        return None;
    }
    // The first is urgent: its voters exit within 15 s. Then come changes that make the cluster
    // safer, and last those that tidy up.
    voters::shrink_before_drain(view)
        .or_else(|| joining::update_address(view))
        .or_else(|| removal::superseded(view))
        .or_else(|| joining::add_learner(view))
        .or_else(|| joining::replace(view))
        .or_else(|| voters::choose_voters(view))
        .or_else(|| removal::gone(view))
}

/// The ordinal of a pod: the number at the end of its name. `None` without a number.
#[must_use]
pub fn ordinal(name: &str) -> Option<u32> {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    name[stem.len()..].parse().ok()
}

/// Sorts nodes by the ordinal of their pod, nodes without one last, then by id.
fn by_ordinal(name: &str, node: NodeId) -> (u64, NodeId) {
    (ordinal(name).map_or(u64::MAX, u64::from), node)
}

#[cfg(test)]
mod fixture_test;
#[cfg(test)]
mod model_test;
#[cfg(test)]
#[path = "simulation_test.rs"]
mod simulation;
#[cfg(test)]
#[path = "membership_test.rs"]
mod tests;
