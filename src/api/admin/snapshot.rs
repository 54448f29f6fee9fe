//! `GET /api/v1/cluster/snapshot`: the bytes of a new snapshot of this replica, as on its disk.
//! It holds what runs are called and what was sent for them, so that it is for admins alone.

use crate::api::connections::Call;
use crate::api::server::Peer;
use crate::api::{Api, Problem, ProblemId};
use crate::cluster::{CompactError, SnapshotFile};
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use http::{HeaderName, header};
use std::io::{self, Read};

/// Bytes read and sent at a time.
const CHUNK_BYTES: u64 = 256 * 1024;

/// Makes a snapshot and sends it. A body that is shorter than its announced length is of no use.
pub(super) async fn show(
    State(api): State<Api>,
    peer: Option<Extension<Peer>>,
) -> Result<Response, Problem> {
    let call = peer.map(|Extension(peer)| peer.begin());
    let file = api.cluster.open_snapshot().await.map_err(|error| problem(&error))?;
    Ok(response(file, call))
}

/// The connection does not give way before all is sent.
fn response(file: SnapshotFile, call: Option<Call>) -> Response {
    let name = format!("attachment; filename=\"relay-{}.snapshot\"", file.index);
    let headers: [(HeaderName, String); 3] = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, file.bytes.to_string()),
        (header::CONTENT_DISPOSITION, name),
    ];
    (headers, Body::from_stream(chunks(file.content, call))).into_response()
}

/// Reads on threads that may wait for the disk, a chunk at a time.
fn chunks(
    content: Box<dyn Read + Send>,
    call: Option<Call>,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold((content, call), |(mut content, call)| async {
        let reading = tokio::task::spawn_blocking(move || {
            let mut chunk = Vec::new();
            content.by_ref().take(CHUNK_BYTES).read_to_end(&mut chunk)?;
            Ok::<_, io::Error>((chunk, content))
        });
        let (chunk, content) = reading.await.map_err(io::Error::other)??;
        Ok((!chunk.is_empty()).then(|| (Bytes::from(chunk), (content, call))))
    })
}

fn problem(error: &CompactError) -> Problem {
    let id = match error {
        CompactError::Empty => ProblemId::Conflict,
        CompactError::Stopped(_) | CompactError::TimedOut | CompactError::Disk(_) => {
            ProblemId::Internal
        }
    };
    Problem::new(id, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_snapshot_is_sent_whole_and_in_order_with_its_length() {
        let content: Vec<u8> = (0..3 * CHUNK_BYTES + 5).map(|at| (at % 251) as u8).collect();
        let bytes = content.len() as u64;
        let file =
            SnapshotFile { index: 7, bytes, content: Box::new(io::Cursor::new(content.clone())) };
        let answer = response(file, None);
        assert_eq!(answer.headers()[header::CONTENT_LENGTH], bytes.to_string());
        let name = "attachment; filename=\"relay-7.snapshot\"";
        assert_eq!(answer.headers()[header::CONTENT_DISPOSITION], name);
        let sent = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        assert!(sent == content);
    }

    #[test]
    fn a_replica_without_state_is_a_conflict_and_a_sick_disk_is_not() {
        assert_eq!(problem(&CompactError::Empty).id, ProblemId::Conflict);
        let disk = CompactError::Disk(io::Error::other("worn out"));
        assert_eq!(problem(&disk).id, ProblemId::Internal);
    }
}
