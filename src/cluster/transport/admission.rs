//! Accepts or refuses calls by their Hello alone. It remembers the newest life of each caller,
//! which is how a copied data directory is detected (rule 23).

use super::PeerRoute;
use super::hello::Hello;
use super::refusal::Refused;
use crate::cluster::data_dir::identity::ClusterId;
use crate::state_machine::{FeatureLevel, NodeId};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// Callers remembered. Ids are never reused, so a cluster that replaced this many disks in one
/// life of a process forgets the oldest ids, whose nodes are long gone.
const LIVES_MAX: usize = 10_000;

/// What admission knows about the called node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) struct LocalNode {
    pub node: NodeId,
    pub cluster: Option<ClusterId>,
    /// The level at which its cluster writes.
    pub level: FeatureLevel,
}

/// The newest known start of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Life {
    boot: u64,
    life: u64,
    level: FeatureLevel,
    /// Whether an authenticated peer reported it. Of others only the level is believed.
    is_proven: bool,
}

/// The newest lives of callers.
#[derive(Debug, Default)]
pub(in crate::cluster) struct PeerAdmission {
    lives: Mutex<BTreeMap<NodeId, Life>>,
}

impl PeerAdmission {
    /// Checks a Hello. `boot_in_log` is the newest start of the caller in the log.
    ///
    /// # Errors
    /// The call is not for this node, or the caller is not the node it claims to be.
    pub fn check(
        &self,
        own: LocalNode,
        hello: &Hello,
        route: PeerRoute,
        boot_in_log: Option<u64>,
    ) -> Result<(), Refused> {
        hello.check_version()?;
        check_cluster(own, hello, route)?;
        match hello.to {
            Some(to) if to != own.node => return Err(Refused::WrongNode { own: own.node }),
            None if route != PeerRoute::NodeStatus => {
                return Err(Refused::WrongNode { own: own.node });
            }
            Some(_) | None => {}
        }
        self.check_life(hello, boot_in_log)?;
        check_level(own, hello)
    }

    /// The newest feature level that a node can apply, as reported by its newest life; `None` if
    /// the life in the log, or a later one, has not called yet.
    pub fn level_of(&self, node: NodeId, boot_in_log: Option<u64>) -> Option<FeatureLevel> {
        let lives = self.lives.lock();
        let life = lives.get(&node).filter(|life| life.boot >= boot_in_log.unwrap_or_default());
        life.map(|life| life.level)
    }

    fn check_life(&self, hello: &Hello, boot_in_log: Option<u64>) -> Result<(), Refused> {
        let mut lives = self.lives.lock();
        let known = lives.get(&hello.from).copied();
        let proven = known.filter(|life| life.is_proven);
        let newest = proven.map_or(0, |life| life.boot).max(boot_in_log.unwrap_or_default());
        let is_other =
            proven.is_some_and(|life| life.boot == hello.boot && life.life != hello.life);
        if hello.boot < newest || is_other {
            return Err(Refused::StaleBoot { known: newest, boot: hello.boot });
        }
        // An unauthenticated caller cannot turn another one into a copy.
        let is_newer = proven.is_none_or(|life| hello.is_proven && life.boot < hello.boot);
        if is_newer {
            if known.is_none() && lives.len() >= LIVES_MAX {
                lives.pop_first();
            }
            let Hello { boot, life, feature_level: level, is_proven, .. } = *hello;
            lives.insert(hello.from, Life { boot, life, level, is_proven });
        }
        Ok(())
    }
}

/// A node without a cluster accepts Raft calls, by which it joins, and questions. From a node
/// without a cluster only questions are accepted.
fn check_cluster(own: LocalNode, hello: &Hello, route: PeerRoute) -> Result<(), Refused> {
    match (own.cluster, hello.cluster) {
        (Some(own), Some(theirs)) if own == theirs => Ok(()),
        _ if route == PeerRoute::NodeStatus => Ok(()),
        (None, Some(_)) if route.is_raft() => Ok(()),
        (own, _) => Err(Refused::WrongCluster { own }),
    }
}

