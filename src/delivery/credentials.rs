//! Reads secrets at the moment they are needed, so that a rotated file helps the next attempt,
//! and puts them into requests.

use super::transport::Exposed;
use crate::integration::jwt::{self, RsaKeyError};
use crate::integration::{Credential, Text};
use crate::secret::{SECRET_BYTES_MAX, Secret, SecretContentError, SecretRef};
use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use ring::rand::SystemRandom;
use sha2::Sha256;
use std::fmt::Write as _;
use zeroize::Zeroizing;

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
    /// The file holds something else than a secret.
    #[error("secret file {place} holds no secret: {source}")]
    Content { place: SecretRef, source: SecretContentError },
    /// The file holds no key that can sign.
    #[error("secret file {place} holds no usable key: {source}")]
    Key { place: SecretRef, source: RsaKeyError },
    /// A token is asked for with a credential that is known without one.
    #[error("the credential that asks for a token needs a token itself")]
    TokenForToken,
}

/// Reads a secret.
///
/// # Errors
/// The file cannot be read, or holds something else than a secret.
pub async fn read(place: &SecretRef) -> Result<Secret, CredentialError> {
    parse(place, Secret::of_file).await
}

/// Reads a file of several secrets, one a line: those that are accepted while one replaces another.
///
/// # Errors
/// The file cannot be read, or holds something else than secrets.
pub async fn read_lines(place: &SecretRef) -> Result<Vec<Secret>, CredentialError> {
    parse(place, Secret::lines_of_file).await
}

async fn parse<T>(
    place: &SecretRef,
    read: fn(&[u8]) -> Result<T, SecretContentError>,
) -> Result<T, CredentialError> {
    let content = read_file(place).await?;
    read(&content).map_err(|source| CredentialError::Content { place: place.clone(), source })
}

async fn read_file(place: &SecretRef) -> Result<Zeroizing<Vec<u8>>, CredentialError> {
    let content = tokio::fs::read(place.path()).await;
    content
        .map(Zeroizing::new)
        .map_err(|source| CredentialError::Unreadable { place: place.clone(), source })
}

/// A JWT with these claims, signed with the RSA key in a file.
async fn sign_claims(place: &SecretRef, claims: &str) -> Result<Secret, CredentialError> {
    let pem = read_file(place).await?;
    if pem.len() > SECRET_BYTES_MAX {
        let source = SecretContentError::TooLong;
        return Err(CredentialError::Content { place: place.clone(), source });
    }
    let signed = jwt::rsa_key(&pem).and_then(|key| jwt::rs256(&key, claims, &SystemRandom::new()));
    signed.map_err(|source| CredentialError::Key { place: place.clone(), source })
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

/// The header that proves who we are for this body, if the request needs one. What it shows is
/// noted in `exposed`. A token is got by the transport, not here.
///
/// # Errors
/// A secret cannot be read, or the credential needs a token.
pub(super) async fn header(
    credential: &Credential,
    body: &str,
    exposed: &mut Exposed,
) -> Result<Option<(String, Secret)>, CredentialError> {
    let authorization = |value: String| Some(("authorization".to_owned(), Secret::new(&value)));
    Ok(match credential {
        Credential::None => None,
        Credential::Bearer(place) => {
            let token = read(place).await?;
            exposed.add(token.expose());
            authorization(format!("Bearer {}", token.expose()))
        }
        Credential::Header { name, secret } => {
            let value = read(secret).await?;
            exposed.add(value.expose());
            Some((name.clone(), value))
        }
        Credential::Basic { username, password } => {
            let (username, password) = (read(username).await?, read(password).await?);
            let pair = Secret::new(&format!("{}:{}", username.expose(), password.expose()));
            for secret in [&username, &password, &pair] {
                exposed.add(secret.expose());
            }
            let encoded = base64::engine::general_purpose::STANDARD.encode(pair.expose());
            authorization(format!("Basic {encoded}"))
        }
        Credential::HmacSha256 { name, secret } => {
            let key = read(secret).await?;
            let signature = sign(key.expose().as_bytes(), body.as_bytes());
            for secret in [key.expose(), &signature] {
                exposed.add(secret);
            }
            Some((name.clone(), Secret::new(&signature)))
        }
        Credential::Rs256Jwt { key, claims } => {
            let token = sign_claims(key, claims).await?;
            exposed.add(token.expose());
            authorization(format!("Bearer {}", token.expose()))
        }
        Credential::Exchanged { .. } => return Err(CredentialError::TokenForToken),
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
        assert!(matches!(read(&place).await, Err(CredentialError::Content { .. })));
    }

    #[tokio::test]
    async fn basic_credentials_are_encoded_together() {
        let (_u, username) = file("Aladdin");
        let (_p, password) = file("open sesame");
        let credential = Credential::Basic { username, password };
        let (name, value) =
            header(&credential, "", &mut Exposed::default()).await.unwrap().unwrap();
        assert_eq!(
            (name.as_str(), value.expose()),
            ("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        );
    }
}
