//! Mails to SMTP servers, one connection a mail. The replies are read by ourselves and not by the
//! library that makes the mails: it takes a reply that is no UTF-8 for a lost one, reads lines
//! without a bound, and does not tell what had been sent when a connection ended. A mail whose end was
//! not sent is known to be undelivered; one whose end was sent is in doubt until the server answers.

mod conversation;

use super::cause::{OtherEnd, handshake, socket};
use super::exposed::Exposed;
use crate::delivery::credentials;
use crate::failure::FailureKind;
use crate::integration::{MailEncryption, MailLogin, MailMessage, MailServer, Rejection, Reply};
use conversation::{Conversation, MailStream, Proof};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Time to a connection, as for HTTP.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time until all of a mail but its end is sent. It is shorter than the default `handler_timeout`, so
/// that a slow server leaves no mail in doubt of which nothing can have been delivered.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(8);

/// Time to take leave. The mail is delivered by then.
const QUIT_TIMEOUT: Duration = Duration::from_millis(200);

/// Sends [`MailMessage`]s. What it trusts is read with the first mail that is encrypted: a relay that
/// sends none does not hold it.
#[derive(Clone, Default)]
pub(super) struct MailTransport {
    tls: Arc<OnceCell<Arc<ClientConfig>>>,
}

/// Why a mail is not known to be taken.
enum Untaken {
    /// No server can have taken it.
    Unreached(String),
    /// The server refused it.
    Refused(Rejection),
    /// The relay could not prove who it is, and sent nothing.
    Unproven(String),
    /// The server may have taken it.
    InDoubt(String),
}

impl Untaken {
    fn into_reply(self) -> Reply {
        let (kind, detail) = match self {
            Self::Refused(rejection) => return Reply::Rejected(rejection),
            Self::Unreached(detail) => (FailureKind::Network, detail),
            Self::Unproven(detail) => (FailureKind::Credentials, detail),
            Self::InDoubt(detail) => (FailureKind::Timeout, detail),
        };
        Reply::Failed { kind, detail }
    }

    /// A connection that failed before the end of the mail.
    fn unreached(error: &io::Error) -> Self {
        let told = Some(error).filter(|error| error.kind() != io::ErrorKind::UnexpectedEof);
        let detail = told
            .and_then(words)
            .unwrap_or_else(|| "the connection ended before the mail".to_owned());
        Self::Unreached(detail)
    }

    /// A connection that failed in the TLS handshake.
    fn unencrypted(error: &io::Error) -> Self {
        Self::Unreached(words(error).unwrap_or_else(|| "the TLS handshake failed".to_owned()))
    }
}

/// Why a connection failed, where the cause is a known one.
fn words(error: &io::Error) -> Option<String> {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    tls.map(|error| handshake(error, OtherEnd::Target)).or_else(|| socket(error, OtherEnd::Target))
}

impl MailTransport {
    /// Sends a mail and waits until the server has taken it; the caller sets the deadline. The
    /// secrets that leave with the mail are noted in `exposed`: the server may echo them.
    pub(super) async fn send(&self, mail: &MailMessage, exposed: &mut Exposed) -> Reply {
        let proof = match read_proof(mail.server.login.as_ref(), exposed).await {
            Ok(proof) => proof,
            Err(untaken) => return untaken.into_reply(),
        };
        let prepared = timeout(PREPARE_TIMEOUT, self.prepare(mail, proof.as_ref())).await;
        let mut conversation = match prepared {
            Ok(Ok(conversation)) => conversation,
            Ok(Err(untaken)) => return untaken.into_reply(),
            Err(_) => {
                let seconds = PREPARE_TIMEOUT.as_secs();
                let detail =
                    format!("the mail server was not ready for the mail within {seconds} s");
                return Untaken::Unreached(detail).into_reply();
            }
        };
        match conversation.end_of_content().await {
            Ok(reply) => {
                let _ = timeout(QUIT_TIMEOUT, conversation.quit()).await;
                let (code, remote_id) = reply.into_receipt();
                Reply::Accepted { remote_id, code }
            }
            Err(untaken) => untaken.into_reply(),
        }
    }

