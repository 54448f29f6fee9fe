//! One conversation with a mail server (RFC 5321): commands, and replies that the server may make as
//! long and as wrong as it likes.

use super::Untaken;
use crate::integration::Rejection;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io;
use std::time::Duration;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Longest line of a reply that is read: four times what a server may send (RFC 5321, 4.5.3.1.5).
const LINE_BYTES_MAX: usize = 2048;

/// Most lines of a reply: servers announce some ten extensions.
const LINES_MAX: usize = 128;

/// Longest text of a line that is kept, in characters.
const TEXT_CHARS_MAX: usize = 256;

/// How long the text behind the last code is waited for, which decides nothing.
const REST_TIMEOUT: Duration = Duration::from_secs(1);

/// Digits of a reply code.
const CODE_DIGITS: usize = 3;

/// The end of a mail, on a line of its own.
const END_OF_DATA: &str = ".";

/// A connection, encrypted or not.
pub(super) trait MailStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> MailStream for S {}

/// A login with its secret read.
pub(super) enum Proof {
    Password { username: String, password: Secret },
    OAuth { username: String, token: Secret },
}

/// What the server said: its code, and the text of each line.
pub(super) struct MailReply {
    code: u16,
    texts: Vec<String>,
}

/// A connection between two commands.
pub(super) struct Conversation {
    stream: BufReader<Box<dyn MailStream>>,
    /// How the relay calls itself.
    own_name: String,
}

impl MailReply {
    /// Words of the line that starts with `extension`, where the server announced it.
    fn extension(&self, extension: &str) -> Option<Vec<String>> {
        // The first line is the greeting.
        self.texts.iter().skip(1).find_map(|text| {
            let text = text.to_ascii_uppercase();
            let mut words = text.split([' ', '=']).map(str::to_owned);
            (words.next().as_deref() == Some(extension)).then(|| words.collect())
        })
    }

    pub(super) fn offers_tls(&self) -> bool {
        self.extension("STARTTLS").is_some()
    }

    fn offers_login(&self, mechanism: &str) -> bool {
        self.extension("AUTH").is_some_and(|words| words.iter().any(|word| word == mechanism))
    }

    fn text(&self) -> String {
        self.texts.join(" ")
    }

    /// The reply where it is one to go on with.
    fn expected(self, phase: &str, code: u16) -> Result<Self, Untaken> {
        // Some servers answer 251 or 252 to a recipient, and 250 to `AUTH`: the class decides.
        if self.code / 100 == code / 100 {
            return Ok(self);
        }
        Err(Untaken::Refused(self.refusal(phase)))
    }

    fn refusal(&self, phase: &str) -> Rejection {
        Rejection { code: self.code, detail: format!("{phase}: {} {}", self.code, self.text()) }
    }
}

impl Conversation {
    pub(super) fn new(stream: Box<dyn MailStream>, own_name: String) -> Self {
        Self { stream: BufReader::new(stream), own_name }
    }

    /// Waits until the server is ready.
    pub(super) async fn greeting(&mut self) -> Result<(), Untaken> {
        self.reply().await?.expected("greeting", 220).map(drop)
    }

    /// Says who calls; the reply tells what the server can do.
    pub(super) async fn hello(&mut self) -> Result<MailReply, Untaken> {
        let hello = format!("EHLO {}", self.own_name);
        self.command(&hello).await?.expected("EHLO", 250)
    }

    /// Asks for TLS, and gives the connection for it. What the server says before the handshake is
    /// not believed afterwards: somebody between the two may have said it.
    pub(super) async fn start_tls(mut self) -> Result<Box<dyn MailStream>, Untaken> {
        self.command("STARTTLS").await?.expected("STARTTLS", 220)?;
        if self.stream.buffer().is_empty() {
            return Ok(self.stream.into_inner());
        }
        let detail = "the mail server sent more than its answer before TLS";
        Err(Untaken::Unreached(detail.to_owned()))
    }

