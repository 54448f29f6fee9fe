//! The header of every record: its kind and the version of its format. A reader checks it first, so
//! that a file of another release is refused by name.

use super::WireError;
use prost::Message;

/// Version of the schemas as a whole. Raised when old bytes can no longer be read.
pub const FORMAT_VERSION: u8 = 1;

/// The kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Entry,
    Snapshot,
    Answers,
}

impl Kind {
    /// A letter, visible in a hex dump.
    fn tag(self) -> u8 {
        match self {
            Self::Entry => b'E',
            Self::Snapshot => b'S',
            Self::Answers => b'A',
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Entry => "log entry",
            Self::Snapshot => "snapshot",
            Self::Answers => "answers",
        }
    }

    /// The two header bytes of a record of this kind.
    pub(super) fn header(self) -> [u8; 2] {
        [self.tag(), FORMAT_VERSION]
    }

    /// The bytes after the header.
    pub(super) fn open(self, bytes: &[u8]) -> Result<&[u8], WireError> {
        let [tag, version, body @ ..] = bytes else {
            return Err(WireError::Short { found: bytes.len() });
        };
        let name = self.name();
        if *tag != self.tag() {
            return Err(WireError::Kind { found: *tag, accepted: self.tag(), name });
        }
        if *version != FORMAT_VERSION {
            return Err(WireError::Version { name, found: *version, accepted: FORMAT_VERSION });
        }
        Ok(body)
    }
}

/// Decodes a whole message and converts it. Protobuf skips unknown fields. They show as bytes that
/// the known fields do not account for, which works because there is only one encoding.
pub(super) fn decode_whole<M: Message + Default, T>(
    bytes: &[u8],
    message: &'static str,
    convert: impl FnOnce(M) -> Result<T, WireError>,
) -> Result<T, WireError> {
    let decoded = M::decode(bytes).map_err(|source| WireError::Malformed { message, source })?;
    let known = decoded.encoded_len();
    let converted = convert(decoded)?;
    if known != bytes.len() {
        return Err(WireError::UnknownFields { message, found: bytes.len(), known });
    }
    Ok(converted)
}
