//! Who may send events. Whoever shows one of the credentials of `server.auth` is admitted; without
//! any in the configuration, everybody. Secrets are compared in constant time, and their files are
//! read again within a second of a change.

use super::signature::{self, Signature};
use super::{Problem, ProblemId};
use crate::clock::Clock;
use crate::config::{Covers, SenderAuth};
use crate::delivery::credentials::{self, CredentialError};
use crate::secret::{Secret, SecretRef};
use crate::telemetry::chain;
use base64::Engine as _;
use http::{HeaderMap, header};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use std::sync::Arc;
use std::time::Duration;
use tracing::{error, warn};

/// A file is read again when it was read so long ago.
const REREAD_AFTER: Duration = Duration::from_secs(1);
/// Shorter secrets can be guessed by trying.
const SECRET_BYTES_MIN: usize = 16;
/// Between two warnings about senders that are not admitted: strangers decide how many there are.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The credentials that are taken.
pub struct Senders {
    ways: Vec<Way>,
    /// Whether a certificate has to be shown, too.
    needs_certificate: bool,
    clock: Arc<dyn Clock>,
    refused: Mutex<Refused>,
}

struct Way {
    auth: SenderAuth,
    /// The user's name, where there is one.
    username: Option<Kept>,
    secrets: Kept,
}

/// Secrets of a file as they were read last.
struct Kept {
    place: SecretRef,
    /// The name of a user may be short.
    bytes_min: usize,
    read: tokio::sync::Mutex<Option<(Duration, Secrets)>>,
}

/// What a file held; `None` while it cannot be used.
type Secrets = Option<Arc<Vec<Secret>>>;

/// Senders that were not admitted, told now and then.
#[derive(Default)]
struct Refused {
    count: u64,
    told_at: Option<Duration>,
}

/// The credentials of senders cannot be used: nobody would be admitted.
#[derive(Debug, thiserror::Error)]
pub enum SendersError {
    /// A file cannot be read.
    #[error("server.auth")]
    Credential(#[from] CredentialError),
    /// A secret can be guessed.
    #[error(
        "server.auth: {place} holds a secret of {bytes} bytes, expected {SECRET_BYTES_MIN} or more: make one with `openssl rand -hex 32`"
    )]
    Weak { place: SecretRef, bytes: usize },
}

/// What is known of a sender before its body has arrived.
pub(super) enum Admission {
    Granted,
    /// It is admitted if the signature turns out right.
    Signed(Signature),
}

/// Whether a way admits a sender.
enum Verdict {
    Right,
    Wrong,
    /// Our own secrets cannot be read.
    Unknown,
}

impl Senders {
    /// Those that `ways` admit, everybody without any; of these only those with a certificate, if it
    /// is needed.
    #[must_use]
    pub fn new(ways: &[SenderAuth], needs_certificate: bool, clock: Arc<dyn Clock>) -> Self {
        let kept = |place: &SecretRef, bytes_min| {
            let read = tokio::sync::Mutex::default();
            Kept { place: place.clone(), bytes_min, read }
        };
        let way = |auth: &SenderAuth| {
            let (username, secrets) = match auth {
                SenderAuth::Basic { username, password } => {
                    (Some(kept(username, 1)), kept(password, SECRET_BYTES_MIN))
                }
                SenderAuth::PathToken { secret }
                | SenderAuth::Bearer { secret }
                | SenderAuth::HmacSha256 { secret, .. } => (None, kept(secret, SECRET_BYTES_MIN)),
            };
            Way { auth: auth.clone(), username, secrets }
        };
        let ways = ways.iter().map(way).collect();
        Self { ways, needs_certificate, clock, refused: Mutex::default() }
    }

    /// Whether everybody is admitted.
    #[must_use]
    pub fn is_everybody(&self) -> bool {
        self.ways.is_empty() && !self.needs_certificate
    }

    /// Reads all files once.
    ///
    /// # Errors
    /// A file cannot be used.
    pub async fn check(&self) -> Result<(), SendersError> {
        for way in &self.ways {
            for kept in way.username.iter().chain([&way.secrets]) {
                kept.read_now().await?;
            }
        }
        Ok(())
    }

    /// Decides by the head of a request.
    ///
    /// # Errors
    /// 401 for credentials that are missing or wrong, 503 while ours cannot be read: a sender that
    /// is told 401 gives its event up.
    pub(super) async fn admit(
        &self,
        path: &str,
        headers: &HeaderMap,
        has_certificate: bool,
    ) -> Result<Admission, Problem> {
        if self.needs_certificate && !has_certificate {
            return Err(self.unauthorized());
        }
        if self.ways.is_empty() {
            return Ok(Admission::Granted);
        }
        let mut is_unknown = false;
        let mut signature = Signature::claimed(headers);
        for way in &self.ways {
            let verdict = match (&way.auth, &mut signature) {
                (SenderAuth::HmacSha256 { covers, tolerance, .. }, Some(signature)) => {
                    self.sign(way, signature, (headers, *covers, *tolerance)).await
                }
                (SenderAuth::HmacSha256 { .. }, None) => Verdict::Wrong,
                (SenderAuth::Basic { .. }, _) => self.basic(way, headers).await,
                (SenderAuth::Bearer { .. }, _) => {
                    self.is_secret(way, authorization(headers, "bearer")).await
                }
                (SenderAuth::PathToken { .. }, _) => {
                    self.is_secret(way, last_segment(path).as_deref()).await
                }
            };
            match verdict {
                Verdict::Right => return Ok(Admission::Granted),
                Verdict::Wrong => {}
                Verdict::Unknown => is_unknown = true,
            }
        }
        match signature.filter(Signature::is_checkable) {
            Some(signature) => Ok(Admission::Signed(signature)),
            None if is_unknown => {
                let detail = "the credentials of senders cannot be read; the log says why";
                Err(Problem::new(ProblemId::Internal, detail))
            }
            None => Err(self.unauthorized()),
        }
    }

