//! Reads secrets at the moment they are needed, so that a rotated file helps the next attempt,
//! and puts them into requests.

use crate::integration::{Credential, Text};
use crate::secret::{Secret, SecretRef};
use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::Write as _;

/// Longest secret file read: tokens and URLs are short, a wrong path is not read in full.
const SECRET_BYTES_MAX: usize = 64 * 1024;

/// Why a secret could not be used. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The file is missing or unreadable.
    #[error("secret file {place} could not be read")]
    Unreadable {
        place: SecretRef,
        #[source]
        source: std::io::Error,
    },
    /// The file holds nothing, or more than a secret.
    #[error("secret file {place} holds {length} bytes, expected 1 to {SECRET_BYTES_MAX}")]
    Length { place: SecretRef, length: usize },
}

/// Reads a secret.
///
/// # Errors
/// The file cannot be read, is empty or too long.
pub async fn read(place: &SecretRef) -> Result<Secret, CredentialError> {
    let content = tokio::fs::read_to_string(place.path())
        .await
        .map_err(|source| CredentialError::Unreadable { place: place.clone(), source })?;
    if content.trim().is_empty() || content.len() > SECRET_BYTES_MAX {
        return Err(CredentialError::Length { place: place.clone(), length: content.len() });
    }
    Ok(Secret::new(&content))
}

/// The text itself, or the secret it stands for.
///
/// # Errors
/// The secret cannot be read.
pub async fn resolve(text: &Text) -> Result<Secret, CredentialError> {
    match text {
        Text::Plain(plain) => Ok(Secret::new(plain)),
        Text::Secret(place) => read(place).await,
    }
}

/// The header that proves who we are for this body, if the request needs one.
///
/// # Errors
/// A secret cannot be read.
pub async fn header(
    credential: &Credential,
    body: &str,
) -> Result<Option<(String, Secret)>, CredentialError> {
    let authorization = |value: String| Some(("authorization".to_owned(), Secret::new(&value)));
    Ok(match credential {
        Credential::None => None,
        Credential::Bearer(place) => {
            authorization(format!("Bearer {}", read(place).await?.expose()))
        }
        Credential::Header { name, secret } => Some((name.clone(), read(secret).await?)),
        Credential::Basic { username, password } => {
            let (username, password) = (read(username).await?, read(password).await?);
            let pair = format!("{}:{}", username.expose(), password.expose());
            let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
            authorization(format!("Basic {encoded}"))
        }
        Credential::HmacSha256 { name, secret } => {
            let signature = sign(read(secret).await?.expose().as_bytes(), body.as_bytes());
            Some((name.clone(), Secret::new(&signature)))
        }
    })
}

/// `sha256=` and the hexadecimal HMAC-SHA256 of `body`.
fn sign(key: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(body);
    let mut text = "sha256=".to_owned();
    for byte in mac.finalize().into_bytes() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &str) -> (tempfile::TempDir, SecretRef) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, content).unwrap();
        (folder, SecretRef::file(path))
    }

    #[test]
    fn signature_matches_rfc_4231_case_2() {
        let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(sign(b"Jefe", b"what do ya want for nothing?"), expected);
    }

    #[tokio::test]
    async fn a_rotated_file_is_read_again() {
        let (_folder, place) = file("old\n");
        assert_eq!(read(&place).await.unwrap().expose(), "old");
        std::fs::write(place.path(), "new\n").unwrap();
        assert_eq!(read(&place).await.unwrap().expose(), "new");
    }

    #[tokio::test]
    async fn an_empty_file_is_refused() {
        let (_folder, place) = file(" \n");
        assert!(matches!(read(&place).await, Err(CredentialError::Length { .. })));
    }

    #[tokio::test]
    async fn basic_credentials_are_encoded_together() {
        let (_u, username) = file("Aladdin");
        let (_p, password) = file("open sesame");
        let credential = Credential::Basic { username, password };
        let (name, value) = header(&credential, "").await.unwrap().unwrap();
        assert_eq!(
            (name.as_str(), value.expose()),
            ("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        );
    }
}
