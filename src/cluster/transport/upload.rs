//! Sends large bodies in chunks. Their deadline is one of progress, because the time for a whole
//! one on a slow line is unknown.

use axum::body::{Body, Bytes};
use futures_util::stream;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;

/// Bytes of a chunk: a line of 1 Mbit/s transfers one in two seconds, well within the deadline.
const CHUNK_BYTES: usize = 256 * 1024;

/// How long to wait for a call with a large body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) struct ProgressTimeout {
    /// Without an accepted chunk.
    pub stalled: Duration,
    /// From the last chunk to the answer.
    pub answered: Duration,
}

/// The body in chunks, and a signal for each accepted one. HTTP/2 asks for the next one only when
/// the receiver has room for it. The signal ends with the last chunk.
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

/// Returns when a deadline has passed, with the one that passed.
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
