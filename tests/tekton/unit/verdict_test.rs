use crate::facts::{End, Event, Facts, Notification, Run, Status, Writer};
use crate::verdict::{Verdict, judge};

const COMMIT: &str = "6dcb09b";

fn run(name: &str, created: u32, root: &str, end: End) -> Run {
    Run {
        uid: format!("uid-{name}"),
        link: format!("PipelineRun/{name}"),
        created: format!("{created:04}"),
        commit: COMMIT.to_owned(),
        writer: Writer { root: root.to_owned(), path: Vec::new(), combination: None },
        end,
    }
}

fn status(check: &str, name: &str, state: &str) -> Status {
    Status {
        commit: COMMIT.to_owned(),
        check: check.to_owned(),
        state: state.to_owned(),
        link: format!("PipelineRun/{name}"),
        is_answered: true,
    }
}

fn event(name: &str, is_final: bool) -> Event {
    Event { uid: format!("uid-{name}"), is_final, is_taken: true }
}

fn notification(id: &str, name: &str, state: &str) -> Notification {
    Notification { id: id.to_owned(), uid: format!("uid-{name}"), state: state.to_owned() }
}

/// A red run of `build`, then a green one, and a red run of `deploy`: all correct.
fn good() -> Facts {
    Facts {
        runs: vec![
            run("b1", 1, "build", End::Red),
            run("b2", 2, "build", End::Green),
            run("d1", 2, "deploy", End::Canceled),
        ],
        statuses: vec![
            status("t/build", "b1", "pending"),
            status("t/build", "b1", "failure"),
            status("t/deploy", "d1", "pending"),
            status("t/build", "b2", "pending"),
            status("t/deploy", "d1", "error"),
            status("t/build", "b2", "success"),
        ],
        events: ["b1", "b2", "d1"].map(|name| event(name, true)).to_vec(),
        notifications: vec![
            notification("1", "b1", "failure"),
            notification("2", "b2", "success"),
            notification("3", "d1", "canceled"),
        ],
        ..Facts::default()
    }
}

/// What is wrong with the good facts after a change.
fn after(change: impl FnOnce(&mut Facts)) -> Verdict {
    let mut facts = good();
    change(&mut facts);
    judge(&facts)
}

fn only(verdict: &Verdict) -> &str {
    assert_eq!(verdict.violations.len(), 1, "{:?}", verdict.violations);
    &verdict.violations[0]
}

#[test]
fn what_is_right_is_counted_as_right() {
    let verdict = judge(&good());
    assert_eq!(verdict.violations, Vec::<String>::new());
    let counts = verdict.counts;
    assert_eq!((counts.runs, counts.checks, counts.right, counts.statuses), (3, 2, 2, 6));
}

#[test]
fn a_red_run_with_a_green_check_is_wrong() {
    let verdict = after(|facts| facts.statuses[4].state = "success".to_owned());
    assert!(only(&verdict).contains("t/deploy of 6dcb09b shows success"), "{verdict:?}");
    assert_eq!((verdict.counts.right, verdict.counts.wrong), (1, 1));
}

#[test]
fn a_check_that_stays_pending_is_wrong() {
    let verdict = after(|facts| drop(facts.statuses.pop()));
    assert!(only(&verdict).contains("shows pending"), "{verdict:?}");
}

#[test]
fn an_ignored_failure_is_green() {
    assert!(judge(&good()).violations.is_empty());
    let verdict = after(|facts| facts.runs[1].end = End::Ignored);
    assert_eq!(verdict.violations, Vec::<String>::new());
}

#[test]
fn a_run_without_a_check_is_told() {
    let verdict = after(|facts| facts.statuses.retain(|status| status.check != "t/deploy"));
    assert!(only(&verdict).contains("PipelineRun/d1 has written no check"), "{verdict:?}");
}

#[test]
fn a_run_that_a_newer_one_has_outlived_needs_no_status() {
    let is_of_the_older = |status: &Status| status.link == "PipelineRun/b1";
    let verdict = after(|facts| facts.statuses.retain(|status| !is_of_the_older(status)));
    assert_eq!(verdict.violations, Vec::<String>::new());
}

/// Both runs of `build` were created in one second: the red one stays, whichever came first.
fn of_one_second(facts: &mut Facts) {
    facts.runs[1].created = facts.runs[0].created.clone();
    facts.statuses.retain(|status| status.link != "PipelineRun/b2");
}

#[test]
fn of_two_runs_of_one_second_the_better_one_needs_no_status() {
    let verdict = after(of_one_second);
    assert_eq!(verdict.violations, Vec::<String>::new());
    assert_eq!((verdict.counts.right, verdict.counts.never_written), (2, 0));
}

#[test]
fn of_two_runs_of_one_second_the_worse_one_has_to_be_written() {
    let verdict = after(|facts| {
        facts.runs[1].created = facts.runs[0].created.clone();
        facts.statuses.retain(|status| status.link != "PipelineRun/b1");
    });
    assert!(only(&verdict).contains("PipelineRun/b1 has written no check"), "{verdict:?}");
}

