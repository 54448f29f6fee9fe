//! Each invariant holds if all went well, and fails if one thing went wrong.

use super::fixture::{
    CHECK, all_went_well, arrival, attempt, digest, look, refusal, slots, status, view,
};
use crate::harness::evidence::Evidence;
use crate::harness::history::Sent;
use crate::invariant::{
    ALL, asked_for, counted_repeats, equal_digests, final_state, first_acceptance, never_back,
    not_lost, one_cluster, one_leader, one_owner, order, violations,
};
use crate::shared::{named, recorded};
use std::time::Duration;

/// Evidence with one change.
fn broken(change: impl FnOnce(&mut Evidence)) -> Evidence {
    let mut evidence = all_went_well();
    change(&mut evidence);
    evidence
}

/// The last event, sent again under its own id.
fn sent_again(evidence: &Evidence, id: &str) -> Sent {
    let request = named(&recorded().0, "ok").pop().unwrap().with_id(id);
    let again = Sent::new(&request);
    assert_eq!(again.effect(), evidence.history.sent.last().unwrap().effect());
    again
}

#[test]
fn where_all_went_well_every_invariant_holds() {
    let evidence = all_went_well();
    assert!(evidence.arrivals.len() > 5);
    assert_eq!(violations(&evidence, &[]), [""; 0]);
}

#[test]
fn a_violation_is_told_with_the_name_of_its_invariant() {
    let evidence = broken(|evidence| {
        evidence.sightings.saw_view("relay-1", &view("b1", "c2", 3, "a0"), look(70))
    });
    let found = violations(&evidence, &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("one cluster id: "), "{found:?}");
    assert!(ALL.iter().any(|(name, _)| *name == "one cluster id"));
}

#[test]
fn an_acknowledged_event_that_arrived_nowhere_is_lost() {
    let evidence = broken(|evidence| drop(evidence.arrivals.pop()));
    assert_eq!(not_lost::violations(&evidence).len(), 1);
}

#[test]
fn a_duplicate_or_spooled_event_can_be_lost_too() {
    for fate in ["duplicate", "spooled"] {
        let evidence = broken(|evidence| {
            evidence.arrivals.pop();
            let last = evidence.history.sent.last_mut().unwrap();
            last.tries = vec![refusal(0, 1, 0), attempt(1, 2, fate)];
        });
        assert_eq!(not_lost::violations(&evidence).len(), 1, "{fate}");
    }
}

#[test]
fn an_event_that_was_not_acknowledged_may_be_lost() {
    for status in [0, 503] {
        let evidence = broken(|evidence| {
            evidence.arrivals.pop();
            evidence.history.sent.last_mut().unwrap().tries = vec![refusal(0, 1, status)];
        });
        assert_eq!(not_lost::violations(&evidence), [""; 0], "{status}");
    }
}

#[test]
fn a_dead_letter_is_no_loss_whatever_emission_it_names() {
    let evidence = broken(|evidence| {
        evidence.arrivals.pop();
        let mut again = sent_again(evidence, "re-emitted");
        again.tries.push(attempt(1, 50, "duplicate"));
        evidence.dead.insert(again.delivery());
        evidence.history.sent.push(again);
    });
    assert_eq!(not_lost::violations(&evidence), [""; 0]);
}

#[test]
fn an_event_the_timeline_calls_superseded_is_no_loss() {
    let evidence = broken(|evidence| {
        evidence.arrivals.remove(0);
        let moment = not_lost::moment(&evidence.history.sent[0]);
        evidence.superseded.insert(moment);
    });
    assert_eq!(not_lost::violations(&evidence), [""; 0]);
}

#[test]
fn a_transition_that_was_new_twice_is_found_under_other_ids_too() {
    let evidence = broken(|evidence| {
        let mut again = sent_again(evidence, "re-emitted");
        again.tries.push(attempt(1, 50, "accepted"));
        evidence.history.sent.push(again);
    });
    let found = first_acceptance::violations(&evidence);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("accepted 2 times, by nodes [0, 1]"), "{found:?}");
}

