//! One HTTP client for each way to a target. The files of a profile are read again for every call, so
//! that a changed one is used from the next call on; a change that cannot be used leaves the former
//! client in force.

use super::names::Names;
use super::recently_used::RecentlyUsed;
use crate::integration::connection::{ConnectionProfile, ProxyServer, TlsProfile};
use crate::integration::pem::{self, PemError};
use crate::secret::{Secret, SecretContentError};
use crate::telemetry::chain;
use reqwest::{Certificate, ClientBuilder, Identity, Url};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tracing::error;
use zeroize::Zeroizing;

/// Time to a connection, that through a proxy included; the whole call is bounded by
/// `handler_timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Idle connections kept to one host: as many as calls to one instance may be under way, so that a
/// burst opens each of them once.
const IDLE_PER_HOST_MAX: usize = 256;

/// Clients kept, each with its connections and its own copy of the system's authorities. Instances of
/// equal profiles share one.
const CLIENTS_MAX: usize = 64;

/// Longest file of a profile, in bytes. Debian's bundle of all public authorities has 220,000.
pub(super) const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why the transport could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be built")]
pub struct BuildError(#[source] reqwest::Error);

/// Why there is no client for a profile. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProfileError {
    #[error("{key} {} cannot be read", path.display())]
    Unreadable {
        key: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{key} {} is longer than {FILE_BYTES_MAX} bytes", path.display())]
    TooLong { key: &'static str, path: PathBuf },
    #[error("{key} {}: {source}", path.display())]
    Pem { key: &'static str, path: PathBuf, source: PemError },
    #[error("{key} {}: {source}", path.display())]
    Secret { key: &'static str, path: PathBuf, source: SecretContentError },
    #[error("proxy.url cannot be used")]
    Proxy,
    #[error("the HTTP client could not be built")]
    Build(#[source] reqwest::Error),
    /// The runtime is about to end.
    #[error("the files of the profile were not read")]
    Stopped,
}

/// A client, and what its connections show to others than the target.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) client: reqwest::Client,
    pub(super) user: Option<ProxyLogin>,
    /// Whether a proxy of the profile stands before the target.
    pub(super) has_proxy: bool,
}

/// What a proxy is shown.
#[derive(Clone)]
pub(super) struct ProxyLogin {
    pub(super) name: Secret,
    pub(super) password: Secret,
}

/// All clients of a replica.
pub(super) struct Clients {
    /// For instances without a profile.
    plain: reqwest::Client,
    by_profile: RecentlyUsed<Arc<ConnectionProfile>, Mutex<Option<Held>>>,
}

struct Held {
    files: ProfileFiles,
    way: Way,
    /// What could not be used is told once.
    refused: Option<ProfileFiles>,
}

impl Clients {
    /// A client for instances without a profile, and room for those of profiles.
    ///
    /// # Errors
    /// The TLS stack cannot be set up.
    pub(super) fn new() -> Result<Self, BuildError> {
        // A second call finds the provider installed, which is what it wants.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let plain = builder().build().map_err(BuildError)?;
        Ok(Self { plain, by_profile: RecentlyUsed::new(CLIENTS_MAX) })
    }

    /// The way that a profile means, by its files as they are now; `None` is the plain one.
    ///
    /// # Errors
    /// A file cannot be used, and none could be used before.
    pub(super) async fn get(
        &self,
        profile: Option<&Arc<ConnectionProfile>>,
    ) -> Result<Way, ProfileError> {
        let Some(profile) = profile else {
            return Ok(Way { client: self.plain.clone(), user: None, has_proxy: false });
        };
        let place = self.by_profile.get(profile);
        let mut held = place.lock().await;
        let read = in_background(profile, |profile| ProfileFiles::read(&profile)).await;
        let files = match (read, &*held) {
            (Ok(files), Some(held)) if files == held.files => return Ok(held.way.clone()),
            (Ok(files), Some(held)) if held.refused.as_ref() == Some(&files) => {
                return Ok(held.way.clone());
            }
            (Ok(files), _) => files,
            // Files are replaced one after the other: they may be whole at the next call.
            (Err(_), Some(held)) => return Ok(held.way.clone()),
            (Err(error), None) => return Err(error),
        };
        let built = files.clone();
        let built = in_background(profile, move |profile| built.way(&profile)).await;
        match (built, &mut *held) {
            (Ok(way), held) => {
                *held = Some(Held { files, way: way.clone(), refused: None });
                Ok(way)
            }
            (Err(error), Some(held)) => {
                error!(error = %chain(&error), "the former connection settings stay in use");
                held.refused = Some(files);
                Ok(held.way.clone())
            }
            (Err(error), None) => Err(error),
        }
    }
}

/// Files are read, and clients built from them, where nobody waits for a thread.
async fn in_background<T: Send + 'static>(
    profile: &Arc<ConnectionProfile>,
    work: impl FnOnce(Arc<ConnectionProfile>) -> Result<T, ProfileError> + Send + 'static,
) -> Result<T, ProfileError> {
    let profile = Arc::clone(profile);
    let done = tokio::task::spawn_blocking(move || work(profile)).await;
    done.unwrap_or(Err(ProfileError::Stopped))
}

/// What all clients have: deadlines, connection reuse and no redirects of their own. They believe the
/// system's authorities and take the proxy of the environment.
fn builder() -> ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .dns_resolver(Names)
}

type SecretBytes = Zeroizing<Vec<u8>>;

/// The files of a profile as they were read.
#[derive(Clone, PartialEq, Eq)]
struct ProfileFiles {
    ca: Option<Vec<u8>>,
    /// Certificates and key.
    client: Option<(Vec<u8>, SecretBytes)>,
    /// Name and password.
    user: Option<(SecretBytes, SecretBytes)>,
}

const CA: &str = "tls.ca_file";
const CHAIN: &str = "tls.client_cert_file";
const KEY: &str = "tls.client_key_file";
const USER: &str = "proxy.username_file";
const PASSWORD: &str = "proxy.password_file";

impl ProfileFiles {
    fn read(profile: &ConnectionProfile) -> Result<Self, ProfileError> {
        let ConnectionProfile { tls, proxy } = profile;
        let ca = tls.ca.as_ref().map(|path| read(CA, path)).transpose()?;
        let client = tls.client.as_ref().map(|client| {
            let key = read(KEY, client.key.path())?;
            Ok((read(CHAIN, &client.chain)?, Zeroizing::new(key)))
        });
        let user = proxy.as_ref().and_then(|proxy| proxy.user.as_ref()).map(|user| {
            let (name, password) =
                (read(USER, user.name.path())?, read(PASSWORD, user.password.path())?);
            Ok((Zeroizing::new(name), Zeroizing::new(password)))
        });
        Ok(Self { ca, client: client.transpose()?, user: user.transpose()? })
    }

    fn way(&self, profile: &ConnectionProfile) -> Result<Way, ProfileError> {
        let user = match (&self.user, profile.proxy.as_ref().and_then(|proxy| proxy.user.as_ref()))
        {
            (Some((name, password)), Some(user)) => Some(ProxyLogin {
                name: secret(USER, user.name.path(), name)?,
                password: secret(PASSWORD, user.password.path(), password)?,
            }),
            _ => None,
        };
        let mut builder = self.with_tls(builder(), &profile.tls)?;
        if let Some(proxy) = &profile.proxy {
            // It takes the place of the environment's, whose list of exceptions has no say either.
            builder = builder.proxy(proxy_of(proxy, user.as_ref())?);
        }
        let client = builder.build().map_err(ProfileError::Build)?;
        Ok(Way { client, user, has_proxy: profile.proxy.is_some() })
    }

    fn with_tls(
        &self,
        mut builder: ClientBuilder,
        tls: &TlsProfile,
    ) -> Result<ClientBuilder, ProfileError> {
        let wrong = |key, path: &Path| {
            let path = path.to_owned();
            move |source| ProfileError::Pem { key, path, source }
        };
        if let (Some(content), Some(path)) = (&self.ca, &tls.ca) {
            let authorities = pem::authorities(content).map_err(wrong(CA, path))?;
            let roots: Result<Vec<_>, _> =
                authorities.iter().map(|der| Certificate::from_der(der)).collect();
            builder = builder.tls_certs_merge(roots.map_err(ProfileError::Build)?);
        }
        if let (Some((chain, key)), Some(client)) = (&self.client, &tls.client) {
            let certificates = pem::certificates(chain).map_err(wrong(CHAIN, &client.chain))?;
            let parsed = pem::private_key(key).map_err(wrong(KEY, client.key.path()))?;
            pem::check_pair(certificates, parsed).map_err(wrong(KEY, client.key.path()))?;
            let both = Zeroizing::new([chain.as_slice(), b"\n", key].concat());
            builder = builder.identity(Identity::from_pem(&both).map_err(ProfileError::Build)?);
        }
        Ok(builder.tls_danger_accept_invalid_certs(tls.is_unverified))
    }
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, ProfileError> {
    let mut content = Vec::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content));
    match read {
        Err(source) => Err(ProfileError::Unreadable { key, path: path.to_owned(), source }),
        Ok(len) if len as u64 > FILE_BYTES_MAX => {
            Err(ProfileError::TooLong { key, path: path.to_owned() })
        }
        Ok(_) => Ok(content),
    }
}

fn secret(key: &'static str, path: &Path, content: &[u8]) -> Result<Secret, ProfileError> {
    let wrong = |source| ProfileError::Secret { key, path: path.to_owned(), source };
    Secret::of_file(content).map_err(wrong)
}

/// The proxy of every scheme. SOCKS takes its user from the address alone, and HTTP takes it from
/// there too.
fn proxy_of(
    proxy: &ProxyServer,
    user: Option<&ProxyLogin>,
) -> Result<reqwest::Proxy, ProfileError> {
    let mut url: Url = proxy.url.parse().map_err(|_| ProfileError::Proxy)?;
    if let Some(user) = user {
        url.set_username(user.name.expose()).map_err(|()| ProfileError::Proxy)?;
        url.set_password(Some(user.password.expose())).map_err(|()| ProfileError::Proxy)?;
    }
    reqwest::Proxy::all(url).map_err(|_| ProfileError::Proxy)
}
