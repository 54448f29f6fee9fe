//! Asks a running relay over HTTP.

use super::flags::{Endpoint, Output};
use super::say;
use super::whom::Whom;
use crate::api::answers::ProblemAnswer;
use crate::secret::Secret;
use anyhow::{Context as _, anyhow};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// A relay that does not answer in this time is reported as not answering: longer than a leader
/// takes to change the membership.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A snapshot of the largest state is made in seconds, and sent over a slow line in minutes.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_mins(15);

/// A relay to ask.
pub(super) struct Client {
    client: reqwest::Client,
    url: String,
    token: Option<Secret>,
}

impl Client {
    /// Finds out whom to ask and reads the token. Nothing is asked yet.
    pub(super) async fn new(endpoint: &Endpoint) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let Whom { url, token } = endpoint.whom().await?;
        let mut client = reqwest::Client::builder();
        if let Some(file) = &endpoint.ca_file {
            let at = || file.display().to_string();
            let pem = std::fs::read(file).with_context(at)?;
            let authority = reqwest::Certificate::from_pem(&pem).with_context(at)?;
            client = client.tls_certs_only([authority]);
        }
        Ok(Self { client: client.build()?, url, token })
    }

    /// Makes one call and gives its JSON.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let mut request = self.request(method, path).timeout(TIMEOUT);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let text = self.send(request).await?.text().await?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Asks for JSON.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None).await
    }

    /// Asks for a file, to be read in parts.
    pub(super) async fn download(&self, path: &str) -> anyhow::Result<reqwest::Response> {
        self.send(self.request(Method::GET, path).timeout(DOWNLOAD_TIMEOUT)).await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<reqwest::Response> {
        let response = request.send().await;
        let response = response.with_context(|| format!("no answer from {}", self.url))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        Err(anyhow!("{}: {}", self.url, refusal(status.as_u16(), &text)))
    }
}

/// What a relay says about a call that it refuses.
fn refusal(status: u16, body: &str) -> String {
    let problem: ProblemAnswer = serde_json::from_str(body).unwrap_or_default();
    if problem.detail.is_empty() {
        return format!("answered {status}: {body}");
    }
    format!("{} ({status})", problem.detail)
}

/// A runtime for one command.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("the runtime could not be started")
}

/// Prints an answer as it was asked for: as it came, or as people read it.
pub(super) fn show<T: DeserializeOwned>(
    output: Output,
    answer: Value,
    table: impl Fn(&T) -> Vec<String>,
) -> anyhow::Result<()> {
    match output {
        Output::Json => say(answer),
        Output::Text => table(&read(answer)?).into_iter().for_each(say),
    }
    Ok(())
}

/// An answer by its type. What a newer relay says beyond it is left out.
pub(super) fn read<T: DeserializeOwned>(answer: Value) -> anyhow::Result<T> {
    serde_json::from_value(answer).context("the answer is not that of a relay")
}

/// A text of an answer; a dash where it has none.
pub(super) fn text(value: Option<&str>) -> &str {
    value.filter(|text| !text.is_empty()).unwrap_or("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_with_the_words_of_the_relay() {
        let problem = r#"{"title":"not possible now","detail":"node 07 leads"}"#;
        assert_eq!(refusal(409, problem), "node 07 leads (409)");
        assert_eq!(refusal(502, "bad gateway"), "answered 502: bad gateway");
    }
}
