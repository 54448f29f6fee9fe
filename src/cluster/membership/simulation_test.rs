//! Random lives of a cluster: kills, restarts, lost disks, scaling, cut networks, DNS outages and
//! half-made changes, then healing. The model checks every change; these tests check where they
//! lead.

use super::fixture_test::REMOVAL_GRACE;
use super::model_test::Model;
use super::*;
use proptest::prelude::*;

/// Places of the StatefulSet: more than the number of voters.
const PLACES: usize = 7;
/// Seconds until an undisturbed cluster has settled: the grace, and what follows it.
const SETTLED_AFTER: u64 = REMOVAL_GRACE.as_secs() + 100;

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    /// SIGKILL; the pod is started again by a later step.
    Kill(usize),
    /// SIGTERM of a pod that returns.
    Drain(usize),
    Start(usize),
    /// The pod returns with an empty disk.
    Wipe(usize),
    ScaleUp(usize),
    ScaleDown(usize),
    /// Gossip arrives, append requests do not.
    Cut(usize),
    Join(usize),
    DnsFails,
    DnsAnswers,
    Spool(usize),
    /// The leader dies between the two halves of its next change of voters.
    BreakChange,
    /// A learner needs longer to catch up.
    Slow(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let pod = || 0..PLACES;
    prop_oneof![
        8 => (1..20_u64).prop_map(Step::Wait),
        2 => (60..400_u64).prop_map(Step::Wait),
        3 => pod().prop_map(Step::Kill),
        3 => pod().prop_map(Step::Drain),
        6 => pod().prop_map(Step::Start),
        2 => pod().prop_map(Step::Wipe),
        3 => pod().prop_map(Step::ScaleUp),
        2 => pod().prop_map(Step::ScaleDown),
        1 => pod().prop_map(Step::Cut),
        2 => pod().prop_map(Step::Join),
        1 => Just(Step::DnsFails),
        2 => Just(Step::DnsAnswers),
        1 => pod().prop_map(Step::Spool),
        1 => Just(Step::BreakChange),
        1 => pod().prop_map(Step::Slow),
    ]
}

fn act(model: &mut Model, step: &Step) {
    match *step {
        Step::Wait(seconds) => (0..seconds).for_each(|_| model.tick()),
        Step::Kill(pod) => model.pods[pod].is_up = false,
        Step::Drain(pod) => model.stop(pod),
        Step::Start(pod) if model.pods[pod].is_wanted => model.start(pod),
        Step::Wipe(pod) if model.pods[pod].is_wanted => {
            try_to_lose(model, |model| {
                model.wipe_disk(pod);
                model.start(pod);
            });
        }
        Step::ScaleUp(pod) => model.start(pod),
        Step::ScaleDown(pod) => {
            try_to_lose(model, |model| {
                model.pods[pod].is_wanted = false;
                model.stop(pod);
            });
        }
        Step::Cut(pod) => model.pods[pod].is_cut = true,
        Step::Join(pod) => model.pods[pod].is_cut = false,
        Step::DnsFails => model.has_dns = false,
        Step::DnsAnswers => model.has_dns = true,
        Step::Spool(pod) if model.pods[pod].is_up => model.pods[pod].spooled = 1,
        Step::BreakChange => model.breaks_next_change = true,
        Step::Slow(pod) => model.pods[pod].catch_up = 50,
        Step::Start(_) | Step::Wipe(_) | Step::Spool(_) => {}
    }
}

/// Loses something for good, unless no membership could survive it.
fn try_to_lose(model: &mut Model, lose: impl Fn(&mut Model)) {
    let mut after = model.clone();
    lose(&mut after);
    if after.can_heal() {
        *model = after;
    }
}

/// Everything left works again, for long enough.
fn heal(model: &mut Model) {
    model.has_dns = true;
    model.breaks_next_change = false;
    for pod in 0..PLACES {
        model.pods[pod].is_cut = false;
        if model.pods[pod].is_wanted {
            model.start(pod);
            model.pods[pod].spooled = 0;
        }
    }
    (0..SETTLED_AFTER).for_each(|_| model.tick());
}