    /// The answer to credentials that are missing or wrong. It is told in the log, too: Tekton gives
    /// the event up and says nothing.
    pub(super) fn unauthorized(&self) -> Problem {
        let now = self.clock.monotonic();
        let mut refused = self.refused.lock();
        refused.count += 1;
        if refused.told_at.is_none_or(|at| now.saturating_sub(at) >= TELL_EVERY) {
            refused.told_at = Some(now);
            warn!(
                refused = refused.count,
                "a sender without right credentials was refused; Tekton does not send such events again"
            );
        }
        let names = |wanted: fn(&SenderAuth) -> bool| self.ways.iter().any(|way| wanted(&way.auth));
        let scheme = if names(|auth| matches!(auth, SenderAuth::Basic { .. })) {
            "Basic realm=\"tekton-events-relay\""
        } else if names(|auth| matches!(auth, SenderAuth::Bearer { .. })) {
            "Bearer"
        } else if names(|auth| matches!(auth, SenderAuth::HmacSha256 { .. })) {
            "HMAC-SHA256"
        } else if names(|auth| matches!(auth, SenderAuth::PathToken { .. })) {
            "Path-Token"
        } else {
            "Mutual"
        };
        let detail = "the credentials are missing or wrong; server.auth and server.tls say which \
                      are taken";
        Problem::new(ProblemId::Unauthorized, detail).with_challenge(scheme)
    }

    async fn is_secret(&self, way: &Way, given: Option<&str>) -> Verdict {
        let Some(given) = given else { return Verdict::Wrong };
        match way.secrets.read(&*self.clock).await {
            Some(secrets) if Secret::is_any(&secrets, given) => Verdict::Right,
            Some(_) => Verdict::Wrong,
            None => Verdict::Unknown,
        }
    }

    async fn basic(&self, way: &Way, headers: &HeaderMap) -> Verdict {
        let decoded = authorization(headers, "basic").and_then(|text| {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
            String::from_utf8(bytes).ok()
        });
        let pair = decoded.as_deref().and_then(|text| text.split_once(':'));
        let Some((user, password)) = pair else { return Verdict::Wrong };
        let Some(username) = &way.username else { return Verdict::Wrong };
        let Some(users) = username.read(&*self.clock).await else { return Verdict::Unknown };
        let Some(passwords) = way.secrets.read(&*self.clock).await else { return Verdict::Unknown };
        // Both are compared, whatever the first says.
        let is_user = Secret::is_any(&users, user);
        let is_password = Secret::is_any(&passwords, password);
        if is_user & is_password { Verdict::Right } else { Verdict::Wrong }
    }

    /// Adds what the signature has to be under the secrets of `way`. What it is, the body decides.
    async fn sign(
        &self,
        way: &Way,
        signature: &mut Signature,
        (headers, covers, tolerance): (&HeaderMap, Covers, Duration),
    ) -> Verdict {
        let head = match covers {
            Covers::Body => Vec::new(),
            Covers::Event => {
                let Some((text, at)) = signature::timestamp(headers) else { return Verdict::Wrong };
                let now = self.clock.wall();
                if now.since(at).max(at.since(now)) > tolerance {
                    return Verdict::Wrong;
                }
                signature::head(text, headers)
            }
        };
        let Some(secrets) = way.secrets.read(&*self.clock).await else { return Verdict::Unknown };
        signature.expect(&secrets, &head);
        Verdict::Wrong
    }
}

impl Kept {
    async fn read(&self, clock: &dyn Clock) -> Secrets {
        let mut read = self.read.lock().await;
        let now = clock.monotonic();
        if let Some((at, secrets)) = &*read
            && now.saturating_sub(*at) < REREAD_AFTER
        {
            return secrets.clone();
        }
        let secrets = match self.read_now().await {
            Ok(secrets) => Some(Arc::new(secrets)),
            Err(error) => {
                error!(error = %chain(&error), "no sender can be admitted");
                None
            }
        };
        *read = Some((now, secrets.clone()));
        secrets
    }

    async fn read_now(&self) -> Result<Vec<Secret>, SendersError> {
        let secrets = credentials::read_lines(&self.place).await?;
        match secrets.iter().map(|secret| secret.expose().len()).min() {
            Some(bytes) if bytes < self.bytes_min => {
                Err(SendersError::Weak { place: self.place.clone(), bytes })
            }
            Some(_) | None => Ok(secrets),
        }
    }
}

/// What stands behind a scheme in `Authorization`.
fn authorization<'h>(headers: &'h HeaderMap, scheme: &str) -> Option<&'h str> {
    let (named, credentials) =
        headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    named.eq_ignore_ascii_case(scheme).then(|| credentials.trim())
}

/// The last segment of a path that has characters, decoded.
fn last_segment(path: &str) -> Option<String> {
    let segment = path.rsplit('/').find(|segment| !segment.is_empty())?;
    Some(percent_decode_str(segment).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
#[path = "senders_test.rs"]
mod tests;
