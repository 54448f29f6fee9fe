//! Runs scenarios, several at a time. Each has its own runtime, directory and addresses, so that
//! its leftovers do not affect others. A directory is kept if its scenario fails.

use crate::harness::{Counts, Lab, SCENARIO_MAX};
use crate::options::Options;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};

/// One scenario.
pub struct Scenario {
    pub name: &'static str,
    pub run: fn(Lab) -> LocalBoxFuture<'static, Counts>,
    /// What it lacks to run here; `None` if nothing.
    pub lacks: fn(&Options) -> Option<&'static str>,
}

/// The result of one run.
enum Outcome {
    Passed(Counts),
    Failed(String),
    /// SIGINT or SIGTERM.
    Interrupted,
}

/// One run of a scenario to be made.
#[derive(Clone, Copy)]
struct Turn<'a> {
    scenario: &'a Scenario,
    round: u64,
}

/// Runs the requested scenarios; returns whether everything passed.
pub fn run(scenarios: &[Scenario], options: &Options) -> bool {
    let selected: Vec<_> = scenarios.iter().filter(|known| options.selects(known.name)).collect();
    if options.is_list {
        selected.iter().for_each(|scenario| println!("{}: test", scenario.name));
        return true;
    }
    let (times, jobs) = (options.repeat, options.jobs);
    println!("\nrunning {} scenarios, {times} times each, {jobs} at once", selected.len());
    let (mut turns, mut skipped) = (VecDeque::new(), 0);
    for scenario in &selected {
        if let Some(lacking) = (scenario.lacks)(options) {
            println!("{} skipped: {lacking}", scenario.name);
            skipped += 1;
            continue;
        }
        turns.extend((0..options.repeat).map(|round| Turn { scenario, round }));
    }
    let (runs, started) = (turns.len(), Instant::now());
    let Some(failed) = take_turns(turns, options) else { return false };
    println!(
        "\n{} passed, {} failed, {skipped} scenarios skipped, {:.1} s",
        runs - failed.len(),
        failed.len(),
        started.elapsed().as_secs_f64()
    );
    failed.iter().for_each(|name| println!("failed: {name}"));
    failed.is_empty()
}

/// Runs all turns, as many in parallel as requested, and returns the names of failed ones. `None`
/// after an interruption, which stops running turns and skips the rest.
fn take_turns(turns: VecDeque<Turn<'_>>, options: &Options) -> Option<Vec<String>> {
    let (turns, failed) = (Mutex::new(turns), Mutex::new(Vec::new()));
    let is_interrupted = AtomicBool::new(false);
    let next = || turns.lock().unwrap().pop_front();
    std::thread::scope(|threads| {
        for _ in 0..options.jobs {
            threads.spawn(|| {
                while let Some(Turn { scenario, round }) = next() {
                    match run_once(scenario, options, round) {
                        Outcome::Passed(_) => {}
                        Outcome::Failed(name) => failed.lock().unwrap().push(name),
                        Outcome::Interrupted => {
                            is_interrupted.store(true, Ordering::Relaxed);
                            turns.lock().unwrap().clear();
                        }
                    }
                }
            });
        }
    });
    (!is_interrupted.into_inner()).then(|| failed.into_inner().unwrap())
}

/// Runs one scenario, and prints its result.
fn run_once(scenario: &Scenario, options: &Options, round: u64) -> Outcome {
    let (root, seed) = (Path::new(env!("CARGO_TARGET_TMPDIR")), options.seed + round);
    let lab = Lab::new(&root.join("cluster"), scenario.name, seed);
    // A node runs in its own folder, where a relative path would not work.
    let other_binary = options.other_binary.as_ref().map(|path| std::path::absolute(path).unwrap());
    let lab = Lab { other_binary, ..lab };
    let (folder, started) = (lab.folder.clone(), Instant::now());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let outcome = runtime.block_on(to_the_end(scenario, lab));
    drop(runtime);
    let (name, seconds) = (scenario.name, started.elapsed().as_secs_f64());
    match &outcome {
        Outcome::Passed(counts) => {
            println!("{name} seed {seed} ok, {seconds:.1} s: {counts}");
            std::fs::remove_dir_all(folder).unwrap();
        }
        Outcome::Failed(_) => {
            println!("{name} seed {seed} FAILED, {seconds:.1} s, kept: {}", folder.display());
        }
        Outcome::Interrupted => println!("{name} interrupted"),
    }
    outcome
}

/// Waits for the end of the scenario. Its processes are killed with it, however it ends.
async fn to_the_end(scenario: &Scenario, lab: Lab) -> Outcome {
    let name = format!("{} seed {}", scenario.name, lab.seed);
    let whole = AssertUnwindSafe((scenario.run)(lab)).catch_unwind();
    let mut interrupt = signal(SignalKind::interrupt()).unwrap();
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    let ended = tokio::select! {
        ended = tokio::time::timeout(SCENARIO_MAX, whole) => ended,
        _ = interrupt.recv() => return Outcome::Interrupted,
        _ = terminate.recv() => return Outcome::Interrupted,
    };
    match ended {
        Ok(Ok(counts)) => Outcome::Passed(counts),
        // Its message was already printed.
        Ok(Err(_)) => Outcome::Failed(name),
        Err(_) => Outcome::Failed(format!("{name}: not within {SCENARIO_MAX:?}")),
    }
}
