//! The memory of a million remembered keys and a million past runs. Each is measured in a separate
//! process of this program, so that nothing else has grown or shrunk meanwhile.

use crate::MEMORY_ARGUMENT;
use crate::shared::process::resident_bytes;
use crate::shared::recorded::Recorded;
use crate::shared::table::Table;
use anyhow::{bail, ensure};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;
use tekton_events_relay::clock::Timestamp;
use tekton_events_relay::event::{Rank, RunState};
use tekton_events_relay::plan::{DryRun, Rules, TakesAll};
use tekton_events_relay::state_machine::{Part, Settings, millis};

const REMEMBERED: u64 = 1_000_000;
const DELIVERIES: &str = "deliveries";
const PAST_RUNS: &str = "past-runs";
/// Runs that live at the same time on the way to a million past ones.
const LIVE_RUNS: u64 = 1000;
/// Quiet time after which a run is past. Short, so that few runs live at the same time.
const QUIET: Duration = Duration::from_secs(10);
/// More than the whole measurement takes.
const MEMORY_BYTES: u64 = 8 << 30;
/// Long enough that nothing past is forgotten meanwhile.
const REMEMBERED_FOR: Duration = Duration::from_hours(24 * 365);

/// Measures both in separate processes and adds their rows.
pub fn measure(table: &mut Table) -> anyhow::Result<()> {
    for (what, name) in [(DELIVERIES, "delivery keys"), (PAST_RUNS, "past runs")] {
        let mut command = Command::new(std::env::current_exe()?);
        let output = command.args([MEMORY_ARGUMENT, what]).stderr(Stdio::inherit()).output()?;
        let bytes: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
        let goal = if what == DELIVERIES { "< 120 MB" } else { "" };
        let value = format!("{:.0} MB, {:.0} B each", bytes / 1e6, bytes / REMEMBERED as f64);
        table.add(format!("{REMEMBERED} {name} in memory"), value, goal);
    }
    Ok(())
}

/// Remembers a million of `what` in this process, and prints its growth in bytes.
pub fn remember(what: &str) -> anyhow::Result<()> {
    let recorded = Recorded::task_run()?;
    let grown = match what {
        DELIVERIES => remember_deliveries(&recorded)?,
        PAST_RUNS => remember_past_runs(&recorded)?,
        unknown => bail!("{unknown} cannot be remembered"),
    };
    writeln!(std::io::stdout(), "{grown}")?;
    Ok(())
}

/// The same transition under a million ids.
fn remember_deliveries(recorded: &Recorded) -> anyhow::Result<u64> {
    let settings = Settings {
        ttl_ms: millis(REMEMBERED_FOR),
        memory_bytes: MEMORY_BYTES,
        ..Settings::default()
    };
    let mut run = DryRun::new(Rules::default(), settings, start());
    let event = recorded.run_event(0)?;
    run.take(event.clone(), &mut TakesAll);
    let before = resident_bytes("self")?;
    for number in 1..REMEMBERED {
        let mut again = event.clone();
        again.ce_id = format!("54369bfc-e04d-4790-8f50-{number:012x}");
        run.take(again, &mut TakesAll);
    }
    let after = resident_bytes("self")?;
    tell_weight(run.state().part_bytes(Part::Deliveries))?;
    let remembered = run.state().deliveries_remembered();
    ensure!(u64::try_from(remembered)? == REMEMBERED, "{remembered} keys are remembered");
    Ok(after.saturating_sub(before))
}

/// A million runs that end and fall quiet.
fn remember_past_runs(recorded: &Recorded) -> anyhow::Result<u64> {
    let settings = Settings {
        ttl_ms: millis(QUIET),
        transition_ttl_ms: millis(REMEMBERED_FOR),
        runs_max: REMEMBERED * 2,
        memory_bytes: MEMORY_BYTES,
        ..Settings::default()
    };
    let mut run = DryRun::new(Rules::default(), settings, start());
    let mut event = recorded.run_event(0)?;
    event.state = RunState::Success;
    event.rank = Rank::Terminal;
    let before = resident_bytes("self")?;
    for first in (0..REMEMBERED).step_by(usize::try_from(LIVE_RUNS)?) {
        for number in first..first + LIVE_RUNS {
            let mut next = event.clone();
            next.uid = format!("f85f4ff2-2571-494e-bd44-{number:012x}");
            next.ce_id = format!("54369bfc-e04d-4790-8f50-{number:012x}");
            run.take(next, &mut TakesAll);
        }
        run.advance(run.now().after(QUIET * 2), &mut TakesAll);
        // Bounded work for each entry: a few more let every key of these runs expire.
        for _ in 0..LIVE_RUNS / 100 {
            run.apply(Vec::new());
        }
    }
    // A run is checked again one quiet time after its last change, so the last ones take longer.
    for _ in 0..10 {
        run.advance(run.now().after(QUIET), &mut TakesAll);
    }
    let after = resident_bytes("self")?;
    tell_weight(run.state().part_bytes(Part::Past))?;
    let (live, past) = run.state().run_counts();
    ensure!((live, u64::try_from(past)?) == (0, REMEMBERED), "{live} live, {past} past runs");
    Ok(after.saturating_sub(before))
}

/// The weight that the state counts for the same data, to compare with its memory.
fn tell_weight(bytes: u64) -> anyhow::Result<()> {
    writeln!(std::io::stderr(), "counted as {} B each", bytes / REMEMBERED)?;
    Ok(())
}

/// Later than the recorded event.
fn start() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-20T19:00:00Z").unwrap_or_default()
}
