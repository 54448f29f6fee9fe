//! What each command changes, exactly. That nothing is left out of a long log is shown beside the
//! logs, in `wire`.

use super::*;

const SLOT: fn(&str) -> SlotId = SlotId::of_root;

fn changes(core: &mut Core, command: Command) -> Vec<StateChange> {
    core.outcome_of(command).changes
}

fn accept(core: &mut Core, event: impl Into<RunEvent>) -> Vec<StateChange> {
    changes(core, Command::Accept(Box::new(event.into())))
}

fn outcome(core: &mut Core, grant: Grant, result: AttemptResult) -> Vec<StateChange> {
    let outcome = AttemptOutcome { effect: grant.effect, attempt: grant.attempt, result };
    changes(core, Command::Record(vec![outcome]))
}

/// A run `a` whose status is on the wire. Its message is delivered.
fn on_the_wire() -> (Core, Grant) {
    let mut core = Core::new();
    core.accept(pipeline_run("a").success());
    core.plan_all();
    let chat = core.begin(core.chat("a")).unwrap();
    core.deliver(chat);
    let grant = core.begin(core.status("a")).unwrap();
    (core, grant)
}

fn settled(effect: EffectId, end: EffectEnd) -> StateChange {
    StateChange::EffectSettled { run: run_key("a"), effect, end }
}

#[test]
fn an_event_that_is_taken_changes_its_run_and_is_queued() {
    let mut core = Core::new();
    let run = run_key("a");
    let queued = |sequence| StateChange::EventQueued { run, sequence };
    let taken = |fate| StateChange::EventTaken { run, fate };
    let first = accept(&mut core, pipeline_run("a").started());
    assert_eq!(first, [StateChange::RunChanged { run }, queued(1), taken(Fate::Accepted)]);
    let again = accept(&mut core, pipeline_run("a").started());
    assert_eq!(again, [taken(Fate::Duplicate)]);
    let late = accept(&mut core, pipeline_run("a").queued());
    assert_eq!(late, [StateChange::RunChanged { run }, taken(Fate::Superseded)]);
}

#[test]
fn an_event_without_a_free_record_changes_nothing() {
    let mut core = Core::with(|settings| settings.runs_max = 1);
    core.accept(pipeline_run("a").started());
    assert_eq!(accept(&mut core, pipeline_run("b").started()), []);
}

#[test]
fn a_plan_takes_its_event_out_of_the_queue_and_its_effects_into_the_outbox() {
    let mut core = Core::new();
    let run = run_key("a");
    core.accept(pipeline_run("a").success());
    let mut begin = core.next_plan().unwrap();
    ask_for_all(&mut begin);
    let [status, chat] = [0, 1].map(|place: usize| begin.asked[place].effect);
    let planned = |effect| StateChange::EffectPlanned { run, effect };
    let begun = |effect| StateChange::EffectBegun { run, effect, attempt: 1 };
    assert_eq!(
        changes(&mut core, Command::Begin(begin.clone())),
        [
            StateChange::EventPlanned { run, sequence: 1 },
            planned(status),
            planned(chat),
            begun(status),
            begun(chat),
        ]
    );
    assert_eq!(changes(&mut core, Command::Begin(begin)), []);
}

#[test]
fn an_attempt_that_is_repeated_changes_its_effect_and_one_that_is_made_settles_it() {
    let (mut core, grant) = on_the_wire();
    let (run, effect) = (run_key("a"), grant.effect);
    let failed = AttemptResult::RetryIn { wait_ms: 0, cause: cause() };
    assert_eq!(outcome(&mut core, grant, failed), [StateChange::EffectChanged { run, effect }]);
    let second = core.begin(effect).unwrap();
    let delivered = || AttemptResult::Delivered(receipt("7"));
    let made = outcome(&mut core, second, delivered());
    assert_eq!(made, [settled(effect, EffectEnd::Delivered)]);
    assert_eq!(outcome(&mut core, second, delivered()), []);
}

#[test]
fn a_call_that_was_replaced_settles_late_and_its_target_is_written_once_more() {
    let (mut core, grant) = on_the_wire();
    core.assign(B, true);
    core.pass(Duration::from_secs(11));
    let replacing = core.begin(grant.effect).unwrap();
    assert_eq!(replacing.attempt, 2);
    let late = outcome(&mut core, grant, AttemptResult::Delivered(receipt("7")));
    let queued = StateChange::EventQueued { run: run_key("a"), sequence: 2 };
    assert_eq!(late, [settled(grant.effect, EffectEnd::Late), queued]);
}

#[test]
fn what_is_skipped_or_fails_when_it_is_planned_settles_although_it_was_no_effect() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").success());
    let mut begin = core.next_plan().unwrap();
    let planned = begin.planned.as_mut().unwrap();
    let [skipped, failed] = [0, 1].map(|place: usize| planned.effects[place].clone());
    planned.effects.clear();
    planned.skipped.push(Skipped { route: skipped.route, reason: SkipReason::RouteGone });
    planned.failed.push(FailedRoute { route: failed.route, cause: cause() });
    assert_eq!(
        changes(&mut core, Command::Begin(begin)),
        [
            StateChange::EventPlanned { run: run_key("a"), sequence: 1 },
            settled(skipped.id, EffectEnd::Skipped(SkipReason::RouteGone)),
            settled(failed.id, EffectEnd::Dead(cause().kind)),
            StateChange::LetterAdded { letter: 1, cause: cause().kind },
        ]
    );
}

