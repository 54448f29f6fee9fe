use super::super::fixture_test::*;
use super::super::*;
use std::collections::BTreeMap;

#[test]
fn a_stranger_becomes_a_learner() {
    let view = MembershipView { joiners: vec![joiner(1)], ..view(&[0], live(1)) };
    let (name, address) = ("relay-1".to_owned(), "relay-1:3320".to_owned());
    assert_eq!(next_change(&view), Some(Change::AddLearner { node: NodeId(1), name, address }));
}

#[test]
fn a_stranger_of_another_name_is_not_added_and_is_exposed() {
    let named = |name: &str| Joiner { name: name.to_owned(), ..joiner(1) };
    for name in ["other-1", "relay-100", "laptop"] {
        let with = MembershipView { joiners: vec![named(name)], ..view(&[0], live(1)) };
        assert_eq!(next_change(&with), None, "{name}");
        assert_eq!(not_admitted(&with).count(), 1);
    }
    let admission = AdmittedNames::new("relay-0", &["laptop".to_owned()]);
    let joiners = vec![named("laptop")];
    assert_eq!(added(&MembershipView { admission, joiners, ..view(&[0], live(1)) }), Some(1));
}

#[test]
fn strangers_are_added_by_ordinal() {
    let named = |node, name: &str| Joiner { name: name.to_owned(), ..joiner(node) };
    let joiners = vec![named(5, "relay-10"), named(6, "relay-9"), named(4, "laptop")];
    assert_eq!(added(&MembershipView { joiners, ..view(&[0], live(1)) }), Some(6));
}

#[test]
fn a_stranger_of_this_cluster_is_added_and_of_another_not() {
    let of = |cluster, is_pristine| {
        let joiners = vec![Joiner { cluster, is_pristine, ..joiner(1) }];
        added(&MembershipView { joiners, ..view(&[0], live(1)) })
    };
    assert_eq!(of(Some(OURS), false), Some(1));
    assert_eq!(of(Some(OURS), true), Some(1));
    assert_eq!(of(Some(ClusterId(0xd)), true), None);
    // Data of an unknown cluster.
    assert_eq!(of(None, false), None);
}

#[test]
fn rule_22_a_stranger_below_the_feature_level_is_not_added() {
    let with = |feature_level| {
        let joiners = vec![Joiner { feature_level, ..joiner(1) }];
        added(&MembershipView { joiners, ..view(&[0], live(1)) })
    };
    assert_eq!(with(2), None);
    assert_eq!(with(4), Some(1));
}

#[test]
fn a_retired_or_flickering_stranger_is_not_added() {
    let base = MembershipView { joiners: vec![joiner(1)], ..view(&[0], live(1)) };
    assert_eq!(added(&base), Some(1));
    let retired = MembershipView { retired: nodes(&[1]), ..base.clone() };
    assert_eq!(next_change(&retired), None);
    let new = Joiner { live_for: JOINER_LIVE_MIN - SECOND / 2, ..joiner(1) };
    assert_eq!(next_change(&MembershipView { joiners: vec![new], ..base }), None);
}

#[test]
fn of_two_live_nodes_with_one_name_neither_is_touched_and_both_are_exposed() {
    let twin = Joiner { name: "relay-1".to_owned(), ..joiner(7) };
    let with_joiner = MembershipView { joiners: vec![twin], ..all_vote(3, Vec::new()) };
    assert_eq!(next_change(&with_joiner), None);
    assert_eq!(same_names(&with_joiner), BTreeMap::from([("relay-1", nodes(&[1, 7]))]));

    let members = live(3).into_iter().chain([successor(7, 1)]).collect();
    let with_learner = view(&[0, 1, 2], members);
    assert_eq!(next_change(&with_learner), None);
    assert_eq!(same_names(&with_learner), BTreeMap::from([("relay-1", nodes(&[1, 7]))]));

    let pair = vec![joiner(7), Joiner { name: "relay-7".to_owned(), ..joiner(8) }];
    let with_pair = MembershipView { joiners: pair, ..all_vote(3, Vec::new()) };
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
    let announcing = |member: ClusterMember| ClusterMember {
        announced_address: Some("relay-1.new:3320".to_owned()),
        ..member
    };
    let update = Change::UpdateAddress { node: NodeId(1), address: "relay-1.new:3320".to_owned() };
    let moved = vec![member(0), announcing(member(1)), member(2)];
    assert_eq!(next_change(&view(&[0, 1, 2], moved)), Some(update));
    let silent = vec![member(0), announcing(dead(1, SECOND)), member(2)];
    assert_eq!(next_change(&view(&[0, 1, 2], silent)), None);
    let unheard =
        vec![member(0), ClusterMember { announced_address: None, ..member(1) }, member(2)];
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
    let spooling = ClusterMember { spooled: 1, ..dead(1, SECOND) };
    let mut view = view(&[0, 1, 2], vec![member(0), spooling, member(2), successor(7, 1)]);
    assert_eq!(next_change(&view), set_voters(&[0, 2, 7]));
    view.voters = nodes(&[0, 2, 7]);
    assert_eq!(next_change(&view), None);
}
