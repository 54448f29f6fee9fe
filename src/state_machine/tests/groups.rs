//! Rule 10: slots, and groups of PipelineRuns that share one summary.

use super::*;

fn accumulating() -> Core {
    Core::with(|settings| settings.accumulates = true)
}

fn member(uid: &str) -> Draft {
    pipeline_run(uid).group("g")
}

/// The run under which the summary of a generation of group `g` is kept.
fn group_uid(generation: u32) -> String {
    Group::uid(&("ci".to_owned(), "g".to_owned()), generation)
}

fn summaries(sent: &[String]) -> Vec<&str> {
    sent.iter().map(String::as_str).filter(|what| what.starts_with("summary")).collect()
}

fn group_summary(core: &Core, generation: u32) -> crate::effect::Summary {
    core.state.summary(run_key(&group_uid(generation))).unwrap()
}

#[test]
fn rule_10_a_task_shares_the_slot_of_its_pipeline_run() {
    let slot = |draft: Draft| SlotId::of_root(RunEvent::from(draft).root_uid());
    let nested = pipeline_run("p").with(|event| event.parent.uid = "outer".to_owned());
    assert_eq!(slot(task_run("p", "t", "x")), SlotId::of_root("p"));
    assert_eq!(slot(nested), SlotId::of_root("p"));
}

#[test]
fn rule_10_the_answer_names_the_slot_and_its_owner() {
    let mut core = Core::new();
    let answer = core.apply(Command::Accept(Box::new(task_run("p", "t", "x").started().into())));
    let slot = SlotId::of_root("p");
    assert_eq!(answer, Applied::Accepted(Accepted { fate: Fate::Accepted, slot, owner: Some(A) }));
}

#[test]
fn rule_11_a_group_is_shown_when_all_its_members_are_final() {
    let mut core = accumulating();
    core.take(member("a").started());
    core.take(member("b").started());
    assert_eq!(summaries(&core.take(member("a").success())), [""; 0]);
    assert_eq!(summaries(&core.take(member("b").failure())), ["summary g failure"]);
    let summary = group_summary(&core, 0);
    assert_eq!((summary.state, summary.is_incomplete), (RunState::Failure, false));
    assert_eq!(summary.title, "g");
}

#[test]
fn rule_11_a_group_whose_last_member_succeeds_is_still_as_bad_as_its_worst() {
    let mut core = accumulating();
    core.take(member("a").started());
    core.take(member("b").started());
    core.take(member("a").failure());
    core.take(member("b").success().with(|event| event.reason = "Succeeded".to_owned()));
    let shown = core.state.run(&group_uid(0)).unwrap().run.facts.clone();
    assert_eq!((shown.state, shown.reason.as_str()), (RunState::Failure, ""));
}

#[test]
fn rule_11_a_group_lists_the_members_of_all_its_runs() {
    let mut core = accumulating();
    core.take(member("a").started());
    core.take(task_run("b", "t", "test").success());
    core.take(member("b").success());
    core.take(member("a").success().children(&["u"]));
    core.pass(Duration::from_secs(5));
    core.settle();
    let names: Vec<String> = group_summary(&core, 0).rows.into_iter().map(|r| r.name).collect();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(sorted, ["a/u", "b/test"]);
}

#[test]
fn rule_11_a_group_that_does_not_end_is_shown_as_incomplete_and_counted() {
    let mut core = accumulating();
    core.take(member("a").success());
    assert_eq!(core.settle(), [""; 0]);
    let mut core = accumulating();
    core.take(member("b").started());
    core.take(member("a").success());
    core.pass(HOUR - Duration::from_millis(1));
    assert_eq!(core.settle(), [""; 0]);
    core.pass(Duration::from_millis(1));
    assert_eq!(summaries(&core.settle()).len(), 1);
    assert_eq!(core.state.counters().incomplete_summaries, 1);
    assert!(group_summary(&core, 0).is_incomplete);
}

