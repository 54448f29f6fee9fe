//! A cluster of pods, reduced to what the membership sees: processes, disks, names, votes. Every
//! change is checked when it is made.

use super::fixture_test::REMOVAL_GRACE;
use super::*;
use std::collections::BTreeMap;

const SECOND: Duration = Duration::from_secs(1);
/// How long a silent process is only suspect, in seconds.
const SUSPECT_LASTS: u64 = 5;
/// A voter whose exit would cost the quorum stays this long (rule 25).
const LINGER_MAX: u64 = 15;

/// A place of the StatefulSet, with its current process and disk.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) node: NodeId,
    /// The StatefulSet wants it.
    pub(super) is_wanted: bool,
    pub(super) is_up: bool,
    /// Its network carries only gossip.
    pub(super) is_cut: bool,
    /// When it got the signal to stop.
    draining_since: Option<u64>,
    up_since: u64,
    /// When its DNS record vanished.
    absent_since: Option<u64>,
    /// Seconds until a fresh learner has caught up.
    pub(super) catch_up: u64,
    pub(super) spooled: u64,
}

/// What the membership and gossip know about a member.
#[derive(Clone, Debug)]
struct Entry {
    pod: usize,
    address: String,
    added: u64,
    silent_since: Option<u64>,
    /// By the last report of its node.
    is_draining: bool,
    spooled: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) now: u64,
    pub(super) pods: Vec<Pod>,
    nodes: u64,
    members: BTreeMap<NodeId, Entry>,
    pub(super) voters: BTreeSet<NodeId>,
    /// The second half of a change that the leader did not finish.
    joint: Option<BTreeSet<NodeId>>,
    retired: BTreeSet<NodeId>,
    leader: Option<NodeId>,
    pub(super) has_static_seeds: bool,
    pub(super) has_dns: bool,
    /// The next change of voters stays half done.
    pub(super) breaks_next_change: bool,
    pub(super) changes: Vec<Change>,
}

fn name(pod: usize) -> String {
    format!("relay-{pod}")
}

impl Model {
    /// A newly formed cluster of `pods`, and room for `places`.
    pub(super) fn new(pods: usize, places: usize) -> Self {
        let pod = |at| Pod {
            node: NodeId(at as u64 + 1),
            is_wanted: at < pods,
            is_up: at < pods,
            is_cut: false,
            draining_since: None,
            up_since: 0,
            absent_since: None,
            catch_up: 3,
            spooled: 0,
        };
        let mut model = Self {
            now: 0,
            pods: (0..places).map(pod).collect(),
            nodes: places as u64,
            members: BTreeMap::new(),
            voters: (1..=pods.min(VOTERS_MAX) as u64).map(NodeId).collect(),
            joint: None,
            retired: BTreeSet::new(),
            leader: None,
            has_static_seeds: false,
            has_dns: true,
            breaks_next_change: false,
            changes: Vec::new(),
        };
        (0..pods).for_each(|pod| model.enter(pod, name(pod)));
        model
    }

    fn enter(&mut self, pod: usize, address: String) {
        let entry = Entry {
            pod,
            address,
            added: self.now,
            silent_since: None,
            is_draining: false,
            spooled: 0,
        };
        self.members.insert(self.pods[pod].node, entry);
    }

    /// The pod that runs this node, if it runs.
    fn runs(&self, node: NodeId) -> Option<&Pod> {
        self.pods.iter().find(|pod| pod.node == node && pod.is_up)
    }

    fn answers(&self, node: NodeId) -> bool {
        self.runs(node).is_some_and(|pod| !pod.is_cut)
    }

    pub(super) fn has_quorum(&self, voters: &BTreeSet<NodeId>) -> bool {
        voters.iter().filter(|node| self.answers(**node)).count() >= majority(voters.len())
    }

    /// Whether the quorum returns when every remaining disk starts again.
    pub(super) fn can_heal(&self) -> bool {
        [Some(&self.voters), self.joint.as_ref()].into_iter().flatten().all(|voters| {
            let on_disk =
                |node: &&NodeId| self.pods.iter().any(|pod| pod.node == **node && pod.is_wanted);
            voters.iter().filter(on_disk).count() >= majority(voters.len())
        })
    }

    pub(super) fn start(&mut self, pod: usize) {
        // The id of a removed node is refused: its directory is set aside.
        if self.retired.contains(&self.pods[pod].node) {
            self.wipe_disk(pod);
        }
        let now = self.now;
        let pod = &mut self.pods[pod];
        pod.absent_since = None;
        pod.draining_since = None;
        pod.is_wanted = true;
        if !pod.is_up {
            pod.is_up = true;
            pod.up_since = now;
        }
    }

