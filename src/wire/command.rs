//! Log entries and their commands, to and from the wire.

use super::WireError;
use super::effect::{
    from_cause, from_effect_id, from_effect_ids, from_planned_effect, from_receipt, from_route,
    from_skipped, to_cause, to_effect_id, to_effect_ids, to_planned_effect, to_receipt, to_route,
    to_skipped,
};
use super::enums::{from_skip_reason, to_skip_reason};
use super::envelope::{Kind, decode_whole};
use super::event::{from_event, to_event};
use super::proto::{self, command::Kind as WireCommand, outcome::Result as WireResult};
use super::scalar::{
    from_each, from_key, from_keys, from_level, from_slot, required, to_key, to_keys,
};
use crate::clock::Timestamp;
use crate::state_machine::{
    AttemptOutcome, AttemptResult, Begin, Boot, Command, Entry, FailedRoute, Grant, NodeId, Owner,
    Planned, ReplayItem, Settings, SlotMove,
};
use prost::Message;

/// The stored form of a log entry. Equal entries give equal bytes. Commands forwarded to the leader
/// also travel as an entry, at [`Timestamp::UNKNOWN`]: the leader stamps them.
#[must_use]
pub fn encode_entry(entry: &Entry) -> Vec<u8> {
    let header = Kind::Entry.header();
    let entry = to_entry(entry);
    let mut bytes = Vec::with_capacity(header.len() + entry.encoded_len());
    bytes.extend_from_slice(&header);
    entry.encode_raw(&mut bytes);
    bytes
}

/// Reads what [`encode_entry`] wrote.
///
/// # Errors
///
/// This build does not fully know the bytes: another kind or version, an unknown command, enum
/// value or field (rule 22).
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, WireError> {
    decode_whole(Kind::Entry.open(bytes)?, "Entry", from_entry)
}

fn to_entry(entry: &Entry) -> proto::Entry {
    let commands = entry.commands.iter().map(to_command).collect();
    proto::Entry { at_ms: entry.at.0, commands }
}

fn from_entry(entry: proto::Entry) -> Result<Entry, WireError> {
    Ok(Entry { at: Timestamp(entry.at_ms), commands: from_each(entry.commands, from_command)? })
}

pub(super) fn to_command(command: &Command) -> proto::Command {
    let kind = match command {
        Command::Settings(settings) => WireCommand::Settings(to_settings(settings)),
        Command::Boot(boot) => WireCommand::Boot(to_boot(boot)),
        Command::Assign(moves) => {
            WireCommand::Assign(proto::Assign { moves: moves.iter().map(to_move).collect() })
        }
        Command::Accept(event) => WireCommand::Accept(Box::new(to_event(event))),
        Command::Touch(runs) => WireCommand::Touch(proto::Touch { runs: to_keys(runs.iter()) }),
        Command::Begin(begin) => WireCommand::Begin(to_begin(begin)),
        Command::Record(outcomes) => WireCommand::Record(proto::Record {
            outcomes: outcomes.iter().map(to_outcome).collect(),
        }),
        Command::Park { owner, effects } => WireCommand::Park(proto::Park {
            owner: Some(to_owner(*owner)),
            effects: to_effect_ids(effects),
        }),
        Command::Replay(items) => {
            WireCommand::Replay(proto::Replay { items: items.iter().map(to_item).collect() })
        }
        Command::DeleteLetters(letters) => {
            WireCommand::DeleteLetters(proto::DeleteLetters { letters: letters.clone() })
        }
        Command::Retire { node } => WireCommand::Retire(proto::Retire { node: node.0 }),
        Command::Pause { instance, until } => {
            WireCommand::Pause(proto::Pause { instance: instance.clone(), until_ms: until.0 })
        }
        Command::RaiseLevel { level } => {
            WireCommand::RaiseLevel(proto::RaiseLevel { level: level.0 })
        }
        Command::Tick => WireCommand::Tick(proto::Tick {}),
        Command::Checkpoint => WireCommand::Checkpoint(proto::Checkpoint {}),
    };
    proto::Command { kind: Some(kind) }
}

