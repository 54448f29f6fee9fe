//! `serve` and `demo`: start the runtime, run, stop on a signal.

use super::flags::{DemoFlags, ServeFlags};
use super::{EXIT_HAD_TO_STOP, complain};
use crate::app::{App, AppError};
use crate::config::{Config, LogFormat, LogLevel, Logging, SecretCheck};
use crate::config_file;
use crate::demo::{self, Wish};
use crate::telemetry::{chain, start_logs};
use anyhow::{Context as _, bail};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub(super) fn serve(flags: &ServeFlags) -> anyhow::Result<ExitCode> {
    let config = configured(flags)?;
    start_logs(&config.logging);
    let runtime = runtime()?;
    let served = runtime.block_on(async {
        let stop = stop_on_signal()?;
        let served = match App::start(config).await {
            Ok(app) => app.run(stop).await,
            Err(error) => Err(error),
        };
        Ok::<_, anyhow::Error>(served)
    })?;
    // Everything that counts is on disk: a rule that still loops must not hold up the exit.
    runtime.shutdown_background();
    match served {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error @ AppError::Fatal(_)) => {
            complain(chain(&error));
            Ok(ExitCode::from(EXIT_HAD_TO_STOP))
        }
        Err(error) => Err(error.into()),
    }
}

/// The file with the flags over it, and the host's name for a pod without one.
fn configured(flags: &ServeFlags) -> anyhow::Result<Config> {
    let overrides = flags.overrides();
    let mut config = match &flags.config {
        Some(file) => config_file::load_under(file, SecretCheck::Required, &overrides)?,
        None => Config::without_file(&overrides),
    };
    let cluster = &mut config.cluster;
    cluster.pod_name.get_or_insert_with(host_name);
    let conflicts = cluster.conflicts(config.store.backend);
    if conflicts.is_empty() {
        return Ok(config);
    }
    let lines: Vec<String> = conflicts.iter().map(ToString::to_string).collect();
    bail!("{}", lines.join("\n"))
}

/// What Kubernetes sets to the name of the pod.
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

pub(super) fn demo(flags: &DemoFlags) -> anyhow::Result<ExitCode> {
    let level = if flags.verbose { LogLevel::Info } else { LogLevel::Error };
    start_logs(&Logging { level, format: LogFormat::Text });
    let wish = Wish { replicas: flags.replicas, is_verbose: flags.verbose };
    let verdict = runtime()?.block_on(async {
        let stop = stop_on_signal()?;
        demo::run(wish, stop, std::io::stdout()).await
    })?;
    Ok(if verdict.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime could not be started")
}

/// Cancelled at SIGTERM (Kubernetes) or SIGINT (a person).
fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("no signal handling")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("no signal handling")?;
    let cancel = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        cancel.cancel();
    });
    Ok(stop)
}
