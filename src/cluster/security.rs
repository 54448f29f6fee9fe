//! How a node authenticates to its peers, and the check for changed files.

use super::gossip::{Gossip, SealError};
use super::secrets::{ClusterSecrets, SecretsError};
use super::transport::{CertificateError, CertificateFiles, PeerTls, peer_keys};
use crate::config::PeerTlsPolicy;
use crate::telemetry::chain;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use xxhash_rust::xxh3::Xxh3Default;

/// Between two checks of the files. A mounted secret follows its source within a minute or two.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Where the secrets of a cluster come from.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// A file, which may be changed.
    File(PathBuf),
    /// The secrets themselves, for the life of the process.
    Given(ClusterSecrets),
}

/// How a node authenticates to its peers.
#[derive(Clone, Debug)]
pub struct Security {
    /// `None`: all traffic is readable, and every caller is believed.
    pub secret: Option<SecretSource>,
    /// Used instead of a certificate issued under the secret.
    pub certificate: Option<CertificateFiles>,
    pub policy: PeerTlsPolicy,
}

/// Why a node cannot authenticate to its peers.
#[derive(Debug, thiserror::Error)]
pub enum SecurityError {
    #[error("no secret of the cluster")]
    Secrets(#[source] SecretsError),
    #[error("no certificate for peers")]
    Certificate(#[source] CertificateError),
    #[error("gossip cannot be sealed")]
    Seal(#[source] SealError),
}

/// What a node derives from its secrets.
pub(super) struct Secured {
    pub tls: PeerTls,
    pub secrets: Option<ClusterSecrets>,
    pub is_migrating: bool,
}

impl Security {
    /// The same for all nodes of tests.
    #[cfg(test)]
    pub fn of_test() -> Self {
        let secrets = ClusterSecrets::parse("what all members of tests know").unwrap();
        let secret = Some(SecretSource::Given(secrets));
        Self { secret, certificate: None, policy: PeerTlsPolicy::Required }
    }

    /// Reads secrets and certificates.
    ///
    /// # Errors
    /// One cannot be read or used.
    pub(super) fn load(&self) -> Result<Secured, SecurityError> {
        let secrets = self.secrets().map_err(SecurityError::Secrets)?;
        let is_migrating = match self.policy {
            PeerTlsPolicy::Required => false,
            PeerTlsPolicy::Migrate => true,
        };
        let keys = secrets.as_ref().map(|secrets| peer_keys(secrets, self.certificate.as_ref()));
        let keys = keys.transpose().map_err(SecurityError::Certificate)?;
        Ok(Secured { tls: PeerTls::new(keys, is_migrating), secrets, is_migrating })
    }

    fn secrets(&self) -> Result<Option<ClusterSecrets>, SecretsError> {
        match &self.secret {
            None => Ok(None),
            Some(SecretSource::File(file)) => ClusterSecrets::read(file).map(Some),
            Some(SecretSource::Given(secrets)) => Ok(Some(secrets.clone())),
        }
    }

    fn files(&self) -> Vec<&Path> {
        let secret = match &self.secret {
            Some(SecretSource::File(file)) => Some(file.as_path()),
            Some(SecretSource::Given(_)) | None => None,
        };
        let given = self.certificate.iter();
        let given = given.flat_map(|files| [&files.cert, &files.key, &files.ca]);
        secret.into_iter().chain(given.map(PathBuf::as_path)).collect()
    }

    /// The current content of the files, as a number; `None` if one cannot be read.
    fn fingerprint(&self) -> Option<u128> {
        let mut hash = Xxh3Default::new();
        for file in self.files() {
            let content = zeroize::Zeroizing::new(std::fs::read(file).ok()?);
            hash.update(&content.len().to_le_bytes());
            hash.update(&content);
        }
        Some(hash.digest128())
    }
}

/// Follows changes of the files until `stop` is cancelled. Unusable content changes nothing.
pub(super) async fn run(
    security: Security,
    tls: PeerTls,
    gossip: Arc<Gossip>,
    stop: CancellationToken,
) {
    let security = Arc::new(security);
    let mut known = fingerprint(&security).await;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let now = fingerprint(&security).await;
        if now.is_none() || now == known {
            continue;
        }
        known = now;
        match follow(&security, &tls, &gossip).await {
            Ok(()) => info!("the secrets or certificates of peers were changed"),
            Err(error) => {
                let error = chain(&error);
                warn!(error, "changed secrets or certificates of peers cannot be used");
            }
        }
    }
}

async fn fingerprint(security: &Arc<Security>) -> Option<u128> {
    let security = Arc::clone(security);
    tokio::task::spawn_blocking(move || security.fingerprint()).await.ok().flatten()
}

/// Uses the current content of the files.
async fn follow(
    security: &Arc<Security>,
    tls: &PeerTls,
    gossip: &Gossip,
) -> Result<(), SecurityError> {
    let read = Arc::clone(security);
    let read = tokio::task::spawn_blocking(move || {
        let secrets = read.secrets().map_err(SecurityError::Secrets)?;
        let keys = secrets.as_ref().map(|secrets| peer_keys(secrets, read.certificate.as_ref()));
        Ok((keys.transpose().map_err(SecurityError::Certificate)?, secrets))
    });
    let Ok(read) = read.await else { return Ok(()) };
    if let (Some(keys), Some(secrets)) = read? {
        gossip.seal_under(&secrets).map_err(SecurityError::Seal)?;
        tls.replace(keys);
    }
    Ok(())
}
