//! Sends events the way Tekton does: one connection each, and again after 20 ms, 40 ms, ... on
//! the statuses and errors that its client repeats.

use super::recording::Recorded;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// Attempts in all, measured on a real controller.
const ATTEMPTS_MAX: u32 = 11;
/// Wait before the first repetition; doubles with each one.
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// Answers that Tekton's client repeats; any other one is final.
const REPEATED: [u16; 7] = [404, 413, 425, 429, 502, 503, 504];

/// How one event ended for its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The last status; `None` when no connection was ever made.
    pub status: Option<u16>,
    /// The fate the relay named, empty where it was not taken.
    pub fate: String,
    pub attempts: u32,
}

impl Answer {
    /// Whether the sender may forget the event.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status =
            self.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        write!(f, "{status} {} after {} attempts", self.fate, self.attempts)
    }
}

/// A stand-in for Tekton's events controller.
pub struct Sender {
    client: reqwest::Client,
    url: String,
}

impl Sender {
    /// Sends to `url`.
    ///
    /// # Errors
    /// The HTTP client cannot be set up.
    pub fn new(url: &str) -> Result<Self, reqwest::Error> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().pool_max_idle_per_host(0).build()?;
        Ok(Self { client, url: url.to_owned() })
    }

    /// Sends all requests, each after the one before was answered or given up.
    pub async fn play(&self, requests: &[Recorded]) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(self.send(request).await);
        }
        answers
    }

    /// Sends one request with Tekton's retries.
    pub async fn send(&self, request: &Recorded) -> Answer {
        let mut wait = FIRST_WAIT;
        let mut attempts = 1;
        loop {
            let (status, fate) = self.attempt(request).await;
            let is_final = status.is_some_and(|status| !REPEATED.contains(&status));
            if is_final || attempts == ATTEMPTS_MAX {
                return Answer { status, fate, attempts };
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
            attempts += 1;
        }
    }

    async fn attempt(&self, request: &Recorded) -> (Option<u16>, String) {
        let mut post = self.client.post(&self.url).header("connection", "close");
        for (name, value) in &request.headers {
            if name.starts_with("ce-") || name == "content-type" {
                post = post.header(name, value);
            }
        }
        let Ok(response) = post.body(request.body.clone()).send().await else {
            return (None, String::new());
        };
        let status = response.status().as_u16();
        let body: Value = match response.text().await {
            Ok(text) => serde_json::from_str(&text).unwrap_or_default(),
            Err(_) => return (None, String::new()),
        };
        (Some(status), body["fate"].as_str().unwrap_or_default().to_owned())
    }
}
