//! Commands with their stored form. They are encoded once, where they arrive: the log of every node
//! and the forward to the leader carry the same bytes.

use super::WireError;
use super::command::{decode_entry, to_command};
use super::envelope::Kind;
use super::proto;
use crate::clock::Timestamp;
use crate::state_machine::{Command, Entry};
use prost::Message as _;
use prost::bytes::{BufMut as _, Bytes, BytesMut};

/// Commands and their stored form. Commands that were taken are decoded again on a second request,
/// which happens when an entry has to be written twice.
#[derive(Clone, Debug, Default)]
pub struct EncodedCommands {
    /// The field `commands` of an `Entry`.
    bytes: Bytes,
    count: usize,
    decoded: Option<Vec<Command>>,
}

/// The bytes that a command adds to the stored form of a set of commands.
#[must_use]
pub fn command_bytes(command: &Command) -> usize {
    proto::Entry { at_ms: 0, commands: vec![to_command(command)] }.encoded_len()
}

impl EncodedCommands {
    /// Encodes commands.
    #[must_use]
    pub fn new(commands: Vec<Command>) -> Self {
        let entry = proto::Entry { at_ms: 0, commands: commands.iter().map(to_command).collect() };
        let bytes = Bytes::from(entry.encode_to_vec());
        Self { bytes, count: commands.len(), decoded: Some(commands) }
    }

    /// Reads commands that were forwarded: [`EncodedCommands::unstamped`] of another node.
    ///
    /// # Errors
    /// This build does not fully know the bytes, or the entry has a stamp.
    pub fn decode(entry: &Bytes) -> Result<Self, WireError> {
        let Entry { at, commands } = decode_entry(entry)?;
        if at != Timestamp::UNKNOWN {
            let found = i64::try_from(at.0).unwrap_or(i64::MAX);
            return Err(WireError::Value { field: "Entry.at_ms", found, accepted: "0" });
        }
        let bytes = entry.slice(Kind::Entry.header().len()..);
        Ok(Self { bytes, count: commands.len(), decoded: Some(commands) })
    }

    /// How many commands there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Size of their stored form.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The commands, if they were not taken yet; else empty.
    #[must_use]
    pub fn into_commands(self) -> Vec<Command> {
        self.decoded.unwrap_or_default()
    }

    /// Takes the commands and keeps the stored form for later.
    #[must_use]
    pub fn take(&mut self) -> Self {
        Self { bytes: self.bytes.clone(), count: self.count, decoded: self.decoded.take() }
    }

    /// Concatenates sets of commands in the given order.
    #[must_use]
    pub fn join(parts: Vec<Self>) -> Self {
        let mut bytes = BytesMut::with_capacity(parts.iter().map(Self::bytes).sum());
        let count = parts.iter().map(Self::count).sum();
        let mut decoded = Some(Vec::with_capacity(count));
        for part in parts {
            bytes.extend_from_slice(&part.bytes);
            match (&mut decoded, part.decoded) {
                (Some(commands), Some(more)) => commands.extend(more),
                (_, None) | (None, _) => decoded = None,
            }
        }
        Self { bytes: bytes.freeze(), count, decoded }
    }

    /// The stored form of an entry without a stamp, for the node that will stamp it.
    #[must_use]
    pub fn unstamped(&self) -> Bytes {
        self.entry_bytes(Timestamp::UNKNOWN)
    }

    /// The entry of these commands, and its stored form.
    ///
    /// # Errors
    /// The stored form cannot be decoded, although it could when these commands were made.
    pub fn stamped(self, at: Timestamp) -> Result<(Entry, Bytes), WireError> {
        let bytes = self.entry_bytes(at);
        let entry = match self.decoded {
            Some(commands) => Entry { at, commands },
            None => decode_entry(&bytes)?,
        };
        Ok((entry, bytes))
    }

    fn entry_bytes(&self, at: Timestamp) -> Bytes {
        let stamp = proto::Entry { at_ms: at.0, commands: Vec::new() };
        let header = Kind::Entry.header();
        let length = header.len() + stamp.encoded_len() + self.bytes.len();
        let mut bytes = BytesMut::with_capacity(length);
        bytes.put_slice(&header);
        // Fields are written in the order of their numbers, repeated ones one by one. The result
        // equals the encoding of the whole entry.
        stamp.encode_raw(&mut bytes);
        bytes.put_slice(&self.bytes);
        bytes.freeze()
    }
}

#[cfg(test)]
#[path = "encoded_test.rs"]
mod tests;
