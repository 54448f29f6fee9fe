//! Secrets and where to find them. A [`SecretRef`] may be logged and stored; a [`Secret`] prints as
//! dots and is wiped when dropped.

use sha2::{Digest as _, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroizing;

/// Where a secret is: a file, whose trimmed content is the secret. Files are read again for every
/// use, so a rotated mount takes effect at the next attempt.
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

/// Longest secret file: tokens and URLs are short, and a file at a wrong path is not read in full.
pub const SECRET_BYTES_MAX: usize = 64 * 1024;

/// The byte order mark of UTF-8. Some editors write it, and no secret starts with it.
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why the content of a file is not a valid secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretContentError {
    #[error("it is empty")]
    Empty,
    #[error("it is longer than {SECRET_BYTES_MAX} bytes")]
    TooLong,
    /// Redirection in PowerShell writes this.
    #[error("it is in UTF-16, expected UTF-8")]
    Utf16,
    #[error("it is not text in UTF-8")]
    NotText,
    #[error("it has more than one line, expected the secret alone")]
    SeveralLines,
    /// Spaces and tabs within a line are allowed: passwords may have them.
    #[error("it has a control character within the secret")]
    ControlCharacter,
}

impl Secret {
    /// The secret in a file: its text without a byte order mark and surrounding white space.
    ///
    /// # Errors
    /// The content is not a single line of UTF-8, or is too long.
    pub fn of_file(content: &[u8]) -> Result<Self, SecretContentError> {
        match Self::lines_of_file(content)?.as_slice() {
            [secret] => Ok(secret.clone()),
            _ => Err(SecretContentError::SeveralLines),
        }
    }

    /// The secrets in a file, one a line: all are accepted while one replaces another. At least
    /// one.
    ///
    /// # Errors
    /// The content is not UTF-8, or is empty or too long.
    pub fn lines_of_file(content: &[u8]) -> Result<Vec<Self>, SecretContentError> {
        if content.len() > SECRET_BYTES_MAX {
            return Err(SecretContentError::TooLong);
        }
        // Text in UTF-8 has no NUL; every Latin letter in UTF-16 has one.
        let is_utf16 = content.starts_with(b"\xff\xfe") || content.starts_with(b"\xfe\xff");
        if is_utf16 || content.contains(&0) {
            return Err(SecretContentError::Utf16);
        }
        let content = content.strip_prefix(UTF8_MARK).unwrap_or(content);
        let text = std::str::from_utf8(content).map_err(|_| SecretContentError::NotText)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let lines: Vec<Self> = lines.map(Self::new).collect();
        if lines.is_empty() {
            return Err(SecretContentError::Empty);
        }
        let is_odd = |next: char| next.is_control() && next != '\t';
        if lines.iter().any(|line| line.expose().contains(is_odd)) {
            return Err(SecretContentError::ControlCharacter);
        }
        Ok(lines)
    }

    /// Wraps the trimmed content of a secret file.
    #[must_use]
    pub fn new(content: &str) -> Self {
        Self(Zeroizing::new(content.trim().to_owned()))
    }

    /// The content, for use in a request.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `given` is one of `accepted`. The time reveals only their number: it compares hashes
    /// of equal length, and all of them.
    #[must_use]
    pub fn is_any(accepted: &[Self], given: &str) -> bool {
        let given = Sha256::digest(given.as_bytes());
        let found = accepted.iter().fold(Choice::from(0), |found, secret| {
            found | Sha256::digest(secret.0.as_bytes()).as_slice().ct_eq(given.as_slice())
        });
        found.into()
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

    #[test]
    fn only_a_whole_secret_is_one_of_those_that_are_accepted() {
        let accepted = [Secret::new("abc"), Secret::new("of old")];
        assert!(Secret::is_any(&accepted, "abc") && Secret::is_any(&accepted, "of old"));
        for wrong in ["", "ab", "abd", "abcd", "abc ", "abc\nof old"] {
            assert!(!Secret::is_any(&accepted, wrong), "{wrong:?}");
        }
        assert!(!Secret::is_any(&[], ""));
    }

    #[test]
    fn a_file_may_start_with_a_byte_order_mark_and_end_with_a_line_break() {
        for content in ["tok", "tok\n", "\u{feff}tok\r\n", "\u{feff} tok "] {
            assert_eq!(Secret::of_file(content.as_bytes()).unwrap().expose(), "tok");
        }
        assert_eq!(Secret::of_file(b"open sesame").unwrap().expose(), "open sesame");
        let lines = Secret::lines_of_file("\u{feff}new\r\n\n old \n".as_bytes()).unwrap();
        assert_eq!(lines.iter().map(Secret::expose).collect::<Vec<_>>(), ["new", "old"]);
    }

    #[test]
    fn a_file_that_holds_something_else_is_refused_by_name() {
        use SecretContentError as Refused;
        let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(bytes).collect()
        };
        let long = vec![b'x'; SECRET_BYTES_MAX + 1];
        let rows: [(&[u8], Refused); 9] = [
            (b"", Refused::Empty),
            (b" \n", Refused::Empty),
            ("\u{feff}".as_bytes(), Refused::Empty),
            (&long, Refused::TooLong),
            (&utf16("\u{feff}tok", u16::to_le_bytes), Refused::Utf16),
            (&utf16("\u{feff}tok", u16::to_be_bytes), Refused::Utf16),
            (&utf16("tok", u16::to_le_bytes), Refused::Utf16),
            (b"one\ntwo", Refused::SeveralLines),
            (b"a\x1bb", Refused::ControlCharacter),
        ];
        for (content, refused) in rows {
            assert_eq!(Secret::of_file(content).err(), Some(refused));
        }
        assert_eq!(Secret::of_file(b"\xe4").err(), Some(Refused::NotText));
    }
}
