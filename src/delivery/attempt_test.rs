//! Attempts whose rendering panics or does not end, and exchanges that panic or do not end.

use super::*;
use crate::clock::SystemClock;
use crate::effect::{SkipReason, TargetKey};
use crate::event::{Key, recorded_run};
use crate::integration::{Exchange, Outbound, Reply, Target};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

const DEADLINE: Duration = Duration::from_millis(200);

/// What a test's integration does when it is begun.
enum Begin {
    Panic,
    /// Waits until the test lets go of the other end.
    Wait(Mutex<Receiver<()>>),
    PanicOnReply,
    SendForEver,
}

impl std::fmt::Debug for Begin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Begin")
    }
}

impl Integration for Begin {
    fn target(&self, _: &RunEvent, _: &RunContext) -> Result<Target, SkipReason> {
        let key = TargetKey(String::new());
        Ok(Target { key, delivery: crate::effect::Delivery::Stream })
    }

    fn begin(&self, _: &Effect<'_>) -> Turn {
        match self {
            Self::Panic => panic!("a template went wrong"),
            Self::Wait(end) => {
                let _ = end.lock().unwrap().recv();
                Turn::Done(Receipt::default())
            }
            Self::PanicOnReply => Turn::Send(line(), Box::new(PanicsOnReply)),
            Self::SendForEver => Turn::Send(line(), Box::new(SendsForEver)),
        }
    }
}

fn line() -> Outbound {
    Outbound::Log(String::new())
}

struct PanicsOnReply;

impl Exchange for PanicsOnReply {
    fn on_reply(self: Box<Self>, _: Reply) -> Turn {
        panic!("an answer went wrong")
    }
}

struct SendsForEver;

impl Exchange for SendsForEver {
    fn on_reply(self: Box<Self>, _: Reply) -> Turn {
        Turn::Send(line(), self)
    }
}

async fn failure_of(begin: Begin) -> DeliveryFailure {
    let route = RouteName { kind: "k".into(), instance: "i".into(), action: "a".into() };
    let job = Job {
        id: EffectId(Key(1)),
        attempt: 1,
        route,
        event: Arc::new(recorded_run(38)),
        context: RunContext::default(),
        remote_id: None,
        summary: None,
        is_in_doubt: false,
        accepted_at: Timestamp(1),
        now: Timestamp(1),
    };
    let transports = Transports::new(Arc::new(SystemClock::default())).unwrap();
    attempt(job, Arc::new(begin), &transports, DEADLINE).await.unwrap_err()
}

fn gives_up(failure: &DeliveryFailure, detail: &str) {
    assert_eq!((failure.kind, failure.detail()), (FailureKind::Render, detail));
    assert_eq!(failure.retryability, Retryability::Permanent);
}

#[tokio::test]
async fn rule_07_a_rendering_that_panics_is_given_up() {
    gives_up(&failure_of(Begin::Panic).await, "rendering the request panicked");
}

#[tokio::test]
async fn rule_07_a_rendering_that_does_not_end_is_given_up_and_blocks_nobody() {
    let (let_go, end) = channel();
    let failure = failure_of(Begin::Wait(Mutex::new(end))).await;
    gives_up(&failure, "rendering the request did not end");
    drop(let_go);
}

#[tokio::test]
async fn rule_07_an_exchange_that_panics_is_given_up() {
    gives_up(&failure_of(Begin::PanicOnReply).await, "the exchange panicked");
}

#[tokio::test]
async fn an_exchange_without_end_is_cut_by_its_turns() {
    let failure = failure_of(Begin::SendForEver).await;
    assert_eq!(
        (failure.kind, failure.retryability),
        (FailureKind::Server, Retryability::Permanent)
    );
}
