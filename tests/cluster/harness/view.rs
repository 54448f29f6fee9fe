//! The part of a node's answers about its cluster that scenarios use.

use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt;

/// `GET /api/v1/cluster`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct View {
    pub cluster_id: Option<String>,
    /// The answering node.
    #[serde(rename = "self")]
    pub node: String,
    pub leader: Option<String>,
    pub term: Option<u64>,
    pub fault_tolerance: Option<u64>,
    pub members: Vec<MemberView>,
    pub slots: SlotsView,
    pub applied_index: Option<u64>,
    pub gossip: GossipView,
}

/// One member, as the leader or the answering node sees it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct MemberView {
    pub node_id: String,
    /// The pod name.
    pub name: Option<String>,
    pub role: Option<String>,
    pub state: Option<String>,
    pub slots: Option<u64>,
    pub addresses: AddressesView,
}

/// Addresses of a member for other members.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AddressesView {
    pub peer: String,
}

/// What gossip knows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct GossipView {
    /// Ids of live nodes, including the answering one.
    pub live: BTreeSet<String>,
}

/// The number of slots, and how many have no owner.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SlotsView {
    pub total: u64,
    pub unowned: u64,
}

impl View {
    /// Ids of all members.
    pub fn ids(&self) -> BTreeSet<&str> {
        self.members.iter().map(|member| member.node_id.as_str()).collect()
    }

    /// How many members vote.
    pub fn voters(&self) -> usize {
        self.members.iter().filter(|member| member.role.as_deref() == Some("voter")).count()
    }

    /// The member with this id.
    pub fn member(&self, id: &str) -> Option<&MemberView> {
        self.members.iter().find(|member| member.node_id == id)
    }
}

/// For people: a line of the common facts, and one for each member.
impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (leader, term, index) = (&self.leader, self.term, self.applied_index);
        writeln!(f, "{}: {:?} leader {leader:?} term {term:?}", self.node, self.cluster_id)?;
        writeln!(f, "  {} slots unowned, applied {index:?}", self.slots.unowned)?;
        for member in &self.members {
            let MemberView { node_id, name, role, state, slots, addresses } = member;
            let peer = &addresses.peer;
            writeln!(f, "  {node_id} {name:?} {peer} {role:?} {state:?} {slots:?} slots")?;
        }
        Ok(())
    }
}

/// Whether all views name the same cluster, leader and members, and the slots are spread over
/// exactly these members.
pub fn agree(views: &[View]) -> bool {
    let Some(first) = views.first() else { return false };
    let answering: BTreeSet<&str> = views.iter().map(|view| view.node.as_str()).collect();
    let is_whole = |view: &View| {
        view.cluster_id.is_some()
            && view.cluster_id == first.cluster_id
            && view.leader.is_some()
            && view.leader == first.leader
            && view.ids() == answering
            && view.slots.unowned == 0
            && view.members.iter().all(|member| member.slots.is_none_or(|slots| slots > 0))
    };
    answering.len() == views.len() && views.iter().all(is_whole)
}
