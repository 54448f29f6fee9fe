//! `demo`: the first command for someone who just cloned. It starts replicas, each with its own
//! directory, and a receiver in place of GitHub, Slack and a webhook. It plays recorded Tekton
//! events as Tekton sends them, with all the failures of real life. If there are several replicas
//! it kills and rolls some meanwhile. At the end it compares what arrived with what had to arrive.

mod alone;
mod folder;
mod playing;
mod ports;
mod receiver;
mod recording;
mod replica;
mod replicas;
mod scenario;
mod sender;
mod timeline;
mod together;
mod verdict;
mod view;

pub use receiver::{Arrival, Arrived, Receiver};
pub use recording::{Recorded, RecordingError, read_recording, recorded_lines};
pub use scenario::{Scenario, config_text};
pub use sender::{Sender, SenderAnswer};
pub use verdict::{DemoVerdict, Played};

use anyhow::Context as _;
use folder::Folder;
use replica::SECRET_FILE;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// The options of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// One relay in this process, or this many processes.
    pub replicas: usize,
    /// Prints the answer to each event.
    pub is_verbose: bool,
}

/// The common parts of both forms of the demo.
struct Stage {
    folder: Folder,
    receiver: Receiver,
    scenario: Scenario,
    /// The configuration file, shared by all replicas.
    config: PathBuf,
}

impl Stage {
    async fn set() -> anyhow::Result<Self> {
        let folder = Folder::create()?;
        let receiver = Receiver::start().await.context("the receiver could not be started")?;
        let config = folder.path().join("relay.yaml");
        std::fs::write(&config, config_text(folder.path(), &receiver.url())?)?;
        std::fs::write(folder.path().join(SECRET_FILE), secret()?)?;
        Ok(Self { folder, receiver, scenario: Scenario::recorded()?, config })
    }
}

/// A secret known only to the replicas of one demo.
fn secret() -> anyhow::Result<String> {
    let part = || getrandom::u64().context("no randomness for a secret");
    Ok(format!("{:016x}{:016x}", part()?, part()?))
}

/// Plays the demo and writes its observations to `out`. When it returns, also after `stop` was
/// cancelled, every process that it started has ended.
///
/// # Errors
/// A replica did not do what the demo shows, a part of the demo itself could not be set up, or it
/// was stopped.
pub async fn run(
    wish: Wish,
    stop: CancellationToken,
    mut out: impl Write,
) -> anyhow::Result<DemoVerdict> {
    let started = Instant::now();
    let mut stage = Stage::set().await?;
    let played = match wish.replicas {
        1 => alone::play(&stage, &stop, &mut out).await,
        several => together::play(&stage, several, &stop, &mut out).await,
    };
    let evidence = format!("logs and data are in {}", stage.folder.path().display());
    let played = match played {
        Err(error) if !stop.is_cancelled() => {
            stage.folder.keep();
            return Err(error.context(evidence));
        }
        other => other?,
    };
    if wish.is_verbose {
        for (request, answer) in stage.scenario.requests.iter().zip(&played.answers) {
            writeln!(out, "  {} {answer}", request.title())?;
        }
    }
    let arrived = stage.receiver.arrived();
    for line in timeline::lines(&arrived) {
        writeln!(out, "{line}")?;
    }
    let verdict = DemoVerdict::of(&stage.scenario, &played, &arrived);
    writeln!(out, "\n{verdict}\n({:.1} s)", started.elapsed().as_secs_f64())?;
    if !verdict.is_good() {
        stage.folder.keep();
        writeln!(out, "{evidence}")?;
    }
    Ok(verdict)
}