#[test]
fn rule_11_a_group_that_ended_after_all_is_no_longer_incomplete() {
    let mut core = accumulating();
    core.take(member("b").started());
    core.take(member("a").success());
    core.pass(HOUR);
    core.settle();
    assert_eq!(summaries(&core.take(member("b").success())), ["summary g success"]);
    let summary = group_summary(&core, 0);
    assert_eq!((summary.state, summary.is_incomplete), (RunState::Success, false));
}

#[test]
fn rule_11_the_end_of_the_oldest_member_is_shown_after_that_of_a_younger_one() {
    let mut core = accumulating();
    core.take(member("old").created(5).started());
    core.take(member("young").created(10).started());
    core.take(member("young").created(10).success());
    core.pass(HOUR);
    assert_eq!(summaries(&core.settle()).len(), 1);
    assert!(group_summary(&core, 0).is_incomplete);
    let sent = core.take(member("old").created(5).failure());
    assert_eq!(summaries(&sent), ["summary g failure"]);
    assert_eq!(core.state.counters().skipped.get(&SkipReason::OlderThanTarget), None);
}

#[test]
fn rule_11_a_late_task_of_the_member_that_ended_first_shows_the_group_once_more() {
    let mut core = accumulating();
    let ended_first = member("a").success().children(&["t"]).changed(1_000);
    core.take(member("b").started());
    core.take(ended_first);
    core.pass(MINUTE);
    core.settle();
    let sent = core.take(member("b").success().changed(60_000));
    assert_eq!(summaries(&sent), ["summary g success"]);
    let sent = core.take(task_run("a", "t", "test").failure().changed(2_000));
    assert_eq!(summaries(&sent).len(), 1, "{sent:?}");
    assert_eq!(group_summary(&core, 0).rows[0].state, Some(RunState::Failure));
    assert_eq!(core.state.counters().skipped.get(&SkipReason::OlderThanTarget), None);
}

#[test]
fn rule_10_a_member_after_the_flush_opens_the_next_generation() {
    let mut core = accumulating();
    core.take(member("a").success());
    assert_eq!(core.run(&group_uid(0)).slot, SlotId::of_root(&group_uid(0)));
    assert_eq!(summaries(&core.take(member("b").success())), ["summary g success"]);
    assert_eq!(core.state.summary(run_key(&group_uid(0))), None);
    assert_eq!(group_summary(&core, 1).rows.len(), 0);
    assert_eq!(core.state.summaries.groups.values().next().unwrap().members.len(), 1);
}

#[test]
fn rule_10_a_generation_is_counted_on_after_its_members_were_forgotten() {
    let mut core = accumulating();
    core.take(member("a").success());
    core.pass(3 * HOUR);
    core.take(member("b").success().changed(3 * 3_600_000));
    assert_eq!(core.state.summaries.groups.values().next().unwrap().generation, 1);
}

#[test]
fn rule_10_a_member_stays_in_the_generation_it_joined() {
    let mut core = accumulating();
    core.take(member("a").success().version(1));
    core.take(member("b").started());
    core.take(member("a").failure().version(2));
    let group = core.state.summaries.groups.values().next().unwrap();
    assert_eq!(group.members, BTreeSet::from([run_key("b")]));
}

#[test]
fn rule_11_a_member_is_kept_until_the_rest_of_its_group_has_ended() {
    let mut core = Core::with(|settings| {
        settings.accumulates = true;
        settings.group_ttl_ms = millis(12 * HOUR);
    });
    core.take(member("a").started());
    core.take(member("b").started());
    core.take(task_run("a", "t", "test").success());
    core.take(member("a").success());
    core.pass(5 * HOUR);
    core.take(member("b").success());
    let names: Vec<String> = group_summary(&core, 0).rows.into_iter().map(|r| r.name).collect();
    assert_eq!(names, ["a/test"]);
}

#[test]
fn rule_05_the_summary_of_a_group_has_a_check_name_of_its_own() {
    let mut core = accumulating();
    core.take(member("a").success());
    assert_eq!(core.run(&group_uid(0)).context.check_name, "tekton/g");
}
