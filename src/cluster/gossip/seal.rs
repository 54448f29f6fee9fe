//! The envelope of one gossip datagram: a format byte and the message, authenticated and encrypted
//! if there is a key. Pure: the caller generates the nonce. Replays are not detected; gossip is
//! versioned, so an old datagram changes nothing.

use crate::cluster::secrets::{ClusterSecrets, SecretKey, SecretsError};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::fmt;

/// First byte of an unencrypted datagram.
const FORMAT_PLAIN: u8 = 0;
/// First byte of a sealed datagram.
const FORMAT_SEALED: u8 = 1;
/// Binds a datagram to this use and version.
const ASSOCIATED: &[u8] = b"tekton-events-relay gossip v1";
/// Separates this key from other keys derived from the same secret.
const KEY_PURPOSE: &[u8] = b"gossip datagrams v1";
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 1 + NONCE_LEN;

/// The maximum of a UDP datagram over IPv4.
pub(super) const DATAGRAM_BYTES_MAX: usize = 65_507;
/// Longest message: it fits a datagram in either form. chitchat cuts its own at
/// `DATAGRAM_BYTES_MAX`, far above the view of a hundred nodes.
pub(super) const MESSAGE_BYTES_MAX: usize = DATAGRAM_BYTES_MAX - HEADER_BYTES - TAG_BYTES;

/// Random bytes, never used twice with one key.
pub(super) type NonceBytes = [u8; NONCE_LEN];

/// Why a datagram could not be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The secrets give no key.
    #[error("no key for gossip")]
    NoKey,
    /// The message does not fit a datagram.
    #[error("a message of {0} bytes does not fit a datagram")]
    TooLong(usize),
    /// The cipher refused; it never does for a message that fits.
    #[error("the cipher refused")]
    Cipher,
}

/// Why a datagram is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SealRefusal {
    /// It contains no message.
    #[error("it is too short")]
    Truncated,
    /// A format that this version does not know.
    #[error("its format {0} is unknown")]
    UnknownFormat(u8),
    /// The sender has no key, but this node has one.
    #[error("it is not sealed")]
    NotSealed,
    /// The sender has a key, but this node has none.
    #[error("it is sealed and this node has no gossip key")]
    NoKey,
    /// Another key, or a change on the way.
    #[error("wrong gossip key")]
    WrongKey,
    /// It was opened, but its content is not a gossip message.
    #[error("it is no gossip message")]
    Undecodable,
}

/// Seals and opens datagrams.
pub(super) enum Seal {
    /// No key: datagrams are readable, and sealed ones are refused.
    Plain,
    /// Every datagram is sealed. ChaCha20 and not AES-GCM: a repeated nonce would expose one pair
    /// of datagrams, not the authentication key.
    Keyed(Box<Sealing>),
}

/// The keys of a seal.
pub(super) struct Sealing {
    /// Seals and opens datagrams.
    first: LessSafeKey,
    /// Also opens datagrams.
    second: Option<LessSafeKey>,
    /// Whether unsealed datagrams are accepted, too.
    takes_plain: bool,
}

/// The form of a received or sent datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Sealed,
}

/// Never shows the key.
impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::Keyed(_) => "Keyed(...)",
        })
    }
}

impl Seal {
    /// A seal under keys of these secrets; without secrets, no seal. With `takes_plain`, datagrams
    /// of nodes without a key are accepted as well.
    ///
    /// # Errors
    /// The secrets give no key.
    pub(super) fn new(
        secrets: Option<&ClusterSecrets>,
        takes_plain: bool,
    ) -> Result<Self, SealError> {
        let Some(secrets) = secrets else { return Ok(Self::Plain) };
        let keys = secrets.keys(KEY_PURPOSE).map_err(|_: SecretsError| SealError::NoKey)?;
        let mut keys = keys.iter().map(sealing_key);
        let first = keys.next().ok_or(SealError::NoKey)??;
        let second = keys.next().transpose()?;
        Ok(Self::Keyed(Box::new(Sealing { first, second, takes_plain })))
    }

