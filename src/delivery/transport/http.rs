//! HTTP requests with their secrets filled in. Redirects are followed within the configured host
//! alone, with method and body: a signed or token request must not travel to a host nobody
//! configured.

use super::cause::{OtherEnd, OtherEnds, explain, is_refused_by_proxy};
use super::clients::{BuildError, Clients, Way};
use super::exposed::Exposed;
use super::redirect::{self, REDIRECTS_MAX};
use super::token_cache::{TokenCache, TokenKey};
use crate::clock::Clock;
use crate::delivery::credentials;
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::integration::connection::ConnectionProfile;
use crate::integration::token::{HeaderForm, Token, TokenExchange};
use crate::integration::{
    Credential, CredentialId, HttpReply, HttpRequest, Method, Reply, ReplyBody, Text, Unfollowed,
};
use crate::secret::Secret;
use reqwest::header::HeaderValue;
use reqwest::{Response, Url};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroize as _;

/// Longest answer read: a page of 100 comments of 65,536 characters, GitHub's largest.
const WHOLE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest beginning of an answer that is no success: a complaint is a few hundred bytes.
const COMPLAINT_BYTES_MAX: usize = 64 * 1024;
/// Longest answer that is taken off a connection unread, so that the next call can have it. A
/// connection with more on it is closed.
const DRAIN_BYTES_MAX: usize = 16 * 1024;
/// Longest wait for a body that decides nothing.
const GLANCE_WAIT: Duration = Duration::from_secs(2);
/// The status that says a credential is not, or no more, one.
const UNAUTHORIZED: u16 = 401;
/// The status by which a proxy asks for a credential.
const PROXY_UNAUTHORIZED: u16 = 407;
/// Tokens that one request is sent with, at most.
const TOKEN_TRIES: u32 = 2;

/// Sends [`HttpRequest`]s.
#[derive(Clone)]
pub struct HttpTransport {
    clients: Arc<Clients>,
    tokens: Arc<TokenCache>,
    clock: Arc<dyn Clock>,
}

/// Why there is no answer, in words that name neither a URL nor a secret.
#[derive(Debug)]
struct CallFailure {
    kind: FailureKind,
    detail: String,
}

/// A header that proves who we are, by its name.
type Proof = Option<(String, Secret)>;

/// A request with its secrets, to be sent once for each address that it is redirected to.
struct Prepared<'r> {
    request: &'r HttpRequest,
    /// The address that was configured.
    url: Url,
    proof: Option<(String, HeaderValue)>,
}

impl Prepared<'_> {
    fn credential(&self) -> Option<CredentialId> {
        let (_, value) = self.proof.as_ref()?;
        let hash = Sha256::digest(value.as_bytes());
        let half = hash.first_chunk().copied().unwrap_or_default();
        Some(CredentialId(u128::from_be_bytes(half)))
    }
}

impl HttpTransport {
    /// A transport that reads the time of answers, and of the end of tokens, from `clock`.
    ///
    /// # Errors
    /// The TLS stack cannot be set up.
    pub fn new(clock: Arc<dyn Clock>) -> Result<Self, BuildError> {
        Ok(Self { clients: Arc::new(Clients::new()?), tokens: Arc::default(), clock })
    }

    /// Sends a request and reads the answer. Error texts name no URL: it may be a secret. The
    /// secrets that leave with the request are noted in `exposed`: the answer may echo them.
    ///
    /// # Errors
    /// The request needs a token, and there is none to be had: nothing was sent.
    pub(crate) async fn send(
        &self,
        request: &HttpRequest,
        exposed: &mut Exposed,
    ) -> Result<Reply, DeliveryFailure> {
        let answer = if let Credential::Exchanged { place, exchange } = &request.credential {
            self.send_with_token(request, (place, exchange), exposed).await?
        } else {
            self.send_with_secret(request, exposed).await
        };
        Ok(answer.map_or_else(Reply::from, Reply::Http))
    }

    /// Sends a request whose credential is a secret, or made of one.
    async fn send_with_secret(
        &self,
        request: &HttpRequest,
        exposed: &mut Exposed,
    ) -> Result<HttpReply, CallFailure> {
        let proof = credentials::header(&request.credential, &request.body, exposed).await;
        self.call(request, proof.map_err(|error| unreadable(&error))?, exposed).await
    }

