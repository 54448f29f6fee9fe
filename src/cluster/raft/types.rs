//! The types for openraft. Nothing outside `cluster/raft` names openraft.

use crate::state_machine::{Applied, Entry};
use crate::wire::{WireError, decode_entry};
use parking_lot::Mutex;
use prost::bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// A log entry on its way through openraft: its stored form for the log and all followers, and its
/// decoded content until applied. Clones share both.
#[derive(Clone)]
pub struct LogEntry {
    bytes: Bytes,
    decoded: Arc<Mutex<Option<Entry>>>,
}

impl LogEntry {
    /// An entry and its stored form.
    #[must_use]
    pub fn new(entry: Entry, bytes: Bytes) -> Self {
        Self { bytes, decoded: Arc::new(Mutex::new(Some(entry))) }
    }

    /// Reads a stored entry.
    ///
    /// # Errors
    /// This build does not fully know the bytes.
    pub fn decode(bytes: Bytes) -> Result<Self, WireError> {
        Ok(Self::new(decode_entry(&bytes)?, bytes))
    }

    /// The stored form.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Takes the content of the entry. A second call decodes the stored form again.
    ///
    /// # Errors
    /// The stored form cannot be decoded, although it could when this was made.
    pub fn take(&self) -> Result<Entry, WireError> {
        let taken = self.decoded.lock().take();
        taken.map_or_else(|| decode_entry(&self.bytes), Ok)
    }
}

impl fmt::Debug for LogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for LogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry of {} bytes", self.bytes.len())
    }
}

#[cfg(test)]
impl From<Entry> for LogEntry {
    fn from(entry: Entry) -> Self {
        let bytes = crate::wire::encode_entry(&entry).into();
        Self::new(entry, bytes)
    }
}

/// The answers of applying an entry, one for each command; empty for openraft's own entries.
#[derive(Clone, Debug, Default)]
pub struct Answers(pub Vec<Applied>);

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answers", self.0.len())
    }
}

/// The name and address of a member. Part of the membership, so that a replaced disk is recognised
/// by its pod's name after gossip has forgotten the old node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberNode {
    /// Its pod name.
    pub name: String,
    /// `HOST:PORT` of its peer listener; empty in a cluster of one.
    pub address: String,
}

openraft::declare_raft_types!(
    /// openraft with our entries.
    pub TypeConfig:
        D = LogEntry,
        R = Answers,
        NodeId = u64,
        Node = MemberNode,
        Term = u64,
        LeaderId = openraft::vote::leader_id_std::LeaderId<u64, u64>,
);

pub type LogId = openraft::alias::LogIdOf<TypeConfig>;
pub type Vote = openraft::alias::VoteOf<TypeConfig>;
pub type RaftEntry = openraft::alias::EntryOf<TypeConfig>;
pub type StoredMembership = openraft::alias::StoredMembershipOf<TypeConfig>;
pub type SnapshotMeta = openraft::alias::SnapshotMetaOf<TypeConfig>;
