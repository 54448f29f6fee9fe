//! Bodies as they arrive: inflated where they are compressed, signed over where a signature is to
//! be checked, and never more of them in memory than stated.

use super::{Problem, ProblemId};
use axum::body::Body;
use flate2::write::MultiGzDecoder;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, header};
use std::io::{self, Write};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of all bodies that are being read or worked on.
const BODIES_BYTES_MAX: usize = 64 << 20;
/// Bytes beside them that only the beginnings of bodies may take: large bodies that arrive slowly
/// leave room for events, few of which are larger than [`BEGINNING_BYTES`].
const BEGINNINGS_BYTES_MAX: usize = 16 << 20;
const BEGINNING_BYTES: usize = 64 << 10;
/// Memory is asked for in parts of this size at least.
const PART_BYTES_MIN: usize = 4 << 10;
/// A body over the bound is read this far, only to be able to answer.
const DISCARDED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What of the bodies on their way in may be in memory.
#[derive(Clone)]
pub struct BodyBudget {
    bodies: Arc<Semaphore>,
    beginnings: Arc<Semaphore>,
}

impl Default for BodyBudget {
    fn default() -> Self {
        let semaphore = |bytes| Arc::new(Semaphore::new(bytes));
        Self { bodies: semaphore(BODIES_BYTES_MAX), beginnings: semaphore(BEGINNINGS_BYTES_MAX) }
    }
}

/// A body in memory. Its room is given back when it is dropped.
pub(super) struct Received {
    bytes: Vec<u8>,
    bytes_max: usize,
    budget: BodyBudget,
    held: Vec<OwnedSemaphorePermit>,
    fault: Option<Fault>,
}

/// Why a body is read no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    TooLarge,
    NoRoom,
}

impl Received {
    fn new(budget: &BodyBudget, bytes_max: usize) -> Self {
        let budget = budget.clone();
        Self { bytes: Vec::new(), bytes_max, budget, held: Vec::new(), fault: None }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes the next part, if there is room for it.
    fn take(&mut self, part: &[u8]) -> Result<(), Fault> {
        let length = self.bytes.len() + part.len();
        if length > self.bytes_max {
            return Err(Fault::TooLarge);
        }
        if length > self.bytes.capacity() {
            let doubled = (2 * self.bytes.capacity()).clamp(PART_BYTES_MIN, self.bytes_max);
            let capacity = doubled.max(length);
            self.hold(capacity - self.bytes.capacity())?;
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }

    fn hold(&mut self, bytes: usize) -> Result<(), Fault> {
        let is_beginning = self.bytes.capacity() + bytes <= BEGINNING_BYTES;
        let bytes = u32::try_from(bytes).map_err(|_| Fault::NoRoom)?;
        let of = |room: &Arc<Semaphore>| Arc::clone(room).try_acquire_many_owned(bytes).ok();
        let mut permit = of(&self.budget.bodies);
        if permit.is_none() && is_beginning {
            permit = of(&self.budget.beginnings);
        }
        self.held.push(permit.ok_or(Fault::NoRoom)?);
        Ok(())
    }
}

/// What a decoder inflates comes in here.
impl Write for Received {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.take(part).map_err(|fault| {
            self.fault = Some(fault);
            io::Error::from(io::ErrorKind::OutOfMemory)
        })?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    /// What `Content-Encoding` says.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut all = headers.get_all(header::CONTENT_ENCODING).iter();
        let named = all.next().map(HeaderValue::as_bytes).unwrap_or_default().trim_ascii();
        if all.next().is_none() {
            match named.to_ascii_lowercase().as_slice() {
                b"" | b"identity" => return Ok(Self::Identity),
                b"gzip" | b"x-gzip" => return Ok(Self::Gzip),
                _ => {}
            }
        }
        let named = String::from_utf8_lossy(named);
        let detail = format!("Content-Encoding is {named:?}; accepted: gzip, identity");
        Err(Problem::new(ProblemId::UnsupportedEncoding, detail))
    }
}

enum Sink {
    Plain(Received),
    Inflated(Box<MultiGzDecoder<Received>>),
}

impl Sink {
    fn received(&self) -> &Received {
        match self {
            Self::Plain(received) => received,
            Self::Inflated(decoder) => decoder.get_ref(),
        }
    }

    fn write(&mut self, part: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(received) => received.write_all(part),
            Self::Inflated(decoder) => decoder.write_all(part),
        }
    }

    fn finish(self) -> io::Result<Received> {
        match self {
            Self::Plain(received) => Ok(received),
            Self::Inflated(mut decoder) => {
                decoder.try_finish()?;
                // Ends what was finished; it cannot fail any more.
                decoder.finish()
            }
        }
    }
}

/// Reads a body of at most `bytes_max` bytes after it is inflated. `see` is shown the bytes as they
/// were sent.
pub(super) async fn receive(
    body: Body,
    headers: &HeaderMap,
    (budget, bytes_max): (&BodyBudget, usize),
    mut see: impl FnMut(&[u8]),
) -> Result<Received, Problem> {
    let encoding = Encoding::of(headers)?;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let surplus =
        announced.filter(|text| text.parse().is_ok_and(|length: usize| length > bytes_max));
    let mut frames = body.into_data_stream();
    if let Some(length) = surplus {
        discard(frames).await;
        return Err(too_large(length, bytes_max));
    }
    let received = Received::new(budget, bytes_max);
    let mut sink = match encoding {
        Encoding::Identity => Sink::Plain(received),
        Encoding::Gzip => Sink::Inflated(Box::new(MultiGzDecoder::new(received))),
    };
    while let Some(frame) = frames.next().await {
        let frame = frame.map_err(|_| broken("the body breaks off"))?;
        see(&frame);
        if sink.write(&frame).is_err() {
            let problem = unread(sink.received().fault, bytes_max);
            let is_answered_late = problem.id == ProblemId::BodyTooLarge;
            drop(sink);
            if is_answered_late {
                discard(frames).await;
            }
            return Err(problem);
        }
    }
    match sink {
        Sink::Plain(received) => Ok(received),
        sink @ Sink::Inflated(_) => {
            let fault = sink.received().fault;
            sink.finish().map_err(|_| unread(fault, bytes_max))
        }
    }
}

fn unread(fault: Option<Fault>, bytes_max: usize) -> Problem {
    match fault {
        Some(Fault::TooLarge) => too_large("more", bytes_max),
        Some(Fault::NoRoom) => {
            let detail = format!(
                "the bodies that are being read hold all of their {BODIES_BYTES_MAX} bytes"
            );
            Problem::new(ProblemId::Overloaded, detail)
        }
        None => broken("the body is no whole gzip"),
    }
}

fn broken(detail: &str) -> Problem {
    Problem::new(ProblemId::InvalidCloudEvent, detail)
}

fn too_large(length: &str, bytes_max: usize) -> Problem {
    let detail = format!("body of {length} bytes, at most {bytes_max} are accepted");
    Problem::new(ProblemId::BodyTooLarge, detail)
}

/// Reads on for a while: a client that is still writing would see a broken connection in place
/// of the answer.
async fn discard(mut frames: axum::body::BodyDataStream) {
    let mut left = DISCARDED_BYTES_MAX;
    while let Some(Ok(frame)) = frames.next().await {
        let Some(rest) = left.checked_sub(frame.len()) else { return };
        left = rest;
    }
}

#[cfg(test)]
#[path = "receive_test.rs"]
mod tests;
