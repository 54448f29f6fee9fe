//! Sends the events of a demo one after the other, at a pace that leaves time to kill replicas in
//! between.

use super::recording::Recorded;
use super::sender::{Sender, SenderAnswer};
use std::time::{Duration, Instant};

/// The events sent so far, and their answers.
pub struct Playing {
    sender: Sender,
    pace: Duration,
    answers: Vec<SenderAnswer>,
    gap: Gap,
}

impl Playing {
    /// Sends through `sender` and waits `pace` before each event.
    #[must_use]
    pub fn new(sender: Sender, pace: Duration) -> Self {
        Self { sender, pace, answers: Vec::new(), gap: Gap::begin(Instant::now()) }
    }

    /// Sends all requests, each after the answer to the previous one or the end of its retries.
    pub async fn play(&mut self, requests: &[Recorded]) {
        self.gap.resume(Instant::now());
        for request in requests {
            tokio::time::sleep(self.pace).await;
            let answer = self.sender.send(request).await;
            if answer.is_acknowledged() {
                self.gap.acknowledged(Instant::now());
            }
            self.answers.push(answer);
        }
    }

    /// The longest time between two acknowledged events.
    #[must_use]
    pub fn gap_max(&self) -> Duration {
        self.gap.longest
    }

    /// The answer to each event.
    #[must_use]
    pub fn into_answers(self) -> Vec<SenderAnswer> {
        self.answers
    }
}

/// The longest time without an acknowledged event while events were sent.
struct Gap {
    last: Instant,
    longest: Duration,
}

impl Gap {
    fn begin(now: Instant) -> Self {
        Self { last: now, longest: Duration::ZERO }
    }

    /// Sending continues: the time before it does not count.
    fn resume(&mut self, now: Instant) {
        self.last = now;
    }

    fn acknowledged(&mut self, now: Instant) {
        self.longest = self.longest.max(now.saturating_duration_since(self.last));
        self.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_is_kept_and_time_without_events_is_none() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut gap = Gap::begin(start);
        gap.acknowledged(at(3));
        gap.acknowledged(at(4));
        gap.resume(at(20));
        gap.acknowledged(at(22));
        assert_eq!(gap.longest, Duration::from_secs(3));
    }

    #[tokio::test]
    async fn an_event_that_is_refused_for_good_has_an_answer_and_makes_no_end_of_a_gap() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(async || http::StatusCode::BAD_REQUEST);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut playing = Playing::new(Sender::new(&url).unwrap(), Duration::ZERO);
        playing.play(&[Recorded { headers: Vec::new(), body: Vec::new() }]).await;
        assert_eq!(playing.gap_max(), Duration::ZERO);
        let statuses = playing.into_answers().into_iter().map(|answer| answer.status);
        assert_eq!(statuses.collect::<Vec<_>>(), [Some(400)]);
    }
}
