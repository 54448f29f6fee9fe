//! Answers the Raft calls of other members.

use super::message::{
    decode_append, decode_snapshot, decode_transfer, decode_vote_request, encode_append_answer,
    encode_snapshot_answer, encode_vote_answer,
};
use super::node::{RaftNode, StopCause};
use super::record::{RecordError, proto};
use super::snapshot_file::{SnapshotError, decode_meta};
use super::types::TypeConfig;
use openraft::Snapshot;
use openraft::errors::{Fatal, RaftError};
use prost::Message as _;
use prost::bytes::Bytes;

/// Why a Raft call has no answer. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RaftCallError {
    /// The call cannot be decoded.
    #[error("the call is not understood")]
    Malformed(#[source] RecordError),
    /// The snapshot is damaged or of another version.
    #[error("the snapshot is not understood")]
    Snapshot(#[source] SnapshotError),
    /// The node has stopped.
    #[error("the consensus has stopped")]
    Stopped(#[source] StopCause),
}

impl RaftCallError {
    /// Whether an entry has content unknown to this version: it is never skipped (rule 22).
    #[must_use]
    pub fn is_unknown_command(&self) -> bool {
        matches!(self, Self::Malformed(RecordError::Entry { .. }))
    }
}

fn stopped(error: RaftError<TypeConfig>) -> RaftCallError {
    match error {
        RaftError::Fatal(fatal) => RaftCallError::Stopped(fatal.into()),
        RaftError::APIError(never) => match never {},
    }
}

fn fatal(fatal: Fatal<TypeConfig>) -> RaftCallError {
    RaftCallError::Stopped(fatal.into())
}

impl RaftNode {
    /// Answers an append or a heartbeat.
    ///
    /// # Errors
    /// The call cannot be decoded, or the node has stopped.
    pub async fn answer_append(&self, body: Bytes) -> Result<Vec<u8>, RaftCallError> {
        let request = decode_append(body).map_err(RaftCallError::Malformed)?;
        let answer = self.raft.append_entries(request).await.map_err(stopped)?;
        Ok(encode_append_answer(&answer))
    }

    /// Answers a candidate.
    ///
    /// # Errors
    /// The call cannot be decoded, or the node has stopped.
    pub async fn answer_vote(&self, body: &[u8]) -> Result<Vec<u8>, RaftCallError> {
        let request = decode_vote_request(body).map_err(RaftCallError::Malformed)?;
        Ok(encode_vote_answer(&self.raft.vote(request).await.map_err(stopped)?))
    }

    /// Answers a pre-vote: whether an election could be won.
    ///
    /// # Errors
    /// The call cannot be decoded, or the node has stopped.
    pub async fn answer_pre_vote(&self, body: &[u8]) -> Result<Vec<u8>, RaftCallError> {
        let request = decode_vote_request(body).map_err(RaftCallError::Malformed)?;
        Ok(encode_vote_answer(&self.raft.pre_vote(request).await.map_err(stopped)?))
    }

    /// Takes over from a leader that transfers its leadership.
    ///
    /// # Errors
    /// The call cannot be decoded, or the node has stopped.
    pub async fn answer_transfer(&self, body: &[u8]) -> Result<Vec<u8>, RaftCallError> {
        let request = decode_transfer(body).map_err(RaftCallError::Malformed)?;
        let answer = self.raft.handle_transfer_leader(request).await.map_err(fatal)?;
        Ok(proto::TransferAnswer { is_accepted: answer.is_ok() }.encode_to_vec())
    }

    /// Installs a snapshot.
    ///
    /// # Errors
    /// The call cannot be decoded, or the node has stopped.
    pub async fn answer_snapshot(&self, body: &[u8]) -> Result<Vec<u8>, RaftCallError> {
        let (vote, file) = decode_snapshot(body).map_err(RaftCallError::Malformed)?;
        let meta = decode_meta(&file).map_err(RaftCallError::Snapshot)?;
        let snapshot = Snapshot { meta, snapshot: file };
        let answer = self.raft.install_full_snapshot(vote, snapshot).await.map_err(fatal)?;
        Ok(encode_snapshot_answer(&answer))
    }
}
