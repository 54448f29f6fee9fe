//! JSON Web Tokens that an RSA key signs (RFC 7519; RS256 of RFC 7518, section 3.3).

use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SecureRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

/// The header of every token: algorithm and type.
const HEADER: &str = r#"{"alg":"RS256","typ":"JWT"}"#;

/// Why the content of a file is no key that can sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RsaKeyError {
    #[error("it holds no private key in PEM, or an encrypted one")]
    NoPem,
    #[error("its key is no RSA key of 2048 to 4096 bits")]
    NotRsa,
    /// The random source failed, or the parts of the key contradict each other.
    #[error("its key cannot sign")]
    CannotSign,
}

/// The RSA key in `pem`: the first private key in it, as PKCS #1 or PKCS #8.
///
/// # Errors
/// There is none, or it is another key than one of RSA with 2048 to 4096 bits.
#[expect(clippy::wildcard_enum_match_arm, reason = "the forms of a key are non-exhaustive")]
pub fn rsa_key(pem: &[u8]) -> Result<RsaKeyPair, RsaKeyError> {
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| RsaKeyError::NoPem)?;
    let parsed = match &key {
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
        _ => return Err(RsaKeyError::NotRsa),
    };
    parsed.map_err(|_| RsaKeyError::NotRsa)
}

/// A token with these claims, a JSON object. `random` blinds the computation and leaves no trace in
/// the token.
///
/// # Errors
/// The key cannot sign.
pub fn rs256(
    key: &RsaKeyPair,
    claims: &str,
    random: &dyn SecureRandom,
) -> Result<Secret, RsaKeyError> {
    let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    let signed = format!("{}.{}", encode(HEADER.as_bytes()), encode(claims.as_bytes()));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, random, signed.as_bytes(), &mut signature)
        .map_err(|_| RsaKeyError::CannotSign)?;
    let token = Zeroizing::new(format!("{signed}.{}", encode(&signature)));
    Ok(Secret::new(&token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;

    const PKCS1: &str = include_str!("../../tests/keys/rsa-pkcs1.pem");
    const PKCS8: &str = include_str!("../../tests/keys/rsa-pkcs8.pem");

    /// What OpenSSL makes of the same key and claims.
    const SIGNED: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.\
        eyJpYXQiOjEsImV4cCI6MiwiaXNzIjoiNDIifQ.\
        SRclb82fI7OKkOaiLNaBDigyelrYLWPpuAiodgb7FG1wdCvkcdTM4oPfP-r_gn8NL0umMf87jFEk3y7GDH5-KiWm\
        uE5JzSQjCQZSpvrdV5ANkEtak_KUkMkk_G0VwM4tBxBkkem7R7IPAZHgp2hJ3N6y06Xj0Zrd_R7rP5uMHQqJDAOp\
        kuislQ2XOZdSByGXw72pfHXihg0z1DqcwieQf-f24NMh7rFCWvRX79gzX2ELZidOu9uDEh-90jDfr-KAB4Ia2qn9\
        x6beTGn61BYOcqxqU8ULurzOlTnu6vl_lWuvvpLrmroCf-VRg2F87vVujr97Amd4JsLwrResboktVw";

    #[test]
    fn both_forms_of_a_key_sign_as_openssl_does() {
        for pem in [PKCS1, PKCS8] {
            let key = rsa_key(pem.as_bytes()).unwrap();
            let token = rs256(&key, r#"{"iat":1,"exp":2,"iss":"42"}"#, &SystemRandom::new());
            assert_eq!(token.unwrap().expose(), SIGNED);
        }
    }

    #[test]
    fn a_file_without_an_rsa_key_is_refused_by_name() {
        let elliptic = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let encrypted = PKCS8.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let rows = [
            ("", RsaKeyError::NoPem),
            ("ghp_token", RsaKeyError::NoPem),
            (encrypted.as_str(), RsaKeyError::NoPem),
            (elliptic.as_str(), RsaKeyError::NotRsa),
        ];
        for (pem, refused) in rows {
            assert_eq!(rsa_key(pem.as_bytes()).err(), Some(refused), "{pem}");
        }
    }
}
