//! The envelope of one gossip datagram: a format byte, and with a key an authenticated and
//! encrypted message behind it. Pure: the nonce is an argument, drawn by the caller. Replays are
//! not recognised; gossip is versioned, so an old datagram tells nothing new.

use crate::secret::Secret;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use std::fmt;

/// First byte of a datagram that anybody can read.
const FORMAT_PLAIN: u8 = 0;
/// First byte of a datagram that needs the key.
const FORMAT_SEALED: u8 = 1;
/// Binds a datagram to this use and this version of it.
const ASSOCIATED: &[u8] = b"tekton-events-relay gossip v1";
/// Separates this key from others that may be derived from the same secret.
const SALT: &[u8] = b"tekton-events-relay";
const KEY_PURPOSE: &[u8] = b"gossip datagrams v1";
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 1 + NONCE_LEN;

/// What a UDP datagram over IPv4 can carry.
pub(super) const DATAGRAM_BYTES_MAX: usize = 65_507;
/// Longest message: it fits a datagram in either form. chitchat cuts its own at
/// `DATAGRAM_BYTES_MAX`, which the view of a hundred nodes does not come near.
pub(super) const MESSAGE_BYTES_MAX: usize = DATAGRAM_BYTES_MAX - HEADER_BYTES - TAG_BYTES;
/// Shorter secrets can be guessed from one recorded datagram.
pub(super) const SECRET_BYTES_MIN: usize = 16;

/// Random bytes, never used twice with one key.
pub(super) type NonceBytes = [u8; NONCE_LEN];

/// Why no datagram was made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The secret is too short to keep anything.
    #[error("the gossip secret has less than {SECRET_BYTES_MIN} bytes")]
    WeakSecret,
    /// The message does not fit a datagram.
    #[error("a message of {0} bytes does not fit a datagram")]
    TooLong(usize),
    /// The cipher refused, which it does for no message that fits.
    #[error("the cipher refused")]
    Cipher,
}

/// Why a datagram is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// It has no message.
    #[error("it is too short")]
    Truncated,
    /// Neither form of this version.
    #[error("its format {0} is unknown")]
    UnknownFormat(u8),
    /// The sender has no key, this node has one.
    #[error("it is not sealed")]
    NotSealed,
    /// The sender has a key, this node has none.
    #[error("it is sealed and this node has no gossip key")]
    NoKey,
    /// Another key, or somebody changed it on the way.
    #[error("wrong gossip key")]
    WrongKey,
    /// It was opened, and what it holds is no gossip message.
    #[error("it is no gossip message")]
    Undecodable,
}

/// Closes and opens datagrams.
pub(super) enum Seal {
    /// No key: datagrams are readable, and sealed ones are refused.
    Plain,
    /// Everything is sealed, and nothing else is taken. ChaCha20 rather than AES-GCM: should a
    /// random nonce ever repeat, one pair of datagrams is exposed and not the authentication key.
    Keyed(Box<LessSafeKey>),
}

/// Never the key.
impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::Keyed(_) => "Keyed(...)",
        })
    }
}

impl Seal {
    /// A seal under a key derived from `secret`; without one, no seal.
    ///
    /// # Errors
    /// The secret is too short.
    pub(super) fn new(secret: Option<&Secret>) -> Result<Self, SealError> {
        let Some(secret) = secret else { return Ok(Self::Plain) };
        let secret = secret.expose().as_bytes();
        if secret.len() < SECRET_BYTES_MIN {
            return Err(SealError::WeakSecret);
        }
        let extracted = Salt::new(HKDF_SHA256, SALT).extract(secret);
        let purpose = [KEY_PURPOSE];
        let derived = extracted.expand(&purpose, &CHACHA20_POLY1305);
        let key = UnboundKey::from(derived.map_err(|_| SealError::Cipher)?);
        Ok(Self::Keyed(Box::new(LessSafeKey::new(key))))
    }

    /// The datagram that carries `message`.
    ///
    /// # Errors
    /// The message is too long.
    pub(super) fn close(&self, nonce: NonceBytes, message: &[u8]) -> Result<Vec<u8>, SealError> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(SealError::TooLong(message.len()));
        }
        let mut datagram = Vec::with_capacity(HEADER_BYTES + message.len() + TAG_BYTES);
        match self {
            Self::Plain => {
                datagram.push(FORMAT_PLAIN);
                datagram.extend_from_slice(message);
            }
            Self::Keyed(key) => {
                let mut sealed = message.to_vec();
                let number = Nonce::assume_unique_for_key(nonce);
                key.seal_in_place_append_tag(number, Aad::from(ASSOCIATED), &mut sealed)
                    .map_err(|_| SealError::Cipher)?;
                datagram.push(FORMAT_SEALED);
                datagram.extend_from_slice(&nonce);
                datagram.extend_from_slice(&sealed);
            }
        }
        Ok(datagram)
    }

    /// The message in `datagram`, which is overwritten.
    ///
    /// # Errors
    /// The datagram is to be dropped.
    pub(super) fn open<'a>(&self, datagram: &'a mut [u8]) -> Result<&'a [u8], Refusal> {
        let (format, rest) = datagram.split_first_mut().ok_or(Refusal::Truncated)?;
        match (*format, self) {
            (FORMAT_PLAIN, Self::Plain) => Ok(rest),
            (FORMAT_PLAIN, Self::Keyed(_)) => Err(Refusal::NotSealed),
            (FORMAT_SEALED, Self::Plain) => Err(Refusal::NoKey),
            (FORMAT_SEALED, Self::Keyed(key)) => {
                let (nonce, sealed) =
                    rest.split_first_chunk_mut::<NONCE_LEN>().ok_or(Refusal::Truncated)?;
                if sealed.len() < TAG_BYTES {
                    return Err(Refusal::Truncated);
                }
                let nonce = Nonce::assume_unique_for_key(*nonce);
                let opened = key.open_in_place(nonce, Aad::from(ASSOCIATED), sealed);
                opened.map(|message| &*message).map_err(|_| Refusal::WrongKey)
            }
            (unknown, _) => Err(Refusal::UnknownFormat(unknown)),
        }
    }
}

#[cfg(test)]
#[path = "seal_test.rs"]
mod tests;
