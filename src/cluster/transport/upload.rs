//! Large bodies, which are sent in chunks: their deadline is one of progress, for nobody knows
//! how long a whole one takes on a slow line.

use axum::body::{Body, Bytes};
use futures_util::stream;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;

/// Bytes of a chunk: a line of 1 Mbit/s takes one in two seconds, well within the deadline.
const CHUNK_BYTES: usize = 256 * 1024;

/// How long a call with a large body is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) struct ProgressTimeout {
    /// While no chunk is taken.
    pub stalled: Duration,
    /// From the last chunk to the answer.
    pub answered: Duration,
}

/// The body in chunks, and a signal for each one that is taken. HTTP/2 asks for the next one only
/// when the receiver has made room for it. The signal ends when none is left.
pub(super) fn chunked(body: Bytes) -> (Body, watch::Receiver<()>) {
    let (taking, taken) = watch::channel(());
    let starts = (0..body.len()).step_by(CHUNK_BYTES);
    let chunks = starts.map(move |start| {
        taking.send_replace(());
        let end = body.len().min(start + CHUNK_BYTES);
        Ok::<_, Infallible>(body.slice(start..end))
    });
    (Body::from_stream(stream::iter(chunks)), taken)
}

/// Returns when patience is at its end, and tells which it was.
pub(super) async fn lost(patience: ProgressTimeout, mut taken: watch::Receiver<()>) -> Duration {
    loop {
        match tokio::time::timeout(patience.stalled, taken.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => break,
            Err(_) => return patience.stalled,
        }
    }
    tokio::time::sleep(patience.answered).await;
    patience.answered
}

#[cfg(test)]
#[path = "upload_test.rs"]
mod tests;
