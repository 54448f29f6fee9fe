//! Rule 17: every command is keyed or conditional; rule 19: time never goes back; rule 20: what
//! apply uses comes through the log.

use super::*;

/// Applies `command` twice at one moment and tells whether the second changed anything.
fn twice(core: &mut Core, command: &Command) -> (Applied, Applied) {
    let first = core.apply(command.clone());
    let before = core.text();
    let second = core.apply(command.clone());
    assert_eq!(core.text(), before, "applied twice: {command:?}");
    (first, second)
}

/// Run `a` is planned, and its status is on the wire.
fn under_way() -> (Core, Grant) {
    let mut core = Core::new();
    core.accept(pipeline_run("a").success());
    core.plan_all();
    let grant = core.begin(core.status("a")).unwrap();
    (core, grant)
}

#[test]
fn rule_17_an_accept_applied_twice_takes_the_event_once() {
    let mut core = Core::new();
    let command = Command::Accept(Box::new(pipeline_run("a").success().into()));
    twice(&mut core, &command);
    assert_eq!(core.state.unplanned(), 1);
}

#[test]
fn rule_17_settings_boots_moves_and_touches_applied_twice_change_nothing() {
    let mut core = Core::new();
    core.take(pipeline_run("a").success());
    let slot = SlotId::of_root("a");
    let expected_epoch = core.state.slot(slot).epoch;
    let commands = [
        Command::Settings(Settings { runs_max: 7, ..Settings::default() }),
        Command::Boot(Boot { node: A, number: 2, ended_while_planning: None }),
        Command::Assign(vec![SlotMove { slot, expected_epoch, to: B, is_forced: true }]),
        Command::Touch(vec![run_key("a")]),
        Command::Tick,
    ];
    for command in commands {
        let (first, second) = twice(&mut core, &command);
        assert_eq!(first, second);
    }
    assert_eq!(core.state.slot(slot).epoch, expected_epoch + 1);
}

#[test]
fn rule_17_a_boot_applied_twice_counts_an_ended_planning_once() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").success());
    let planned = core.next_plan().unwrap().planned.unwrap();
    let ended_while_planning = Some((planned.run, planned.sequence));
    twice(&mut core, &Command::Boot(Boot { node: A, number: 2, ended_while_planning }));
    assert_eq!(core.run("a").queue[0].ended_plannings, 1);
}

#[test]
fn rule_17_a_plan_applied_twice_changes_nothing_and_gives_the_same_grants() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").success());
    let mut begin = core.next_plan().unwrap();
    ask_for_all(&mut begin);
    let (first, second) = twice(&mut core, &Command::Begin(begin));
    assert_eq!(first, second);
    assert_eq!(core.state.backlog(), 2);
}

#[test]
fn rule_17_a_begin_applied_again_while_its_call_is_under_way_gets_the_first_answer() {
    let (mut core, grant) = under_way();
    let before = core.text();
    assert_eq!(core.ask_again(grant), Applied::Begun(vec![grant]));
    assert_eq!(core.text(), before);
}

#[test]
fn rule_17_a_begin_applied_again_after_its_call_was_recorded_begins_nothing() {
    let kept = [AttemptResult::RetryIn { wait_ms: 0, cause: cause() }, AttemptResult::Unsent];
    for result in kept {
        let (mut core, grant) = under_way();
        core.outcome(grant, result);
        let before = core.text();
        assert_eq!(core.ask_again(grant), Applied::Begun(Vec::new()));
        assert_eq!(core.text(), before);
    }
}

#[test]
fn rule_17_a_begin_applied_again_after_a_newer_one_is_not_answered_with_its_number() {
    let (mut core, first) = under_way();
    core.fail(first, 0);
    let second = core.begin(first.effect).unwrap();
    assert_eq!(second.attempt, 2);
    let before = core.text();
    assert_eq!(core.ask_again(first), Applied::Begun(Vec::new()));
    assert_eq!(core.ask_again(second), Applied::Begun(vec![second]));
    assert_eq!(core.text(), before);
}

#[test]
fn rule_17_a_begin_that_runs_ahead_of_the_attempts_made_begins_nothing() {
    let (mut core, grant) = under_way();
    core.fail(grant, 0);
    let before = core.text();
    for attempt in [0, 3, u32::MAX] {
        let asked = Grant { attempt, ..grant };
        assert_eq!(core.ask_again(asked), Applied::Begun(Vec::new()));
    }
    assert_eq!(core.text(), before);
}

#[test]
fn rule_17_a_plan_that_comes_again_late_does_not_begin_its_effects_anew() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    let mut begin = core.next_plan().unwrap();
    ask_for_all(&mut begin);
    let command = Command::Begin(begin);
    let Applied::Begun(grants) = core.apply(command.clone()) else { panic!("not begun") };
    for grant in grants {
        core.fail(grant, 0);
    }
    let before = core.text();
    assert_eq!(core.apply(command), Applied::Begun(Vec::new()));
    assert_eq!(core.text(), before);
}

