//! A target that executes a call long after its process is gone: in the end it shows the true state
//! (rule 2).

use crate::harness::{Relay, Setup, eventually, named, recorded};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tekton_events_relay::demo::Recorded;
use tokio::sync::watch;

/// A repair comes 12 s after the call was repeated; the rest is for a busy machine.
const REPAIRED_WITHIN: Duration = Duration::from_secs(60);
const CALLED_WITHIN: Duration = Duration::from_secs(20);

/// Shows the state of the last status that it executed. The first call is executed on demand, even
/// if its caller is gone.
#[derive(Clone)]
struct LateForge {
    carried_out: Arc<Mutex<Vec<String>>>,
    arrived: Arc<Mutex<usize>>,
    is_due: watch::Receiver<bool>,
}

impl LateForge {
    async fn start() -> (Self, String, watch::Sender<bool>) {
        let (due, is_due) = watch::channel(false);
        let forge = Self { carried_out: Arc::default(), arrived: Arc::default(), is_due };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(take).with_state(forge.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (forge, url, due)
    }

    fn shown(&self) -> Vec<String> {
        self.carried_out.lock().unwrap().clone()
    }

    fn arrived(&self) -> usize {
        *self.arrived.lock().unwrap()
    }
}

async fn take(State(forge): State<LateForge>, body: String) -> (StatusCode, String) {
    let body: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    let state = body["state"].as_str().unwrap_or_default().to_owned();
    let number = {
        let mut arrived = forge.arrived.lock().unwrap();
        *arrived += 1;
        *arrived
    };
    let carry_out = async move {
        if number == 1 {
            let mut is_due = forge.is_due.clone();
            let _ = is_due.wait_for(|is_due| *is_due).await;
        }
        forge.carried_out.lock().unwrap().push(state);
    };
    // A separate task: the call is executed although its caller hangs up.
    tokio::spawn(carry_out).await.unwrap();
    (StatusCode::CREATED, r#"{"id":1}"#.to_owned())
}

fn setup(url: &str) -> Setup {
    let setup = Setup::empty();
    setup.write("token", "t0ken");
    let config = format!(
        r#"store: {{ free_bytes_min: 0 }}
scm:
  github:
    - name: hub
      base_url: "{url}"
      auth: {{ secret_file: "{}" }}
      actions:
        - {{ name: checks, type: commit_status }}
"#,
        setup.path("token").display()
    );
    setup.write("relay.yaml", &config);
    setup
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_02_a_call_of_a_killed_process_that_is_carried_out_late_is_repaired() {
    let (forge, url, due) = LateForge::start().await;
    let setup = setup(&url);
    let (requests, _) = recorded();
    let is_whole_run = |request: &Recorded| request.run_name().as_deref() == Some("cancelme");
    let mut of_run = named(&requests, "cancelme");
    of_run.retain(is_whole_run);
    let (last, first) = of_run.split_last().expect("the recording has this run");

    let relay = Relay::start(&setup).await;
    relay.take(&first[..2]).await;
    let has_arrived = async || (forge.arrived() > 0).then_some(());
    eventually("the first call", CALLED_WITHIN, has_arrived).await;
    relay.kill_nine().await;

    let relay = Relay::start(&setup).await;
    relay.take(std::slice::from_ref(last)).await;
    relay.settled().await;
    let before = forge.shown();
    let end = before.last().cloned();
    assert_ne!(end.as_deref(), Some("pending"), "{before:?}");
    due.send_replace(true);
    let is_late =
        async || (forge.shown().last().map(String::as_str) == Some("pending")).then_some(());
    eventually("the late call", CALLED_WITHIN, is_late).await;
    let is_mended = async || (forge.shown().last() == end.as_ref()).then_some(());
    eventually("the repair", REPAIRED_WITHIN, is_mended).await;
    relay.kill_nine().await;
}