    /// Sends a request with a token. One that the target refuses (401) may have been revoked before
    /// its end: it is dropped, and the request sent once more with another. Whoever refuses a
    /// credential has carried nothing out.
    async fn send_with_token(
        &self,
        request: &HttpRequest,
        (place, exchange): (&HeaderForm, &TokenExchange),
        exposed: &mut Exposed,
    ) -> Result<Result<HttpReply, CallFailure>, DeliveryFailure> {
        let connection = request.connection.as_ref();
        let key = TokenKey { exchange: exchange.key(), connection: connection.cloned() };
        let mut tries = 0;
        loop {
            let fetched = self.exchange(exchange, connection);
            let token = self.tokens.get(&key, &*self.clock, fetched).await?;
            exposed.add(token.expose());
            let proof = Some((place.name.clone(), place.value(&token)));
            let answer = self.call(request, proof, exposed).await;
            tries += 1;
            if !answer.as_ref().is_ok_and(|reply| reply.status == UNAUTHORIZED) {
                return Ok(answer);
            }
            self.tokens.drop_refused(&key, &token).await;
            if tries == TOKEN_TRIES {
                return Ok(answer);
            }
        }
    }

    /// Asks for a token, on the way that the calls with it take. What the failure says is free of
    /// secrets: others take it who showed none.
    async fn exchange(
        &self,
        exchange: &TokenExchange,
        connection: Option<&Arc<ConnectionProfile>>,
    ) -> Result<Token, DeliveryFailure> {
        let mut exposed = Exposed::default();
        let request = exchange.request(self.clock.wall());
        let request = HttpRequest { connection: connection.cloned(), ..request };
        let token = match self.send_with_secret(&request, &mut exposed).await {
            Ok(mut reply) => {
                let token = exchange.read(&reply);
                reply.body.zeroize();
                token
            }
            Err(CallFailure { kind, detail }) => {
                // However the exchange broke off, the target itself was not called.
                let kind = if kind == FailureKind::Timeout { FailureKind::Network } else { kind };
                Err(DeliveryFailure::new(kind, Retryability::Temporary, &detail))
            }
        };
        token.map_err(|failure| {
            let detail = exposed.cut(&format!("no token: {}", failure.detail()));
            failure.with_detail(&detail)
        })
    }

    /// Sends a request with a header that proves who we are, and reads the answer.
    async fn call(
        &self,
        request: &HttpRequest,
        proof: Proof,
        exposed: &mut Exposed,
    ) -> Result<HttpReply, CallFailure> {
        let prepared = prepare(request, proof, exposed).await?;
        let way = self.way(request, exposed).await?;
        let mut url = prepared.url.clone();
        let mut redirects = 0;
        loop {
            let response = match with_secrets(&way, &prepared, url.clone()).send().await {
                Ok(response) => response,
                Err(error) if is_refused_by_proxy(&error) => return Ok(self.refused_by_proxy()),
                Err(error) => return Err(failed(&error, &way, &url)),
            };
            let location = response.headers().get(reqwest::header::LOCATION);
            let location = location.and_then(|location| location.to_str().ok());
            let status = response.status().as_u16();
            let next = redirect::next(&prepared.url, &url, request.method, status, location);
            let unfollowed = match next {
                Some(Ok(_)) if redirects >= REDIRECTS_MAX => Some(Unfollowed::TooMany),
                Some(Ok(next)) => {
                    exposed.add_url(&next, matches!(request.url, Text::Secret(_)));
                    url = next;
                    redirects += 1;
                    continue;
                }
                Some(Err(unfollowed)) => Some(unfollowed),
                None => None,
            };
            let reply = self.read(response, request.wants).await?;
            let credential = prepared.credential();
            return Ok(HttpReply { credential, unfollowed, ..reply });
        }
    }

    /// The client for a request. What its proxy is shown is noted in `exposed`.
    async fn way(&self, request: &HttpRequest, exposed: &mut Exposed) -> Result<Way, CallFailure> {
        let way = self.clients.get(request.connection.as_ref()).await;
        let way = way.map_err(|error| failed_with(FailureKind::Credentials, &error.to_string()))?;
        if let Some(user) = &way.user {
            exposed.add(user.name.expose());
            exposed.add(user.password.expose());
        }
        Ok(way)
    }

    /// What a proxy answers for an `http` target, also where it refused the way to an `https` one.
    fn refused_by_proxy(&self) -> HttpReply {
        let body = r#"{"message":"the proxy asks for a user and a password"}"#.to_owned();
        HttpReply {
            status: PROXY_UNAUTHORIZED,
            body,
            now: self.clock.wall(),
            ..HttpReply::default()
        }
    }

