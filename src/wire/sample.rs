//! An event and commands for the tests of this folder. Every field has a value of its own.

use crate::clock::Timestamp;
use crate::effect::{
    Delivery, EffectId, PlannedEffect, Receipt, RouteName, SkipReason, Skipped, TargetKey,
};
use crate::event::{
    ChildRef, Key, NamedValue, Naming, Parent, Rank, Reference, Repository, RunEvent, RunKind,
    RunState, Scm, SkippedTask,
};
use crate::failure::FailureKind;
use crate::state_machine::{
    Accepted, Applied, AttemptOutcome, AttemptResult, Begin, Boot, Cause, CauseKind, Command,
    FailedRoute, Fate, FeatureLevel, Grant, NodeId, Owner, Planned, Refusal, ReplayItem, Settings,
    SlotId, SlotMove,
};
use std::collections::BTreeMap;

/// When the event happened.
const START_MS: u64 = 1_790_000_000_000;
/// The reasons that the first feature level knows.
pub(super) const FIRST_REASONS: [SkipReason; 8] = [
    SkipReason::WhenFalse,
    SkipReason::FilteredByName,
    SkipReason::FilteredByKind,
    SkipReason::OtherProvider,
    SkipReason::MissingFacts,
    SkipReason::Superseded,
    SkipReason::OlderThanTarget,
    SkipReason::RouteGone,
];
const NODES: [NodeId; 2] = [NodeId(0xa1), NodeId(0xb2)];

/// An event in which every field of the first feature level has a value of its own.
pub(super) fn full_event() -> RunEvent {
    let pair = |name: &str| (name.to_owned(), format!("{name} value"));
    let value = |name: &str| NamedValue { name: name.to_owned(), value: format!("{name} value") };
    let text = str::to_owned;
    RunEvent {
        ce_id: text("ce-id"),
        ce_source: text("/ce/source"),
        ce_type: text("dev.tekton.event.taskrun.failed.v1"),
        ce_time: Timestamp(START_MS + 1),
        kind: RunKind::TaskRun,
        namespace: text("namespace"),
        name: text("name"),
        uid: text("uid"),
        resource_version: 17,
        created_at: Timestamp(START_MS + 2),
        rank: Rank::Terminal,
        state: RunState::Failure,
        reason: text("Failed"),
        message: text("exit 1 in step ü"),
        attempt: 3,
        last_transition: Timestamp(START_MS + 3),
        started_at: Timestamp(START_MS + 4),
        finished_at: Timestamp(START_MS + 5),
        parent: Parent { uid: text("parent-uid"), name: text("parent-name") },
        naming: Naming::default(),
        task_name: text("task-name"),
        pipeline_name: text("pipeline-name"),
        pipeline_task: text("pipeline-task"),
        event_listener_name: text("listener"),
        trigger_name: text("trigger"),
        task_display_name: text("Task"),
        pipeline_display_name: text("Pipeline"),
        is_finally: true,
        scm_event_type: text("push"),
        children: vec![ChildRef {
            name: text("child"),
            pipeline_task: text("child-task"),
            ..ChildRef::default()
        }],
        skipped_tasks: Vec::new(),
        scm: full_scm(),
        jira_issue_key: text("ABC-1"),
        group_id: text("group"),
        labels: BTreeMap::from([pair("label-b"), pair("label-a")]),
        annotations: BTreeMap::from([pair("annotation")]),
        params: vec![value("z-param"), value("a-param")],
        results: vec![value("result")],
        cut: vec![text("message")],
    }
}

/// The same event with the additions of the second feature level.
pub(super) fn named_event() -> RunEvent {
    let text = str::to_owned;
    let child = ChildRef { display_name: text("Child"), ..full_event().children.remove(0) };
    RunEvent {
        naming: Naming {
            reference: Reference::Name(text("reference")),
            is_resolved: true,
            generate_name: text("generate-"),
            original_name: text("original"),
            custom_kind: text("Kind.group"),
            iteration: text("7"),
            owner: text("owner"),
        },
        children: vec![child],
        skipped_tasks: vec![SkippedTask { name: text("skipped"), reason: text("why") }],
        ..full_event()
    }
}

fn referred(reference: Reference) -> RunEvent {
    RunEvent { naming: Naming { reference, ..Naming::default() }, ..full_event() }
}

fn full_scm() -> Scm {
    let text = str::to_owned;
    Scm {
        provider: text("github"),
        api_base_url: text("https://api.example.test"),
        commit_sha: text("0123abcd"),
        context: text("ci"),
        ref_name: text("main"),
        repository: Repository {
            owner: text("owner"),
            name: text("repository"),
            id: text("42"),
            workspace: text("workspace"),
            project: text("project"),
            org: text("org"),
        },
        issue_number: Some(0),
        pr_number: Some(7),
        discussion_number: Some(u64::MAX),
    }
}

pub(super) fn route(kind: &str, action: &str) -> RouteName {
    let instance = format!("{kind}-instance");
    RouteName { kind: kind.to_owned(), instance, action: action.to_owned() }
}

pub(super) fn cause(kind: CauseKind) -> Cause {
    Cause { kind, detail: format!("because of {}", kind.as_str()) }
}