fn settled_voters(pods: usize) -> usize {
    match pods {
        1..=2 => pods,
        3..=4 => 3,
        _ => 5,
    }
}

/// Pods `0..left` stay while all others stop at the same moment.
fn stop_all_but(left: usize, pods: usize) -> Model {
    let mut model = Model::new(pods, PLACES);
    (0..5).for_each(|_| model.tick());
    for pod in left..pods {
        model.pods[pod].is_wanted = false;
        model.stop(pod);
    }
    model
}

#[test]
fn rule_25_a_parallel_stop_never_costs_those_that_stay_their_quorum() {
    for pods in 2..=PLACES {
        for left in 1..pods {
            let mut model = stop_all_but(left, pods);
            for _ in 0..SETTLED_AFTER {
                model.tick();
                assert!(model.has_quorum(&model.voters), "{pods} to {left} at {}", model.now);
            }
            assert_eq!(model.voters.len(), settled_voters(left), "{pods} to {left}");
            assert_eq!(model.member_nodes(), model.running(), "{pods} to {left}");
        }
    }
}

#[test]
fn rule_25_a_rolling_restart_of_a_settled_cluster_keeps_its_quorum_and_its_members() {
    for pods in 1..=PLACES {
        let mut model = Model::new(pods, PLACES);
        (0..5).for_each(|_| model.tick());
        let members = model.member_nodes();
        for pod in (0..pods).rev() {
            model.stop(pod);
            // Exits and is away for ten seconds, then has ten to become ready.
            (0..26).for_each(|_| model.tick());
            assert_eq!(model.has_quorum(&model.voters), pods > 1, "{pods} pods");
            model.start(pod);
            (0..10).for_each(|_| model.tick());
            assert!(model.has_quorum(&model.voters), "{pods} pods");
        }
        assert_eq!(model.member_nodes(), members);
        assert_eq!(model.voters.len(), settled_voters(pods));
    }
}

#[test]
fn rule_25_growing_from_one_passes_through_no_even_number() {
    let mut model = Model::new(1, PLACES);
    model.tick();
    (1..5).for_each(|pod| model.start(pod));
    (0..30).for_each(|_| model.tick());
    let sizes: Vec<usize> = model
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::SetVoters(voters) => Some(voters.len()),
            Change::FinishJoint
            | Change::AddLearner { .. }
            | Change::UpdateAddress { .. }
            | Change::Replace { .. }
            | Change::Remove(_) => None,
        })
        .collect();
    assert_eq!(sizes.last(), Some(&5));
    assert!(sizes.iter().all(|size| size % 2 == 1), "{sizes:?}");
}

#[test]
fn a_pod_that_loses_its_disk_at_every_start_leaves_no_trail_of_members() {
    let mut model = Model::new(3, PLACES);
    for _ in 0..20 {
        model.wipe_disk(2);
        model.start(2);
        // Gone again before it has caught up.
        (0..4).for_each(|_| model.tick());
        model.pods[2].is_up = false;
        (0..10).for_each(|_| model.tick());
    }
    assert!(model.member_nodes().len() <= 4, "{:?}", model.member_nodes());
    model.start(2);
    (0..30).for_each(|_| model.tick());
    assert_eq!(model.member_nodes(), model.running());
    assert_eq!(model.voters, model.running());
}

proptest! {
    #[test]
    fn every_life_leads_back_to_the_target(
        pods in 1..=5_usize,
        has_static_seeds in prop::bool::weighted(0.2),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut model = Model::new(pods, PLACES);
        model.has_static_seeds = has_static_seeds;
        for step in &steps {
            act(&mut model, step);
        }
        heal(&mut model);
        let (running, members) = (model.running(), model.member_nodes());
        let view = model.view();
        prop_assert!(view.is_some(), "no quorum of {:?} in {running:?}", model.voters);
        prop_assert_eq!(view.and_then(|view| next_change(&view)), None);
        prop_assert!(running.is_subset(&members));
        if !has_static_seeds {
            prop_assert!(model.voters.is_subset(&running));
            prop_assert_eq!(model.voters.len(), settled_voters(running.len()));
            prop_assert_eq!(&members - &running, model.lost_spools());
        }
    }
}
