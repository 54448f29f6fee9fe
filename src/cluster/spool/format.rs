//! The bytes of the spool's files. Pure: bytes in, bytes out.
//!
//! A file starts with seven letters and its format. In a segment records follow: length, checksum,
//! the id of the last event that was on disk when the record was written, and one event as a log
//! entry of one command, stamped with its reception time. That id distinguishes a torn tail, which
//! was never acknowledged, from damage to kept events: only in the last written group do both look
//! alike.

use super::error::SpoolError;
use crate::clock::Timestamp;
use crate::event::RunEvent;
use crate::state_machine::{Command, Entry};
use crate::wire::{WireError, decode_entry, encode_entry};
use std::path::Path;

/// Format that this build writes, and the newest that it reads.
pub(super) const FORMAT: u8 = 1;
/// First bytes of a segment.
pub(super) const SEGMENT_HEADER: [u8; HEADER_BYTES] = *b"RELAYSP\x01";
/// First bytes of the removal mark.
const MARK_HEADER: [u8; HEADER_BYTES] = *b"RELAYRM\x01";
/// Letters and format.
const HEADER_BYTES: usize = 8;
/// Letters before the format.
const LETTERS: usize = HEADER_BYTES - 1;
/// A length or a checksum.
const WORD_BYTES: usize = 4;
const ID_BYTES: usize = 8;
/// What precedes the event in a record: length, checksum, id.
pub(super) const FRAME_BYTES: usize = 2 * WORD_BYTES + ID_BYTES;

/// A record with a correct checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpoolRecord<'b> {
    /// The last event that was on disk when this one was written.
    pub(super) synced_through: u64,
    pub(super) body: &'b [u8],
}

/// Appends a record. The body is shorter than 4 GiB, like the whole spool.
pub(super) fn frame(bytes: &mut Vec<u8>, synced_through: u64, body: &[u8]) {
    let length = u32::try_from(body.len()).expect("a body is shorter than the spool");
    let synced_through = synced_through.to_be_bytes();
    bytes.extend(length.to_be_bytes());
    bytes.extend(checksum(&synced_through, body).to_be_bytes());
    bytes.extend(synced_through);
    bytes.extend(body);
}

/// The record at the start of `bytes`; `None` if it is incomplete.
pub(super) fn record(bytes: &[u8]) -> Option<SpoolRecord<'_>> {
    let (length, rest) = bytes.split_first_chunk::<WORD_BYTES>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (sum, rest) = rest.split_first_chunk::<WORD_BYTES>()?;
    let (synced_through, rest) = rest.split_first_chunk::<ID_BYTES>()?;
    let body = rest.get(..length)?;
    let is_whole = length > 0 && checksum(synced_through, body).to_be_bytes() == *sum;
    is_whole.then(|| SpoolRecord { synced_through: u64::from_be_bytes(*synced_through), body })
}

/// Whether something after the first byte proves that event `id` was on disk: a record written
/// after its fsync. It checks every offset, because a damaged length leads nowhere.
pub(super) fn shows_synced(bytes: &[u8], id: u64) -> bool {
    (1..bytes.len()).filter_map(|at| record(&bytes[at..])).any(|record| record.synced_through >= id)
}

fn checksum(synced_through: &[u8; ID_BYTES], body: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(synced_through);
    sum.update(body);
    sum.finalize()
}

/// The body of a record.
pub(super) fn encode_event(received_at: Timestamp, event: &RunEvent) -> Vec<u8> {
    encode_entry(&Entry {
        at: received_at,
        commands: vec![Command::Accept(Box::new(event.clone()))],
    })
}

/// Reads what [`encode_event`] wrote; `None` for an entry with other content.
pub(super) fn decode_event(body: &[u8]) -> Result<Option<(Timestamp, RunEvent)>, WireError> {
    let Entry { at, mut commands } = decode_entry(body)?;
    let command = commands.pop().filter(|_| commands.is_empty());
    let Some(Command::Accept(event)) = command else { return Ok(None) };
    Ok(Some((at, *event)))
}