#[test]
fn a_duplicate_of_nothing_is_found() {
    let evidence = broken(|evidence| {
        evidence.history.sent.last_mut().unwrap().tries = vec![attempt(0, 1, "duplicate")];
    });
    assert_eq!(first_acceptance::violations(&evidence).len(), 1);
}

#[test]
fn a_duplicate_of_nothing_is_the_relays_own_only_while_the_leadership_changes() {
    // The attempt lasts from second 20 to 21. A new leader is noticed after 5 s at the latest.
    for (heard, is_own) in [(18, false), (19, true), (24, true), (26, false)] {
        let evidence = broken(|evidence| {
            let last = evidence.history.sent.last_mut().unwrap();
            last.tries = vec![attempt(0, 20, "duplicate")];
            evidence.sightings.saw_view("relay-0", &view("a0", "c1", 4, "b1"), look(heard));
        });
        let found = first_acceptance::violations(&evidence);
        assert_eq!(found.is_empty(), is_own, "first heard of in second {heard}: {found:?}");
    }
}

#[test]
fn a_duplicate_of_nothing_is_the_relays_own_while_a_link_is_cut() {
    // The attempt lasts from second 20 to 21.
    for (cut, is_own) in [((10, 19), false), ((10, 20), true), ((21, 30), true), ((22, 30), false)]
    {
        let evidence = broken(|evidence| {
            let last = evidence.history.sent.last_mut().unwrap();
            last.tries = vec![attempt(0, 20, "duplicate")];
            let (from, to) = cut;
            evidence.disturbed = Some((Duration::from_secs(from), Duration::from_secs(to)));
        });
        let found = first_acceptance::violations(&evidence);
        assert_eq!(found.is_empty(), is_own, "cut from {cut:?}: {found:?}");
    }
}

#[test]
fn the_first_leader_is_no_change_of_the_leadership() {
    let evidence = broken(|evidence| {
        evidence.history.sent.last_mut().unwrap().tries = vec![attempt(0, 0, "duplicate")];
    });
    assert_eq!(first_acceptance::violations(&evidence).len(), 1);
}

#[test]
fn a_duplicate_of_an_attempt_without_an_answer_is_fine() {
    let evidence = broken(|evidence| {
        let tries = vec![refusal(0, 1, 0), attempt(1, 2, "duplicate")];
        evidence.history.sent.last_mut().unwrap().tries = tries;
    });
    assert_eq!(first_acceptance::violations(&evidence), [""; 0]);
}

