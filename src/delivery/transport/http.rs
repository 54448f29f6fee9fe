//! HTTP requests with their secrets filled in. Redirects are not followed: a signed or token
//! request must not travel to a host nobody configured.

use crate::clock::Clock;
use crate::delivery::credentials;
use crate::failure::FailureKind;
use crate::integration::{HttpReply, HttpRequest, Method, Reply};
use std::sync::Arc;
use std::time::Duration;

/// Time to a connection; the whole call is bounded by `handler_timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answer read: a page of 100 comments of 65,536 characters, GitHub's largest.
const REPLY_BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Idle connections kept to one host.
const IDLE_PER_HOST_MAX: usize = 16;

/// Why the transport could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be built")]
pub struct BuildError(#[source] reqwest::Error);

/// Sends [`HttpRequest`]s.
#[derive(Clone)]
pub struct HttpTransport {
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
}

impl HttpTransport {
    /// A client with connection reuse, the system's root certificates and no redirects.
    ///
    /// # Errors
    /// The TLS stack cannot be set up.
    pub fn new(clock: Arc<dyn Clock>) -> Result<Self, BuildError> {
        // A second call finds the provider installed, which is what it wants.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(BuildError)?;
        Ok(Self { client, clock })
    }

    /// Sends a request and reads the answer. Error texts name no URL: it may be a secret.
    pub async fn send(&self, request: &HttpRequest) -> Reply {
        let prepared = match self.prepare(request).await {
            Ok(prepared) => prepared,
            Err(reply) => return reply,
        };
        match prepared.send().await {
            Ok(response) => self.read(response).await,
            Err(error) => failed(&error),
        }
    }

    async fn prepare(&self, request: &HttpRequest) -> Result<reqwest::RequestBuilder, Reply> {
        let url = credentials::resolve(&request.url).await.map_err(|e| unreadable(&e))?;
        let url: reqwest::Url = url.expose().parse().map_err(|_| Reply::Failed {
            kind: FailureKind::Credentials,
            detail: "the configured URL is not a URL".to_owned(),
        })?;
        let proof = credentials::header(&request.credential, &request.body)
            .await
            .map_err(|e| unreadable(&e))?;
        let mut builder = self.client.request(method(request.method), url);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some((name, value)) = proof {
            let mut value =
                reqwest::header::HeaderValue::from_str(value.expose()).map_err(|_| {
                    Reply::Failed {
                        kind: FailureKind::Credentials,
                        detail: "the secret holds characters that no header may have".to_owned(),
                    }
                })?;
            value.set_sensitive(true);
            builder = builder.header(name, value);
        }
        Ok(if request.body.is_empty() { builder } else { builder.body(request.body.clone()) })
    }

    async fn read(&self, mut response: reqwest::Response) -> Reply {
        let status = response.status().as_u16();
        let text = |value: &reqwest::header::HeaderValue| {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        let headers: Vec<_> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), text(value)))
            .collect();
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= REPLY_BODY_BYTES_MAX => {
                    body.extend_from_slice(&chunk);
                }
                Ok(_) => break,
                Err(error) => return failed(&error),
            }
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        Reply::Http(HttpReply { status, headers, body, now: self.clock.wall() })
    }
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

fn unreadable(error: &credentials::CredentialError) -> Reply {
    Reply::Failed { kind: FailureKind::Credentials, detail: error.to_string() }
}

/// `Network` only where the request cannot have been taken: the connection was never made.
fn failed(error: &reqwest::Error) -> Reply {
    let (kind, detail) = if error.is_connect() {
        (FailureKind::Network, "no connection")
    } else {
        (FailureKind::Timeout, "the connection ended before the answer")
    };
    Reply::Failed { kind, detail: detail.to_owned() }
}

#[cfg(test)]
#[path = "http_test.rs"]
mod tests;
