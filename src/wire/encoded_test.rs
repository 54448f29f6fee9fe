//! Commands encoded once give the bytes of the entry that they become.

use super::*;
use crate::wire::encode_entry;
use crate::wire::sample::all_commands;

const AT: Timestamp = Timestamp(1_790_000_000_123);

fn joined() -> EncodedCommands {
    EncodedCommands::join(
        all_commands().into_iter().map(|c| EncodedCommands::new(vec![c])).collect(),
    )
}

fn whole(at: Timestamp) -> Entry {
    Entry { at, commands: all_commands() }
}

#[test]
fn commands_encoded_one_by_one_make_the_bytes_of_the_whole_entry() {
    for at in [Timestamp::UNKNOWN, AT] {
        let (entry, bytes) = joined().stamped(at).unwrap();
        assert_eq!(entry, whole(at));
        assert_eq!(bytes, encode_entry(&whole(at)));
    }
    assert_eq!(joined().count(), all_commands().len());
}

#[test]
fn forwarded_commands_keep_their_bytes() {
    let mut forwarded = EncodedCommands::decode(&joined().unstamped()).unwrap();
    assert_eq!(forwarded.count(), all_commands().len());
    assert_eq!(forwarded.bytes(), joined().bytes());
    let (entry, bytes) = forwarded.take().stamped(AT).unwrap();
    assert_eq!((entry, bytes), (whole(AT), encode_entry(&whole(AT)).into()));
}

#[test]
fn commands_that_were_taken_can_be_taken_again() {
    let mut commands = joined();
    let first = commands.take().stamped(AT).unwrap();
    assert_eq!(commands.take().stamped(AT).unwrap(), first);
    let with_a_fresh_one = vec![commands, EncodedCommands::new(vec![Command::Tick])];
    let (entry, bytes) = EncodedCommands::join(with_a_fresh_one).stamped(AT).unwrap();
    assert_eq!(entry.commands.len(), all_commands().len() + 1);
    assert_eq!(bytes, encode_entry(&entry));
}

#[test]
fn a_forwarded_entry_with_a_stamp_is_refused() {
    let stamped = Bytes::from(encode_entry(&whole(AT)));
    let error = EncodedCommands::decode(&stamped).unwrap_err();
    let field = "Entry.at_ms";
    assert_eq!(error, WireError::Value { field, found: 1_790_000_000_123, accepted: "0" });
}
