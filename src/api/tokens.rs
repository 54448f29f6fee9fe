//! The two tokens of operators: the change token admits to everything under `/api`, the read token
//! to what changes nothing. Each is read again for every call, so that a rotated file is used at
//! once.
//!
//! | Configured | Change token | Read token |
//! |---|---|---|
//! | `server.admin.change_token_file` | each line of the file | `read_token_file`, else derived from the change token |
//! | `cluster.secret_file` | derived from each line of the secret | the same |
//! | neither, and a data directory | drawn into `admin.token` | the same |
//! | none of these | nobody has it | `read_token_file` |

use crate::config::{Config, StoreBackend};
use crate::delivery::credentials::{self, CredentialError};
use crate::secret::{Secret, SecretRef};
use hkdf::Hkdf;
use rustix::fs::{Mode, OFlags};
use sha2::Sha256;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The file in the data directory that holds a change token drawn at random.
pub const KEPT_TOKEN: &str = "admin.token";

/// Separates these tokens from other keys that are derived from the same secret.
const SALT: &[u8] = b"tekton-events-relay admin tokens";
const PURPOSE_CHANGE: &[u8] = b"change";
const PURPOSE_READ: &[u8] = b"read";
/// Nobody guesses that many.
const TOKEN_BYTES: usize = 32;
/// Longest kept token read: what is longer is none of ours.
const KEPT_BYTES_MAX: u64 = 1024;

/// Where the change token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeToken {
    /// `server.admin.change_token_file`.
    Configured(SecretRef),
    /// Derived from `cluster.secret_file`: all replicas have the same.
    Derived(SecretRef),
    /// In the data directory at this path.
    Kept(PathBuf),
    /// There is none: no call that changes something is admitted.
    Absent,
}

/// Why a token could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// A file that the configuration names cannot be used.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The token in the data directory can be neither read nor written.
    #[error("the admin token {} cannot be used", path.display())]
    Kept {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl ChangeToken {
    /// Where the change token of a replica with this configuration comes from.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        if let Some(file) = &config.server.admin.change_token_file {
            return Self::Configured(file.clone());
        }
        if let Some(secret) = &config.cluster.secret_file {
            return Self::Derived(secret.clone());
        }
        match config.store.backend {
            StoreBackend::Cluster => Self::in_directory(&config.cluster.data_dir),
            StoreBackend::Memory => Self::Absent,
        }
    }

    /// The one that lies in a data directory.
    #[must_use]
    pub fn in_directory(data_dir: &Path) -> Self {
        Self::Kept(data_dir.join(KEPT_TOKEN))
    }

    /// Draws the token that is to lie in the data directory, unless it is there. The directory
    /// exists.
    ///
    /// # Errors
    /// The file cannot be written; there is none then.
    pub fn ensure(&self) -> Result<(), TokenError> {
        let Self::Kept(path) = self else { return Ok(()) };
        if read_kept(path).is_ok() {
            return Ok(());
        }
        keep(path).map_err(|source| TokenError::Kept { path: path.clone(), source })
    }

    /// All change tokens that are admitted now; several while one is being replaced.
    ///
    /// # Errors
    /// A file cannot be read.
    pub async fn read(&self) -> Result<Vec<Secret>, TokenError> {
        Ok(match self {
            Self::Configured(file) => credentials::read_lines(file).await?,
            Self::Derived(file) => {
                let secrets = credentials::read_lines(file).await?;
                secrets.iter().map(|secret| derive(secret, PURPOSE_CHANGE)).collect()
            }
            Self::Kept(path) => {
                let failed = |source| TokenError::Kept { path: path.clone(), source };
                vec![read_kept(path).map_err(failed)?]
            }
            Self::Absent => Vec::new(),
        })
    }
}

/// The read token that goes with a change token.
pub(super) fn read_token_of(change: &Secret) -> Secret {
    derive(change, PURPOSE_READ)
}

/// HKDF-SHA256 over the bytes of a secret, as hexadecimal text.
fn derive(secret: &Secret, purpose: &[u8]) -> Secret {
    let mut token = Zeroizing::new([0; TOKEN_BYTES]);
    Hkdf::<Sha256>::new(Some(SALT), secret.expose().as_bytes())
        .expand(purpose, token.as_mut())
        .expect("HKDF gives up to 255 hashes");
    Secret::new(&hexadecimal(token.as_ref()))
}

