//! The network to other members, as openraft calls it. A cluster of one has none: every call fails
//! with that reason.

use super::message::{
    decode_append_answer, decode_snapshot_answer, decode_vote_answer, encode_append,
    encode_snapshot, encode_transfer, encode_vote_request,
};
use super::record::RecordError;
use super::types::{LogId, TypeConfig};
use crate::cluster::transport::{CallError, PeerAddress, PeerRoute, Peers, ProgressTimeout};
use crate::state_machine::NodeId;
use openraft::anyerror::AnyError;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RaftNetworkFactory, RaftNetworkV2, alias};
use parking_lot::Mutex;
use prost::Message as _;
use prost::bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Deadline of an append: a follower flushes before it answers, and a slow disk is not a dead node
/// (rule 28). It also applies without entries: after an error openraft probes with an empty append,
/// and a follower that misses the probe's deadline never gets an entry again. openraft itself
/// abandons heartbeats earlier.
pub(super) const APPEND_WITHIN: Duration = Duration::from_secs(1);
/// Share of openraft's deadline of a vote after which this side gives up: first, so that this side
/// notices the dead connection.
const VOTE_SHARE: (u32, u32) = (9, 10);
/// How long to wait for a snapshot. One without progress is abandoned after 10 s; openraft's limit
/// is 200 ms for the whole of it (rule 28). Installing the largest takes seconds; after this much
/// the disk is at fault.
pub(super) const SNAPSHOT_PATIENCE: ProgressTimeout =
    ProgressTimeout { stalled: Duration::from_secs(10), answered: Duration::from_secs(300) };

/// Links to all members. Clones share connections and memory.
#[derive(Clone)]
pub struct PeerNetwork {
    peers: Option<Peers>,
    acknowledged: Arc<Mutex<Acknowledged>>,
    /// Addresses of members. openraft keeps the link to a member for a whole leadership, even if
    /// the membership gives it another address.
    addresses: Arc<Mutex<BTreeMap<u64, String>>>,
}

/// The acknowledgements of followers, to notice one that lost entries: an old copy of its disk was
/// restored (rule 28).
#[derive(Debug, Default)]
struct Acknowledged {
    last: BTreeMap<u64, LogId>,
    /// The newest committed ones of them: no later leader replaces these.
    committed: BTreeMap<u64, LogId>,
    reverted: BTreeSet<u64>,
}

impl PeerNetwork {
    /// Calls over `peers`; `None` in a cluster of one.
    pub(in crate::cluster) fn new(peers: Option<Peers>) -> Self {
        Self { peers, acknowledged: Arc::default(), addresses: Arc::default() }
    }

    /// Uses this address for a member from now on, on all open links.
    pub(super) fn moved(&self, node: u64, address: String) {
        self.addresses.lock().insert(node, address);
    }

    fn target(&self, node: u64) -> PeerAddress {
        let addresses = self.addresses.lock();
        let address = addresses.get(&node).cloned().unwrap_or_default();
        PeerAddress { node: Some(NodeId(node)), address }
    }

    /// Nodes whose log lost entries that they had acknowledged.
    #[must_use]
    pub fn reverted(&self) -> Vec<NodeId> {
        let acknowledged = self.acknowledged.lock();
        acknowledged.reverted.iter().copied().map(NodeId).collect()
    }
}

impl Acknowledged {
    /// Records an acknowledgement, and the commit index of its request.
    fn took(&mut self, node: u64, last: LogId, committed: Option<LogId>) {
        let known = self.last.entry(node).or_insert(last);
        *known = (*known).max(last);
        if let Some(committed) = committed.map(|committed| committed.min(last)) {
            let known = self.committed.entry(node).or_insert(committed);
            *known = (*known).max(committed);
        }
    }

    /// Whether a conflict at `previous` contradicts what the node acknowledged under the same
    /// leader, or what was committed at that time. Another leader may have replaced uncommitted
    /// entries.
    fn contradicts(&mut self, node: u64, previous: LogId, term: u64) -> bool {
        let known = self.last.get(&node).filter(|known| *known.leader_id == term);
        let committed = self.committed.get(&node);
        let is_reverted =
            known.into_iter().chain(committed).any(|known| previous.index <= known.index);
        if is_reverted {
            self.reverted.insert(node);
        }
        is_reverted
    }
}

/// The content of an append request.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    term: u64,
    previous: Option<LogId>,
    last: Option<LogId>,
    committed: Option<LogId>,
}

/// The link to one member.
pub struct PeerLink {
    network: PeerNetwork,
    node: u64,
}

impl RaftNetworkFactory<TypeConfig> for PeerNetwork {
    type Network = PeerLink;

