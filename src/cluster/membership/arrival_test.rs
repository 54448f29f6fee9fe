use super::super::fixture_test::*;
use super::super::*;
use std::collections::BTreeMap;

#[test]
fn a_stranger_becomes_a_learner() {
    let view = MembershipView { strangers: vec![stranger(1)], ..view(&[0], live(1)) };
    let (name, address) = ("relay-1".to_owned(), "relay-1:3320".to_owned());
    assert_eq!(next_change(&view), Some(Change::AddLearner { node: NodeId(1), name, address }));
}

#[test]
fn strangers_are_added_by_ordinal() {
    let named = |node, name: &str| Stranger { name: name.to_owned(), ..stranger(node) };
    let strangers = vec![named(5, "relay-10"), named(6, "relay-9"), named(4, "laptop")];
    assert_eq!(added(&MembershipView { strangers, ..view(&[0], live(1)) }), Some(6));
}

#[test]
fn a_stranger_of_this_cluster_is_added_and_of_another_not() {
    let of = |cluster, is_pristine| {
        let strangers = vec![Stranger { cluster, is_pristine, ..stranger(1) }];
        added(&MembershipView { strangers, ..view(&[0], live(1)) })
    };
    assert_eq!(of(Some(OURS), false), Some(1));
    assert_eq!(of(Some(OURS), true), Some(1));
    assert_eq!(of(Some(ClusterId(0xd)), true), None);
    // Data of nobody knows which cluster.
    assert_eq!(of(None, false), None);
}

#[test]
fn rule_22_a_stranger_below_the_feature_level_is_not_added() {
    let with = |feature_level| {
        let strangers = vec![Stranger { feature_level, ..stranger(1) }];
        added(&MembershipView { strangers, ..view(&[0], live(1)) })
    };
    assert_eq!(with(2), None);
    assert_eq!(with(4), Some(1));
}

#[test]
fn a_retired_or_flickering_stranger_is_not_added() {
    let base = MembershipView { strangers: vec![stranger(1)], ..view(&[0], live(1)) };
    assert_eq!(added(&base), Some(1));
    let retired = MembershipView { retired: nodes(&[1]), ..base.clone() };
    assert_eq!(next_change(&retired), None);
    let new = Stranger { live_for: STRANGER_LIVE_MIN - SECOND / 2, ..stranger(1) };
    assert_eq!(next_change(&MembershipView { strangers: vec![new], ..base }), None);
}

#[test]
fn of_two_live_nodes_with_one_name_neither_is_touched_and_both_are_exposed() {
    let twin = Stranger { name: "relay-1".to_owned(), ..stranger(7) };
    let with_stranger = MembershipView { strangers: vec![twin], ..all_vote(3, Vec::new()) };
    assert_eq!(next_change(&with_stranger), None);
    assert_eq!(same_names(&with_stranger), BTreeMap::from([("relay-1", nodes(&[1, 7]))]));

    let members = live(3).into_iter().chain([successor(7, 1)]).collect();
    let with_learner = view(&[0, 1, 2], members);
    assert_eq!(next_change(&with_learner), None);
    assert_eq!(same_names(&with_learner), BTreeMap::from([("relay-1", nodes(&[1, 7]))]));

    let pair = vec![stranger(7), Stranger { name: "relay-7".to_owned(), ..stranger(8) }];
    let with_pair = MembershipView { strangers: pair, ..all_vote(3, Vec::new()) };
    assert_eq!(next_change(&with_pair), None);
    assert_eq!(same_names(&with_pair), BTreeMap::from([("relay-7", nodes(&[7, 8]))]));
}

#[test]
fn a_live_twin_does_not_vote_even_where_voters_are_missing() {
    let one = view(&[0], vec![member(0), successor(7, 0)]);
    assert_eq!(next_change(&one), None);
}

#[test]
fn names_of_the_dead_are_no_conflict() {
    let members = vec![member(0), dead(1, SECOND), successor(7, 1)];
    assert_eq!(same_names(&view(&[0], members)), BTreeMap::new());
}

#[test]
fn the_address_follows_what_a_live_member_announces() {
    let announcing = |member: Member| Member {
        announced_address: Some("relay-1.new:3320".to_owned()),
        ..member
    };
    let update = Change::UpdateAddress { node: NodeId(1), address: "relay-1.new:3320".to_owned() };
    let moved = vec![member(0), announcing(member(1)), member(2)];
    assert_eq!(next_change(&view(&[0, 1, 2], moved)), Some(update));
    let silent = vec![member(0), announcing(dead(1, SECOND)), member(2)];
    assert_eq!(next_change(&view(&[0, 1, 2], silent)), None);
    let unheard = vec![member(0), Member { announced_address: None, ..member(1) }, member(2)];
    assert_eq!(next_change(&view(&[0, 1, 2], unheard)), None);
}

#[test]
fn a_wiped_pod_replaces_its_old_node_at_once() {
    let members = vec![member(0), dead(1, SECOND), member(2), successor(7, 1)];
    let replace = Some(Change::Replace { old: NodeId(1), new: NodeId(7) });
    assert_eq!(next_change(&view(&[0, 1, 2], members.clone())), replace);
    let mut behind = view(&[0, 1, 2], members.clone());
    behind.members[3].caught_up_for = Some(SECOND);
    assert_eq!(next_change(&behind), None);
    let mut with_seeds = MembershipView { has_static_seeds: true, ..view(&[0, 1, 2], members) };
    assert_eq!(next_change(&with_seeds), replace);
    with_seeds.members[1].liveness = Liveness::Suspect;
    assert_eq!(next_change(&with_seeds), replace);
}

#[test]
fn rule_13_a_replaced_node_with_a_spool_stays_a_member() {
    let spooling = Member { spooled: 1, ..dead(1, SECOND) };
    let mut view = view(&[0, 1, 2], vec![member(0), spooling, member(2), successor(7, 1)]);
    assert_eq!(next_change(&view), set_voters(&[0, 2, 7]));
    view.voters = nodes(&[0, 2, 7]);
    assert_eq!(next_change(&view), None);
}
