//! The time of one accepted event by steps: each step alone, on one thread.

use crate::cpu_clock::{median, per_item, timed};
use crate::shared::process::folder;
use crate::shared::recorded::{Recorded, Request};
use crate::shared::table::Table;
use redb::{Database, TableDefinition};
use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};
use tekton_events_relay::clock::Timestamp;
use tekton_events_relay::event::{Decoded, Keep, RunEvent, decode, parse};
use tekton_events_relay::plan::{Rules, plan};
use tekton_events_relay::state_machine::{
    Begin, Boot, Command, DueWork, Entry, FEATURE_LEVEL, NodeId, Owner, Settings, SlotId, SlotMove,
    StateMachine,
};
use tekton_events_relay::wire::encode_entry;

/// Events in one pass.
const EVENTS: usize = 4096;
/// Events in one log entry: what half of the connections send while the other half waits.
const EVENTS_PER_ENTRY: usize = 32;
const COMMITS: usize = 101;
const NODE: NodeId = NodeId(1);
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");

/// Measures each step and adds its row.
pub fn measure(recorded: &Recorded, table: &mut Table) -> anyhow::Result<()> {
    measure_decode(recorded, table)?;
    let events = (0..EVENTS).map(|number| recorded.run_event(u64::try_from(number)?));
    let events = events.collect::<anyhow::Result<Vec<_>>>()?;
    let entries = entries(&events);
    let encode = per_item(EVENTS, || {
        for entry in &entries {
            black_box(encode_entry(entry));
        }
        Ok(())
    })?;
    table.add("encode for the log", format!("{encode:.1} us/event"), "");
    measure_state(recorded, &events, table)?;
    measure_disk(&encode_entry(&entries[0]), table)
}

fn measure_decode(recorded: &Recorded, table: &mut Table) -> anyhow::Result<()> {
    let requests = (0..EVENTS).map(|number| Ok(recorded.request(u64::try_from(number)?)));
    let requests = requests.collect::<anyhow::Result<Vec<Request>>>()?;
    let keep = Keep::default();
    let time = per_item(EVENTS, || {
        for request in &requests {
            for event in parse(&request.headers, &request.body)? {
                match black_box(decode(&event, Timestamp(1), &keep)?) {
                    Decoded::Run(_) => {}
                    Decoded::Ignored { event_type } => anyhow::bail!("{event_type} was ignored"),
                }
            }
        }
        Ok(())
    })?;
    let rate = recorded.body_bytes() as f64 / time;
    let value = format!("{rate:.0} MB/s, {time:.1} us/event");
    table.add("parse and decode, one core", value, ">= 150 MB/s");
    Ok(())
}

fn entries(events: &[RunEvent]) -> Vec<Entry> {
    let accept = |event: &RunEvent| Command::Accept(Box::new(event.clone()));
    let entry =
        |events: &[RunEvent]| Entry { at: now(), commands: events.iter().map(accept).collect() };
    events.chunks(EVENTS_PER_ENTRY).map(entry).collect()
}

/// Later than the recorded event.
fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-20T19:00:00Z").unwrap_or_default()
}

/// The look-up before a write, applying the events, and applying their plans.
fn measure_state(
    recorded: &Recorded,
    events: &[RunEvent],
    table: &mut Table,
) -> anyhow::Result<()> {
    let mut state = StateMachine::default();
    state.apply(Entry { at: now(), commands: first_commands() });
    // Other runs are known already, or the look-up would be trivial.
    for number in 0..EVENTS {
        let other = Box::new(recorded.run_event(u64::try_from(EVENTS + number)?)?);
        state.apply(Entry { at: now(), commands: vec![Command::Accept(other)] });
    }
    let known = per_item(events.len(), || {
        for event in events {
            black_box(state.known(black_box(event)));
        }
        Ok(())
    })?;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / events.len() as f64;
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..5 {
        let mut state = state.clone();
        let entries = entries(events);
        let (accept, ()) = timed(|| {
            entries.into_iter().for_each(|entry| drop(black_box(state.apply(entry))));
            Ok(())
        })?;
        let (plan, begins) = timed(|| Ok(begins(&state)))?;
        let (begin, ()) = timed(|| {
            begins.into_iter().for_each(|entry| drop(black_box(state.apply(entry))));
            Ok(())
        })?;
        for (times, time) in times.iter_mut().zip([accept, plan, begin]) {
            times.push(time);
        }
    }
    let [accept, plan, begin] = times.map(|mut times| each(median(&mut times)));
    table.add("look for a known transition", format!("{known:.1} us/event"), "");
    table.add("apply the accept", format!("{accept:.1} us/event"), "");
    table.add("plan without routes", format!("{plan:.1} us/event"), "");
    table.add("apply the plan", format!("{begin:.1} us/event"), "");
    Ok(())
}

/// What a node writes into an empty log.
fn first_commands() -> Vec<Command> {
    let boot = Boot { node: NODE, number: 1, ended_while_planning: None };
    let moves = SlotId::all()
        .map(|slot| SlotMove { slot, expected_epoch: 0, to: NODE, is_forced: false })
        .collect();
    vec![Command::Settings(Settings::default()), Command::Boot(boot), Command::Assign(moves)]
}

/// The plans of all waiting events, in entries.
fn begins(state: &StateMachine) -> Vec<Entry> {
    let rules = Rules::default();
    let begins = state.due_work(NODE, now()).take(EVENTS).filter_map(|work| match work {
        DueWork::Plan { run, slot, queued } => {
            let owner = Owner { node: NODE, boot: 1, slot, epoch: state.slot(slot).epoch };
            let planned = Some(plan(run, queued, FEATURE_LEVEL, &rules));
            Some(Command::Begin(Begin { owner, planned, asked: Vec::new() }))
        }
        DueWork::Send(_) => None,
    });
    let begins: Vec<Command> = begins.collect();
    begins
        .chunks(EVENTS_PER_ENTRY)
        .map(|commands| Entry { at: now(), commands: commands.to_vec() })
        .collect()
}

/// One entry into the log's database, and the same bytes at the end of a file.
fn measure_disk(entry: &[u8], table: &mut Table) -> anyhow::Result<()> {
    let folder = folder()?;
    let database = Database::create(folder.path().join("log.redb"))?;
    let mut file = File::create(folder.path().join("file"))?;
    let (mut commits, mut syncs) = (Vec::new(), Vec::new());
    for index in 0..u64::try_from(COMMITS)? {
        let started = Instant::now();
        let transaction = database.begin_write()?;
        transaction.open_table(LOG)?.insert(index, entry)?;
        transaction.commit()?;
        commits.push(started.elapsed());
        let started = Instant::now();
        file.write_all(entry)?;
        file.sync_data()?;
        syncs.push(started.elapsed());
    }
    let size = format!("{EVENTS_PER_ENTRY} events, {} B", entry.len());
    let micros = |times: &mut [Duration]| {
        let each = median(times).as_secs_f64() * 1e6;
        format!("{each:.0} us, {:.1} us/event", each / EVENTS_PER_ENTRY as f64)
    };
    table.add(format!("commit of an entry ({size})"), micros(&mut commits), "");
    table.add("append and fdatasync of the same", micros(&mut syncs), "");
    Ok(())
}
