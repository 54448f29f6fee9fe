//! Mails to a server on loopback that offers, refuses and breaks what a test asks for.

use super::*;
use crate::secret::SecretRef;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

const CONTENT: &str = "Subject: done\r\n\r\n.dot\nä? no: ASCII\r\n";

/// What a server says instead of its usual answer to the command, or event, that starts so. An
/// empty answer ends the connection.
type Says = &'static [(&'static str, &'static [u8])];

/// A server that is to be started.
#[derive(Clone, Default)]
struct Script {
    /// Lines of the answer to `EHLO` behind the first.
    offers: &'static [&'static str],
    says: Says,
    tls: Option<Arc<ServerConfig>>,
    /// TLS from the first byte.
    is_implicit: bool,
}

/// A server that takes one connection; it ends with the lines that it got.
struct Server {
    port: u16,
    lines: JoinHandle<Vec<String>>,
}

impl Script {
    async fn start(self) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let lines = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut lines = Vec::new();
            self.serve(Box::new(stream), &mut lines).await;
            lines
        });
        Server { port, lines }
    }

    async fn serve(&self, mut stream: Box<dyn MailStream>, lines: &mut Vec<String>) {
        let mut is_greeted = false;
        if self.is_implicit {
            let Some(encrypted) = self.encrypted(stream).await else { return };
            stream = encrypted;
        }
        loop {
            let greeting = if is_greeted { None } else { Some("GREETING") };
            let Some(plain) = self.talk(stream, greeting, lines).await else { return };
            let Some(encrypted) = self.encrypted(plain).await else { return };
            lines.push("(TLS)".to_owned());
            (stream, is_greeted) = (encrypted, true);
        }
    }

    async fn encrypted(&self, stream: Box<dyn MailStream>) -> Option<Box<dyn MailStream>> {
        let acceptor = TlsAcceptor::from(Arc::clone(self.tls.as_ref()?));
        let stream = acceptor.accept(stream).await.ok()?;
        Some(Box::new(stream))
    }

    /// Answers until the connection ends, or gives it where TLS is to start.
    async fn talk(
        &self,
        stream: Box<dyn MailStream>,
        greeting: Option<&'static str>,
        lines: &mut Vec<String>,
    ) -> Option<Box<dyn MailStream>> {
        let mut stream = BufReader::new(stream);
        if let Some(greeting) = greeting {
            self.say(&mut stream, greeting).await?;
        }
        let mut is_content = false;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let line = line.strip_suffix("\r\n").expect("lines end in CR LF").to_owned();
            lines.push(line.clone());
            is_content = match (is_content, line.as_str()) {
                (true, ".") => false,
                (true, "(cut)") => return None,
                (true, _) => continue,
                (false, "DATA") => true,
                (false, _) => false,
            };
            self.say(&mut stream, &line).await?;
            if line == "STARTTLS" {
                return Some(stream.into_inner());
            }
        }
    }

    /// `None` where the connection ends instead.
    async fn say(&self, stream: &mut BufReader<Box<dyn MailStream>>, line: &str) -> Option<()> {
        let said = self.says.iter().find(|(start, _)| line.starts_with(start));
        let answer = said.map_or_else(|| self.usual(line), |(_, answer)| answer.to_vec());
        if answer.is_empty() {
            return None;
        }
        stream.write_all(&answer).await.ok()?;
        stream.flush().await.ok()
    }

    fn usual(&self, line: &str) -> Vec<u8> {
        let word = line.split(' ').next().unwrap_or_default();
        let answer = match word {
            "GREETING" => "220 mx.example ESMTP".to_owned(),
            "EHLO" => {
                let lines =
                    ["mx.example", "PIPELINING"].into_iter().chain(self.offers.iter().copied());
                let lines: Vec<String> = lines.map(|line| format!("250-{line}")).collect();
                format!("{}\r\n250 HELP", lines.join("\r\n"))
            }
            "STARTTLS" => "220 go ahead".to_owned(),
            "AUTH" => "235 2.7.0 ok".to_owned(),
            "DATA" => "354 end with a dot".to_owned(),
            "." => "250 2.0.0 Ok: queued as 4B1F".to_owned(),
            "QUIT" => "221 bye".to_owned(),
            _ => "250 ok".to_owned(),
        };
        format!("{answer}\r\n").into_bytes()
    }
}

