//! Receives large bodies into a file, so that one that is slow, or never ends, takes no memory
//! meanwhile.

use super::refusal::Refused;
use crate::cluster::data_dir::files;
use axum::body::{Body, Bytes};
use futures_util::StreamExt as _;
use std::io::{self, SeekFrom};
use std::path::Path;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

/// The file is unlinked once open: a process that ends leaves nothing behind.
const FILE: &str = "incoming";

/// The body, of at most `bytes_max`. It stays in `folder` until it is complete.
///
/// # Errors
/// It is too long or incomplete, or the disk refuses.
pub(super) async fn received(
    body: Body,
    folder: &Path,
    bytes_max: usize,
) -> Result<Bytes, Refused> {
    let malformed = |_: io::Error| Refused::malformed("body");
    let mut file = open(folder).map_err(malformed)?;
    let (mut frames, mut length) = (body.into_data_stream(), 0);
    while let Some(frame) = frames.next().await {
        let frame = frame.map_err(|error| malformed(io::Error::other(error)))?;
        length += frame.len();
        if length > bytes_max {
            return Err(malformed(io::ErrorKind::FileTooLarge.into()));
        }
        file.write_all(&frame).await.map_err(malformed)?;
    }
    let read = async {
        file.flush().await?;
        file.seek(SeekFrom::Start(0)).await?;
        let mut whole = Vec::with_capacity(length);
        file.read_to_end(&mut whole).await?;
        Ok(whole)
    };
    read.await.map(Bytes::from).map_err(malformed)
}

fn open(folder: &Path) -> io::Result<tokio::fs::File> {
    let path = folder.join(FILE);
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let file = files::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(tokio::fs::File::from_std(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use std::convert::Infallible;

    fn body(frames: usize) -> Body {
        let frame = Bytes::from(vec![7; 1_000]);
        Body::from_stream(stream::iter(
            (0..frames).map(move |_| Ok::<_, Infallible>(frame.clone())),
        ))
    }

    #[tokio::test]
    async fn a_body_waits_on_disk_and_leaves_nothing_there() {
        let folder = tempfile::tempdir().unwrap();
        let whole = received(body(5), folder.path(), 5_000).await.unwrap();
        assert!(whole.len() == 5_000 && whole.iter().all(|byte| *byte == 7));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_body_over_its_bound_is_refused_before_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let endless = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[7; 1_000])));
        let refused = received(Body::from_stream(endless), folder.path(), 5_000).await;
        assert_eq!(refused, Err(Refused::malformed("body")));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