fn from_command(command: proto::Command) -> Result<Command, WireError> {
    let Some(kind) = command.kind else {
        let (field, accepted) = ("Command.kind", "one of the fields 1 to 15");
        return Err(WireError::UnknownVariant { field, accepted });
    };
    Ok(match kind {
        WireCommand::Settings(settings) => Command::Settings(from_settings(settings)),
        WireCommand::Boot(boot) => Command::Boot(from_boot(boot)?),
        WireCommand::Assign(assign) => Command::Assign(from_each(assign.moves, from_move)?),
        WireCommand::Accept(event) => Command::Accept(Box::new(from_event(*event)?)),
        WireCommand::Touch(touch) => Command::Touch(from_keys(&touch.runs, "Touch.runs")?),
        WireCommand::Begin(begin) => Command::Begin(from_begin(begin)?),
        WireCommand::Record(record) => Command::Record(from_each(record.outcomes, from_outcome)?),
        WireCommand::Park(park) => Command::Park {
            owner: from_owner(park.owner, "Park.owner")?,
            effects: from_effect_ids(&park.effects, "Park.effects")?,
        },
        WireCommand::Replay(replay) => Command::Replay(from_each(replay.items, from_item)?),
        WireCommand::DeleteLetters(delete) => Command::DeleteLetters(delete.letters),
        WireCommand::Retire(retire) => Command::Retire { node: NodeId(retire.node) },
        WireCommand::Pause(pause) => {
            Command::Pause { instance: pause.instance, until: Timestamp(pause.until_ms) }
        }
        WireCommand::RaiseLevel(raise) => {
            Command::RaiseLevel { level: from_level(raise.level, "RaiseLevel.level")? }
        }
        WireCommand::Tick(proto::Tick {}) => Command::Tick,
        WireCommand::Checkpoint(proto::Checkpoint {}) => Command::Checkpoint,
    })
}

pub(super) fn to_settings(settings: &Settings) -> proto::Settings {
    proto::Settings {
        ttl_ms: settings.ttl_ms,
        transition_ttl_ms: settings.transition_ttl_ms,
        runs_max: settings.runs_max,
        dead_letter_ttl_ms: settings.dead_letter_ttl_ms,
        dead_letters_max: settings.dead_letters_max,
        accumulates: settings.accumulates,
        straggler_window_ms: settings.straggler_window_ms,
        group_ttl_ms: settings.group_ttl_ms,
        memory_bytes: settings.memory_bytes,
    }
}

pub(super) fn from_settings(settings: proto::Settings) -> Settings {
    Settings {
        ttl_ms: settings.ttl_ms,
        transition_ttl_ms: settings.transition_ttl_ms,
        runs_max: settings.runs_max,
        dead_letter_ttl_ms: settings.dead_letter_ttl_ms,
        dead_letters_max: settings.dead_letters_max,
        accumulates: settings.accumulates,
        straggler_window_ms: settings.straggler_window_ms,
        group_ttl_ms: settings.group_ttl_ms,
        memory_bytes: settings.memory_bytes,
    }
}

fn to_boot(boot: &Boot) -> proto::Boot {
    let to_queued = |(run, sequence)| proto::QueuedRef { run: to_key(run), sequence };
    proto::Boot {
        node: boot.node.0,
        number: boot.number,
        ended_while_planning: boot.ended_while_planning.map(to_queued),
    }
}

fn from_boot(boot: proto::Boot) -> Result<Boot, WireError> {
    let from_queued =
        |queued: proto::QueuedRef| Ok((from_key(&queued.run, "QueuedRef.run")?, queued.sequence));
    Ok(Boot {
        node: NodeId(boot.node),
        number: boot.number,
        ended_while_planning: boot.ended_while_planning.map(from_queued).transpose()?,
    })
}

fn to_move(to: &SlotMove) -> proto::SlotMove {
    proto::SlotMove {
        slot: to.slot.number().into(),
        expected_epoch: to.expected_epoch,
        to: to.to.0,
        is_forced: to.is_forced,
    }
}

fn from_move(to: proto::SlotMove) -> Result<SlotMove, WireError> {
    Ok(SlotMove {
        slot: from_slot(to.slot, "SlotMove.slot")?,
        expected_epoch: to.expected_epoch,
        to: NodeId(to.to),
        is_forced: to.is_forced,
    })
}

fn to_owner(owner: Owner) -> proto::Owner {
    proto::Owner {
        node: owner.node.0,
        boot: owner.boot,
        slot: owner.slot.number().into(),
        epoch: owner.epoch,
    }
}

fn from_owner(owner: Option<proto::Owner>, field: &'static str) -> Result<Owner, WireError> {
    let owner = required(owner, field)?;
    Ok(Owner {
        node: NodeId(owner.node),
        boot: owner.boot,
        slot: from_slot(owner.slot, "Owner.slot")?,
        epoch: owner.epoch,
    })
}