    async fn new_client(&mut self, target: u64, node: &alias::NodeOf<TypeConfig>) -> PeerLink {
        self.moved(target, node.address.clone());
        PeerLink { network: self.clone(), node: target }
    }
}

impl PeerLink {
    async fn call<T>(
        &self,
        route: PeerRoute,
        body: Vec<u8>,
        within: Duration,
        decode: impl FnOnce(&[u8]) -> Result<T, RecordError>,
    ) -> Result<T, RPCError<TypeConfig>> {
        let target = self.network.target(self.node);
        decoded(self.peers()?.call(&target, route, body, within).await, decode)
    }

    fn peers(&self) -> Result<&Peers, RPCError<TypeConfig>> {
        let peers = self.network.peers.as_ref();
        peers.ok_or_else(|| unreachable(&AnyError::error("this cluster has one member")))
    }

    /// Turns an answer that contradicts an earlier one into an error, so that openraft does not
    /// silently fill the gap: the node has lost entries that a quorum relied on.
    fn checked(
        &self,
        answer: AppendEntriesResponse<TypeConfig>,
        asked: &Asked,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        let mut acknowledged = self.network.acknowledged.lock();
        match &answer {
            AppendEntriesResponse::Success => {
                let last = asked.last.iter();
                last.for_each(|last| acknowledged.took(self.node, *last, asked.committed));
            }
            AppendEntriesResponse::PartialSuccess(upto) => {
                let upto = upto.iter();
                upto.for_each(|upto| acknowledged.took(self.node, *upto, asked.committed));
            }
            AppendEntriesResponse::Conflict => {
                let is_contradicted = |at| acknowledged.contradicts(self.node, at, asked.term);
                if asked.previous.is_some_and(is_contradicted) {
                    let lost = format!("node {} lost acknowledged entries", NodeId(self.node));
                    return Err(unreachable(&AnyError::error(lost)));
                }
            }
            AppendEntriesResponse::HigherVote(_) => {}
        }
        Ok(answer)
    }
}

fn decoded<T>(
    answer: Result<Bytes, CallError>,
    decode: impl FnOnce(&[u8]) -> Result<T, RecordError>,
) -> Result<T, RPCError<TypeConfig>> {
    match answer {
        Ok(bytes) => decode(&bytes).map_err(|error| unreachable(&error)),
        Err(error @ (CallError::Unreachable { .. } | CallError::Refused { .. })) => {
            Err(unreachable(&error))
        }
        Err(error @ (CallError::Broken { .. } | CallError::TimedOut { .. })) => {
            Err(RPCError::Network(NetworkError::new(&error)))
        }
    }
}

fn vote_within(option: &RPCOption) -> Duration {
    let (part, whole) = VOTE_SHARE;
    option.hard_ttl() * part / whole
}