#[test]
fn two_owners_in_one_epoch_are_found() {
    let evidence =
        broken(|evidence| evidence.sightings.saw_slots("relay-0", &slots("a0", 1), look(70)));
    let found = one_owner::violations(&evidence);
    assert_eq!(found, [r#"slot 2 has owners {"a0", "b1"} in epoch 1"#]);
}

#[test]
fn a_call_by_a_node_that_never_owned_the_slot_is_found() {
    let evidence = broken(|evidence| {
        evidence.sightings.saw_view("relay-2", &view("c2", "c1", 3, "a0"), look(70));
        evidence.arrivals[0].pod = "relay-2".to_owned();
    });
    let found = one_owner::violations(&evidence);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("relay-2 {\"c2\"} called"), "{found:?}");
}

#[test]
fn in_an_epoch_that_nobody_saw_any_node_may_have_owned_the_slot() {
    for (epochs, is_certain) in [([1, 2], true), ([1, 3], false)] {
        let evidence = broken(|evidence| {
            evidence.sightings.saw_view("relay-2", &view("c2", "c1", 3, "a0"), look(70));
            for epoch in epochs {
                evidence.sightings.saw_slots("relay-0", &slots("b1", epoch), look(70 + epoch));
            }
            evidence.arrivals[0].pod = "relay-2".to_owned();
        });
        let found = one_owner::violations(&evidence);
        assert_eq!(!found.is_empty(), is_certain, "epochs {epochs:?}: {found:?}");
    }
}

#[test]
fn a_call_by_an_earlier_owner_is_found_when_it_was_begun_afterwards() {
    // The slot moved between seconds 2 and 55, as relay-0 sees it; a call takes at most 11 s.
    for (at, is_foreign) in [(2, false), (60, false), (66, false), (67, true), (70, true)] {
        let evidence = broken(|evidence| {
            evidence.sightings.saw_slots("relay-0", &slots("b1", 1), look(70));
            evidence.arrivals[0].pod = "relay-0".to_owned();
            evidence.arrivals[0].at = Duration::from_secs(at);
        });
        let found = one_owner::violations(&evidence);
        assert_eq!(!found.is_empty(), is_foreign, "in second {at}: {found:?}");
    }
}

#[test]
fn a_call_by_a_later_owner_is_found_when_it_came_before() {
    let evidence = broken(|evidence| {
        evidence.sightings.stretches.clear();
        for at in [1, 70] {
            evidence.sightings.saw_slots("relay-1", &slots("a0", 0), look(at));
        }
    });
    assert_eq!(one_owner::violations(&evidence).len(), evidence.arrivals.len());
}

#[test]
fn a_call_is_not_judged_by_what_was_seen_before_or_after_it_alone() {
    let evidence = broken(|evidence| {
        evidence.sightings.stretches.clear();
        for at in [1, 59] {
            evidence.sightings.saw_slots("relay-1", &slots("a0", 0), look(at));
        }
        evidence.sightings.saw_slots("relay-1", &slots("b1", 1), look(61));
    });
    assert_eq!(one_owner::violations(&evidence), [""; 0]);
}

#[test]
fn steps_back_within_a_run_are_found() {
    let evidence = broken(|evidence| evidence.arrivals.reverse());
    assert!(!order::violations(&evidence).is_empty());
}

#[test]
fn what_arrives_again_later_is_no_step_back() {
    let evidence = broken(|evidence| {
        let first = evidence.arrivals[0].clone();
        evidence.arrivals.push(first);
    });
    assert_eq!(order::violations(&evidence), [""; 0]);
}

#[test]
fn a_check_that_goes_back_from_an_end_is_found() {
    let evidence = broken(|evidence| evidence.shown.statuses.push(status("pending")));
    let found = never_back::violations(&evidence);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("went back to pending 1 times, not 0"), "{found:?}");
}

#[test]
fn a_check_may_go_back_once_for_each_further_attempt_and_run() {
    for change in [(|sent: &mut Sent| sent.event.attempt += 1) as fn(&mut Sent), |sent| {
        sent.event.uid.push('b')
    }] {
        let mut evidence = broken(|evidence| {
            let is_run = |sent: &&Sent| sent.check == CHECK.1;
            let mut again = evidence.history.sent.iter().find(is_run).unwrap().clone();
            change(&mut again);
            evidence.history.sent.push(again);
            evidence.shown.statuses.extend(["pending", "failure"].map(status));
        });
        assert_eq!(never_back::violations(&evidence), [""; 0]);
        evidence.shown.statuses.push(status("pending"));
        assert_eq!(never_back::violations(&evidence).len(), 1);
    }
}

#[test]
fn ends_that_follow_each_other_are_no_step_back() {
    let evidence = broken(|evidence| {
        evidence.shown.statuses.extend(["failure", "success", "success"].map(status));
    });
    assert_eq!(never_back::violations(&evidence), [""; 0]);
}

#[test]
fn digests_that_nobody_compared_are_found() {
    let mut evidence = broken(|evidence| {
        for digests in evidence.sightings.digests.values_mut() {
            digests.values_mut().for_each(|pods| pods.retain(|pod| pod != "relay-1"));
        }
    });
    let last = r#"["relay-1"] not compared at the last index 20"#;
    let found = equal_digests::violations(&evidence);
    assert_eq!(found, ["no two nodes were seen at one index", last]);
    // One node alone has no other to be compared with, but there were others before.
    evidence.settled.0.remove("relay-1");
    assert_eq!(equal_digests::violations(&evidence), ["no two nodes were seen at one index"]);
    evidence.sightings.saw_digest("relay-1", &digest(10, "d10"));
    assert_eq!(equal_digests::violations(&evidence), [""; 0]);
}