    /// Proves who the relay is.
    pub(super) async fn log_in(&mut self, hello: &MailReply, proof: &Proof) -> Result<(), Untaken> {
        let encoded = |text: &str| Zeroizing::new(STANDARD.encode(text));
        let reply = match proof {
            Proof::Password { username, password } if hello.offers_login("PLAIN") => {
                let both = Zeroizing::new(format!("\0{username}\0{}", password.expose()));
                let initial = Zeroizing::new(format!("AUTH PLAIN {}", &*encoded(&both)));
                self.command(&initial).await?
            }
            Proof::Password { username, password } if hello.offers_login("LOGIN") => {
                self.command("AUTH LOGIN").await?.expected("AUTH", 334)?;
                self.command(&STANDARD.encode(username)).await?.expected("AUTH", 334)?;
                self.command(&encoded(password.expose())).await?
            }
            Proof::OAuth { username, token } if hello.offers_login("XOAUTH2") => {
                let both = format!("user={username}\x01auth=Bearer {}\x01\x01", token.expose());
                let both = Zeroizing::new(both);
                let initial = Zeroizing::new(format!("AUTH XOAUTH2 {}", &*encoded(&both)));
                let reply = self.command(&initial).await?;
                // A refusal comes as a challenge first, which wants an empty answer.
                if reply.code == 334 { self.command("").await? } else { reply }
            }
            Proof::Password { .. } | Proof::OAuth { .. } => {
                let detail = "the mail server offers no login that the relay could use";
                return Err(Untaken::Unproven(detail.to_owned()));
            }
        };
        reply.expected("AUTH", 235).map(drop)
    }

    /// Names sender and recipients; all of them have to be taken.
    pub(super) async fn envelope(
        &mut self,
        sender: &str,
        recipients: &[String],
    ) -> Result<(), Untaken> {
        self.command(&format!("MAIL FROM:<{sender}>")).await?.expected("MAIL FROM", 250)?;
        for recipient in recipients {
            let reply = self.command(&format!("RCPT TO:<{recipient}>")).await?;
            reply.expected(&format!("RCPT TO {recipient}"), 250)?;
        }
        Ok(())
    }

    /// Sends the mail up to its end, without which no server delivers it (RFC 5321, 4.1.1.4).
    pub(super) async fn content(&mut self, content: &str) -> Result<(), Untaken> {
        self.command("DATA").await?.expected("DATA", 354)?;
        self.write(&on_the_wire(content)).await.map_err(|error| Untaken::unreached(&error))
    }

    /// Ends the mail. From here on nobody knows without an answer what became of it, and its code
    /// alone decides: text that is cut or garbled would only bring a second mail.
    pub(super) async fn end_of_content(&mut self) -> Result<MailReply, Untaken> {
        let in_doubt = |why: &str| Untaken::InDoubt(format!("{why} after the mail was sent"));
        let end = format!("{END_OF_DATA}\r\n");
        self.write(&end).await.map_err(|_| in_doubt("the connection ended"))?;
        let line = self.last_line().await.map_err(|_| in_doubt("the connection ended"))?;
        let Some(code) = code_of(&line) else {
            return Err(in_doubt("the mail server said something without a code"));
        };
        let reply = MailReply { code, texts: vec![text_of(&line)] };
        match code {
            200..=299 => Ok(reply),
            400..=599 => Err(Untaken::Refused(reply.refusal("mail"))),
            _ => Err(in_doubt("the mail server gave another answer than one")),
        }
    }

    /// Takes leave, without waiting for an answer.
    pub(super) async fn quit(mut self) {
        let _ = self.write("QUIT\r\n").await;
        let _ = self.stream.shutdown().await;
    }

    async fn command(&mut self, command: &str) -> Result<MailReply, Untaken> {
        // A line break would be the end of this command and the start of another one.
        if command.contains(['\r', '\n']) {
            return Err(Untaken::Unreached("a command would hold a line break".to_owned()));
        }
        let line = Zeroizing::new(format!("{command}\r\n"));
        self.write(&line).await.map_err(|error| Untaken::unreached(&error))?;
        self.reply().await
    }

