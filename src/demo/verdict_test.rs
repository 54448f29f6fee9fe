//! What counts as lost, repeated, late or wrong, and what a killed process excuses.

use super::*;

fn webhook(id: &str) -> Arrival {
    Arrival::Webhook { id: id.to_owned(), run_uid: "u".to_owned(), state: "running".to_owned() }
}

fn status(state: &str) -> Arrival {
    Arrival::Status {
        sha: "0123456789".to_owned(),
        context: "tekton/ok".to_owned(),
        state: state.to_owned(),
        description: String::new(),
    }
}

fn slack(text: &str) -> Arrival {
    Arrival::Slack { text: text.to_owned() }
}

/// Requests with the transitions `ids`, of runs without anything to show at the end.
fn scenario(ids: &[&str]) -> Scenario {
    Scenario {
        requests: Vec::new(),
        runs: 1,
        expected: BTreeMap::new(),
        rows: BTreeMap::new(),
        transitions: ids.iter().map(|id| transition(id)).collect(),
    }
}

fn transition(id: &str) -> Transition {
    Transition { run_uid: "u".to_owned(), webhook_id: id.to_owned() }
}

fn answer(fate: &str) -> SenderAnswer {
    SenderAnswer { status: Some(202), fate: fate.to_owned(), attempts: 1 }
}

fn played(fates: &[&str], in_doubt: u64) -> Played {
    Played { answers: fates.iter().map(|fate| answer(fate)).collect(), in_doubt, faults: vec![] }
}

fn seen(arrivals: Vec<Arrival>) -> Arrived {
    Arrived { arrivals, ..Arrived::default() }
}

/// The verdict on `news` transitions, all accepted.
fn verdict(news: &[&str], in_doubt: u64, arrivals: Vec<Arrival>) -> DemoVerdict {
    let played = played(&vec!["accepted"; news.len()], in_doubt);
    DemoVerdict::of(&scenario(news), &played, &seen(arrivals))
}

#[test]
fn an_accepted_event_without_its_webhook_is_lost() {
    let verdict = verdict(&["a", "b", "a"], 0, vec![webhook("a")]);
    assert_eq!((verdict.news, verdict.lost, verdict.is_good()), (2, 1, false));
}

#[test]
fn an_event_whose_first_answer_was_lost_is_owed_all_the_same() {
    let scenario = scenario(&["a", "b"]);
    let played = played(&["accepted", "duplicate"], 0);
    let verdict = DemoVerdict::of(&scenario, &played, &seen(vec![webhook("a")]));
    assert_eq!((verdict.lost, verdict.is_good()), (1, false));
}

#[test]
fn an_event_that_the_relay_ignores_is_not_owed() {
    let played = played(&["ignored"], 0);
    assert!(DemoVerdict::of(&scenario(&["a"]), &played, &seen(vec![])).is_good());
}

/// The number lost of `a` and `b` when `a` was answered with `fate` and `told` arrived.
fn lost_of_two(fate: &str, told: &[&str]) -> usize {
    let played = played(&[fate, "accepted"], 0);
    let arrivals = told.iter().map(|id| webhook(id)).collect();
    DemoVerdict::of(&scenario(&["a", "b"]), &played, &seen(arrivals)).lost
}

#[test]
fn an_event_that_was_overtaken_in_a_spool_or_before_it_came_is_not_lost() {
    assert_eq!((lost_of_two("spooled", &["b"]), lost_of_two("superseded", &["b"])), (0, 0));
    assert_eq!((lost_of_two("spooled", &[]), lost_of_two("superseded", &[])), (2, 2));
    assert_eq!((lost_of_two("accepted", &["b"]), lost_of_two("duplicate", &["b"])), (1, 1));
}

#[test]
fn an_event_in_a_spool_is_not_overtaken_by_another_run() {
    let mut scenario = scenario(&["a", "b"]);
    scenario.transitions[1].run_uid = "other".to_owned();
    let played = played(&["spooled", "accepted"], 0);
    assert_eq!(DemoVerdict::of(&scenario, &played, &seen(vec![webhook("b")])).lost, 1);
}

#[test]
fn an_event_that_was_not_acknowledged_is_not_lost_but_not_good_either() {
    let refused = SenderAnswer { status: Some(503), fate: String::new(), attempts: 11 };
    let played = Played { answers: vec![refused], ..Played::default() };
    let verdict = DemoVerdict::of(&scenario(&["a"]), &played, &seen(vec![]));
    assert_eq!((verdict.lost, verdict.acknowledged, verdict.is_good()), (0, 0, false));
}

#[test]
fn all_there_once_is_good() {
    let verdict = verdict(&["a", "b"], 0, vec![webhook("a"), webhook("b")]);
    assert!(verdict.is_good());
    assert_eq!(
        verdict.to_string(),
        "verdict: 2 sent, 2 acknowledged, 2 with news, 2 effects delivered (0 calls repeated), \
         0 duplicates, 0 lost"
    );
}

