//! Events over one kept connection, and single requests.

use anyhow::{Context as _, bail};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No request here takes longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A connection to the relay.
pub struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// Posts an event; returns the status of the answer.
    pub fn post(&mut self, id: &str, event_type: &str, body: &str) -> anyhow::Result<u16> {
        let head = format!(
            "POST / HTTP/1.1\r\nhost: relay\r\ncontent-type: application/json\r\n\
             ce-specversion: 1.0\r\nce-source: /floods\r\nce-id: {id}\r\nce-type: {event_type}\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        Ok(self.ask(&[head.as_bytes(), body.as_bytes()])?.0)
    }

    /// The status and the body of a page.
    pub fn get(&mut self, path: &str) -> anyhow::Result<(u16, String)> {
        self.ask(&[format!("GET {path} HTTP/1.1\r\nhost: relay\r\n\r\n").as_bytes()])
    }

    /// One request. A connection that was closed meanwhile is opened again, once.
    fn ask(&mut self, parts: &[&[u8]]) -> anyhow::Result<(u16, String)> {
        let is_kept = self.stream.is_some();
        match self.try_ask(parts) {
            Err(_) if is_kept => {
                self.stream = None;
                self.try_ask(parts)
            }
            answered => answered,
        }
    }

    fn try_ask(&mut self, parts: &[&[u8]]) -> anyhow::Result<(u16, String)> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(ANSWER_WITHIN))?;
                stream
            }
        };
        for part in parts {
            stream.write_all(part)?;
        }
        let mut bytes = Vec::new();
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = stream.read(&mut buffer)?;
            if read == 0 {
                bail!("the answer was cut");
            }
            bytes.extend_from_slice(&buffer[..read]);
            let answer = std::str::from_utf8(&bytes)?;
            let Some((head, body)) = answer.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.context("an answer without length")?.parse()?;
            if body.len() >= length {
                let status = head.get(9..12).context("no status")?.parse()?;
                let body = body.to_owned();
                self.stream = Some(stream);
                return Ok((status, body));
            }
        }
    }
}