impl Server {
    /// What the transport makes of a mail to it, and the lines that it got.
    async fn takes(self, mail: &MailMessage, transport: &MailTransport) -> (Reply, Vec<String>) {
        let mut exposed = Exposed::default();
        let sending = transport.send(mail, &mut exposed);
        let reply = timeout(PATIENCE, sending).await.expect("the mail has an outcome");
        let lines = timeout(PATIENCE, self.lines).await.expect("the server is left");
        (reply, lines.unwrap())
    }

    fn mail(&self, encryption: MailEncryption, login: Option<MailLogin>) -> MailMessage {
        let host = "localhost".to_owned();
        MailMessage {
            server: MailServer { host, port: self.port, encryption, login },
            sender: "ci@acme.example".to_owned(),
            recipients: vec!["a@x.example".to_owned(), "b@y.example".to_owned()],
            content: CONTENT.to_owned(),
        }
    }
}

/// What comes of a plain mail to such a server, and the lines that it got.
async fn plain(script: Script) -> (Reply, Vec<String>) {
    let server = script.start().await;
    let mail = server.mail(MailEncryption::None, None);
    server.takes(&mail, &MailTransport::default()).await
}

async fn plain_says(says: Says) -> (Reply, Vec<String>) {
    plain(Script { says, ..Script::default() }).await
}

fn accepted(text: &str) -> Reply {
    Reply::Accepted { remote_id: Some(text.to_owned()), code: 250 }
}

fn failed(kind: FailureKind, detail: &str) -> Reply {
    Reply::Failed { kind, detail: detail.to_owned() }
}

fn refused(code: u16, detail: &str) -> Reply {
    Reply::Rejected(Rejection { code, detail: detail.to_owned() })
}

/// A server's certificate for `localhost`, and a transport that trusts it.
fn tls() -> (Arc<ServerConfig>, MailTransport) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = || Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = Arc::new(OnceCell::new_with(Some(Arc::new(client))));
    (Arc::new(server), MailTransport { tls })
}

fn secret(content: &str) -> (tempfile::TempDir, SecretRef) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, content).unwrap();
    (folder, SecretRef::file(path))
}

fn password(place: &SecretRef) -> Option<MailLogin> {
    let (username, password) = ("ci".to_owned(), place.clone());
    Some(MailLogin::Password { username, password })
}

#[tokio::test]
async fn a_mail_arrives_once_with_its_envelope_and_every_line() {
    let (reply, lines) = plain(Script::default()).await;
    assert_eq!(reply, accepted("2.0.0 Ok: queued as 4B1F"));
    let expected = [
        "EHLO [127.0.0.1]",
        "MAIL FROM:<ci@acme.example>",
        "RCPT TO:<a@x.example>",
        "RCPT TO:<b@y.example>",
        "DATA",
        "Subject: done",
        "",
        "..dot",
        "ä? no: ASCII",
        ".",
        "QUIT",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_login_is_proven_in_the_way_that_the_server_offers() {
    let (_folder, place) = secret("s3cret");
    let oauth = MailLogin::OAuth { username: "ci".to_owned(), token: place.clone() };
    let login_says: Says = &[
        ("AUTH LOGIN", b"334 VXNlcm5hbWU6\r\n"),
        ("Y2k=", b"334 UGFzc3dvcmQ6\r\n"),
        ("czNjcmV0", b"235 ok\r\n"),
    ];
    type Row = (&'static [&'static str], Says, Option<MailLogin>, &'static [&'static str]);
    let rows: [Row; 4] = [
        (&["AUTH PLAIN LOGIN"], &[], password(&place), &["AUTH PLAIN AGNpAHMzY3JldA=="]),
        (&["AUTH=PLAIN"], &[], password(&place), &["AUTH PLAIN AGNpAHMzY3JldA=="]),
        (&["auth LOGIN"], login_says, password(&place), &["AUTH LOGIN", "Y2k=", "czNjcmV0"]),
        (
            &["AUTH XOAUTH2 PLAIN"],
            &[],
            Some(oauth),
            &["AUTH XOAUTH2 dXNlcj1jaQFhdXRoPUJlYXJlciBzM2NyZXQBAQ=="],
        ),
    ];
    for (offers, says, login, expected) in rows {
        let server = Script { offers, says, ..Script::default() }.start().await;
        let mail = server.mail(MailEncryption::None, login);
        let (reply, lines) = server.takes(&mail, &MailTransport::default()).await;
        assert_eq!(reply, accepted("2.0.0 Ok: queued as 4B1F"), "{offers:?}");
        assert_eq!(lines[1..=expected.len()], *expected, "{offers:?}");
    }
}