fn hexadecimal(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Reads a token that was drawn. Whoever may write into the directory cannot have another file
/// read in its place: links are not followed.
fn read_kept(path: &Path) -> io::Result<Secret> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let mut text = Zeroizing::new(String::new());
    file.take(KEPT_BYTES_MAX).read_to_string(&mut text)?;
    if text.trim().len() != 2 * TOKEN_BYTES {
        let told = format!("it holds {} bytes, expected {}", text.trim().len(), 2 * TOKEN_BYTES);
        return Err(io::Error::new(io::ErrorKind::InvalidData, told));
    }
    Ok(Secret::new(&text))
}

/// Draws a token and gives it its name once it is on the disk; a link of that name is replaced.
fn keep(path: &Path) -> io::Result<()> {
    let mut token = Zeroizing::new([0; TOKEN_BYTES]);
    getrandom::fill(token.as_mut()).map_err(io::Error::other)?;
    let part = path.with_extension("token.part");
    match std::fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let mut file = File::from(rustix::fs::open(&part, flags, mode)?);
    file.write_all(hexadecimal(token.as_ref()).as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    async fn tokens(place: &ChangeToken) -> Vec<String> {
        place.read().await.unwrap().iter().map(|token| token.expose().to_owned()).collect()
    }

    #[tokio::test]
    async fn a_token_is_drawn_once_for_the_owner_of_the_directory_alone() {
        let folder = tempfile::tempdir().unwrap();
        let place = ChangeToken::in_directory(folder.path());
        assert!(matches!(place.read().await, Err(TokenError::Kept { .. })));
        place.ensure().unwrap();
        let first = tokens(&place).await;
        assert_eq!(first[0].len(), 64);
        place.ensure().unwrap();
        assert_eq!(tokens(&place).await, first);
        let file = folder.path().join(KEPT_TOKEN);
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn s18_a_link_in_the_place_of_the_token_is_not_followed_but_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let known = folder.path().join("known");
        std::fs::write(&known, "a".repeat(64)).unwrap();
        symlink(&known, folder.path().join(KEPT_TOKEN)).unwrap();
        let place = ChangeToken::in_directory(folder.path());
        assert!(place.read().await.is_err());
        place.ensure().unwrap();
        assert_ne!(tokens(&place).await, ["a".repeat(64)]);
        assert_eq!(std::fs::read_to_string(&known).unwrap(), "a".repeat(64));
        assert!(std::fs::symlink_metadata(folder.path().join(KEPT_TOKEN)).unwrap().is_file());
    }

    #[tokio::test]
    async fn a_token_that_was_written_by_half_is_drawn_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(KEPT_TOKEN);
        std::fs::write(&file, "half").unwrap();
        let place = ChangeToken::in_directory(folder.path());
        assert!(place.read().await.is_err());
        place.ensure().unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().size(), 65);
    }

    #[tokio::test]
    async fn replicas_of_one_secret_have_the_same_tokens_and_each_secret_has_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let derived = ChangeToken::Derived(SecretRef::file(&file));
        std::fs::write(&file, "new secret\nold secret\n").unwrap();
        let both = tokens(&derived).await;
        std::fs::write(&file, "old secret\n").unwrap();
        let old = tokens(&derived).await;
        assert_eq!((both.len(), &both[1..]), (2, old.as_slice()));
        assert!(both[0] != both[1] && !both.iter().any(|token| token.contains("secret")));
        let change = Secret::new(&old[0]);
        let read = read_token_of(&change);
        assert!(read.expose() != change.expose() && read.expose().len() == 64);
    }

    #[test]
    fn a_configured_token_wins_over_the_secret_and_memory_has_none() {
        let mut config = Config::default();
        assert_eq!(ChangeToken::of(&config), ChangeToken::Kept("./data/admin.token".into()));
        config.store.backend = StoreBackend::Memory;
        assert_eq!(ChangeToken::of(&config), ChangeToken::Absent);
        let file = |name: &str| Some(SecretRef::file(name));
        config.cluster.secret_file = file("/secret");
        assert_eq!(ChangeToken::of(&config), ChangeToken::Derived(SecretRef::file("/secret")));
        config.server.admin.change_token_file = file("/token");
        assert_eq!(ChangeToken::of(&config), ChangeToken::Configured(SecretRef::file("/token")));
    }
}
