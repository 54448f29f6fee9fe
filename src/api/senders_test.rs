//! Each way to show who one is, right and wrong, and files that change.

use super::*;
use crate::clock::SystemClock;
use http::{HeaderName, HeaderValue};
use std::path::Path;

const SECRET: &str = "0123456789abcdef";
const OTHER: &str = "fedcba9876543210";

fn file(folder: &Path, name: &str, content: &str) -> SecretRef {
    std::fs::write(folder.join(name), content).unwrap();
    SecretRef::file(folder.join(name))
}

fn senders(ways: &[SenderAuth]) -> Senders {
    Senders::new(ways, false, Arc::new(SystemClock::default()))
}

fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = all.iter().map(|(name, value)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    });
    pairs.collect()
}

/// 200 where the sender is admitted, whatever is in the body.
async fn answer(senders: &Senders, path: &str, all: &[(&'static str, &str)]) -> u16 {
    match senders.admit(path, &headers(all), false).await {
        Ok(Admission::Granted) => 200,
        Ok(Admission::Signed(signature)) => {
            if signature.verify() {
                200
            } else {
                401
            }
        }
        Err(problem) => problem.id.status().as_u16(),
    }
}

fn basic(user: &str, password: &str) -> String {
    let pair = format!("{user}:{password}");
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

#[tokio::test]
async fn s01a_what_tekton_can_send_is_taken_and_nothing_near_it() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name, content| file(folder.path(), name, content);
    let both = [
        SenderAuth::Basic {
            username: of("user", "tekton\n"),
            password: of("password", &format!("{SECRET}\n{OTHER}\n")),
        },
        SenderAuth::PathToken { secret: of("token", &"path-".repeat(4)) },
    ];
    let senders = senders(&both);
    senders.check().await.unwrap();
    for (path, authorization, status) in [
        ("/", basic("tekton", SECRET), 200),
        ("/ingest/any", basic("tekton", OTHER), 200),
        ("/", basic("Tekton", SECRET), 401),
        ("/", basic("tekton", &SECRET[1..]), 401),
        ("/", basic("tekton", ""), 401),
        ("/", basic("", SECRET), 401),
        ("/", format!("Bearer {SECRET}"), 401),
        ("/", "Basic %%%".to_owned(), 401),
        ("/ingest/path-path-path-path-", String::new(), 200),
        ("/path-path-path-path-/", String::new(), 200),
        ("/ingest/path%2Dpath-path-path-", String::new(), 200),
        ("/path-path-path-path-/ingest", String::new(), 401),
        ("/ingest/path-path-path-path", String::new(), 401),
        ("/ingest/path-path-path-path-x", String::new(), 401),
        ("/", String::new(), 401),
        ("", String::new(), 401),
    ] {
        let all = [("authorization", authorization.as_str())];
        assert_eq!(answer(&senders, path, &all).await, status, "{path} {authorization}");
    }
    assert_eq!(answer(&senders, "/", &[]).await, 401);
    let refused = senders.admit("/", &HeaderMap::new(), false).await.err().unwrap();
    assert!(!refused.detail.contains("path-"), "{}", refused.detail);
}

#[tokio::test]
async fn a_bearer_token_is_compared_in_whole_and_nobody_is_refused_without_a_list() {
    let folder = tempfile::tempdir().unwrap();
    let secret = file(folder.path(), "token", SECRET);
    let senders_of_bearer = senders(&[SenderAuth::Bearer { secret }]);
    let status =
        async |value: &str| answer(&senders_of_bearer, "/", &[("authorization", value)]).await;
    assert_eq!(status(&format!("bearer {SECRET}")).await, 200);
    assert_eq!(status(&format!("Bearer {}", &SECRET[..15])).await, 401);
    assert_eq!(status("Bearer ").await, 401);
    assert_eq!(answer(&senders(&[]), "/", &[]).await, 200);
}

/// What a sender sends that signs `body` at `at` with `secret`.
fn sent(
    secret: &str,
    at: &str,
    kind: &str,
    covers: Covers,
) -> (String, Vec<(&'static str, String)>) {
    let event = vec![("ce-type", kind.to_owned()), ("x-webhook-timestamp", at.to_owned())];
    let borrowed: Vec<_> = event.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let head = match covers {
        Covers::Event => signature::head(at, &headers(&borrowed)),
        Covers::Body => Vec::new(),
    };
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(&head);
    let digits: String =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    (format!("sha256={digits}"), event)
}

#[tokio::test]
async fn a_signature_covers_the_time_and_the_event_and_holds_for_its_window() {
    let folder = tempfile::tempdir().unwrap();
    let secret = file(folder.path(), "key", &format!("{OTHER}\n{SECRET}\n"));
    let tolerance = Duration::from_mins(5);
    let way = |covers| SenderAuth::HmacSha256 { secret: secret.clone(), covers, tolerance };
    let now = SystemClock::default().wall().0 / 1000;
    let status = async |senders: &Senders, signature: &str, event: &[(&'static str, String)]| {
        let mut all: Vec<_> = event.iter().map(|(name, text)| (*name, text.as_str())).collect();
        all.push(("x-hub-signature-256", signature));
        answer(senders, "/", &all).await
    };
    let whole = senders(&[way(Covers::Event)]);
    let (signature, event) = sent(SECRET, &now.to_string(), "running", Covers::Event);
    assert_eq!(status(&whole, &signature, &event).await, 200);
    let (_, other_type) = sent(SECRET, &now.to_string(), "successful", Covers::Event);
    assert_eq!(status(&whole, &signature, &other_type).await, 401);
    let (_, later) = sent(SECRET, &(now + 1).to_string(), "running", Covers::Event);
    assert_eq!(status(&whole, &signature, &later).await, 401);
    for outside in [now - 301, now + 310] {
        let (signature, event) = sent(SECRET, &outside.to_string(), "running", Covers::Event);
        assert_eq!(status(&whole, &signature, &event).await, 401, "{outside}");
    }
    let (foreign, event) = sent("another secret of 16", &now.to_string(), "running", Covers::Event);
    assert_eq!(status(&whole, &foreign, &event).await, 401);
    let (of_body, event) = sent(SECRET, "0", "running", Covers::Body);
    assert_eq!(status(&whole, &of_body, &event).await, 401);
    assert_eq!(status(&senders(&[way(Covers::Body)]), &of_body, &event).await, 200);
}

#[tokio::test]
async fn secrets_that_cannot_be_read_are_our_trouble_and_no_final_answer() {
    let folder = tempfile::tempdir().unwrap();
    let secret = SecretRef::file(folder.path().join("absent"));
    let absent = senders(&[SenderAuth::Bearer { secret }]);
    assert!(matches!(absent.check().await, Err(SendersError::Credential(_))));
    let token = format!("Bearer {SECRET}");
    assert_eq!(answer(&absent, "/", &[("authorization", &token)]).await, 503);
    let secret = file(folder.path(), "weak", &format!("{SECRET}\nshort\n"));
    let weak = senders(&[SenderAuth::Bearer { secret }]);
    assert!(matches!(weak.check().await, Err(SendersError::Weak { bytes: 5, .. })));
    assert_eq!(answer(&weak, "/", &[("authorization", &token)]).await, 503);
}

#[tokio::test]
async fn a_certificate_is_needed_beside_what_else_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let secret = file(folder.path(), "token", SECRET);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let only = Senders::new(&[], true, Arc::clone(&clock));
    assert!(!only.is_everybody());
    let both = Senders::new(&[SenderAuth::Bearer { secret }], true, clock);
    let token = headers(&[("authorization", &format!("Bearer {SECRET}"))]);
    let is_admitted = async |senders: &Senders, headers: &HeaderMap, has_certificate| {
        senders.admit("/", headers, has_certificate).await.is_ok()
    };
    let none = HeaderMap::new();
    assert!(is_admitted(&only, &none, true).await && !is_admitted(&only, &none, false).await);
    assert!(is_admitted(&both, &token, true).await && !is_admitted(&both, &token, false).await);
    assert!(!is_admitted(&both, &none, true).await);
}