#[test]
fn rule_17_an_outcome_applied_twice_settles_once() {
    let results = [
        AttemptResult::Delivered(receipt("1")),
        AttemptResult::RetryIn { wait_ms: 5, cause: cause() },
        AttemptResult::Dead(cause()),
        AttemptResult::Skipped(SkipReason::MissingFacts),
        AttemptResult::Unsent,
    ];
    for result in results {
        let (mut core, grant) = under_way();
        let outcome = AttemptOutcome { effect: grant.effect, attempt: grant.attempt, result };
        let (first, second) = twice(&mut core, &Command::Record(vec![outcome]));
        assert_eq!(first, second);
    }
}

#[test]
fn rule_17_an_outcome_applied_again_after_the_next_begin_does_not_end_it() {
    let (mut core, grant) = under_way();
    core.fail(grant, 0);
    core.begin(grant.effect).unwrap();
    let before = core.text();
    core.fail(grant, 0);
    assert_eq!(core.text(), before);
}

#[test]
fn rule_17_a_park_or_replay_applied_twice_changes_nothing() {
    let (mut core, grant) = under_way();
    core.die(grant);
    let id = core.chat("a");
    let owner = core.owner(core.record(id).slot);
    let (first, second) = twice(&mut core, &Command::Park { owner, effects: vec![id] });
    assert_eq!(first, second);
    twice(&mut core, &Command::Replay(vec![ReplayItem { letter: 1, event: None }]));
    assert_eq!(core.state.unplanned(), 1);
}

#[test]
fn rule_19_time_never_goes_back() {
    let mut core = Core::new();
    core.state.apply(Entry { at: START.before(HOUR), commands: vec![Command::Tick] });
    assert_eq!(core.state.now(), START);
}

#[test]
fn rule_19_a_timer_fires_with_the_entry_that_reaches_its_moment() {
    let mut core = Core::new();
    core.take(pipeline_run("a").success());
    let due_at = core.state.next_timer().unwrap();
    core.state.apply(Entry { at: due_at.before(Duration::from_millis(1)), commands: vec![] });
    assert_eq!(core.state.run_counts(), (1, 0));
    core.state.apply(Entry { at: due_at, commands: vec![] });
    assert_eq!(core.state.run_counts(), (0, 1));
}

#[test]
fn rule_19_at_most_256_timers_fire_in_one_entry() {
    let mut core = Core::new();
    for number in 0..300 {
        core.take(pipeline_run(&format!("r-{number}")).success());
    }
    let later = START.after(HOUR);
    core.state.apply(Entry { at: later, commands: vec![Command::Tick] });
    assert_eq!(core.state.run_counts(), (44, 256));
    assert_eq!(core.state.next_timer(), Some(later));
    core.state.apply(Entry { at: later, commands: vec![Command::Tick] });
    assert_eq!(core.state.run_counts(), (0, 300));
}

#[test]
fn rule_20_apply_uses_the_committed_settings() {
    let mut core = Core::new();
    core.apply(Command::Settings(Settings {
        ttl_ms: millis(2 * HOUR),
        dead_letter_ttl_ms: millis(3 * HOUR),
        ..Settings::default()
    }));
    core.accept(pipeline_run("a").success());
    core.plan_all();
    let grant = core.begin(core.status("a")).unwrap();
    core.die(grant);
    core.settle();
    core.pass(2 * HOUR - MINUTE);
    assert_eq!((core.state.run_counts(), core.state.deliveries_remembered()), ((1, 0), 1));
    core.pass(MINUTE);
    assert_eq!((core.state.run_counts(), core.state.deliveries_remembered()), ((0, 1), 0));
    core.pass(HOUR);
    assert_eq!(core.letters(), [""; 0]);
}

#[test]
fn rule_21_a_checkpoint_changes_nothing_that_it_is_to_compare() {
    let (mut core, _) = under_way();
    let before = core.text();
    assert_eq!(core.apply(Command::Checkpoint), Applied::Done);
    assert_eq!(core.text(), before);
}

#[test]
fn rule_21_equal_commands_give_equal_states() {
    let build = || {
        let mut core = Core::with(|settings| settings.accumulates = true);
        for uid in ["b", "a", "c"] {
            core.take(pipeline_run(uid).started());
            core.take(task_run(uid, &format!("{uid}-t"), "test").failure());
            core.take(pipeline_run(uid).success());
        }
        core.pass(2 * HOUR);
        core.text()
    };
    assert_eq!(build(), build());
}