/// A build below the level of the cluster can no longer read its log (rule 22).
fn check_level(own: LocalNode, hello: &Hello) -> Result<(), Refused> {
    if own.cluster != hello.cluster || hello.feature_level >= own.level {
        return Ok(());
    }
    Err(Refused::FeatureLevel { cluster: own.level, caller: hello.feature_level })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: LocalNode =
        LocalNode { node: NodeId(1), cluster: Some(ClusterId(7)), level: FeatureLevel::FIRST };
    const PRISTINE: LocalNode = LocalNode { cluster: None, ..OWN };

    fn hello() -> Hello {
        Hello { to: Some(NodeId(1)), ..Hello::new(Some(ClusterId(7)), NodeId(2), 3, 100) }
    }

    fn check(own: LocalNode, hello: &Hello, route: PeerRoute) -> Result<(), Refused> {
        PeerAdmission::default().check(own, hello, route, None)
    }

    #[test]
    fn a_member_of_the_same_cluster_is_heard() {
        for route in PeerRoute::ALL {
            assert_eq!(check(OWN, &hello(), route), Ok(()));
        }
    }

    #[test]
    fn a_member_of_another_cluster_may_only_ask() {
        let foreign = Hello { cluster: Some(ClusterId(8)), ..hello() };
        assert_eq!(check(OWN, &foreign, PeerRoute::NodeStatus), Ok(()));
        for route in PeerRoute::ALL.into_iter().filter(|route| *route != PeerRoute::NodeStatus) {
            assert!(matches!(check(OWN, &foreign, route), Err(Refused::WrongCluster { .. })));
        }
    }

    #[test]
    fn a_node_of_no_cluster_hears_raft_and_is_not_forwarded_to() {
        assert_eq!(check(PRISTINE, &hello(), PeerRoute::Append), Ok(()));
        let forward = check(PRISTINE, &hello(), PeerRoute::Forward);
        assert!(matches!(forward, Err(Refused::WrongCluster { .. })), "{forward:?}");
    }

    #[test]
    fn a_call_for_another_node_is_refused_also_at_the_same_address() {
        let other = Hello { to: Some(NodeId(9)), ..hello() };
        for route in PeerRoute::ALL {
            assert!(matches!(check(OWN, &other, route), Err(Refused::WrongNode { .. })));
        }
        let anyone = Hello { to: None, ..hello() };
        assert_eq!(check(OWN, &anyone, PeerRoute::NodeStatus), Ok(()));
        assert!(matches!(check(OWN, &anyone, PeerRoute::Append), Err(Refused::WrongNode { .. })));
    }

    #[test]
    fn rule_23_an_older_start_is_a_copied_disk() {
        let admission = PeerAdmission::default();
        let at = |boot, life| Hello { boot, life, ..hello() };
        assert_eq!(admission.check(OWN, &at(3, 100), PeerRoute::Append, None), Ok(()));
        assert_eq!(admission.check(OWN, &at(4, 200), PeerRoute::Append, None), Ok(()));
        let old = admission.check(OWN, &at(3, 100), PeerRoute::Append, None);
        assert!(matches!(old, Err(Refused::StaleBoot { .. })), "{old:?}");
        let logged = admission.check(OWN, &at(4, 200), PeerRoute::Append, Some(5));
        assert!(matches!(logged, Err(Refused::StaleBoot { .. })), "{logged:?}");
    }

    #[test]
    fn rule_22_a_member_below_the_level_of_its_cluster_is_refused_on_every_route() {
        let third = LocalNode { level: FeatureLevel(3), ..OWN };
        let at = |level| Hello { feature_level: FeatureLevel(level), ..hello() };
        for route in PeerRoute::ALL {
            assert_eq!(check(third, &at(3), route), Ok(()));
            assert_eq!(check(third, &at(4), route), Ok(()));
            let refused =
                Refused::FeatureLevel { cluster: FeatureLevel(3), caller: FeatureLevel(2) };
            assert_eq!(check(third, &at(2), route), Err(refused));
        }
    }

    #[test]
    fn rule_22_a_node_of_no_cluster_may_ask_whatever_level_it_speaks() {
        let third = LocalNode { level: FeatureLevel(3), ..OWN };
        let newcomer = Hello { cluster: None, feature_level: FeatureLevel(1), ..hello() };
        assert_eq!(check(third, &newcomer, PeerRoute::NodeStatus), Ok(()));
    }

    #[test]
    fn rule_22_a_hello_without_a_level_is_of_a_build_that_knows_the_first() {
        let without = Hello { feature_level: FeatureLevel(0), ..hello() };
        let read = Hello::decode(without.encode().as_bytes()).unwrap();
        assert_eq!(read.feature_level, FeatureLevel::FIRST);
    }

    #[test]
    fn rule_22_the_level_of_a_node_is_that_of_its_newest_life() {
        let admission = PeerAdmission::default();
        let at =
            |boot, level| Hello { boot, life: boot, feature_level: FeatureLevel(level), ..hello() };
        assert_eq!(admission.level_of(NodeId(2), None), None);
        admission.check(OWN, &at(3, 2), PeerRoute::Append, None).unwrap();
        assert_eq!(admission.level_of(NodeId(2), Some(3)), Some(FeatureLevel(2)));
        // The log has a start that has not called yet: its build is unknown.
        assert_eq!(admission.level_of(NodeId(2), Some(4)), None);
        admission.check(OWN, &at(4, 1), PeerRoute::Append, Some(4)).unwrap();
        assert_eq!(admission.level_of(NodeId(2), Some(4)), Some(FeatureLevel(1)));
    }

    #[test]
    fn rule_23_two_processes_with_one_start_number_are_not_both_heard() {
        let admission = PeerAdmission::default();
        let at = |life| Hello { life, ..hello() };
        assert_eq!(admission.check(OWN, &at(100), PeerRoute::Append, None), Ok(()));
        let copy = admission.check(OWN, &at(200), PeerRoute::Append, None);
        assert!(matches!(copy, Err(Refused::StaleBoot { .. })), "{copy:?}");
        assert_eq!(admission.check(OWN, &at(100), PeerRoute::Append, None), Ok(()));
    }

    #[test]
    fn a_version_without_overlap_is_refused() {
        let newer = Hello { wire_version: 9, wire_version_min: 8, ..hello() };
        assert!(matches!(
            check(OWN, &newer, PeerRoute::NodeStatus),
            Err(Refused::WireVersion { .. })
        ));
        let newer_that_speaks_ours = Hello { wire_version: 9, wire_version_min: 1, ..hello() };
        assert_eq!(check(OWN, &newer_that_speaks_ours, PeerRoute::Append), Ok(()));
    }

    #[test]
    fn a_hello_reads_back_and_garbage_is_none() {
        // A caller cannot claim to be authenticated.
        let said = Hello { is_proven: false, ..hello() };
        assert_eq!(Hello::decode(hello().encode().as_bytes()), Some(said));
        assert_eq!(Hello::decode(b"%%%"), None);
        assert_eq!(Hello::decode(b"/////w"), None);
    }
}