/// A core with a letter for the run `a`.
fn with_a_letter(letters_max: u64) -> Core {
    let mut core = Core::with(|settings| settings.dead_letters_max = letters_max);
    core.accept(pipeline_run("a").success());
    core.plan_all();
    let grant = core.begin(core.status("a")).unwrap();
    core.die(grant);
    core.settle();
    core
}

#[test]
fn rule_14_a_letter_is_added_and_the_oldest_leaves_for_want_of_room() {
    let mut core = with_a_letter(1);
    core.accept(pipeline_run("b").success());
    core.plan_all();
    let grant = core.begin(core.status("b")).unwrap();
    let (run, effect, kind) = (run_key("b"), grant.effect, cause().kind);
    assert_eq!(
        outcome(&mut core, grant, AttemptResult::Dead(cause())),
        [
            StateChange::LetterAdded { letter: 2, cause: kind },
            StateChange::LetterLeft { letter: 1, why: LetterExit::NoRoom },
            StateChange::EffectSettled { run, effect, end: EffectEnd::Dead(kind) },
        ]
    );
}

#[test]
fn a_letter_leaves_by_its_retention_a_replay_or_an_operator() {
    let left = |why| StateChange::LetterLeft { letter: 1, why };
    let mut core = with_a_letter(9);
    let deleted = changes(&mut core.clone(), Command::DeleteLetters(vec![1]));
    assert_eq!(deleted, [left(LetterExit::Deleted)]);
    let replay = Command::Replay(vec![ReplayItem { letter: 1, event: None }]);
    let queued = StateChange::EventQueued { run: run_key("a"), sequence: 2 };
    assert_eq!(changes(&mut core.clone(), replay), [left(LetterExit::Replayed), queued]);
    core.pass(7 * DAY - Duration::from_millis(1));
    core.now = core.now.after(Duration::from_millis(1));
    assert_eq!(changes(&mut core, Command::Tick), [left(LetterExit::Expired)]);
}

#[test]
fn a_run_shrinks_by_time_alone() {
    let mut core = Core::new();
    core.take(pipeline_run("a").success());
    core.pass(HOUR - Duration::from_millis(1));
    core.now = core.now.after(Duration::from_millis(1));
    assert_eq!(changes(&mut core, Command::Tick), [StateChange::RunShrunk { run: run_key("a") }]);
    assert_eq!(changes(&mut core, Command::Tick), []);
}

#[test]
fn what_concerns_the_cluster_changes_once_however_often_it_is_applied() {
    let mut core = Core::new();
    let (node, slot) = (NodeId(9), SLOT("a"));
    let moved = SlotMove { slot, expected_epoch: 1, to: B, is_forced: false };
    let until = core.now.after(MINUTE);
    let pause = Command::Pause { instance: "chat".to_owned(), until };
    let settings = Settings { runs_max: 7, ..core.state.settings().clone() };
    let level = FeatureLevel::SECOND;
    let told = [
        (
            Command::Boot(Boot { node, number: 1, ended_while_planning: None }),
            StateChange::NodeBooted { node },
        ),
        (Command::Retire { node }, StateChange::NodeRetired { node }),
        (Command::Assign(vec![moved]), StateChange::SlotMoved { slot }),
        (pause, StateChange::InstancePaused { instance: "chat".to_owned() }),
        (Command::Settings(settings), StateChange::SettingsChanged),
        (Command::RaiseLevel { level }, StateChange::LevelRaised { level }),
    ];
    for (command, change) in told {
        assert_eq!(changes(&mut core, command.clone()), [change], "{command:?}");
        assert_eq!(changes(&mut core, command.clone()), [], "{command:?} once more");
    }
    core.now = until;
    let resumed = StateChange::InstanceResumed { instance: "chat".to_owned() };
    assert_eq!(changes(&mut core, Command::Tick), [resumed]);
}

#[test]
fn changes_of_one_entry_come_in_the_order_of_its_commands() {
    let mut core = Core::new();
    let events =
        ["a", "b"].map(|uid| Command::Accept(Box::new(pipeline_run(uid).started().into())));
    let entry = Entry { at: core.now, commands: events.to_vec() };
    let mut order = core.state.apply(entry).changes;
    order.retain(|change| matches!(change, StateChange::EventTaken { .. }));
    let fate = Fate::Accepted;
    assert_eq!(order, ["a", "b"].map(|uid| StateChange::EventTaken { run: run_key(uid), fate }));
}

#[test]
fn a_change_is_a_few_words_of_keys() {
    assert!(std::mem::size_of::<StateChange>() <= 64);
}
