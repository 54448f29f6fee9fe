//! Why bytes were not read. Nothing is skipped or guessed: a node that cannot read what its
//! cluster agreed on has to stop (rule 22).

/// Why stored or received bytes are not what this build reads. Nothing was applied.
///
/// `field` names message and field as in `proto/relay/v1`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not even the two bytes that stand before every record.
    #[error("{found} bytes are too few for the kind and format version of a record")]
    Short { found: usize },
    /// A record of another kind: a mixed-up file, or no record at all.
    #[error("kind of record is {found:#04x}, accepted is {accepted:#04x} ({name})")]
    Kind { found: u8, accepted: u8, name: &'static str },
    /// Written by another release. A newer one has to read it, or an older one to write it anew.
    #[error("format version of {name} is {found}, accepted is {accepted}: it is too {}",
        if found > accepted { "new" } else { "old" })]
    Version { name: &'static str, found: u8, accepted: u8 },
    /// Bytes that break the rules of protobuf.
    #[error("{message} is not a protobuf message of its schema")]
    Malformed { message: &'static str, source: prost::DecodeError },
    /// Holds fields that this build does not know.
    #[error("{message} has {found} bytes, but the fields known to this build make {known}")]
    UnknownFields { message: &'static str, found: usize, known: usize },
    /// The variant is absent, or of a later release.
    #[error("{field} is none of those known to this build, accepted is {accepted}")]
    UnknownVariant { field: &'static str, accepted: &'static str },
    /// A number outside its enum or range.
    #[error("{field} is {found}, accepted is {accepted}")]
    Value { field: &'static str, found: i64, accepted: &'static str },
    /// Bytes that cannot be keys.
    #[error("{field} has {found} bytes, accepted is {accepted}")]
    Length { field: &'static str, found: usize, accepted: &'static str },
    /// A message that must be there is not.
    #[error("{field} is missing")]
    Missing { field: &'static str },
    /// Two entries for one place, of which one would be lost.
    #[error("{field} stands twice: {found}")]
    Repeated { field: &'static str, found: String },
    /// A reference to what stands nowhere before it, or stands elsewhere.
    #[error("{field} names {found}, which is not there")]
    Dangling { field: &'static str, found: String },
    /// The end of a snapshot is lost.
    #[error("the snapshot ends after {found} records without its end record")]
    Cut { found: u64 },
    /// Records in the middle of a snapshot are lost, or bytes follow its end.
    #[error("the snapshot has {found} records or more, its end record says {accepted}")]
    Count { found: u64, accepted: u64 },
}
