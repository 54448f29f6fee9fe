//! Signatures of requests: HMAC-SHA256 under a secret that sender and relay share, in
//! `X-Hub-Signature-256: sha256=HEX`. What is signed, where a signature covers the event:
//!
//! ```text
//! 1764518400
//! ce-id:7
//! ce-type:dev.tekton.event.taskrun.started.v1
//! content-type:application/json
//!
//! BODY
//! ```
//!
//! The first line is `X-Webhook-Timestamp`, seconds since 1970. Then come `content-type` and all
//! headers whose names begin with `ce-`, by name, lower case, values as they were sent; an empty
//! line; the body as it was sent, compressed if it was. A signature of the body alone has the body.

use crate::clock::Timestamp;
use crate::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

const SIGNATURE: &str = "x-hub-signature-256";
const TIMESTAMP: &str = "x-webhook-timestamp";
const SIGNATURE_BYTES: usize = 32;

/// A signature whose body is still to come.
pub(super) struct Signature {
    claimed: [u8; SIGNATURE_BYTES],
    /// One for each secret that may be the right one.
    expected: Vec<Hmac<Sha256>>,
}

impl Signature {
    /// What the head of a request claims.
    pub fn claimed(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(SIGNATURE)?.to_str().ok()?.strip_prefix("sha256=")?.as_bytes();
        let mut claimed = [0; SIGNATURE_BYTES];
        if text.len() != 2 * SIGNATURE_BYTES {
            return None;
        }
        for (byte, digits) in claimed.iter_mut().zip(text.chunks(2)) {
            let digits = std::str::from_utf8(digits).ok()?;
            *byte = u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?;
        }
        Some(Self { claimed, expected: Vec::new() })
    }

    /// Expects a signature under one of `secrets`, of `head` and the body.
    pub fn expect(&mut self, secrets: &[Secret], head: &[u8]) {
        for secret in secrets {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
                .expect("HMAC takes keys of any length");
            mac.update(head);
            self.expected.push(mac);
        }
    }

    /// Whether there is a secret to check it by.
    pub fn is_checkable(&self) -> bool {
        !self.expected.is_empty()
    }

    /// The next bytes of the body.
    pub fn update(&mut self, part: &[u8]) {
        self.expected.iter_mut().for_each(|mac| mac.update(part));
    }

    /// Whether the body was signed by one of the secrets. All are compared.
    pub fn verify(self) -> bool {
        let Self { claimed, expected } = self;
        let found = expected.into_iter().fold(Choice::from(0), |found, mac| {
            found | mac.finalize().into_bytes().as_slice().ct_eq(&claimed)
        });
        found.into()
    }
}

/// When the request was signed, as it is written and as a time.
pub(super) fn timestamp(headers: &HeaderMap) -> Option<(&str, Timestamp)> {
    let text = headers.get(TIMESTAMP)?.to_str().ok()?;
    let is_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let seconds: u64 = text.parse().ok().filter(|_| is_number)?;
    Some((text, Timestamp(seconds.checked_mul(1000)?)))
}

/// What is signed in front of the body.
pub(super) fn head(timestamp: &str, headers: &HeaderMap) -> Vec<u8> {
    let is_of_event = |name: &str| name == "content-type" || name.starts_with("ce-");
    let mut lines: Vec<(&str, &[u8])> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .filter(|(name, _)| is_of_event(name))
        .collect();
    // Values of one name stay in the order in which they were sent.
    lines.sort_by_key(|(name, _)| *name);
    let mut text = timestamp.as_bytes().to_vec();
    text.push(b'\n');
    for (name, value) in lines {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        text.extend_from_slice(value);
        text.push(b'\n');
    }
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn signed(claim: &str) -> Option<Signature> {
        let value = HeaderValue::from_str(claim).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE, value);
        Signature::claimed(&headers)
    }

    #[test]
    fn a_signature_matches_rfc_4231_case_2_in_parts_and_under_any_of_the_secrets() {
        let right = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let check = |claim: &str, secrets: &[&str], parts: &[&str]| {
            let mut signature = signed(claim).unwrap();
            let secrets: Vec<_> = secrets.iter().map(|text| Secret::new(text)).collect();
            signature.expect(&secrets, b"what do ");
            parts.iter().for_each(|part| signature.update(part.as_bytes()));
            signature.verify()
        };
        assert!(check(right, &["Jefe"], &["ya want ", "for nothing?"]));
        assert!(check(
            &right.to_uppercase().replace("SHA256", "sha256"),
            &["Jefe"],
            &["ya want for nothing?"]
        ));
        assert!(check(right, &["new", "Jefe"], &["ya want for nothing?"]));
        assert!(!check(right, &["new"], &["ya want for nothing?"]));
        assert!(!check(right, &["Jefe"], &["ya want for nothing"]));
        assert!(!check(right, &[], &["ya want for nothing?"]));
    }

    #[test]
    fn what_is_no_signature_is_none() {
        let zeros = "0".repeat(64);
        for claim in
            ["", "sha256=", "sha1=00", &zeros, "sha256=00", &format!("sha256=+1{}", "0".repeat(62))]
        {
            assert!(signed(claim).is_none(), "{claim}");
        }
        assert!(signed(&format!("sha256={zeros}")).is_some());
    }

    #[test]
    fn the_head_has_the_time_and_every_header_of_the_event_by_name() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("ce-type", "t"),
            ("content-type", "application/json"),
            ("authorization", "not signed"),
            ("ce-id", "7"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let text = String::from_utf8(head("9", &headers)).unwrap();
        assert_eq!(text, "9\nce-id:7\nce-type:t\ncontent-type:application/json\n\n");
    }

    #[test]
    fn a_timestamp_is_a_number_of_seconds() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(TIMESTAMP, HeaderValue::from_static(text));
            timestamp(&headers).map(|(_, at)| at.0)
        };
        assert_eq!(of("1764518400"), Some(1_764_518_400_000));
        for wrong in ["", "-1", "+1", "1.5", "now", "99999999999999999999", "18446744073709551615"]
        {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