    pub(super) fn wipe_disk(&mut self, pod: usize) {
        self.nodes += 1;
        self.pods[pod].node = NodeId(self.nodes);
        self.pods[pod].spooled = 0;
        self.pods[pod].up_since = self.now;
    }

    pub(super) fn stop(&mut self, pod: usize) {
        if self.pods[pod].is_up {
            self.pods[pod].draining_since.get_or_insert(self.now);
        }
    }

    /// Simulates a second: exits, gossip, election, and one change.
    pub(super) fn tick(&mut self) {
        self.now += 1;
        (0..self.pods.len()).for_each(|pod| self.exit_if_due(pod));
        self.hear();
        self.elect();
        let Some(view) = self.view() else { return };
        if let Some(change) = next_change(&view) {
            self.make(&view, change);
        }
    }

    fn exit_if_due(&mut self, pod: usize) {
        let Pod { node, draining_since, is_up, is_wanted, .. } = self.pods[pod];
        if let Some(since) = draining_since.filter(|_| is_up) {
            let mut others = self.voters.clone();
            others.remove(&node);
            let left = others.iter().filter(|node| self.answers(**node)).count();
            let costs_quorum = self.voters.contains(&node) && left < majority(self.voters.len());
            self.pods[pod].is_up = costs_quorum && self.now < since + LINGER_MAX;
        }
        if !self.pods[pod].is_up && !is_wanted {
            self.pods[pod].absent_since.get_or_insert(self.now);
        }
    }

    fn hear(&mut self) {
        let now = self.now;
        for (node, entry) in &mut self.members {
            match self.pods.iter().find(|pod| pod.node == *node && pod.is_up) {
                Some(pod) => {
                    entry.silent_since = None;
                    entry.is_draining = pod.draining_since.is_some();
                    entry.spooled = pod.spooled;
                }
                None => _ = entry.silent_since.get_or_insert(now),
            }
        }
    }

    fn elect(&mut self) {
        let leads = |node: NodeId| self.voters.contains(&node) && self.answers(node);
        if self.leader.is_some_and(leads) {
            return;
        }
        self.leader = self.voters.iter().copied().find(|node| self.answers(*node));
    }

    fn has_leader(&self) -> bool {
        let both = [Some(&self.voters), self.joint.as_ref()];
        self.leader.is_some() && both.into_iter().flatten().all(|voters| self.has_quorum(voters))
    }

    /// The leader's view. `None` without a leader.
    pub(super) fn view(&self) -> Option<MembershipView> {
        let leader = self.leader.filter(|_| self.has_leader())?;
        let members = self.members.iter().map(|(node, entry)| self.member(*node, entry)).collect();
        let known = |pod: &Pod| self.members.contains_key(&pod.node);
        let joiners =
            (0..self.pods.len()).filter(|pod| self.pods[*pod].is_up && !known(&self.pods[*pod]));
        Some(MembershipView {
            cluster: ClusterId(1),
            leader,
            voters: self.voters.clone(),
            is_joint: self.joint.is_some(),
            members,
            joiners: joiners.map(|pod| self.joiner(pod)).collect(),
            retired: self.retired.clone(),
            has_static_seeds: self.has_static_seeds,
            removal_grace: REMOVAL_GRACE,
            feature_level: 0,
            admission: AdmittedNames::new("relay-0", &[]),
        })
    }

    fn member(&self, node: NodeId, entry: &Entry) -> ClusterMember {
        let process = self.runs(node);
        let silent = entry.silent_since.map(|since| self.now - since);
        let pod = &self.pods[entry.pod];
        let lasted = self.now - pod.up_since.max(entry.added);
        let lag = CAUGHT_UP_LAG_MAX + u64::from(!(self.answers(node) && lasted >= pod.catch_up));
        let is_level = lag <= CAUGHT_UP_LAG_MAX;
        ClusterMember {
            node,
            name: name(entry.pod),
            address: entry.address.clone(),
            announced_address: process.map(|_| name(entry.pod)),
            liveness: match silent {
                None => Liveness::Live,
                Some(lasting) if lasting < SUSPECT_LASTS => Liveness::Suspect,
                Some(lasting) => Liveness::Dead(SECOND * (lasting - SUSPECT_LASTS) as u32),
            },
            answered_ago: self.answers(node).then_some(Duration::ZERO),
            is_draining: entry.is_draining,
            caught_up_for: is_level.then(|| SECOND * (lasted - pod.catch_up) as u32),
            dns: self.dns(pod),
            spooled: entry.spooled,
        }
    }

    fn dns(&self, pod: &Pod) -> Dns {
        if self.has_static_seeds || !self.has_dns {
            return Dns::Unknown;
        }
        pod.absent_since
            .map_or(Dns::Present, |since| Dns::Absent(SECOND * (self.now - since) as u32))
    }