    /// Whether datagrams in both forms are accepted.
    pub(super) fn takes_both(&self) -> bool {
        match self {
            Self::Plain => false,
            Self::Keyed(sealing) => sealing.takes_plain,
        }
    }

    /// The datagram that carries `message` in the form of this seal.
    ///
    /// # Errors
    /// The message is too long.
    pub(super) fn close(&self, nonce: NonceBytes, message: &[u8]) -> Result<Vec<u8>, SealError> {
        match self {
            Self::Plain => plain(message),
            Self::Keyed(sealing) => sealing.close(nonce, message),
        }
    }

    /// The message in `datagram`, which is overwritten, and its form.
    ///
    /// # Errors
    /// The datagram must be dropped.
    pub(super) fn open<'a>(&self, datagram: &'a mut [u8]) -> Result<(Form, &'a [u8]), SealRefusal> {
        let (format, rest) = datagram.split_first_mut().ok_or(SealRefusal::Truncated)?;
        match (*format, self) {
            (FORMAT_PLAIN, Self::Plain) => Ok((Form::Plain, rest)),
            (FORMAT_PLAIN, Self::Keyed(sealing)) if sealing.takes_plain => Ok((Form::Plain, rest)),
            (FORMAT_PLAIN, Self::Keyed(_)) => Err(SealRefusal::NotSealed),
            (FORMAT_SEALED, Self::Plain) => Err(SealRefusal::NoKey),
            (FORMAT_SEALED, Self::Keyed(sealing)) => Ok((Form::Sealed, sealing.open(rest)?)),
            (unknown, _) => Err(SealRefusal::UnknownFormat(unknown)),
        }
    }
}

/// The unencrypted datagram.
///
/// # Errors
/// The message is too long.
pub(super) fn plain(message: &[u8]) -> Result<Vec<u8>, SealError> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(SealError::TooLong(message.len()));
    }
    Ok([&[FORMAT_PLAIN], message].concat())
}

fn sealing_key(key: &SecretKey) -> Result<LessSafeKey, SealError> {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_slice());
    key.map(LessSafeKey::new).map_err(|_| SealError::Cipher)
}

impl Sealing {
    fn close(&self, nonce: NonceBytes, message: &[u8]) -> Result<Vec<u8>, SealError> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(SealError::TooLong(message.len()));
        }
        let mut sealed = message.to_vec();
        let number = Nonce::assume_unique_for_key(nonce);
        self.first
            .seal_in_place_append_tag(number, Aad::from(ASSOCIATED), &mut sealed)
            .map_err(|_| SealError::Cipher)?;
        Ok([&[FORMAT_SEALED], &nonce[..], &sealed].concat())
    }

    fn open<'a>(&self, rest: &'a mut [u8]) -> Result<&'a [u8], SealRefusal> {
        let (nonce, sealed) =
            rest.split_first_chunk_mut::<NONCE_LEN>().ok_or(SealRefusal::Truncated)?;
        if sealed.len() < TAG_BYTES {
            return Err(SealRefusal::Truncated);
        }
        let length = sealed.len() - TAG_BYTES;
        let opens = |key: &LessSafeKey, sealed: &mut [u8]| {
            let nonce = Nonce::assume_unique_for_key(*nonce);
            key.open_in_place(nonce, Aad::from(ASSOCIATED), sealed).is_ok()
        };
        // Opening with a wrong key destroys the buffer.
        let kept = self.second.as_ref().map(|_| sealed.to_vec());
        let mut is_open = opens(&self.first, sealed);
        if let (false, Some(second), Some(kept)) = (is_open, &self.second, kept) {
            sealed.copy_from_slice(&kept);
            is_open = opens(second, sealed);
        }
        if is_open { Ok(&sealed[..length]) } else { Err(SealRefusal::WrongKey) }
    }
}

#[cfg(test)]
#[path = "seal_test.rs"]
mod tests;
