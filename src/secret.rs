//! Where a secret is, and the secret itself. A [`SecretRef`] may be logged and stored; a
//! [`Secret`] prints as dots and is wiped when dropped.

use std::fmt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where a secret can be read: a file, whose trimmed content is the secret. Files are read again
/// for every use, so a rotated mount takes effect at the next attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretRef(PathBuf);

impl SecretRef {
    /// A secret kept in the file at `path`.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The file that holds the secret.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// The place, never the content.
impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<secret {}>", self.0.display())
    }
}

/// The content of a secret. Neither `Debug` nor any other output shows it.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps the trimmed content of a secret file.
    #[must_use]
    pub fn new(content: &str) -> Self {
        Self(Zeroizing::new(content.trim().to_owned()))
    }

    /// The content, for the moment it goes into a request.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(...)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_trimmed_and_never_printed() {
        let secret = Secret::new(" tok\n");
        assert_eq!(secret.expose(), "tok");
        assert_eq!(format!("{secret:?}"), "Secret(...)");
    }
}
