//! Attempts whose rendering panics or does not end, exchanges that panic or do not end, and what
//! attempts tell of the way to the target.

use super::*;
use crate::clock::{SystemClock, Timestamp};
use crate::cluster::Failing;
use crate::effect::{EffectId, RouteName, SkipReason, TargetKey};
use crate::event::{Key, RunContext, RunEvent, recorded_run};
use crate::integration::github::AppInstallation;
use crate::integration::{
    Credential, Effect, Exchange, HttpRequest, Method, Outbound, Reply, ReplyBody, Target, Text,
};
use crate::secret::SecretRef;
use parking_lot::Mutex;
use std::sync::mpsc::{Receiver, channel};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const DEADLINE: Duration = Duration::from_millis(200);
/// Enough for every end that comes, and spent only on a call that gets no answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a test's integration does when it is begun.
enum Begin {
    Panic,
    /// Waits until the test lets go of the other end.
    Wait(Mutex<Receiver<()>>),
    PanicOnReply,
    SendForEver,
    /// Sends one request, and takes whatever comes for an end.
    Call(Text),
    /// Sends a second request after the first answer, and panics at the second one.
    CallTwice(Text, Text),
    WriteLine,
    /// Sends one request as an App of the GitHub at this address.
    CallAsApp(String),
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
                let _ = end.lock().recv();
                Turn::Done(Receipt::default())
            }
            Self::PanicOnReply => Turn::Send(line(), Box::new(PanicsOnReply)),
            Self::Call(url) => {
                Turn::Send(get(url.clone(), Credential::None), Box::new(EndsOnReply))
            }
            Self::CallTwice(first, second) => Turn::Send(
                get(first.clone(), Credential::None),
                Box::new(AsksTwice(second.clone())),
            ),
            Self::WriteLine => Turn::Send(line(), Box::new(EndsOnReply)),
            Self::CallAsApp(root) => {
                let key = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/rsa-pkcs8.pem");
                let private_key = SecretRef::file(key);
                let app = AppInstallation { app_id: 1, installation_id: 2, private_key };
                let call = get(Text::Plain(root.clone()), app.credential(root));
                Turn::Send(call, Box::new(EndsOnReply))
            }
            Self::SendForEver => Turn::Send(line(), Box::new(SendsForEver)),
        }
    }
}

fn line() -> Outbound {
    Outbound::Log(String::new())
}

fn get(url: Text, credential: Credential) -> Outbound {
    let (headers, body) = (Vec::new(), String::new());
    let wants = ReplyBody::Whole;
    let (method, connection) = (Method::Get, None);
    Outbound::Http(HttpRequest { method, url, headers, credential, body, wants, connection })
}

struct EndsOnReply;

impl Exchange for EndsOnReply {
    fn on_reply(self: Box<Self>, _: Reply) -> Turn {
        Turn::Done(Receipt::default())
    }
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

fn transports() -> Transports {
    Transports::new(Arc::new(SystemClock::default())).unwrap()
}

fn delivery_health() -> DeliveryHealthRecorder {
    DeliveryHealthRecorder::new(Arc::new(SystemClock::default()))
}

fn job() -> Job {
    let route = RouteName { kind: "k".into(), instance: "i".into(), action: "a".into() };
    Job {
        id: EffectId(Key(1)),
        attempt: 1,
        route,
        event: Arc::new(recorded_run(38)),
        context: RunContext::default(),
        remote_id: None,
        summary: None,
        is_in_doubt: false,
        is_repair: false,
        accepted_at: Timestamp(1),
        first_begun_at: Timestamp::UNKNOWN,
        now: Timestamp(1),
    }
}

async fn failure_of(begin: Begin) -> DeliveryFailure {
    let deadline = if matches!(begin, Begin::Wait(_)) { DEADLINE } else { PATIENCE };
    let attempted =
        attempt(job(), Arc::new(begin), &transports(), &delivery_health(), deadline).await;
    attempted.outcome.unwrap_err()
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

/// The address of a target that answers every connection with this.
async fn answering(answer: &'static [u8]) -> Text {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(answer).await;
        }
    });
    Text::Plain(url)
}

/// Whether a target was reached, and whether attempts fail, after one attempt.
async fn told_by(begin: Begin) -> (bool, bool) {
    let delivery_health = delivery_health();
    let _ = attempt(job(), Arc::new(begin), &transports(), &delivery_health, PATIENCE).await;
    let reach = delivery_health.reach();
    (reach.reached_ago.is_some(), reach.failing.is_some())
}