fn unreachable(error: &(impl std::error::Error + 'static)) -> RPCError<TypeConfig> {
    RPCError::Unreachable(Unreachable::new(error))
}

impl RaftNetworkV2<TypeConfig> for PeerLink {
    type SnapshotData = Vec<u8>;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        let append = encode_append(&rpc);
        let called =
            self.call(PeerRoute::Append, append.bytes, APPEND_WITHIN, decode_append_answer);
        let answer = called.await?;
        let asked = Asked {
            term: rpc.vote.leader_id().term,
            previous: rpc.prev_log_id,
            last: rpc.entries.last().map(|entry| entry.log_id).or(rpc.prev_log_id),
            committed: rpc.leader_commit,
        };
        let answer = match (answer, append.cut_after) {
            (AppendEntriesResponse::Success, Some(cut)) => {
                AppendEntriesResponse::PartialSuccess(Some(cut))
            }
            (answer, _) => answer,
        };
        self.checked(answer, &asked)
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        let body = encode_vote_request(&rpc);
        self.call(PeerRoute::Vote, body, vote_within(&option), decode_vote_answer).await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        let body = encode_vote_request(&rpc);
        self.call(PeerRoute::PreVote, body, vote_within(&option), decode_vote_answer).await
    }

    async fn full_snapshot(
        &mut self,
        vote: alias::VoteOf<TypeConfig>,
        snapshot: alias::SnapshotOf<TypeConfig, Vec<u8>>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let body = encode_snapshot(&vote, snapshot.snapshot);
        let target = self.network.target(self.node);
        let sent = self.peers()?.upload(&target, PeerRoute::Snapshot, body, SNAPSHOT_PATIENCE);
        let answer = tokio::select! {
            closed = cancel => return Err(StreamingError::Closed(closed)),
            answer = sent => decoded(answer, decode_snapshot_answer)?,
        };
        if answer.vote <= vote
            && let Some(last) = snapshot.meta.last_log_id
        {
            let mut known = self.network.acknowledged.lock();
            // Everything in a snapshot was committed.
            known.took(self.node, last, Some(last));
        }
        Ok(answer)
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        let body = encode_transfer(&req);
        let decode = |bytes: &[u8]| {
            let answer = super::record::proto::TransferAnswer::decode(bytes);
            answer.map_err(|source| RecordError::Malformed { record: "transfer answer", source })
        };
        let answer = self.call(PeerRoute::Transfer, body, option.hard_ttl(), decode).await?;
        if answer.is_accepted {
            return Ok(Ok(()));
        }
        Err(unreachable(&AnyError::error("the transfer was declined")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::types::MemberNode;
    use super::*;

    fn id(term: u64, index: u64) -> LogId {
        LogId { leader_id: term.into(), index }
    }

    #[test]
    fn rule_30_a_vote_is_given_up_here_before_openraft_gives_it_up() {
        let option = RPCOption::new(Duration::from_millis(500));
        assert_eq!(vote_within(&option), Duration::from_millis(450));
        assert!(vote_within(&option) < option.hard_ttl());
    }

    #[test]
    fn rule_28_a_node_that_forgot_what_it_acknowledged_is_found_out() {
        let mut acknowledged = Acknowledged::default();
        acknowledged.took(2, id(3, 10), None);
        assert!(acknowledged.contradicts(2, id(3, 10), 3));
        assert_eq!(acknowledged.reverted, BTreeSet::from([2]));
    }

    #[test]
    fn a_conflict_behind_what_was_acknowledged_or_under_another_leader_is_normal() {
        let mut acknowledged = Acknowledged::default();
        acknowledged.took(2, id(3, 10), None);
        assert!(!acknowledged.contradicts(2, id(3, 11), 3));
        assert!(!acknowledged.contradicts(2, id(3, 10), 4));
        assert!(!acknowledged.contradicts(5, id(3, 1), 3));
        assert_eq!(acknowledged.reverted, BTreeSet::new());
    }

    #[test]
    fn rule_28_what_was_committed_is_not_forgotten_under_another_leader_either() {
        let mut acknowledged = Acknowledged::default();
        acknowledged.took(2, id(3, 10), Some(id(3, 8)));
        // A late, older acknowledgement changes nothing.
        acknowledged.took(2, id(3, 7), Some(id(3, 7)));
        assert!(!acknowledged.contradicts(2, id(4, 9), 5));
        assert!(acknowledged.contradicts(2, id(3, 8), 5));
        // It acknowledged less than was committed.
        acknowledged.took(6, id(3, 4), Some(id(3, 8)));
        assert!(!acknowledged.contradicts(6, id(3, 5), 5));
        assert!(acknowledged.contradicts(6, id(3, 4), 5));
        assert_eq!(acknowledged.reverted, BTreeSet::from([2, 6]));
    }

    #[tokio::test]
    async fn a_way_that_is_open_leads_to_the_newest_address_of_its_member() {
        let mut network = PeerNetwork::new(None);
        let at = |address: &str| MemberNode { address: address.to_owned(), ..Default::default() };
        let (two, three) = (
            network.new_client(2, &at("old:1")).await,
            network.new_client(3, &at("other:1")).await,
        );
        assert_eq!(two.network.target(two.node).address, "old:1");
        network.moved(2, "new:2".to_owned());
        assert_eq!(two.network.target(two.node).address, "new:2");
        assert_eq!(three.network.target(three.node).address, "other:1");
        // The next leadership uses the membership's address.
        network.new_client(2, &at("newer:3")).await;
        let target = PeerAddress { node: Some(NodeId(2)), address: "newer:3".to_owned() };
        assert_eq!(two.network.target(two.node), target);
    }

    #[tokio::test]
    async fn rule_28_what_a_node_forgot_is_not_filled_up_in_silence() {
        use AppendEntriesResponse::{Conflict, PartialSuccess, Success};
        let mut network = PeerNetwork::new(None);
        let link = network.new_client(2, &MemberNode::default()).await;
        let at = |previous, last| {
            let id = |index| Some(id(3, index));
            Asked { term: 3, previous: id(previous), last: id(last), committed: None }
        };
        assert!(link.checked(Success, &at(9, 10)).is_ok());
        assert!(link.checked(Conflict, &at(20, 20)).is_ok());
        assert!(link.checked(PartialSuccess(Some(id(3, 20))), &at(10, 30)).is_ok());
        assert_eq!(network.reverted(), []);
        let forgot = link.checked(Conflict, &at(20, 20));
        assert!(matches!(forgot, Err(RPCError::Unreachable(_))), "{forgot:?}");
        assert_eq!(network.reverted(), [NodeId(2)]);
    }
}
