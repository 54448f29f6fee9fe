//! When nodes agree, and what is kept of their answers.

use super::fixture::{look, slots};
use crate::harness::observer::Sightings;
use crate::harness::view::{MemberView, View, agree};

/// Two nodes that agree.
fn agreed() -> Vec<View> {
    let members = ["a0", "b1"].map(|id| MemberView {
        node_id: id.to_owned(),
        role: Some("voter".to_owned()),
        slots: Some(128),
        ..MemberView::default()
    });
    let view = |id: &str| View {
        cluster_id: Some("c1".to_owned()),
        node: id.to_owned(),
        leader: Some("a0".to_owned()),
        members: members.to_vec(),
        ..View::default()
    };
    vec![view("a0"), view("b1")]
}

fn is_agreement_after(change: impl FnOnce(&mut View)) -> bool {
    let mut views = agreed();
    change(&mut views[1]);
    agree(&views)
}

#[test]
fn equal_views_agree() {
    assert!(is_agreement_after(|_| ()));
    assert!(!agree(&[]));
}

#[test]
fn each_difference_is_a_disagreement() {
    assert!(!is_agreement_after(|view| view.cluster_id = None));
    assert!(!is_agreement_after(|view| view.cluster_id = Some("c2".to_owned())));
    assert!(!is_agreement_after(|view| view.leader = None));
    assert!(!is_agreement_after(|view| view.leader = Some("b1".to_owned())));
    assert!(!is_agreement_after(|view| drop(view.members.pop())));
    assert!(!is_agreement_after(|view| view.slots.unowned = 1));
    assert!(!is_agreement_after(|view| view.node = "a0".to_owned()), "two nodes of one id");
}

#[test]
fn a_view_is_read_from_the_answer_of_a_node() {
    let text = r#"{"cluster_id": null, "self": "a0", "leader": null, "term": null, "quorum": null,
        "view": "local", "members": [{"node_id": "a0", "name": "relay-0", "role": "learner",
        "state": "live", "slots": null, "lag": null}], "slots": {"total": 256, "unowned": 256},
        "applied_index": null, "gossip": {"live": []}}"#;
    let view: View = serde_json::from_str(text).unwrap();
    assert_eq!((view.node.as_str(), view.voters(), view.slots.unowned), ("a0", 0, 256));
    assert_eq!(view.member("a0").and_then(|member| member.slots), None);
}

#[test]
fn slots_without_an_owner_are_no_sighting() {
    let mut sightings = Sightings::default();
    sightings.saw_slots("relay-0", &slots("a0", 4), look(1));
    let owners: Vec<_> = sightings.owners.into_iter().collect();
    assert_eq!(owners, [((2, 4), ["a0".to_owned()].into())]);
}