    async fn write(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes()).await?;
        self.stream.flush().await
    }

    async fn reply(&mut self) -> Result<MailReply, Untaken> {
        let mut texts = Vec::new();
        while texts.len() < LINES_MAX {
            let line = self.line().await.map_err(|error| Untaken::unreached(&error))?;
            let Some(code) = code_of(&line) else { break };
            texts.push(text_of(&line));
            if line.get(CODE_DIGITS) != Some(&b'-') {
                return Ok(MailReply { code, texts });
            }
        }
        Err(Untaken::Unreached("the server did not answer in SMTP".to_owned()))
    }

    /// The line that decides, or what of it came in time behind its code.
    async fn last_line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        loop {
            let read = timeout(REST_TIMEOUT, self.read_line(&mut line)).await;
            match read {
                Ok(read) => return read.map(|()| line),
                Err(_) if code_of(&line).is_some() => return Ok(line),
                Err(_) => {}
            }
        }
    }

    /// A line, or what came of it before its bound or the end of the connection.
    async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.read_line(&mut line).await?;
        Ok(line)
    }

    /// Reads on with a line. What was read stays in it when the caller stops waiting.
    async fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<()> {
        let bound = u64::try_from(LINE_BYTES_MAX.saturating_sub(line.len())).unwrap_or(u64::MAX);
        (&mut self.stream).take(bound).read_until(b'\n', line).await?;
        if line.is_empty() {
            return Err(io::Error::other("the connection ended"));
        }
        Ok(())
    }
}

impl MailReply {
    /// The code, and what the server calls the mail, if it says so.
    pub(super) fn into_receipt(self) -> (u16, Option<String>) {
        let text = self.text();
        (self.code, (!text.is_empty()).then_some(text))
    }
}

/// The code that a line starts with: three digits, the first of them 2 to 5.
fn code_of(line: &[u8]) -> Option<u16> {
    let digits = line.first_chunk::<CODE_DIGITS>()?;
    let is_code = digits.iter().all(u8::is_ascii_digit)
        && (b'2'..=b'5').contains(&digits[0])
        && !line.get(CODE_DIGITS).is_some_and(u8::is_ascii_digit);
    is_code.then(|| digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
}

/// The text behind the code, in printable ASCII.
fn text_of(line: &[u8]) -> String {
    let text = line.get(CODE_DIGITS + 1..).unwrap_or_default().trim_ascii();
    let printable = |byte: &u8| match byte {
        b' '..=b'~' => char::from(*byte),
        _ => '?',
    };
    text.iter().take(TEXT_CHARS_MAX).map(printable).collect()
}

/// The lines of a mail as they are sent. A dot at the start of one is doubled: alone it would end
/// the mail (RFC 5321, 4.5.2). No break but CR LF is left, so that no server sees another end.
fn on_the_wire(content: &str) -> String {
    let content = content.replace("\r\n", "\n").replace('\r', "\n");
    let mut wire = String::with_capacity(content.len());
    for line in content.strip_suffix('\n').unwrap_or(&content).split('\n') {
        if line.starts_with(END_OF_DATA) {
            wire.push_str(END_OF_DATA);
        }
        wire.push_str(line);
        wire.push_str("\r\n");
    }
    wire
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_mail_ends_it() {
        let rows = [
            ("a\n", "a\r\n"),
            ("a", "a\r\n"),
            (".\r\nb\r\n", "..\r\nb\r\n"),
            ("a\n.\nMAIL FROM:<x@y>\n", "a\r\n..\r\nMAIL FROM:<x@y>\r\n"),
            ("a\r.\rb", "a\r\n..\r\nb\r\n"),
            ("a\r\n..\r\n", "a\r\n...\r\n"),
            ("a\n\r.\r\n", "a\r\n\r\n..\r\n"),
        ];
        for (content, wire) in rows {
            assert_eq!(on_the_wire(content), wire, "{content:?}");
        }
    }

    #[test]
    fn a_code_is_three_digits_and_the_rest_is_text() {
        for (line, code) in [
            (b"250 ok\r\n".as_slice(), Some(250)),
            (b"250-ok", Some(250)),
            (b"250", Some(250)),
            (b"250\xff\xfe\r\n", Some(250)),
            (b"554\tno", Some(554)),
            (b"2500 ok", None),
            (b"150 ok", None),
            (b"650 ok", None),
            (b"25", None),
            (b"ok", None),
            (b"HTTP/1.1 400 Bad Request", None),
        ] {
            assert_eq!(code_of(line), code, "{line:?}");
        }
        assert_eq!(text_of(b"250 2.0.0 \xc3\xa4\x1b[1m ok \r\n"), "2.0.0 ???[1m ok");
    }
}
