//! Answers have their members in the order of their names, and are read as they were written.

use super::*;
use serde::de::DeserializeOwned;
use serde_json::json;

/// The bytes of an answer, once its members were seen to be in the order of their names.
fn written(answer: &impl Serialize) -> String {
    let text = serde_json::to_string(answer).unwrap();
    let sorted: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(text, sorted.to_string());
    text
}

fn reads_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(answer: &T) {
    assert_eq!(serde_json::from_str::<T>(&written(answer)).unwrap(), *answer);
}

#[test]
fn members_are_in_the_order_of_their_names_and_read_back() {
    let member = MemberAnswer { name: "relay-0".to_owned(), ..MemberAnswer::default() };
    let own_log_end = Some(LogEndAnswer { index: 9, term: 2 });
    reads_back(&ClusterAnswer { members: vec![member], own_log_end, ..ClusterAnswer::default() });
    let letters = Some(vec![LetterAnswer::default()]);
    reads_back(&LettersAnswer { events: letters.clone().unwrap(), ..LettersAnswer::default() });
    let (dry_run, would_replay, failed) = (Some(true), Some(1), Some(0));
    let replay = ReplayAnswer { dry_run, failed, would_replay, ..ReplayAnswer::default() };
    reads_back(&ReplayAnswer { letters: letters.clone(), ..replay });
    let (dry_run, would_delete) = (Some(true), Some(1));
    reads_back(&DeleteAnswer { dry_run, letters, would_delete, ..DeleteAnswer::default() });
    reads_back(&RemovedAnswer::default());
    reads_back(&ProblemAnswer::default());
    written(&FateAnswer { fate: "accepted", owner: None, run_uid: None, slot: Some(1) });
    written(&ReadyAnswer {
        applied_index: 1,
        backlog: 2,
        leader: None,
        memory: MemoryAnswer { bytes: 3, bytes_max: 4 },
        reason: Some("disk"),
        spooled: 5,
        status: "unavailable",
        warnings: Vec::new(),
    });
    reads_back(&LeaderAnswer::default());
    reads_back(&LevelAnswer::default());
    written(&SlotsAnswer { slots: vec![SlotAnswer::default()], ..SlotsAnswer::default() });
    written(&DigestAnswer::default());
    written(&AnalyticsAnswer {
        age_buckets: AgeBuckets { gt_24h: 0, lt_1h: 1, lt_24h: 2 },
        by_provider: BTreeMap::new(),
        by_state: BTreeMap::new(),
        top_causes: vec![CauseCount { cause: "poison", count: 1 }],
        total: 1,
    });
}

#[test]
fn members_of_a_run_are_in_the_order_of_their_names() {
    let text = || "x".to_owned();
    let unsettled = UnsettledAnswer {
        attempts: 1,
        event_state: "failure",
        id: text(),
        in_doubt: false,
        last_failure: Some(FailureAnswer { detail: text(), kind: "auth" }),
        not_before: None,
        route: text(),
        status: "waiting",
        target: text(),
    };
    let settled = SettledAnswer {
        at: text(),
        attempts: 1,
        event_state: "failure",
        id: text(),
        reason: None,
        receipt: Some(ReceiptAnswer { remote_id: text(), status: 201 }),
        route: text(),
        status: "delivered",
        target: Some(text()),
    };
    let moment = TimelineAnswer {
        at: text(),
        attempt: 0,
        ce_time: text(),
        contradicts: false,
        fate: "accepted",
        reason: text(),
        state: "failure",
    };
    let told = written(&RunAnswer {
        attempt: 0,
        check_name: text(),
        check_not_settled: None,
        effects: vec![EffectAnswer::Unsettled(unsettled), EffectAnswer::Settled(settled)],
        events_unplanned: 0,
        kind: "taskrun",
        last_seen: text(),
        name: text(),
        namespace: text(),
        parent: Some(ParentAnswer { name: text(), uid: text() }),
        previous_state: None,
        reason: text(),
        slot: 1,
        state: "failure",
        timeline: vec![moment],
        uid: text(),
    });
    assert!(
        told.contains(r#""effects":[{"attempts":1,"event_state":"failure","id":"x","in_doubt""#)
    );
}

#[test]
fn an_answer_of_an_earlier_version_is_read_with_defaults() {
    let old = json!({"term": 3, "members": [{"node_id": "00ab", "role": "voter"}]});
    let read: ClusterAnswer = serde_json::from_value(old).unwrap();
    assert_eq!((read.term, read.own_log_end, read.members[0].unhealthy), (3, None, None));
}
