//! The bytes of a snapshot, on disk and between nodes: magic and version, header, compressed state,
//! and a checksum over all of it.

use super::record::{RecordError, decode_snapshot_header, encode_snapshot_header};
use super::types::SnapshotMeta;
use crate::state_machine::StateMachine;
use crate::wire::{WireError, decode_state, encode_state_in_parts};
use std::io::{self, Write as _};

const MAGIC: &[u8; 8] = b"RELAYSN1";
/// Length of the header.
const LENGTH_BYTES: usize = 4;
/// CRC32 over everything before it.
const CHECKSUM_BYTES: usize = 4;
/// Level 1: a snapshot is read once for each time it is written.
const COMPRESSION_LEVEL: i32 = 1;

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file is not a snapshot, or is of another version.
    #[error("not a snapshot of this version")]
    Magic,
    /// The content does not match its checksum.
    #[error("the checksum does not match")]
    Checksum,
    /// The header cannot be decoded.
    #[error("the header is not understood")]
    Header(#[source] RecordError),
    /// The state cannot be decoded.
    #[error("the state is not understood")]
    State(#[source] WireError),
    /// The state cannot be unpacked.
    #[error("the state cannot be decompressed")]
    Compression(#[source] io::Error),
}

/// The bytes of a snapshot, for the disk and for other nodes.
///
/// # Errors
/// The compression fails, for lack of memory.
pub fn encode(meta: &SnapshotMeta, state: &StateMachine) -> io::Result<Vec<u8>> {
    let header = encode_snapshot_header(meta);
    let mut bytes = MAGIC.to_vec();
    bytes.extend(u32::try_from(header.len()).map_err(io::Error::other)?.to_be_bytes());
    bytes.extend(header);
    let mut bytes = compress_state(state, bytes)?;
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    Ok(bytes)
}

/// Appends the state. It makes two passes, the first to know the length: a frame with a length is
/// unpacked in one step, and two passes cost time where one with a copy would cost memory.
fn compress_state(state: &StateMachine, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut length = 0;
    encode_state_in_parts(state, |part| length += part.len());
    let mut encoder = zstd::stream::Encoder::new(bytes, COMPRESSION_LEVEL)?;
    encoder.set_pledged_src_size(u64::try_from(length).ok())?;
    let mut written = Ok(());
    encode_state_in_parts(state, |part| {
        if written.is_ok() {
            written = encoder.write_all(part);
        }
    });
    written?;
    encoder.finish()
}

/// Reads a snapshot back.
///
/// # Errors
/// The bytes are damaged or of another version; nothing is used of them.
pub fn decode(bytes: &[u8]) -> Result<(SnapshotMeta, StateMachine), SnapshotError> {
    let (meta, body) = open(bytes)?;
    let state = zstd::stream::decode_all(body).map_err(SnapshotError::Compression)?;
    Ok((meta, decode_state(&state).map_err(SnapshotError::State)?))
}

/// Reads a snapshot's header, and checks that it is complete.
///
/// # Errors
/// The bytes are damaged or of another version.
pub fn decode_meta(bytes: &[u8]) -> Result<SnapshotMeta, SnapshotError> {
    open(bytes).map(|(meta, _)| meta)
}

/// The header and the compressed state of complete bytes.
fn open(bytes: &[u8]) -> Result<(SnapshotMeta, &[u8]), SnapshotError> {
    if !bytes.starts_with(MAGIC) {
        return Err(SnapshotError::Magic);
    }
    let (signed, checksum) =
        bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(SnapshotError::Checksum)?;
    if crc32fast::hash(signed).to_be_bytes() != *checksum {
        return Err(SnapshotError::Checksum);
    }
    let content = signed.strip_prefix(MAGIC).ok_or(SnapshotError::Checksum)?;
    let (length, rest) =
        content.split_first_chunk::<LENGTH_BYTES>().ok_or(SnapshotError::Checksum)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    let (header, body) = rest.split_at_checked(length).ok_or(SnapshotError::Checksum)?;
    Ok((decode_snapshot_header(header).map_err(SnapshotError::Header)?, body))
}

#[cfg(test)]
mod tests {
    use super::super::types::LogId;
    use super::*;
    use crate::clock::Timestamp;
    use crate::state_machine::{Command, Entry};
    use crate::wire::encode_state;

    fn bytes() -> Vec<u8> {
        encode(&SnapshotMeta::default(), &StateMachine::default()).unwrap()
    }

    #[test]
    fn a_snapshot_reads_back() {
        let last_log_id = Some(LogId { leader_id: 3_u64.into(), index: 7 });
        let meta = SnapshotMeta { last_log_id, ..SnapshotMeta::default() };
        let mut state = StateMachine::default();
        state.apply(Entry { at: Timestamp(5), commands: vec![Command::Tick] });
        let bytes = encode(&meta, &state).unwrap();
        let (read_meta, read) = decode(&bytes).unwrap();
        assert_eq!((read_meta, read.now()), (meta.clone(), Timestamp(5)));
        assert_eq!(encode_state(&read), encode_state(&state));
        assert_eq!(decode_meta(&bytes).unwrap(), meta);
    }

    #[test]
    fn any_damaged_byte_is_noticed() {
        let whole = bytes();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            assert!(decode(&damaged).is_err(), "byte {at} of {}", whole.len());
        }
        assert!(decode(&whole[..whole.len() - 1]).is_err());
    }

    #[test]
    fn a_snapshot_of_another_version_is_named_as_such() {
        let mut other = bytes();
        other[MAGIC.len() - 1] = b'2';
        assert!(matches!(decode(&other), Err(SnapshotError::Magic)));
    }
}