    fn joiner(&self, at: usize) -> Joiner {
        let pod = &self.pods[at];
        Joiner {
            node: pod.node,
            name: name(at),
            address: name(at),
            cluster: None,
            is_pristine: true,
            feature_level: 0,
            live_for: SECOND * (self.now - pod.up_since) as u32,
        }
    }

    fn make(&mut self, view: &MembershipView, change: Change) {
        match change.clone() {
            Change::FinishJoint => self.finish_joint(),
            Change::AddLearner { node, address, .. } => self.add(node, address),
            Change::UpdateAddress { node, address } => {
                assert!(self.runs(node).is_some(), "{change:?}");
                self.members.get_mut(&node).unwrap().address = address;
            }
            Change::SetVoters(voters) => self.set_voters(voters),
            Change::Replace { old, new } => {
                assert!(self.runs(old).is_none(), "{change:?} of a live node");
                assert_eq!(self.members[&old].pod, self.members[&new].pod);
                let mut voters = self.voters.clone();
                assert!(voters.remove(&old) && voters.insert(new), "{change:?}");
                self.set_voters(voters);
                self.retire(old);
            }
            Change::Remove(nodes) => {
                for node in nodes {
                    self.check_removal(view, node);
                    self.retire(node);
                }
            }
        }
        self.changes.push(change);
    }

    fn finish_joint(&mut self) {
        let voters = self.joint.take().unwrap();
        self.voters = voters;
    }

    fn add(&mut self, node: NodeId, address: String) {
        assert!(!self.retired.contains(&node), "{node} comes back");
        let pod = self.pods.iter().position(|pod| pod.node == node && pod.is_up).unwrap();
        let twins = self.members.iter().filter(|(_, entry)| entry.pod == pod);
        let live: Vec<&NodeId> =
            twins.map(|(node, _)| node).filter(|node| self.runs(**node).is_some()).collect();
        assert!(live.is_empty(), "{live:?} live under the name of {node}");
        self.enter(pod, address);
    }

    /// Voters that are neither draining nor silent, beyond the quorum.
    fn steady_margin(&self, voters: &BTreeSet<NodeId>) -> usize {
        let is_steady = |node: &NodeId| self.answers(*node) && !self.members[node].is_draining;
        let steady = voters.iter().copied().filter(is_steady).collect();
        fault_tolerance(voters, &steady)
    }

    fn set_voters(&mut self, after: BTreeSet<NodeId>) {
        let before = &self.voters;
        assert_ne!(*before, after);
        assert!(self.has_quorum(before), "{before:?} cannot commit");
        assert!(self.has_quorum(&after), "{after:?} cannot commit");
        assert!(after.len() == 2 || after.len() % 2 == 1, "{} voters", after.len());
        assert!(after.len() <= VOTERS_MAX);
        for entrant in after.difference(before) {
            assert!(self.answers(*entrant) && !self.members[entrant].is_draining, "{entrant}");
        }
        let (margin, margin_after) = (self.steady_margin(before), self.steady_margin(&after));
        assert!(margin_after >= margin, "{before:?} to {after:?}: {margin} to {margin_after}");
        if std::mem::take(&mut self.breaks_next_change) {
            self.joint = Some(after);
        } else {
            self.voters = after;
        }
    }

    fn check_removal(&self, view: &MembershipView, node: NodeId) {
        let entry = &self.members[&node];
        assert!(!self.voters.contains(&node), "voter {node} removed");
        assert!(self.runs(node).is_none(), "live {node} removed");
        assert_eq!(entry.spooled, 0, "spool of {node} given up");
        let has_successor = self.pods[entry.pod].is_up;
        let absent = self.pods[entry.pod].absent_since.map(|since| self.now - since);
        let is_gone = !view.has_static_seeds
            && self.has_dns
            && absent.is_some_and(|absent| absent >= REMOVAL_GRACE.as_secs());
        assert!(is_gone || has_successor, "{node} removed, though it may come back");
    }

    fn retire(&mut self, node: NodeId) {
        self.members.remove(&node).unwrap();
        self.retired.insert(node);
    }

    /// Nodes of the pods that run.
    pub(super) fn running(&self) -> BTreeSet<NodeId> {
        self.pods.iter().filter(|pod| pod.is_up).map(|pod| pod.node).collect()
    }

    pub(super) fn member_nodes(&self) -> BTreeSet<NodeId> {
        self.members.keys().copied().collect()
    }

    /// Members whose events are on a disk that will not return.
    pub(super) fn lost_spools(&self) -> BTreeSet<NodeId> {
        let is_lost =
            |(node, entry): &(&NodeId, &Entry)| entry.spooled > 0 && self.runs(**node).is_none();
        self.members.iter().filter(is_lost).map(|(node, _)| *node).collect()
    }
}
