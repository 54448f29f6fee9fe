//! The shared secrets of a cluster's members, and the keys derived from them (RFC 5869).
//!
//! A file holds one secret, or two during a change: members issue and seal with the first, and
//! accept both.

use crate::secret::Secret;
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use std::fmt::Write as _;
use std::path::Path;
use zeroize::Zeroizing;

/// Shorter secrets can be guessed from one recorded datagram.
const SECRET_BYTES_MIN: usize = 16;
/// Secrets at the same time: the one in use, and the previous or next one.
const SECRETS_MAX: usize = 2;
/// A file with more bytes is not a file of secrets.
const FILE_BYTES_MAX: u64 = 4096;
/// Bytes of a derived key.
pub(super) const KEY_BYTES: usize = 32;
/// Separates this program's keys from those of other programs with the same secret.
const SALT: &[u8] = b"tekton-events-relay";

/// A derived key, wiped when it is dropped.
pub(super) type SecretKey = Zeroizing<[u8; KEY_BYTES]>;

/// Why a file holds no cluster secrets.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error("cluster.secret_file cannot be read")]
    Unreadable(#[source] std::io::Error),
    #[error("cluster.secret_file has {0} bytes, which is no secret: at most {FILE_BYTES_MAX}")]
    TooLong(u64),
    #[error("cluster.secret_file is empty: write a secret with `openssl rand -hex 32`")]
    Empty,
    #[error(
        "line {line} of cluster.secret_file has {bytes} bytes, a secret has at least {SECRET_BYTES_MIN}: \
         make one with `openssl rand -hex 32`"
    )]
    TooShort { line: usize, bytes: usize },
    #[error("cluster.secret_file has {0} secrets: one, or two while they are changed")]
    TooMany(usize),
    #[error("no randomness for a secret")]
    NoRandomness,
    #[error("a key could not be derived")]
    Underived,
}

/// The secrets of a cluster. Prints as dots.
#[derive(Clone, Debug)]
pub struct ClusterSecrets {
    /// Issues and seals.
    first: Secret,
    /// Also accepted.
    second: Option<Secret>,
}

struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        KEY_BYTES
    }
}

impl ClusterSecrets {
    /// Reads the lines of a file. Empty lines are skipped.
    ///
    /// # Errors
    /// No secret, a short one, or more than two.
    pub fn parse(content: &str) -> Result<Self, SecretsError> {
        let lines = content.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        let lines: Vec<(usize, &str)> = lines.filter(|(_, line)| !line.is_empty()).collect();
        for (line, text) in &lines {
            if text.len() < SECRET_BYTES_MIN {
                return Err(SecretsError::TooShort { line: *line, bytes: text.len() });
            }
        }
        match lines.as_slice() {
            [] => Err(SecretsError::Empty),
            [(_, first)] => Ok(Self { first: Secret::new(first), second: None }),
            [(_, first), (_, second)] => {
                Ok(Self { first: Secret::new(first), second: Some(Secret::new(second)) })
            }
            more => {
                debug_assert!(more.len() > SECRETS_MAX);
                Err(SecretsError::TooMany(more.len()))
            }
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or has other content.
    pub fn read(file: &Path) -> Result<Self, SecretsError> {
        let length = std::fs::metadata(file).map_err(SecretsError::Unreadable)?.len();
        if length > FILE_BYTES_MAX {
            return Err(SecretsError::TooLong(length));
        }
        let content = std::fs::read_to_string(file).map_err(SecretsError::Unreadable)?;
        Self::parse(&Zeroizing::new(content))
    }

    /// A secret that no other node has: a single replica talks to no peer.
    ///
    /// # Errors
    /// The operating system provides no randomness.
    pub fn draw() -> Result<Self, SecretsError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut()).map_err(|_| SecretsError::NoRandomness)?;
        let mut text = Zeroizing::new(String::with_capacity(2 * KEY_BYTES));
        for byte in bytes.iter() {
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self { first: Secret::new(&text), second: None })
    }

    /// Keys for one purpose: first from the secret in use, then from the other one.
    ///
    /// # Errors
    /// The derivation refuses; it does for no purpose in this program.
    pub(super) fn keys(&self, purpose: &[u8]) -> Result<Vec<SecretKey>, SecretsError> {
        let secrets = std::iter::once(&self.first).chain(&self.second);
        secrets.map(|secret| derive(secret, purpose)).collect()
    }
}

fn derive(secret: &Secret, purpose: &[u8]) -> Result<SecretKey, SecretsError> {
    let extracted = Salt::new(HKDF_SHA256, SALT).extract(secret.expose().as_bytes());
    let info = [purpose];
    let derived = extracted.expand(&info, KeyLength).map_err(|_| SecretsError::Underived)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    derived.fill(key.as_mut()).map_err(|_| SecretsError::Underived)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0123456789abcdef";
    const OTHER: &str = "fedcba9876543210";

    #[test]
    fn the_first_line_is_the_secret_in_use_and_the_second_is_accepted() {
        let keys = |text: &str| ClusterSecrets::parse(text).unwrap().keys(b"p").unwrap();
        let (one, other) = (keys(ONE), keys(OTHER));
        assert_ne!(one, other);
        assert_eq!(keys(&format!("\n {ONE}\r\n\n{OTHER}\n")), [one[0].clone(), other[0].clone()]);
    }

    #[test]
    fn a_key_serves_one_purpose() {
        let secrets = ClusterSecrets::parse(ONE).unwrap();
        assert_ne!(secrets.keys(b"a").unwrap(), secrets.keys(b"b").unwrap());
    }

    #[test]
    fn what_is_no_file_of_secrets_is_refused_by_line_and_says_how_to_make_one() {
        let refused = |text: &str| ClusterSecrets::parse(text).unwrap_err().to_string();
        assert_eq!(
            refused(" \n"),
            "cluster.secret_file is empty: write a secret with `openssl rand -hex 32`"
        );
        assert_eq!(
            refused(&format!("{ONE}\nshort")),
            "line 2 of cluster.secret_file has 5 bytes, a secret has at least 16: make one with \
             `openssl rand -hex 32`"
        );
        assert_eq!(
            refused(&format!("{ONE}\n{OTHER}\n{ONE}")),
            "cluster.secret_file has 3 secrets: one, or two while they are changed"
        );
    }

    #[test]
    fn a_drawn_secret_is_drawn_each_time_and_never_printed() {
        let (one, other) = (ClusterSecrets::draw().unwrap(), ClusterSecrets::draw().unwrap());
        assert_ne!(one.keys(b"p").unwrap(), other.keys(b"p").unwrap());
        assert_eq!(format!("{one:?}"), "ClusterSecrets { first: Secret(...), second: None }");
    }
}