    /// Everything up to the end of the mail.
    async fn prepare(
        &self,
        mail: &MailMessage,
        proof: Option<&Proof>,
    ) -> Result<Conversation, Untaken> {
        let mut conversation = self.open(&mail.server).await?;
        let hello = conversation.hello().await?;
        if let Some(proof) = proof {
            conversation.log_in(&hello, proof).await?;
        }
        conversation.envelope(&mail.sender, &mail.recipients).await?;
        conversation.content(&mail.content).await?;
        Ok(conversation)
    }

    /// A connection as it is asked for, before the first `EHLO` that counts.
    async fn open(&self, server: &MailServer) -> Result<Conversation, Untaken> {
        let stream = connect(&server.host, server.port).await?;
        let own_name = literal(stream.local_addr().ok());
        match server.encryption {
            MailEncryption::None => {
                let mut plain = Conversation::new(Box::new(stream), own_name);
                plain.greeting().await?;
                Ok(plain)
            }
            MailEncryption::Implicit => {
                let encrypted = self.encrypt(Box::new(stream), &server.host).await?;
                let mut encrypted = Conversation::new(encrypted, own_name);
                encrypted.greeting().await?;
                Ok(encrypted)
            }
            MailEncryption::StartTls => {
                let mut plain = Conversation::new(Box::new(stream), own_name.clone());
                plain.greeting().await?;
                if !plain.hello().await?.offers_tls() {
                    let detail = "the mail server does not offer STARTTLS, so nothing was sent";
                    return Err(Untaken::Unreached(detail.to_owned()));
                }
                let stream = plain.start_tls().await?;
                let encrypted = self.encrypt(stream, &server.host).await?;
                Ok(Conversation::new(encrypted, own_name))
            }
        }
    }

    async fn encrypt(
        &self,
        stream: Box<dyn MailStream>,
        host: &str,
    ) -> Result<Box<dyn MailStream>, Untaken> {
        let name = ServerName::try_from(unbracketed(host).to_owned())
            .map_err(|_| Untaken::Unreached("the host is no name of a TLS server".to_owned()))?;
        let config = self
            .tls
            .get_or_try_init(|| async { trusting_the_system().map(Arc::new) })
            .await
            .map_err(|error| Untaken::Unreached(handshake(&error, OtherEnd::Target)))?;
        let encrypted = TlsConnector::from(Arc::clone(config)).connect(name, stream).await;
        let encrypted = encrypted.map_err(|error| Untaken::unencrypted(&error))?;
        Ok(Box::new(encrypted))
    }
}

/// The trust that HTTP has: the system's root certificates.
fn trusting_the_system() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_platform_verifier()?.with_no_client_auth())
}

async fn read_proof(
    login: Option<&MailLogin>,
    exposed: &mut Exposed,
) -> Result<Option<Proof>, Untaken> {
    let Some(login) = login else { return Ok(None) };
    let secret = credentials::read(login.secret())
        .await
        .map_err(|error| Untaken::Unproven(error.to_string()))?;
    exposed.add(secret.expose());
    Ok(Some(match login {
        MailLogin::Password { username, .. } => {
            Proof::Password { username: username.clone(), password: secret }
        }
        MailLogin::OAuth { username, .. } => {
            Proof::OAuth { username: username.clone(), token: secret }
        }
    }))
}

/// The first address of the server that takes a connection.
async fn connect(host: &str, port: u16) -> Result<TcpStream, Untaken> {
    let unreached = |detail: &str| Untaken::Unreached(detail.to_owned());
    let connecting = async {
        let addresses = tokio::net::lookup_host((unbracketed(host), port))
            .await
            .map_err(|_| unreached("the name of the mail server could not be resolved"))?;
        let mut last = unreached("the name of the mail server has no address");
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Untaken::unreached(&error),
            }
        }
        Err(last)
    };
    let timed_out = || unreached("no connection: the mail server did not take it in time");
    let stream = timeout(CONNECT_TIMEOUT, connecting).await.map_err(|_| timed_out())??;
    // Commands are short, and each waits for its reply.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// An IPv6 address stands in brackets where a port may follow.
fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// How a client without a name of its own calls itself (RFC 5321, 4.1.3).
fn literal(address: Option<SocketAddr>) -> String {
    match address {
        Some(SocketAddr::V4(address)) => format!("[{}]", address.ip()),
        Some(SocketAddr::V6(address)) => format!("[IPv6:{}]", address.ip()),
        None => "[127.0.0.1]".to_owned(),
    }
}

#[cfg(test)]
#[path = "mail_test.rs"]
mod tests;
