//! Sends events as Tekton does: one connection each, and retries after 20 ms, 40 ms, ... on the
//! statuses and errors that its client retries.

use super::recording::Recorded;
use serde_json::Value;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Total attempts, measured on a real controller.
const ATTEMPTS_MAX: u32 = 11;
/// Wait before the first retry; doubles with each one.
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// Answers that Tekton's client retries; any other one is final.
const REPEATED: [u16; 7] = [404, 413, 425, 429, 502, 503, 504];

/// The result of one event for its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderAnswer {
    /// The last status; `None` if no connection succeeded.
    pub status: Option<u16>,
    /// The fate in the relay's answer; empty if the event was not accepted.
    pub fate: String,
    pub attempts: u32,
}

impl SenderAnswer {
    /// Whether the sender may forget the event.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

impl fmt::Display for SenderAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status =
            self.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        write!(f, "{status} {} after {} attempts", self.fate, self.attempts)
    }
}

/// A fake of Tekton's events controller.
pub struct Sender {
    client: reqwest::Client,
    urls: Vec<String>,
    /// Attempts so far: each one goes to the next URL.
    attempted: AtomicUsize,
}

impl Sender {
    /// Sends to `url`.
    ///
    /// # Errors
    /// The HTTP client cannot be set up.
    pub fn new(url: &str) -> Result<Self, reqwest::Error> {
        Self::among(vec![url.to_owned()])
    }

    /// Sends to `urls` in turn, one attempt each, as a Kubernetes Service spreads connections. If a
    /// replica is down, the next attempt of an event reaches another one.
    ///
    /// # Errors
    /// The HTTP client cannot be set up.
    pub fn among(urls: Vec<String>) -> Result<Self, reqwest::Error> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().build()?;
        Ok(Self { client, urls, attempted: AtomicUsize::new(0) })
    }

    /// Sends all requests, each after the answer to the previous one or the end of its retries.
    pub async fn play(&self, requests: &[Recorded]) -> Vec<SenderAnswer> {
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(self.send(request).await);
        }
        answers
    }

    /// Sends one request with Tekton's retries.
    pub async fn send(&self, request: &Recorded) -> SenderAnswer {
        let mut wait = FIRST_WAIT;
        let mut attempts = 1;
        loop {
            let (status, fate) = self.attempt(request).await;
            let is_final = status.is_some_and(|status| !REPEATED.contains(&status));
            if is_final || attempts == ATTEMPTS_MAX {
                return SenderAnswer { status, fate, attempts };
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
            attempts += 1;
        }
    }

    async fn attempt(&self, request: &Recorded) -> (Option<u16>, String) {
        let mut post = self.client.post(self.next_url()).header("connection", "close");
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
    /// Empty, and so without any answer, if there is no URL.
    fn next_url(&self) -> &str {
        let at = self.attempted.fetch_add(1, Ordering::Relaxed);
        self.urls.get(at % self.urls.len().max(1)).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// A replica that answers each event with `status` and counts the events.
    async fn replica(status: u16) -> (String, Arc<AtomicUsize>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let router = axum::Router::new().fallback(async move || {
            count.fetch_add(1, Ordering::Relaxed);
            (http::StatusCode::from_u16(status).unwrap(), r#"{"fate":"accepted"}"#)
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        (url, taken)
    }

    fn event() -> Recorded {
        Recorded { headers: Vec::new(), body: Vec::new() }
    }

    #[tokio::test]
    async fn events_go_to_the_replicas_in_turn() {
        let ((one, by_one), (other, by_other)) = (replica(202).await, replica(202).await);
        let answers = Sender::among(vec![one, other]).unwrap().play(&[event(), event()]).await;
        assert!(answers.iter().all(|answer| answer.is_acknowledged() && answer.attempts == 1));
        assert_eq!((by_one.load(Ordering::Relaxed), by_other.load(Ordering::Relaxed)), (1, 1));
    }

    #[tokio::test]
    async fn a_refused_event_is_repeated_at_the_next_replica() {
        let ((sick, _), (well, _)) = (replica(503).await, replica(202).await);
        let gone = "http://127.0.0.1:1/".to_owned();
        let answer = Sender::among(vec![sick, gone, well]).unwrap().send(&event()).await;
        let expected = SenderAnswer { status: Some(202), fate: "accepted".to_owned(), attempts: 3 };
        assert_eq!(answer, expected);
    }

    #[tokio::test]
    async fn a_refusal_that_the_sender_does_not_repeat_is_final() {
        let ((strict, _), (well, asked)) = (replica(400).await, replica(202).await);
        let answer = Sender::among(vec![strict, well]).unwrap().send(&event()).await;
        assert_eq!((answer.status, answer.attempts), (Some(400), 1));
        assert!(!answer.is_acknowledged());
        assert_eq!(asked.load(Ordering::Relaxed), 0);
    }
}