#[test]
fn different_digests_at_the_last_index_are_found() {
    let evidence = broken(|evidence| {
        evidence.settled.1 = 30;
        evidence.sightings.saw_digest("relay-0", &digest(30, "d30"));
        evidence.sightings.saw_digest("relay-1", &digest(30, "other"));
    });
    assert_eq!(equal_digests::violations(&evidence).len(), 1);
}

#[test]
fn different_digests_at_one_index_are_found() {
    let evidence =
        broken(|evidence| evidence.sightings.saw_digest("relay-1", &digest(10, "other")));
    assert_eq!(equal_digests::violations(&evidence).len(), 1);
}

#[test]
fn no_cluster_and_two_clusters_are_found() {
    let none = broken(|evidence| evidence.sightings.cluster_ids.clear());
    assert_eq!(one_cluster::violations(&none).len(), 1);
    let two = broken(|evidence| {
        evidence.sightings.saw_view("relay-0", &view("a0", "c2", 3, "a0"), look(70))
    });
    assert_eq!(one_cluster::violations(&two).len(), 1);
}

#[test]
fn two_leaders_in_one_term_are_found_and_in_two_terms_are_fine() {
    let later = broken(|evidence| {
        evidence.sightings.saw_view("relay-1", &view("b1", "c1", 4, "b1"), look(70))
    });
    assert_eq!(one_leader::violations(&later), [""; 0]);
    let torn = broken(|evidence| {
        evidence.sightings.saw_view("relay-1", &view("b1", "c1", 3, "b1"), look(70))
    });
    assert_eq!(one_leader::violations(&torn).len(), 1);
}

#[test]
fn a_call_that_nobody_asked_for_is_found() {
    let evidence = broken(|evidence| evidence.arrivals[0].effect = "ff".to_owned());
    assert_eq!(asked_for::violations(&evidence).len(), 1);
}

#[test]
fn a_repetition_has_to_be_counted_in_doubt() {
    let mut evidence = broken(|evidence| {
        let again = arrival(&evidence.history.sent[0], "relay-0");
        evidence.arrivals.push(again);
    });
    assert_eq!(counted_repeats::violations(&evidence), ["1 arrived again, 0 in doubt"]);
    evidence.in_doubt = 1;
    assert_eq!(counted_repeats::violations(&evidence), [""; 0]);
}

#[test]
fn a_call_without_a_begin_is_found_although_enough_is_in_doubt() {
    let mut evidence = broken(|evidence| {
        let again = arrival(&evidence.history.sent[0], "relay-0");
        *evidence.calls.get_mut(&again.effect).unwrap() += 1;
        evidence.arrivals.push(again);
        evidence.in_doubt = 5;
    });
    let found = counted_repeats::violations(&evidence);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("was called 2 times, begun 1 times"), "{found:?}");
    evidence.begins.values_mut().for_each(|begins| *begins = 2);
    assert_eq!(counted_repeats::violations(&evidence), [""; 0]);
    evidence.begins.clear();
    assert_eq!(counted_repeats::violations(&evidence), [""; 0], "the run is known no more");
}

#[test]
fn a_check_that_shows_another_state_is_found() {
    let wrong = broken(|evidence| {
        evidence.shown.checks.values_mut().for_each(|state| "pending".clone_into(state));
    });
    assert_eq!(final_state::violations(&wrong).len(), 1);
    let missing = broken(|evidence| evidence.shown.checks.clear());
    assert_eq!(final_state::violations(&missing).len(), 1);
}

#[test]
fn a_check_of_a_run_whose_end_was_not_acknowledged_may_show_anything() {
    let evidence = broken(|evidence| {
        evidence.shown.checks.clear();
        for sent in &mut evidence.history.sent {
            sent.tries = vec![refusal(0, 1, 503)];
        }
    });
    assert_eq!(final_state::violations(&evidence), [""; 0]);
}

#[test]
fn a_second_comment_is_found() {
    let evidence = broken(|evidence| *evidence.shown.comments.get_mut(&7).unwrap() = 2);
    assert_eq!(final_state::violations(&evidence), ["pull request 7 has 2 comments"]);
}