/// Checks the start of a segment. Its records follow [`SEGMENT_HEADER`].
pub(super) fn check_segment(path: &Path, bytes: &[u8]) -> Result<(), SpoolError> {
    open(path, bytes, SEGMENT_HEADER).map(|_| ())
}

/// The mark that events through `id` were removed.
pub(super) fn encode_mark(id: u64) -> Vec<u8> {
    let mut bytes = MARK_HEADER.to_vec();
    bytes.extend(id.to_be_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

/// Reads what [`encode_mark`] wrote.
pub(super) fn decode_mark(path: &Path, bytes: &[u8]) -> Result<u64, SpoolError> {
    let damaged = || SpoolError::Damaged { path: path.to_owned(), offset: 0 };
    let rest = open(path, bytes, MARK_HEADER)?;
    let (id, sum) = rest.split_first_chunk::<ID_BYTES>().ok_or_else(damaged)?;
    let id = u64::from_be_bytes(*id);
    let is_whole = encode_mark(id).ends_with(sum) && sum.len() == WORD_BYTES;
    if is_whole { Ok(id) } else { Err(damaged()) }
}

/// The bytes after the header, if the header is known.
fn open<'b>(
    path: &Path,
    bytes: &'b [u8],
    header: [u8; HEADER_BYTES],
) -> Result<&'b [u8], SpoolError> {
    let damaged = || SpoolError::Damaged { path: path.to_owned(), offset: 0 };
    let (found, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or_else(damaged)?;
    let found_format = found[LETTERS];
    if found[..LETTERS] != header[..LETTERS] || found_format == 0 {
        return Err(damaged());
    }
    if found_format > FORMAT {
        return Err(SpoolError::NewerFormat { path: path.to_owned(), found: found_format });
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::test_node::event;
    use std::path::PathBuf;

    const RECEIVED: Timestamp = Timestamp(1_790_000_000_123);

    fn framed(synced_through: u64, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame(&mut bytes, synced_through, body);
        bytes
    }

    #[test]
    fn rule_13_an_item_keeps_its_reception_time() {
        let body = encode_event(RECEIVED, &event("a"));
        assert_eq!(decode_event(&body), Ok(Some((RECEIVED, event("a")))));
    }

    #[test]
    fn an_entry_about_something_else_is_no_event() {
        let accept = || Command::Accept(Box::new(event("a")));
        for commands in [vec![], vec![Command::Tick], vec![accept(), accept()]] {
            assert_eq!(decode_event(&encode_entry(&Entry { at: RECEIVED, commands })), Ok(None));
        }
    }

    #[test]
    fn a_record_reads_back_whatever_follows_it() {
        let mut bytes = framed(7, b"body");
        assert_eq!(bytes.len(), FRAME_BYTES + 4);
        bytes.extend(b"more");
        assert_eq!(record(&bytes), Some(SpoolRecord { synced_through: 7, body: b"body" }));
    }

    #[test]
    fn a_record_with_any_damaged_or_missing_byte_is_not_whole() {
        let whole = framed(7, b"body");
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            assert_eq!(record(&damaged), None, "byte {at} damaged");
            assert_eq!(record(&whole[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn zeros_are_no_record() {
        assert_eq!(record(&[0; 64]), None);
    }

    #[test]
    fn only_a_record_written_after_the_fsync_shows_that_an_event_was_on_disk() {
        let mut bytes = b"damaged".to_vec();
        bytes.extend(framed(7, b"body"));
        assert!(shows_synced(&bytes, 7));
        assert!(!shows_synced(&bytes, 8));
        assert!(!shows_synced(&bytes[..bytes.len() - 1], 7));
    }

    #[test]
    fn a_mark_reads_back_and_any_other_is_refused() {
        let path = PathBuf::from("removed");
        let whole = encode_mark(u64::MAX - 1);
        assert_eq!(decode_mark(&path, &whole).unwrap(), u64::MAX - 1);
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            assert!(decode_mark(&path, &damaged).is_err(), "byte {at} damaged");
            assert!(decode_mark(&path, &whole[..at]).is_err(), "cut at {at}");
        }
        assert!(decode_mark(&path, &[&whole[..], &[0]].concat()).is_err());
    }
}