#[tokio::test]
async fn a_login_that_fails_sends_nothing_and_shows_no_secret() {
    let (_folder, place) = secret("s3cret-word");
    let wrong: Says = &[("AUTH", b"535 5.7.8 no: s3cret-word\r\n")];
    let server = Script { offers: &["AUTH PLAIN"], says: wrong, ..Script::default() }.start().await;
    let mail = server.mail(MailEncryption::None, password(&place));
    let mut exposed = Exposed::default();
    let reply = MailTransport::default().send(&mail, &mut exposed).await;
    let Reply::Rejected(Rejection { code: 535, detail }) = reply else { panic!("{reply:?}") };
    assert_eq!(exposed.cut(&detail), "AUTH: 535 5.7.8 no: [secret]");
    let lines = server.lines.await.unwrap();
    assert!(!lines.iter().any(|line| line.starts_with("MAIL")), "{lines:?}");

    let server = Script { offers: &["AUTH CRAM-MD5"], ..Script::default() }.start().await;
    let mail = server.mail(MailEncryption::None, password(&place));
    let (reply, lines) = server.takes(&mail, &MailTransport::default()).await;
    let detail = "the mail server offers no login that the relay could use";
    assert_eq!((reply, lines.len()), (failed(FailureKind::Credentials, detail), 1));
}

#[tokio::test]
async fn a_refused_token_is_told_behind_its_challenge() {
    let (_folder, token) = secret("t0ken");
    // The empty line is what answers the challenge.
    let says: Says = &[
        ("GREETING", b"220 mx\r\n"),
        ("EHLO", b"250-mx\r\n250 AUTH XOAUTH2\r\n"),
        ("AUTH", b"334 eyJzdGF0dXMiOiI0MDAifQ==\r\n"),
        ("", b"535 5.7.8 expired\r\n"),
    ];
    let server = Script { says, ..Script::default() }.start().await;
    let login = Some(MailLogin::OAuth { username: "ci".to_owned(), token });
    let mail = server.mail(MailEncryption::None, login);
    let (reply, lines) = server.takes(&mail, &MailTransport::default()).await;
    assert_eq!(reply, refused(535, "AUTH: 535 5.7.8 expired"));
    assert_eq!(lines.last().map(String::as_str), Some(""));
}

#[tokio::test]
async fn an_unreadable_secret_opens_no_connection() {
    let server = Script::default().start().await;
    let mail = server.mail(MailEncryption::None, password(&SecretRef::file("/nowhere/password")));
    let reply = MailTransport::default().send(&mail, &mut Exposed::default()).await;
    let detail = "secret file <secret /nowhere/password> could not be read";
    assert_eq!(reply, failed(FailureKind::Credentials, detail));
    assert!(!server.lines.is_finished());
    server.lines.abort();
}

#[tokio::test]
async fn the_mail_of_starttls_goes_through_tls_alone() {
    let (config, transport) = tls();
    let (_folder, place) = secret("s3cret");
    let offers = &["STARTTLS", "AUTH PLAIN"];
    let script = Script { offers, tls: Some(config), ..Script::default() };
    let server = script.start().await;
    let mail = server.mail(MailEncryption::StartTls, password(&place));
    let (reply, lines) = server.takes(&mail, &transport).await;
    assert_eq!(reply, accepted("2.0.0 Ok: queued as 4B1F"));
    let begins = ["EHLO [127.0.0.1]", "STARTTLS", "(TLS)", "EHLO [127.0.0.1]"];
    assert_eq!(lines[..4], begins);
    assert_eq!((lines[4].as_str(), lines.len()), ("AUTH PLAIN AGNpAHMzY3JldA==", 15));
}

