//! The demo with one replica, which runs in this process.

use super::ports::Ports;
use super::{Played, Sender, Stage};
use crate::app::App;
use crate::config::{Config, Overrides, SecretCheck};
use crate::config_file;
use anyhow::{Context as _, bail};
use std::io::Write;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The relay must have delivered everything within this time.
const SETTLE_MAX: Duration = Duration::from_secs(30);
/// Interval of checking whether the relay is done.
const SETTLE_POLL: Duration = Duration::from_millis(50);
/// The relay starts this long after the first event: Tekton's retries bridge the gap.
const RELAY_IS_LATE: Duration = Duration::from_millis(400);

/// Sends everything, lets the relay finish and stops it.
///
/// # Errors
/// The relay could not be started, or `stop` was cancelled.
pub(super) async fn play(
    stage: &Stage,
    stop: &CancellationToken,
    out: &mut impl Write,
) -> anyhow::Result<Played> {
    let address = Ports::of_process(std::process::id()).next().context("no address is free")?;
    let (events, runs) = (stage.scenario.requests.len(), stage.scenario.runs);
    writeln!(out, "playing {events} events of {runs} runs against a relay on {address}")?;
    let overrides = Overrides {
        server_addr: Some(address.clone()),
        data_dir: Some(stage.folder.path().join("data")),
        ..Overrides::default()
    };
    let config = config_file::load_under(&stage.config, SecretCheck::Required, &overrides)?;
    let played = async {
        let sender = Sender::new(&format!("http://{address}/"))?;
        let (app, answers) =
            tokio::join!(start_late(config), sender.play(&stage.scenario.requests));
        let app = app?;
        let late = "the relay still had work to do at the end".to_owned();
        let faults = if settle(&app).await { Vec::new() } else { vec![late] };
        let closed = CancellationToken::new();
        closed.cancel();
        app.run(closed).await?;
        Ok(Played { answers, in_doubt: 0, faults })
    };
    tokio::select! {
        played = played => played,
        () = stop.cancelled() => bail!("interrupted"),
    }
}

/// Starts the relay while events are already being sent.
async fn start_late(config: Config) -> anyhow::Result<App> {
    tokio::time::sleep(RELAY_IS_LATE).await;
    Ok(App::start(config).await?)
}

/// Waits until the relay has nothing left to plan, send or show soon. Returns false if it is not
/// done at the deadline.
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