#[test]
fn of_two_runs_of_one_second_and_one_end_one_has_to_be_written() {
    let verdict = after(|facts| {
        facts.runs[1].created = facts.runs[0].created.clone();
        facts.runs[1].end = End::Red;
        facts.statuses.retain(|status| status.check != "t/build");
    });
    assert_eq!((verdict.violations.len(), verdict.counts.never_written), (2, 2));
}

#[test]
fn a_green_run_that_hides_a_red_one_of_the_same_second_is_told() {
    let verdict = after(|facts| facts.runs[1].created = facts.runs[0].created.clone());
    assert!(
        verdict.violations[0].contains("failure by PipelineRun/b1 to pending by PipelineRun/b2")
    );
    assert_eq!((verdict.counts.backwards, verdict.counts.wrong), (1, 1));
}

#[test]
fn a_run_whose_end_tekton_never_sent_is_only_counted() {
    let verdict = after(|facts| {
        facts.statuses.retain(|status| status.check != "t/deploy");
        facts.events.pop();
        facts.notifications.pop();
    });
    assert_eq!((verdict.violations.len(), verdict.counts.unheard), (0, 1));
}

#[test]
fn two_writers_of_one_check_are_told() {
    let verdict = after(|facts| {
        facts.runs[1].writer.root = "other".to_owned();
    });
    assert!(only(&verdict).contains("t/build of 6dcb09b was written by"), "{verdict:?}");
    assert_eq!(verdict.counts.shared, 1);
}

#[test]
fn a_status_that_links_to_no_run_is_told() {
    let verdict = after(|facts| facts.statuses.insert(0, status("t/x", "nobody", "pending")));
    assert!(only(&verdict).contains("links to no run: PipelineRun/nobody"), "{verdict:?}");
}

#[test]
fn a_second_run_of_a_pipeline_under_another_check_is_told() {
    let verdict = after(|facts| {
        for status in &mut facts.statuses {
            if status.link == "PipelineRun/b2" {
                status.check = "t/build-2".to_owned();
            }
        }
    });
    assert!(only(&verdict).contains(r#"wrote {"t/build", "t/build-2"}"#), "{verdict:?}");
}

#[test]
fn a_check_that_goes_back_within_a_run_is_told() {
    let verdict = after(|facts| facts.statuses.insert(2, status("t/build", "b1", "pending")));
    assert!(
        only(&verdict).contains("went from failure by PipelineRun/b1 to pending"),
        "{verdict:?}"
    );
    assert_eq!(verdict.counts.backwards, 1);
}

#[test]
fn a_check_that_goes_back_to_an_older_run_is_told() {
    let verdict = after(|facts| facts.statuses.insert(4, status("t/build", "b1", "failure")));
    assert!(verdict.violations[0].contains("to failure by PipelineRun/b1"), "{verdict:?}");
    assert_eq!(verdict.counts.backwards, 1);
}

#[test]
fn an_end_that_is_written_again_is_told_unless_it_was_in_doubt() {
    let again = |facts: &mut Facts| facts.statuses.push(status("t/build", "b2", "success"));
    assert!(only(&after(again)).contains("1 sent twice"));
    let verdict = after(|facts| {
        again(facts);
        facts.in_doubt = 1;
    });
    assert_eq!((verdict.violations.len(), verdict.counts.doubled), (0, 1));
}

#[test]
fn an_end_whose_sender_got_no_answer_may_be_written_again() {
    let verdict = after(|facts| {
        facts.statuses[5].is_answered = false;
        facts.statuses.push(status("t/build", "b2", "success"));
    });
    assert_eq!((verdict.violations.len(), verdict.counts.doubled), (0, 0));
}

#[test]
fn a_notification_that_comes_twice_is_told() {
    let verdict = after(|facts| facts.notifications.push(notification("1", "b1", "failure")));
    assert!(only(&verdict).contains("notification 1 of uid-b1"), "{verdict:?}");
}

#[test]
fn an_end_that_nobody_was_told_of_is_lost() {
    let verdict = after(|facts| facts.notifications[0].state = "running".to_owned());
    assert!(only(&verdict).contains("nobody was told of the end of PipelineRun/b1"), "{verdict:?}");
    assert_eq!(verdict.counts.lost, 1);
}

#[test]
fn an_event_that_no_replica_took_is_told() {
    let refused = Event { is_taken: false, ..event("b1", false) };
    let verdict = after(|facts| facts.events.push(refused));
    assert!(only(&verdict).contains("no replica took an event of uid-b1"), "{verdict:?}");
}

#[test]
fn events_are_spooled_only_where_something_is_broken() {
    let verdict = after(|facts| facts.spooled = 2);
    assert!(only(&verdict).contains("2 events spooled"), "{verdict:?}");
    let verdict = after(|facts| (facts.spooled, facts.is_disturbed) = (2, true));
    assert_eq!(verdict.violations, Vec::<String>::new());
}

#[test]
fn two_comments_of_one_marker_are_told() {
    let comment = |text: &str| ("7".to_owned(), format!("{text}\n<!-- relay:b1 -->"));
    let verdict = after(|facts| facts.comments = vec![comment("a"), comment("b")]);
    assert!(only(&verdict).contains("pull request 7 has two comments"), "{verdict:?}");
    let verdict = after(|facts| facts.comments = vec![comment("a")]);
    assert_eq!(verdict.violations, Vec::<String>::new());
}
