//! What the worker of a node notes of its deliveries, over a real log and a real socket.

use super::*;
use crate::clock::{SystemClock, Timestamp};
use crate::cluster::{DeliveryHealth, Options};
use crate::config::{NoFiles, SecretCheck, load};
use crate::event::{RunEvent, recorded_run};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What has not happened by then never will.
const WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What the target does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Answers,
    HangsUp,
    /// Takes the call, which was the last of its budget.
    UsesUp,
    /// Answers only when its mood has changed.
    Holds,
}

async fn serve(mut stream: TcpStream, mut mood: watch::Receiver<Mood>) {
    let mut request = vec![0; 64 * 1024];
    let _ = stream.read(&mut request).await;
    if *mood.borrow() == Mood::HangsUp {
        return;
    }
    if *mood.borrow() == Mood::UsesUp {
        let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\
            ratelimit-remaining: 0\r\nratelimit-reset: 60\r\n\r\n";
        let _ = stream.write_all(answer).await;
        while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
        return;
    }
    let _ = mood.wait_for(|mood| *mood == Mood::Answers).await;
    let answer = b"HTTP/1.1 500 Sorry\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let _ = stream.write_all(answer).await;
    // Reads to the end: bytes left unread would reset the connection before the answer is read.
    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
}

/// A node with one webhook, whose target has moods.
struct Bench {
    cluster: Arc<Cluster>,
    mood: watch::Sender<Mood>,
    stop: CancellationToken,
    worker: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn start(settings: &str, mood: Mood) -> Self {
        let (mood, moods) = watch::channel(mood);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let url = folder.path().join("url");
        std::fs::write(&url, format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, moods.clone()));
            }
        });
        let url = url.display();
        let text = format!(
            "{settings}\nretry: {{ initial_backoff: 20ms, max_backoff: 40ms }}\n\
             notifiers: {{ webhook: [{{ name: hook, url_file: \"{url}\" }}] }}\n"
        );
        let loaded = load(&text, "relay.yaml", &NoFiles, SecretCheck::Skipped);
        let config = loaded.unwrap_or_else(|errors| panic!("{errors}")).config;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let cluster = Cluster::start(Options::default(), Arc::clone(&clock)).await.unwrap();
        let cluster = Arc::new(cluster);
        let transports = Transports::new(Arc::clone(&clock)).unwrap();
        let options = WorkerOptions {
            concurrency_max: config.max_concurrency,
            handler_timeout: config.handler_timeout,
            retry: config.retry.clone(),
        };
        let metrics = Arc::new(Metrics::new().unwrap());
        let ruleset = Ruleset::first(config.rules, config.keep, crate::event::Key::of(&[]));
        let rulesets = watch::channel(Arc::new(ruleset)).1;
        let worker =
            Worker::new(Arc::clone(&cluster), rulesets, transports, options, (clock, metrics));
        let stop = CancellationToken::new();
        let worker = tokio::spawn(worker.run(stop.clone()));
        Self { cluster, mood, stop, worker, _folder: folder }
    }

    /// Accepts the ends of so many runs, none of which was seen before.
    async fn accept(&self, runs: &[&str]) {
        let event = |uid: &&str| RunEvent {
            uid: (*uid).to_owned(),
            ce_id: format!("ce-{uid}"),
            ..recorded_run(38)
        };
        self.cluster.accept(runs.iter().map(event).collect()).await.unwrap();
    }

    async fn until(&self, what: &str, holds: impl Fn(DeliveryHealth) -> bool) {
        let waiting = async {
            while !holds(self.cluster.delivery_health().reach()) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let waited = tokio::time::timeout(WITHIN, waiting).await;
        assert!(waited.is_ok(), "never: {what}; {:?}", self.cluster.delivery_health().reach());
    }

    async fn end(self) {
        self.mood.send_replace(Mood::Answers);
        self.stop.cancel();
        self.worker.await.unwrap();
        self.cluster.shutdown().await;
    }
}

#[tokio::test]
async fn rule_27_the_facts_of_a_worker_follow_its_attempts() {
    let bench = Bench::start("", Mood::HangsUp).await;
    assert_eq!(bench.cluster.delivery_health().reach(), DeliveryHealth::default());
    bench.accept(&["a"]).await;
    bench.until("attempts fail", |reach| reach.failing.is_some()).await;
    assert_eq!(bench.cluster.delivery_health().reach().reached_ago, None);
    bench.mood.send_replace(Mood::Answers);
    bench.until("an answer ends the spell", |reach| reach.failing.is_none()).await;
    assert!(bench.cluster.delivery_health().reach().reached_ago.is_some());
    bench.end().await;
}

#[tokio::test]
async fn rule_27_an_effect_that_finds_no_free_place_is_late_until_it_is_begun() {
    let bench = Bench::start("max_concurrency: 1", Mood::Holds).await;
    bench.accept(&["a", "b"]).await;
    bench.until("one effect waits", |reach| !reach.late_by.is_zero()).await;
    bench.mood.send_replace(Mood::Answers);
    bench
        .until("both were tried", |reach| reach.reached_ago.is_some() && reach.late_by.is_zero())
        .await;
    bench.end().await;
}

#[tokio::test]
async fn rule_27_what_a_broken_target_holds_up_is_not_late() {
    let bench = Bench::start("max_concurrency: 1", Mood::Answers).await;
    // Every answer is a 500: after five the breaker opens for a second, and then for two.
    bench.accept(&["a", "b", "c"]).await;
    let ever = Timestamp(u64::MAX);
    let attempts = |state: &crate::state_machine::StateMachine| -> u32 {
        let due = state.due_work(bench.cluster.node_id(), ever);
        let attempts = due.map(|work| match work {
            DueWork::Send(effect) => effect.attempts,
            DueWork::Plan { .. } => 0,
        });
        attempts.sum()
    };
    let mut applied = bench.cluster.applied();
    let is_broken = |_: &u64| bench.cluster.read(attempts) >= 7;
    tokio::time::timeout(WITHIN, applied.wait_for(is_broken)).await.unwrap().unwrap();
    assert_eq!(bench.cluster.delivery_health().reach().late_by, Duration::ZERO);
    bench.end().await;
}

#[tokio::test]
async fn rule_14_a_success_that_used_up_its_budget_pauses_the_instance_in_the_log() {
    let bench = Bench::start("", Mood::UsesUp).await;
    let before = bench.cluster.replicated_now();
    bench.accept(&["a"]).await;
    let mut applied = bench.cluster.applied();
    let paused =
        || bench.cluster.read(|state| state.pauses().map(|(name, _)| name.to_owned()).next());
    let is_paused = applied.wait_for(|_| paused().is_some());
    tokio::time::timeout(WITHIN, is_paused).await.unwrap().unwrap();
    assert_eq!(paused().as_deref(), Some("webhook/hook"));
    let (until, delivered) = bench
        .cluster
        .read(|state| (state.pause_of("webhook/hook").unwrap(), state.counters().delivered));
    let minute = Duration::from_secs(60);
    assert!(until >= before.after(minute), "{until:?}, not a minute after {before:?}");
    assert!(until <= bench.cluster.replicated_now().after(minute), "{until:?}");
    assert_eq!(delivered, 1);
    bench.end().await;
}
