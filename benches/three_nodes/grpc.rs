//! The part of gRPC that etcd needs: unary calls over one HTTP/2 connection.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use anyhow::{Context as _, ensure};
use axum::body::Body;
use http::{HeaderMap, Request};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use tokio::net::TcpStream;

/// Before each message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// A connection with parallel calls. Clones share it.
#[derive(Clone)]
pub struct Channel {
    sender: SendRequest<Body>,
    address: SocketAddr,
}

impl Channel {
    /// Connects; the connection ends with the last clone.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        // Callers learn of its end from their calls.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Self { sender, address })
    }

    /// Calls `path` with one message, and returns the answer.
    pub async fn call<A: Message + Default>(
        &mut self,
        path: &str,
        message: &impl Message,
    ) -> anyhow::Result<A> {
        let request = Request::post(format!("http://{}{path}", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Body::from(framed(message)?))?;
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        let (data, trailers) = read(body).await?;
        // An error without a message is in the headers.
        let status = trailers.get("grpc-status").or_else(|| head.headers.get("grpc-status"));
        let status = status.context("an answer without status")?;
        ensure!(status == "0", "{path}: grpc-status {status:?}");
        Ok(A::decode(data.get(PREFIX_BYTES..).context("an answer without message")?)?)
    }
}

fn framed(message: &impl Message) -> anyhow::Result<Vec<u8>> {
    let length = message.encoded_len();
    let mut bytes = Vec::with_capacity(PREFIX_BYTES + length);
    bytes.push(0);
    bytes.extend(u32::try_from(length)?.to_be_bytes());
    message.encode(&mut bytes)?;
    Ok(bytes)
}

async fn read(mut body: Incoming) -> anyhow::Result<(Vec<u8>, HeaderMap)> {
    let (mut data, mut trailers) = (Vec::new(), HeaderMap::new());
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        match frame?.into_data() {
            Ok(bytes) => data.extend_from_slice(&bytes),
            Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
        }
    }
    Ok((data, trailers))
}
