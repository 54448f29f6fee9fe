//! Why bytes cannot be read. Nothing is skipped or guessed: a node that cannot read the log of its
//! cluster must stop (rule 22).

/// Why this build cannot read stored or received bytes. Nothing was applied.
///
/// `field` names message and field as in `proto/relay/v1`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Shorter than the two header bytes of every record.
    #[error("{found} bytes are too few for the kind and format version of a record")]
    Short { found: usize },
    /// A record of another kind: a mixed-up file, or not a record.
    #[error("kind of record is {found:#04x}, accepted is {accepted:#04x} ({name})")]
    Kind { found: u8, accepted: u8, name: &'static str },
    /// Written by another release. A newer release must read it, or an older one must write it
    /// again.
    #[error("format version of {name} is {found}, accepted is {accepted}: it is too {}",
        if found > accepted { "new" } else { "old" })]
    Version { name: &'static str, found: u8, accepted: u8 },
    /// Bytes that break the rules of protobuf.
    #[error("{message} is not a protobuf message of its schema")]
    Malformed { message: &'static str, source: prost::DecodeError },
    /// Has fields that this build does not know.
    #[error("{message} has {found} bytes, but the fields known to this build make {known}")]
    UnknownFields { message: &'static str, found: usize, known: usize },
    /// The variant is absent, or belongs to a later release.
    #[error("{field} is none of those known to this build, accepted is {accepted}")]
    UnknownVariant { field: &'static str, accepted: &'static str },
    /// A number outside its enum or range.
    #[error("{field} is {found}, accepted is {accepted}")]
    Value { field: &'static str, found: i64, accepted: &'static str },
    /// Bytes that are not keys.
    #[error("{field} has {found} bytes, accepted is {accepted}")]
    Length { field: &'static str, found: usize, accepted: &'static str },
    /// A required message is missing.
    #[error("{field} is missing")]
    Missing { field: &'static str },
    /// Two entries with one key; one of them would be lost.
    #[error("{field} stands twice: {found}")]
    Repeated { field: &'static str, found: String },
    /// A reference to a missing entry, or to one in another lane.
    #[error("{field} names {found}, which is not there")]
    Dangling { field: &'static str, found: String },
    /// The end of a snapshot is missing.
    #[error("the snapshot ends after {found} records without its end record")]
    Cut { found: u64 },
    /// Records in the middle of a snapshot are missing, or bytes follow its end.
    #[error("the snapshot has {found} records or more, its end record says {accepted}")]
    Count { found: u64, accepted: u64 },
}
