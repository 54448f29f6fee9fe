//! The bytes of the spool's files (rule 22).

use super::format::{
    FRAME_BYTES, SEGMENT_HEADER, check_segment, decode_event, decode_mark, encode_event,
    encode_mark, frame, record,
};
use crate::clock::Timestamp;
use crate::cluster::test_node::event;
use crate::event::RunEvent;
use crate::golden::Case;
use std::path::Path;

/// An item with the last event that was on disk before it.
type Item = (u64, Timestamp, RunEvent);

pub(in crate::cluster) fn cases() -> Vec<Case> {
    let received = 1_790_000_000_123;
    let items: Vec<Item> =
        vec![(0, Timestamp(received), event("a")), (1, Timestamp(received + 1), event("b"))];
    let mut segment = SEGMENT_HEADER.to_vec();
    for (synced_through, at, event) in &items {
        frame(&mut segment, *synced_through, &encode_event(*at, event));
    }
    let mark = |bytes: &[u8]| decode_mark(Path::new("removed"), bytes);
    vec![
        Case::new("spool/segment", items, segment, read_segment),
        Case::new("spool/removed", 0x1234_u64, encode_mark(0x1234), mark),
    ]
}

fn read_segment(bytes: &[u8]) -> Result<Vec<Item>, String> {
    check_segment(Path::new("segment"), bytes).map_err(|error| error.to_string())?;
    let mut rest = &bytes[SEGMENT_HEADER.len()..];
    let mut items = Vec::new();
    while !rest.is_empty() {
        let record = record(rest).ok_or("a record is not whole")?;
        let event = decode_event(record.body).map_err(|error| error.to_string())?;
        let (at, event) = event.ok_or("no event")?;
        items.push((record.synced_through, at, event));
        rest = &rest[FRAME_BYTES + record.body.len()..];
    }
    Ok(items)
}