/// Every command, with every kind of part at least once.
pub(super) fn all_commands() -> Vec<Command> {
    let slot = SlotId::new(255).unwrap();
    let owner = Owner { node: NODES[0], boot: 4, slot, epoch: 9 };
    let key = Key::of(&["run"]);
    let effect = EffectId(Key::of(&["effect"]));
    vec![
        Command::Settings(full_settings()),
        Command::Boot(Boot { node: NODES[0], number: 4, ended_while_planning: None }),
        Command::Boot(Boot { node: NODES[1], number: 0, ended_while_planning: Some((key, 12)) }),
        Command::Assign(vec![
            SlotMove { slot, expected_epoch: 8, to: NODES[0], is_forced: true },
            SlotMove { slot: SlotId::default(), expected_epoch: 0, to: NODES[1], is_forced: false },
        ]),
        Command::Accept(Box::new(full_event())),
        Command::Touch(vec![key, Key(0), Key(u128::MAX)]),
        Command::Begin(Begin { owner, planned: Some(full_plan(key, effect)), asked: vec![] }),
        Command::Begin(Begin { owner, planned: None, asked: all_grants(effect).to_vec() }),
        Command::Record(all_outcomes(effect)),
        Command::Park { owner, effects: vec![effect] },
        Command::Replay(vec![
            ReplayItem { letter: 0, event: None },
            ReplayItem { letter: u64::MAX, event: Some(Box::new(full_event())) },
        ]),
        Command::Retire { node: NODES[1] },
        Command::Pause { instance: "github-instance".to_owned(), until: Timestamp(START_MS + 6) },
        Command::RaiseLevel { level: FeatureLevel::FIRST },
        Command::Tick,
        Command::Checkpoint,
    ]
}

/// The additions of the second feature level to commands.
pub(super) fn second_commands() -> Vec<Command> {
    let slot = SlotId::new(255).unwrap();
    let owner = Owner { node: NODES[0], boot: 4, slot, epoch: 9 };
    let plan = second_plan(Key::of(&["run"]), EffectId(Key::of(&["effect"])));
    vec![
        Command::Settings(Settings { memory_bytes: 268_435_456, ..full_settings() }),
        Command::Accept(Box::new(named_event())),
        Command::Accept(Box::new(referred(Reference::Resolver))),
        Command::Accept(Box::new(referred(Reference::Inline))),
        Command::Begin(Begin { owner, planned: Some(plan), asked: vec![] }),
        Command::DeleteLetters(vec![0, u64::MAX]),
    ]
}

/// Fixed numbers and not the defaults: those may change, and releases keep the old ones in their
/// bytes.
fn full_settings() -> Settings {
    Settings {
        ttl_ms: 3_600_000,
        transition_ttl_ms: 604_800_000,
        runs_max: 100_000,
        dead_letter_ttl_ms: 604_800_000,
        dead_letters_max: 10_000,
        accumulates: true,
        straggler_window_ms: 5_000,
        group_ttl_ms: 3_600_000,
        memory_bytes: 0,
    }
}

fn all_grants(effect: EffectId) -> [Grant; 2] {
    [Grant { effect, attempt: 13 }, Grant { effect: EffectId(Key(0)), attempt: u32::MAX }]
}

fn full_plan(run: Key, id: EffectId) -> Planned {
    let target = TargetKey("github/owner/repository/0123abcd/ci".to_owned());
    let (status, message) = (route("github", "status"), route("slack", "notify"));
    Planned {
        run,
        sequence: 12,
        effects: vec![
            PlannedEffect { id, route: status, target, delivery: Delivery::Latest },
            PlannedEffect {
                id: EffectId(run),
                route: message.clone(),
                target: TargetKey(String::new()),
                delivery: Delivery::Stream,
            },
        ],
        skipped: FIRST_REASONS.map(|reason| Skipped { route: message.clone(), reason }).to_vec(),
        failed: vec![FailedRoute {
            route: message,
            cause: cause(CauseKind::Delivery(FailureKind::Render)),
        }],
    }
}

/// A plan with every reason to skip an effect.
fn second_plan(run: Key, id: EffectId) -> Planned {
    let skipped = SkipReason::ALL.map(|reason| Skipped { route: route("slack", "notify"), reason });
    Planned { skipped: skipped.to_vec(), ..full_plan(run, id) }
}

fn all_outcomes(effect: EffectId) -> Vec<AttemptOutcome> {
    let receipt = Receipt { remote_id: "comment 5".to_owned(), status: 65535 };
    let results = [
        AttemptResult::Delivered(receipt),
        AttemptResult::RetryIn { wait_ms: 1, cause: cause(CauseKind::Poison) },
        AttemptResult::Dead(cause(CauseKind::BacklogFull)),
        AttemptResult::Skipped(SkipReason::RouteGone),
        AttemptResult::Unsent,
    ];
    results
        .into_iter()
        .zip(1..)
        .map(|(result, attempt)| AttemptOutcome { effect, attempt, result })
        .collect()
}

/// Every answer, with every kind of part at least once.
pub(super) fn all_answers() -> Vec<Applied> {
    let slot = SlotId::new(255).unwrap();
    let accepted = |fate, owner| Applied::Accepted(Accepted { fate, slot, owner });
    let grant = |effect, attempt| Grant { effect: EffectId(effect), attempt };
    let mut answers = vec![
        Applied::Done,
        accepted(Fate::Duplicate, None),
        accepted(Fate::Accepted, Some(NodeId(0))),
        Applied::Begun(vec![]),
        Applied::Begun(vec![
            grant(Key(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff), 7),
            grant(Key(0), u32::MAX),
        ]),
        Applied::Replayed(0),
        Applied::Replayed(u64::MAX),
        Applied::Deleted(0),
        Applied::Deleted(u64::MAX),
    ];
    answers.extend(Fate::ALL.map(|fate| accepted(fate, Some(NodeId(0xa1)))));
    answers.extend(Refusal::ALL.map(Applied::Refused));
    answers
}
