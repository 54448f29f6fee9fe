//! A mail as data: what is handed to which server, and how the relay proves there who it is.

use crate::secret::SecretRef;

/// A mail, fully decided but for the secret of its login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailMessage {
    pub server: MailServer,
    /// Where the server reports what it cannot deliver (RFC 5321, `MAIL FROM`).
    pub sender: String,
    /// All who get it, also those whom its header does not name; at least one.
    pub recipients: Vec<String>,
    /// Header and body (RFC 5322), in ASCII. The transport takes any line break.
    pub content: String,
}

/// The server that takes the mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailServer {
    /// A name or an address; its certificate is for this one.
    pub host: String,
    pub port: u16,
    pub encryption: MailEncryption,
    pub login: Option<MailLogin>,
}

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailEncryption {
    /// By `STARTTLS` (RFC 3207). A server that does not offer it gets no mail.
    StartTls,
    /// From the first byte (RFC 8314).
    Implicit,
    /// Not at all.
    None,
}

/// How the relay proves to a mail server who it is. Holds places of secrets, never secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailLogin {
    /// SASL `PLAIN` (RFC 4616), or `LOGIN` where the server offers nothing else.
    Password { username: String, password: SecretRef },
    /// SASL `XOAUTH2`, as Google and Microsoft describe it.
    OAuth { username: String, token: SecretRef },
}

impl MailEncryption {
    /// The word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StartTls => "starttls",
            Self::Implicit => "tls",
            Self::None => "none",
        }
    }
}

impl MailLogin {
    /// Who the relay says it is.
    #[must_use]
    pub fn username(&self) -> &str {
        match self {
            Self::Password { username, .. } | Self::OAuth { username, .. } => username,
        }
    }

    /// The file of the password, or of the token.
    #[must_use]
    pub fn secret(&self) -> &SecretRef {
        match self {
            Self::Password { password, .. } => password,
            Self::OAuth { token, .. } => token,
        }
    }
}