#[test]
fn what_arrives_twice_is_a_duplicate_whatever_its_target() {
    let comment = |id| Arrival::CommentCreated { id, pr: 7 };
    for twice in [webhook("a"), status("pending"), slack("m"), comment(1)] {
        assert_eq!(duplicates(&seen(vec![twice.clone(), twice])).len(), 1);
    }
    assert_eq!(duplicates(&seen(vec![comment(1), comment(2)])), ["the comment on #7"]);
}

#[test]
fn a_check_that_returns_to_a_state_and_an_edited_comment_repeat_nothing() {
    let edit = Arrival::CommentEdited { id: 1 };
    let arrivals =
        vec![status("pending"), status("success"), status("pending"), edit.clone(), edit];
    assert_eq!(duplicates(&seen(arrivals)), [""; 0]);
}

#[test]
fn duplicates_are_forgiven_up_to_the_calls_in_doubt() {
    let thrice = || vec![webhook("a"), webhook("a"), webhook("a")];
    let is_good = |in_doubt| verdict(&["a"], in_doubt, thrice()).is_good();
    assert_eq!([0, 1, 2, 3].map(is_good), [false, false, true, true]);
}

#[test]
fn duplicates_and_what_excuses_them_are_told() {
    let verdict = verdict(&["a"], 2, vec![webhook("a"), webhook("a")]);
    assert_eq!(
        verdict.to_string(),
        "twice: webhook a (running)\n\
         verdict: 1 sent, 1 acknowledged, 1 with news, 2 effects delivered (0 calls repeated), \
         1 duplicates (a process was killed during 2 calls), 0 lost"
    );
}

#[test]
fn a_loss_is_not_made_up_for_by_doubt() {
    assert!(!verdict(&["a", "b"], 9, vec![webhook("a"), webhook("a")]).is_good());
}

#[test]
fn a_check_in_the_wrong_final_state_is_a_fault() {
    let mut scenario = scenario(&[]);
    let key = ("0123456789".to_owned(), "tekton/ok".to_owned());
    scenario.expected = BTreeMap::from([(key, "success")]);
    let faults = |arrivals| DemoVerdict::of(&scenario, &Played::default(), &seen(arrivals)).faults;
    assert_eq!(faults(vec![status("success")]), [""; 0]);
    assert_eq!(
        faults(vec![status("success"), status("pending")]),
        ["tekton/ok on 0123456 ends as Some(\"pending\"), not success"]
    );
    assert_eq!(faults(vec![]), ["tekton/ok on 0123456 ends as None, not success"]);
}

#[test]
fn a_comment_without_a_task_of_its_run_is_a_fault() {
    let mut scenario = scenario(&[]);
    scenario.rows = BTreeMap::from([(7, [("build", "succeeded"), ("test", "failed")].as_slice())]);
    let faults = |text: &str| {
        let comments = BTreeMap::from([((7, 1), text.to_owned())]);
        let seen = Arrived { comments, ..Arrived::default() };
        DemoVerdict::of(&scenario, &Played::default(), &seen).faults
    };
    assert_eq!(faults("x\n| build | succeeded |\n| test | failed |"), [""; 0]);
    let unknown = faults("| build | succeeded |\n| test | unknown |");
    assert_eq!(unknown, ["no comment on #7 shows test as failed"]);
}

#[test]
fn each_run_that_did_not_succeed_has_a_message() {
    let mut scenario = scenario(&[]);
    let check = |sha: &str| (sha.to_owned(), String::new());
    scenario.expected = BTreeMap::from([(check("a"), "failure"), (check("b"), "success")]);
    assert_eq!(wrong_messages(&scenario, &seen(vec![slack("m"), slack("m")])), None);
    let told = wrong_messages(&scenario, &seen(vec![])).unwrap();
    assert_eq!(told, "0 different Slack messages, not 1");
}

#[test]
fn transitions_of_a_run_in_the_wrong_order_are_a_fault() {
    let right = verdict(&["a", "b"], 1, vec![webhook("a"), webhook("b"), webhook("a")]);
    assert_eq!(right.faults, [""; 0]);
    let wrong = verdict(&["a", "b"], 0, vec![webhook("b"), webhook("a")]);
    assert_eq!(wrong.faults, ["webhook running of run u arrived too late"]);
}

#[test]
fn what_went_wrong_with_the_relay_is_a_fault() {
    let played = Played { faults: vec!["still at work".to_owned()], ..Played::default() };
    let verdict = DemoVerdict::of(&scenario(&[]), &played, &seen(vec![]));
    assert!(!verdict.is_good());
    assert!(verdict.to_string().starts_with("FAULT: still at work\nverdict: "));
}
