//! Asks a running relay over HTTP, and the commands that need no more than that.

use super::flags::{DlqCommand, DlqFlags, Endpoint, Output};
use super::say;
use anyhow::{Context as _, anyhow};
use reqwest::Method;
use serde_json::{Value, json};
use std::process::ExitCode;
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
    token: Option<String>,
}

impl Client {
    /// Reads the token. Nothing is asked yet.
    pub(super) fn new(endpoint: &Endpoint) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let token = match &endpoint.token_file {
            Some(file) => {
                let token = std::fs::read_to_string(file);
                let token = token.with_context(|| file.display().to_string())?;
                Some(token.trim().to_owned())
            }
            None => None,
        };
        let url = endpoint.url.trim_end_matches('/').to_owned();
        Ok(Self { client: reqwest::Client::builder().build()?, url, token })
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
            Some(token) => request.bearer_auth(token),
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
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    match problem["detail"].as_str() {
        Some(detail) => format!("{detail} ({status})"),
        None => format!("answered {status}: {body}"),
    }
}

/// A runtime for one command.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("the runtime could not be started")
}

/// Prints an answer as it was asked for.
pub(super) fn show(output: Output, answer: &Value, table: impl Fn(&Value) -> Vec<String>) {
    match output {
        Output::Json => say(answer),
        Output::Text => table(answer).into_iter().for_each(say),
    }
}

pub(super) fn dlq(flags: &DlqFlags) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(async {
        match &flags.command {
            DlqCommand::List { remote, limit, offset } => {
                let path = format!("/api/v1/dlq?limit={limit}&offset={offset}");
                let answer = Client::new(&remote.endpoint)?.get(&path).await?;
                show(remote.output, &answer, letter_table);
            }
            DlqCommand::Replay { remote, provider, state, after } => {
                let filter = json!({"provider": provider, "state": state, "after": after});
                let body = Some(json!({ "filter": filter }));
                let client = Client::new(&remote.endpoint)?;
                let answer = client.call(Method::POST, "/api/v1/dlq/replay", body).await?;
                let queued = |answer: &Value| vec![format!("{} queued again", answer["replayed"])];
                show(remote.output, &answer, queued);
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn letter_table(answer: &Value) -> Vec<String> {
    let events = answer["events"].as_array().into_iter().flatten();
    let mut lines: Vec<String> = events
        .map(|letter| {
            let effect = &letter["effect"];
            format!(
                "{:>6}  {}  {}/{}  {}  {}",
                text(&letter["id"]),
                text(&letter["failed_at"]),
                text(&effect["instance"]),
                text(&effect["action"]),
                text(&letter["envelope"]["Report"]["run_name"]),
                text(&letter["cause"]),
            )
        })
        .collect();
    lines.push(format!("{} of {} dead letters", answer["count"], answer["total"]));
    lines
}

/// A text of an answer; a dash where it has none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
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

    #[test]
    fn a_letter_is_a_line_and_the_last_line_counts() {
        let letter = json!({"id": "7", "failed_at": "t", "cause": "auth: 401",
            "effect": {"instance": "hub", "action": "checks"},
            "envelope": {"Report": {"run_name": "build-1"}}});
        let lines = letter_table(&json!({"events": [letter], "count": 1, "total": 9}));
        assert_eq!(lines, ["     7  t  hub/checks  build-1  auth: 401", "1 of 9 dead letters"]);
    }
}
