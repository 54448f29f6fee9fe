//! `demo`: the main job for someone who just cloned. Starts a relay with a directory of its own
//! and a receiver that stands for GitHub, Slack and a webhook; plays recorded Tekton events the
//! way Tekton sends them, with everything that goes wrong there; then compares what arrived with
//! what had to.

mod receiver;
mod recording;
mod scenario;
mod sender;
mod verdict;

pub use receiver::{Arrival, Arrived, Receiver};
pub use recording::{Recorded, RecordingError, read_recording, recorded_lines};
pub use scenario::{Scenario, config_text};
pub use sender::{Answer, Sender};
pub use verdict::Verdict;

use crate::app::App;
use crate::config::{Config, SecretCheck};
use crate::config_file;
use anyhow::Context as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The relay is expected to have delivered everything within this time.
const SETTLE_MAX: Duration = Duration::from_secs(30);
/// How often the relay is asked whether it is done.
const SETTLE_POLL: Duration = Duration::from_millis(50);
/// The relay starts this much after the first event was sent: Tekton's ladder bridges it.
const RELAY_IS_LATE: Duration = Duration::from_millis(400);

/// Plays the demo and writes to `out` what it saw.
///
/// # Errors
/// A part of the demo itself could not be set up.
pub async fn run(is_verbose: bool, mut out: impl Write) -> anyhow::Result<Verdict> {
    let started = Instant::now();
    let folder = Folder::create()?;
    let receiver = Receiver::start().await.context("the receiver could not be started")?;
    let scenario = Scenario::recorded()?;
    let address = free_address()?;
    let (events, runs) = (scenario.requests.len(), scenario.runs);
    writeln!(out, "playing {events} events of {runs} runs against a relay on {address}")?;
    let text = config_text(&folder.0, &receiver.url(), &address)?;
    let file = folder.0.join("relay.yaml");
    std::fs::write(&file, text)?;
    let config = config_file::load(&file, SecretCheck::Required)?;
    let stop = CancellationToken::new();
    let relay = tokio::spawn(start_late(config, stop.clone()));
    let sender = Sender::new(&format!("http://{address}/"))?;
    let answers = sender.play(&scenario.requests).await;
    if is_verbose {
        for (request, answer) in scenario.requests.iter().zip(&answers) {
            writeln!(out, "  {} {answer}", request.title())?;
        }
    }
    let app = relay.await.context("the relay task ended")??;
    let is_settled = settle(&app).await;
    let arrived = receiver.arrived();
    stop.cancel();
    app.run(stop).await?;
    let verdict = Verdict::of(&scenario, &answers, &arrived, is_settled);
    for line in verdict.lines(&arrived) {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "\n{verdict}\n({:.1} s)", started.elapsed().as_secs_f64())?;
    Ok(verdict)
}

/// The relay comes up while events are already being sent.
async fn start_late(config: Config, stop: CancellationToken) -> anyhow::Result<App> {
    tokio::select! {
        () = tokio::time::sleep(RELAY_IS_LATE) => {}
        () = stop.cancelled() => {}
    }
    Ok(App::start(config).await?)
}

/// Waits until the relay has nothing left to plan, to send or to show soon.
async fn settle(app: &App) -> bool {
    let deadline = Instant::now() + SETTLE_MAX;
    while Instant::now() < deadline {
        let is_done = app.cluster().read(|state| {
            let soon = state.now().after(Duration::from_mins(1));
            let has_timer = state.next_summary().is_some_and(|due_at| due_at < soon);
            state.backlog() == 0 && state.unplanned() == 0 && !has_timer
        });
        if is_done {
            return true;
        }
        tokio::time::sleep(SETTLE_POLL).await;
    }
    false
}

/// An address nobody listens on.
fn free_address() -> anyhow::Result<String> {
    let probe = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(probe.local_addr()?.to_string())
}

/// A directory that goes away with the demo.
struct Folder(PathBuf);

impl Folder {
    fn create() -> anyhow::Result<Self> {
        let name = format!("tekton-events-relay-demo-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all::<&Path>(self.0.as_ref());
    }
}