fn to_begin(begin: &Begin) -> proto::Begin {
    proto::Begin {
        owner: Some(to_owner(begin.owner)),
        planned: begin.planned.as_ref().map(to_planned),
        asked: begin.asked.iter().map(to_grant).collect(),
    }
}

fn from_begin(begin: proto::Begin) -> Result<Begin, WireError> {
    Ok(Begin {
        owner: from_owner(begin.owner, "Begin.owner")?,
        planned: begin.planned.map(from_planned).transpose()?,
        asked: from_each(begin.asked, from_grant)?,
    })
}

pub(super) fn to_grant(grant: &Grant) -> proto::Grant {
    proto::Grant { effect: to_effect_id(grant.effect), attempt: grant.attempt }
}

pub(super) fn from_grant(grant: proto::Grant) -> Result<Grant, WireError> {
    let effect = from_effect_id(&grant.effect, "Grant.effect")?;
    Ok(Grant { effect, attempt: grant.attempt })
}

fn to_planned(planned: &Planned) -> proto::Planned {
    proto::Planned {
        run: to_key(planned.run),
        sequence: planned.sequence,
        effects: planned.effects.iter().map(to_planned_effect).collect(),
        skipped: planned.skipped.iter().map(to_skipped).collect(),
        failed: planned.failed.iter().map(to_failed).collect(),
    }
}

fn from_planned(planned: proto::Planned) -> Result<Planned, WireError> {
    Ok(Planned {
        run: from_key(&planned.run, "Planned.run")?,
        sequence: planned.sequence,
        effects: from_each(planned.effects, from_planned_effect)?,
        skipped: from_each(planned.skipped, from_skipped)?,
        failed: from_each(planned.failed, from_failed)?,
    })
}

fn to_failed(failed: &FailedRoute) -> proto::FailedRoute {
    proto::FailedRoute {
        route: Some(to_route(&failed.route)),
        cause: Some(to_cause(&failed.cause)),
    }
}

fn from_failed(failed: proto::FailedRoute) -> Result<FailedRoute, WireError> {
    Ok(FailedRoute {
        route: from_route(failed.route, "FailedRoute.route")?,
        cause: from_cause(required(failed.cause, "FailedRoute.cause")?)?,
    })
}

fn to_outcome(outcome: &AttemptOutcome) -> proto::Outcome {
    let result = match &outcome.result {
        AttemptResult::Delivered(receipt) => WireResult::Delivered(to_receipt(receipt)),
        AttemptResult::RetryIn { wait_ms, cause } => {
            WireResult::RetryIn(proto::RetryIn { wait_ms: *wait_ms, cause: Some(to_cause(cause)) })
        }
        AttemptResult::Dead(cause) => WireResult::Dead(to_cause(cause)),
        AttemptResult::Skipped(reason) => WireResult::Skipped(to_skip_reason(*reason)),
        AttemptResult::Unsent => WireResult::Unsent(proto::Unsent {}),
    };
    proto::Outcome {
        effect: to_effect_id(outcome.effect),
        attempt: outcome.attempt,
        result: Some(result),
    }
}

fn from_outcome(outcome: proto::Outcome) -> Result<AttemptOutcome, WireError> {
    let Some(result) = outcome.result else {
        let (field, accepted) = ("Outcome.result", "one of the fields 3 to 7");
        return Err(WireError::UnknownVariant { field, accepted });
    };
    let result = match result {
        WireResult::Delivered(receipt) => AttemptResult::Delivered(from_receipt(receipt)?),
        WireResult::RetryIn(retry) => AttemptResult::RetryIn {
            wait_ms: retry.wait_ms,
            cause: from_cause(required(retry.cause, "RetryIn.cause")?)?,
        },
        WireResult::Dead(cause) => AttemptResult::Dead(from_cause(cause)?),
        WireResult::Skipped(reason) => {
            AttemptResult::Skipped(from_skip_reason(reason, "Outcome.skipped")?)
        }
        WireResult::Unsent(proto::Unsent {}) => AttemptResult::Unsent,
    };
    Ok(AttemptOutcome {
        effect: from_effect_id(&outcome.effect, "Outcome.effect")?,
        attempt: outcome.attempt,
        result,
    })
}

fn to_item(item: &ReplayItem) -> proto::ReplayItem {
    proto::ReplayItem { letter: item.letter, event: item.event.as_deref().map(to_event) }
}

fn from_item(item: proto::ReplayItem) -> Result<ReplayItem, WireError> {
    let event = item.event.map(from_event).transpose()?;
    Ok(ReplayItem { letter: item.letter, event: event.map(Box::new) })
}

#[cfg(test)]
#[path = "command_test.rs"]
mod tests;