#[tokio::test]
async fn without_starttls_nothing_is_sent() {
    let (_, transport) = tls();
    let injected: Says = &[("STARTTLS", b"220 go\r\n250 injected\r\n")];
    let rows: [(&'static [&'static str], Says, &str); 3] = [
        (&[], &[], "the mail server does not offer STARTTLS, so nothing was sent"),
        (&["XSTARTTLS"], &[], "the mail server does not offer STARTTLS, so nothing was sent"),
        (&["STARTTLS"], injected, "the mail server sent more than its answer before TLS"),
    ];
    for (offers, says, detail) in rows {
        let server = Script { offers, says, ..Script::default() }.start().await;
        let mail = server.mail(MailEncryption::StartTls, None);
        let (reply, lines) = server.takes(&mail, &transport).await;
        assert_eq!(reply, failed(FailureKind::Network, detail));
        assert!(!lines.iter().any(|line| line.starts_with("MAIL")), "{lines:?}");
    }
    let says: Says = &[("STARTTLS", b"454 4.7.0 no TLS now\r\n")];
    let server = Script { offers: &["STARTTLS"], says, ..Script::default() }.start().await;
    let mail = server.mail(MailEncryption::StartTls, None);
    let (reply, lines) = server.takes(&mail, &transport).await;
    assert_eq!((reply, lines.len()), (refused(454, "STARTTLS: 454 4.7.0 no TLS now"), 2));
}

#[tokio::test]
async fn implicit_tls_starts_with_the_handshake_and_a_stranger_gets_nothing() {
    let (config, transport) = tls();
    let script = Script { tls: Some(config), is_implicit: true, ..Script::default() };
    let server = script.clone().start().await;
    let mail = server.mail(MailEncryption::Implicit, None);
    let (reply, lines) = server.takes(&mail, &transport).await;
    assert_eq!((reply, lines.len()), (accepted("2.0.0 Ok: queued as 4B1F"), 11));

    let (_, trusts_another) = tls();
    let server = script.start().await;
    let mail = server.mail(MailEncryption::Implicit, None);
    let (reply, lines) = server.takes(&mail, &trusts_another).await;
    let Reply::Failed { kind: FailureKind::Network, detail } = reply else { panic!("{reply:?}") };
    assert!(detail.starts_with("the certificate of the target"), "{detail}");
    assert!(lines.is_empty(), "{lines:?}");
}

#[tokio::test]
async fn what_a_server_refuses_is_refused_and_not_sent() {
    let rows: [(Says, u16, &str); 6] = [
        (&[("GREETING", b"421 4.3.2 busy\r\n")], 421, "greeting: 421 4.3.2 busy"),
        (&[("EHLO", b"502 what?\r\n")], 502, "EHLO: 502 what?"),
        (&[("MAIL", b"530 5.7.0 log in\r\n")], 530, "MAIL FROM: 530 5.7.0 log in"),
        (
            &[("RCPT TO:<b", b"450-4.2.0 grey\r\n450 4.2.0 later\r\n")],
            450,
            "RCPT TO b@y.example: 450 4.2.0 grey 4.2.0 later",
        ),
        (&[("DATA", b"554 5.5.1 no\r\n")], 554, "DATA: 554 5.5.1 no"),
        (&[(".", b"552 5.3.4 too big\r\n")], 552, "mail: 552 5.3.4 too big"),
    ];
    for (says, code, detail) in rows {
        let (reply, lines) = plain_says(says).await;
        assert_eq!(reply, refused(code, detail));
        assert_eq!(lines.iter().any(|line| line == "."), code == 552, "{lines:?}");
    }
}