    async fn read(
        &self,
        mut response: Response,
        wants: ReplyBody,
    ) -> Result<HttpReply, CallFailure> {
        let status = response.status();
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers: Vec<_> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), text(value)))
            .collect();
        let (body, is_cut) = match wants {
            _ if !status.is_success() => glance(&mut response, COMPLAINT_BYTES_MAX).await,
            ReplyBody::Unread => {
                let (_, is_cut) = glance(&mut response, DRAIN_BYTES_MAX).await;
                (Vec::new(), is_cut)
            }
            ReplyBody::Glance(bytes_max) => glance(&mut response, bytes_max).await,
            ReplyBody::Whole => {
                let mut body = Vec::new();
                match append(&mut response, &mut body, WHOLE_BYTES_MAX).await {
                    Ok(is_cut) => (body, is_cut),
                    Err(_) => {
                        return Err(failed_with(FailureKind::Timeout, "the answer broke off"));
                    }
                }
            }
        };
        let body = String::from_utf8_lossy(&body).into_owned();
        let (status, now) = (status.as_u16(), self.clock.wall());
        Ok(HttpReply { status, headers, body, is_cut, now, ..HttpReply::default() })
    }
}

fn with_secrets(way: &Way, prepared: &Prepared<'_>, url: Url) -> reqwest::RequestBuilder {
    let request = prepared.request;
    let mut builder = way.client.request(method(request.method), url);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    if let Some((name, value)) = &prepared.proof {
        builder = builder.header(name, value);
    }
    if request.body.is_empty() { builder } else { builder.body(request.body.clone()) }
}

/// Reads the address of a request, which may be a secret.
async fn prepare<'r>(
    request: &'r HttpRequest,
    proof: Proof,
    exposed: &mut Exposed,
) -> Result<Prepared<'r>, CallFailure> {
    let text = credentials::resolve(&request.url).await.map_err(|e| unreadable(&e))?;
    let url: Url = text
        .expose()
        .parse()
        .map_err(|_| failed_with(FailureKind::Credentials, "the configured URL is not a URL"))?;
    exposed.add_url(&url, matches!(request.url, Text::Secret(_)));
    let proof = proof.map(|(name, value)| Ok((name, sensitive(&value)?))).transpose()?;
    Ok(Prepared { request, url, proof })
}

fn sensitive(value: &Secret) -> Result<HeaderValue, CallFailure> {
    let mut value = HeaderValue::from_str(value.expose()).map_err(|_| {
        let detail = "the secret holds characters that no header may have";
        failed_with(FailureKind::Credentials, detail)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// What comes of a body that decides nothing, up to `bytes_max`, and whether there was more.
async fn glance(response: &mut Response, bytes_max: usize) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    let read = tokio::time::timeout(GLANCE_WAIT, append(response, &mut body, bytes_max)).await;
    (body, !matches!(read, Ok(Ok(false))))
}

/// Appends a body up to `bytes_max`; true when there is more.
async fn append(
    response: &mut Response,
    body: &mut Vec<u8>,
    bytes_max: usize,
) -> Result<bool, reqwest::Error> {
    while let Some(chunk) = response.chunk().await? {
        let room = bytes_max.saturating_sub(body.len());
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if chunk.len() > room {
            return Ok(true);
        }
    }
    Ok(false)
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

fn unreadable(error: &credentials::CredentialError) -> CallFailure {
    failed_with(FailureKind::Credentials, &error.to_string())
}

fn failed(error: &reqwest::Error, way: &Way, url: &Url) -> CallFailure {
    let end = |is_proxy| if is_proxy { OtherEnd::Proxy } else { OtherEnd::Target };
    // The proxy passes TLS with an `https` target on; with an `http` one there is none but its own.
    let of_tls = end(way.has_proxy && url.scheme() == "http");
    let ends = OtherEnds { of_connection: end(way.has_proxy), of_tls };
    let (kind, detail) = explain(error, ends);
    CallFailure { kind, detail }
}

fn failed_with(kind: FailureKind, detail: &str) -> CallFailure {
    CallFailure { kind, detail: detail.to_owned() }
}

impl From<CallFailure> for Reply {
    fn from(CallFailure { kind, detail }: CallFailure) -> Self {
        Self::Failed { kind, detail }
    }
}

#[cfg(test)]
#[path = "http_test.rs"]
mod tests;

#[cfg(test)]
#[path = "http_connection_test.rs"]
mod connection_tests;

#[cfg(test)]
#[path = "http_token_test.rs"]
mod token_tests;