const REACHED: (bool, bool) = (true, false);
const FAILED: (bool, bool) = (false, true);
const NOTHING: (bool, bool) = (false, false);

#[tokio::test]
async fn rule_27_an_answer_of_any_status_is_a_target_reached() {
    let good = answering(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(told_by(Begin::Call(good)).await, REACHED);
    let bad = answering(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(told_by(Begin::Call(bad)).await, REACHED);
}

#[tokio::test]
async fn rule_27_no_connection_no_host_and_no_answer_are_targets_not_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = Text::Plain(format!("http://{address}/"));
    // Connected by the backlog of the listener, and never answered.
    assert_eq!(told_by(Begin::Call(url.clone())).await, FAILED);
    drop(listener);
    assert_eq!(told_by(Begin::Call(url)).await, FAILED);
    let nowhere = Text::Plain(format!("http://{}/", "x".repeat(64)));
    assert_eq!(told_by(Begin::Call(nowhere)).await, FAILED);
    assert_eq!(told_by(Begin::Call(answering(b"").await)).await, FAILED);
}

#[tokio::test]
async fn rule_27_what_never_left_this_node_tells_nothing() {
    assert_eq!(told_by(Begin::WriteLine).await, NOTHING);
    assert_eq!(told_by(Begin::Panic).await, NOTHING);
    let secret = Text::Secret(SecretRef::file("/nonexistent/url"));
    assert_eq!(told_by(Begin::Call(secret)).await, NOTHING);
}

#[tokio::test]
async fn rule_27_whoever_refuses_a_token_was_reached_and_whoever_does_not_answer_was_not() {
    let Text::Plain(refuses) =
        answering(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").await
    else {
        unreachable!()
    };
    assert_eq!(told_by(Begin::CallAsApp(refuses)).await, REACHED);
    let nowhere = format!("http://{}", "x".repeat(64));
    assert_eq!(told_by(Begin::CallAsApp(nowhere.clone())).await, FAILED);
    let failure = failure_of(Begin::CallAsApp(nowhere)).await;
    assert_eq!(
        (failure.kind, failure.retryability),
        (FailureKind::Network, Retryability::Temporary)
    );
}

#[tokio::test]
async fn rule_27_an_answer_ends_a_spell_of_failures() {
    let delivery_health = delivery_health();
    let call = async |url: &Text| {
        let begin = Arc::new(Begin::Call(url.clone()));
        attempt(job(), begin, &transports(), &delivery_health, PATIENCE).await.outcome.unwrap();
    };
    let nowhere = Text::Plain(format!("http://{}/", "x".repeat(64)));
    call(&nowhere).await;
    call(&nowhere).await;
    let Some(Failing { lasting, last_ago }) = delivery_health.reach().failing else {
        panic!("reached")
    };
    assert!(lasting >= last_ago);
    call(&answering(b"HTTP/1.1 204 No Content\r\n\r\n").await).await;
    assert_eq!(delivery_health.reach().failing, None);
}

/// Asks once more after the first answer.
struct AsksTwice(Text);

impl Exchange for AsksTwice {
    fn on_reply(self: Box<Self>, _: Reply) -> Turn {
        Turn::Send(get(self.0, Credential::None), Box::new(PanicsOnReply))
    }
}

#[tokio::test]
async fn rule_14_a_used_up_budget_is_known_however_the_attempt_ends() {
    let used_up = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\
        ratelimit-remaining: 0\r\nratelimit-reset: 60\r\n\r\n";
    let first = answering(used_up).await;
    let minute = Some(Duration::from_secs(60));
    let attempted = |begin: Begin| async {
        let begin: Arc<dyn Integration> = Arc::new(begin);
        attempt(job(), begin, &transports(), &delivery_health(), PATIENCE).await
    };
    let delivered = attempted(Begin::Call(first.clone())).await;
    assert_eq!((delivered.outcome.is_ok(), delivered.budget_wait), (true, minute));
    let second = answering(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    let panicked = attempted(Begin::CallTwice(first, second.clone())).await;
    assert_eq!((panicked.outcome.is_ok(), panicked.budget_wait), (false, minute));
    assert_eq!(attempted(Begin::Call(second)).await.budget_wait, None);
}