/// An answer that is only half understood must not bring a second mail.
#[tokio::test]
async fn a_code_of_success_is_a_success_whatever_follows_it() {
    let rows: [(Says, &str); 4] = [
        (&[(".", b"250 2.0.0 \xff\xfe queued\x07\r\n")], "2.0.0 ?? queued?"),
        (&[(".", b"250-first\r\n")], "first"),
        (&[(".", b"250 without an end")], "without an end"),
        (&[(".", b"251 forwarded\r\n")], "forwarded"),
    ];
    for (says, text) in rows {
        let code = if text == "forwarded" { 251 } else { 250 };
        let reply = plain_says(says).await.0;
        assert_eq!(reply, Reply::Accepted { remote_id: Some(text.to_owned()), code });
    }
    let reply = plain_says(&[(".", b"250\r\n")]).await.0;
    assert_eq!(reply, Reply::Accepted { remote_id: None, code: 250 });
}

#[tokio::test]
async fn a_mail_whose_end_was_sent_is_in_doubt_without_an_answer() {
    let ended = "the connection ended after the mail was sent";
    let rows: [(Says, &str); 3] = [
        (&[(".", b"")], ended),
        (
            &[(".", b"queued\r\n")],
            "the mail server said something without a code after the mail was sent",
        ),
        (
            &[(".", b"354 more?\r\n")],
            "the mail server gave another answer than one after the mail was sent",
        ),
    ];
    for (says, detail) in rows {
        assert_eq!(plain_says(says).await.0, failed(FailureKind::Timeout, detail));
    }
}

#[tokio::test]
async fn a_mail_whose_end_was_not_sent_is_not_delivered() {
    let ended = "the connection ended before the mail";
    let rows: [(Says, &str); 4] = [
        (&[("GREETING", b"")], ended),
        (&[("RCPT", b"")], ended),
        (&[("EHLO", b"HTTP/1.1 400 Bad Request\r\n")], "the server did not answer in SMTP"),
        (&[("GREETING", b"SSH-2.0-OpenSSH_9.6\r\n")], "the server did not answer in SMTP"),
    ];
    for (says, detail) in rows {
        let (reply, _) = plain_says(says).await;
        let Reply::Failed { kind, detail: told } = &reply else { panic!("{reply:?}") };
        assert_eq!(*kind, FailureKind::Network);
        let reset = "the target ended the connection at once";
        assert!(told == detail || (detail == ended && told == reset), "{told}");
    }
}

#[tokio::test]
async fn a_reply_without_an_end_is_no_reply() {
    let lines: &'static [u8] = Box::leak("220-x\r\n".repeat(200).into_bytes().into_boxed_slice());
    let long: &'static [u8] = Box::leak(vec![b'2'; 8 * 1024].into_boxed_slice());
    for answer in [lines, long] {
        let says: Says = Box::leak(Box::new([("GREETING", answer)]));
        let reply = plain_says(says).await.0;
        assert_eq!(reply, failed(FailureKind::Network, "the server did not answer in SMTP"));
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_in_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut mail =
        Server { port, lines: tokio::spawn(async { Vec::new() }) }.mail(MailEncryption::None, None);
    let reply = MailTransport::default().send(&mail, &mut Exposed::default()).await;
    assert_eq!(reply, failed(FailureKind::Network, "the target refused the connection"));
    mail.server.host = "mail.invalid".to_owned();
    let reply = MailTransport::default().send(&mail, &mut Exposed::default()).await;
    let detail = "the name of the mail server could not be resolved";
    assert_eq!(reply, failed(FailureKind::Network, detail));
}

#[tokio::test]
async fn no_address_starts_a_command_of_its_own() {
    let server = Script::default().start().await;
    let mut mail = server.mail(MailEncryption::None, None);
    mail.recipients = vec!["a@x>\r\nRCPT TO:<evil@z".to_owned()];
    let (reply, lines) = server.takes(&mail, &MailTransport::default()).await;
    assert!(matches!(reply, Reply::Failed { kind: FailureKind::Network, .. }), "{reply:?}");
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn a_client_calls_itself_by_its_address() {
    assert_eq!(literal("10.0.0.7:1".parse().ok()), "[10.0.0.7]");
    assert_eq!(literal("[fd00::7]:1".parse().ok()), "[IPv6:fd00::7]");
}
