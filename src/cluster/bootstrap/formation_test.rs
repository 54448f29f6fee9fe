use super::*;
use proptest::prelude::*;

const C: ClusterId = ClusterId(0xc);
const D: ClusterId = ClusterId(0xd);

fn address(name: &str) -> String {
    format!("{name}.relay:3320")
}

fn own(name: &str) -> OwnState {
    OwnState {
        node: NodeId(100),
        name: name.to_owned(),
        address: address(name),
        is_pristine: true,
        cluster: None,
        expected_cluster: None,
        watched_for: Duration::ZERO,
        discovered_for: LISTEN_MIN,
    }
}

fn answer(node: u64, name: &str) -> Answer {
    let address = address(name);
    Answer { node: NodeId(node), name: name.to_owned(), address, cluster: None, is_pristine: true }
}

fn others() -> Vec<Answer> {
    vec![answer(101, "relay-1"), answer(102, "relay-2")]
}

fn replicas(count: u16) -> Expected {
    Expected::new("relay-0", Some(count)).unwrap()
}

/// The verdict after two equal rounds.
fn twice(own: &OwnState, expected: Expected, seen: &[Answer], unreachable: usize) -> Formation {
    let mut rounds = Rounds::default();
    let _ = rounds.decide(own, &expected, seen, unreachable);
    rounds.decide(own, &expected, seen, unreachable)
}

fn formed(names: &[(u64, &str)]) -> Formation {
    let members = names.iter().map(|&(node, name)| {
        (NodeId(node), Founder { name: name.to_owned(), address: address(name) })
    });
    Formation::Form { members: members.collect() }
}

fn three() -> Formation {
    formed(&[(100, "relay-0"), (101, "relay-1"), (102, "relay-2")])
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

fn wait(waiting: Waiting) -> Formation {
    Formation::Wait(waiting)
}

#[test]
fn an_ordinal_is_the_number_at_the_end_of_the_name() {
    assert_eq!(ordinal("relay-0"), Some(0));
    assert_eq!(ordinal("relay-2-15"), Some(15));
    assert_eq!(ordinal("7"), Some(7));
    assert_eq!(ordinal("relé3"), Some(3));
    assert_eq!(ordinal("relay"), None);
    assert_eq!(ordinal("relay-1-a"), None);
    assert_eq!(ordinal(""), None);
    assert_eq!(ordinal("relay-4294967296"), None);
}

#[test]
fn rule_24_whoever_may_form_a_cluster_has_to_know_its_size() {
    let missing = |name: &str| Err(FormationError::ReplicasMissing { name: name.to_owned() });
    assert_eq!(Expected::new("relay-0", None), missing("relay-0"));
    assert_eq!(Expected::new("laptop", None), missing("laptop"));
    assert!(Expected::new("relay-1", None).is_ok());
    assert_eq!(Expected::new("relay-1", Some(0)), Err(FormationError::NoReplicas));
}

#[test]
fn rule_24_a_name_without_number_fits_one_replica_only() {
    let name = "laptop".to_owned();
    assert_eq!(
        Expected::new("laptop", Some(2)),
        Err(FormationError::NoOrdinal { name, replicas: 2 })
    );
    assert!(Expected::new("laptop", Some(1)).is_ok());
    assert!(Expected::new("relay-0", Some(2)).is_ok());
}

#[test]
fn ordinal_zero_forms_when_all_were_pristine_twice() {
    let mut rounds = Rounds::default();
    let first = rounds.decide(&own("relay-0"), &replicas(3), &others(), 0);
    assert_eq!(first, wait(Waiting::OneMoreRound));
    assert_eq!(rounds.decide(&own("relay-0"), &replicas(3), &others(), 0), three());
}

#[test]
fn an_incomplete_round_starts_the_count_anew() {
    let mut rounds = Rounds::default();
    let mut decide = |seen: &[Answer]| rounds.decide(&own("relay-0"), &replicas(3), seen, 0);
    assert_eq!(decide(&others()), wait(Waiting::OneMoreRound));
    assert_eq!(decide(&others()[..1]), wait(Waiting::Missing(BTreeSet::from([2]))));
    assert_eq!(decide(&others()), wait(Waiting::OneMoreRound));
    assert_eq!(decide(&others()), three());
}

#[test]
fn a_directory_that_was_replaced_between_the_rounds_starts_the_count_anew() {
    let mut rounds = Rounds::default();
    let mut decide = |seen: &[Answer]| rounds.decide(&own("relay-0"), &replicas(3), seen, 0);
    assert_eq!(decide(&others()), wait(Waiting::OneMoreRound));
    let wiped = [answer(201, "relay-1"), answer(102, "relay-2")];
    assert_eq!(decide(&wiped), wait(Waiting::OneMoreRound));
    assert_eq!(decide(&wiped), formed(&[(100, "relay-0"), (201, "relay-1"), (102, "relay-2")]));
}

#[test]
fn a_surplus_pod_that_was_replaced_between_the_rounds_starts_the_count_anew() {
    // It may have held a cluster in between, and given it to an expected node.
    let mut rounds = Rounds::default();
    let mut decide = |surplus: u64| {
        let seen = [others(), vec![answer(surplus, "relay-3")]].concat();
        rounds.decide(&own("relay-0"), &replicas(3), &seen, 0)
    };
    assert_eq!(decide(103), wait(Waiting::OneMoreRound));
    assert_eq!(decide(203), wait(Waiting::OneMoreRound));
    assert_eq!(decide(203), three());
}

#[test]
fn only_ordinal_zero_forms() {
    let name = "relay-1".to_owned();
    let seen = [answer(1, "relay-0"), answer(2, "relay-2")];
    assert_eq!(
        twice(&own("relay-1"), replicas(3), &seen, 0),
        wait(Waiting::NotOrdinalZero { name })
    );
}

#[test]
fn only_a_pristine_directory_forms() {
    let used = OwnState { is_pristine: false, ..own("relay-0") };
    assert_eq!(twice(&used, replicas(3), &others(), 0), wait(Waiting::OwnDirectoryUsed));
}

#[test]
fn a_pod_with_data_prevents_a_second_cluster_also_when_it_is_surplus() {
    for name in ["relay-2", "relay-7", "other"] {
        let used = Answer { is_pristine: false, ..answer(9, name) };
        let seen = [others(), vec![used]].concat();
        assert_eq!(
            twice(&own("relay-0"), replicas(3), &seen, 0),
            wait(Waiting::NotPristine(names([name])))
        );
    }
}

#[test]
fn every_ordinal_and_every_discovered_address_has_to_answer() {
    assert_eq!(
        twice(&own("relay-0"), replicas(3), &[], 2),
        wait(Waiting::Missing(BTreeSet::from([1, 2])))
    );
    assert_eq!(twice(&own("relay-0"), replicas(3), &others(), 1), wait(Waiting::Unreachable(1)));
}

#[test]
fn rule_24_no_cluster_is_formed_before_members_that_no_seed_names_had_time_to_greet() {
    let discovered = |discovered_for| OwnState { discovered_for, ..own("relay-0") };
    for short in [Duration::ZERO, LISTEN_MIN.saturating_sub(Duration::from_millis(1))] {
        let early = twice(&discovered(short), replicas(3), &others(), 0);
        assert_eq!(early, wait(Waiting::Listening(short)));
    }
    assert_eq!(twice(&discovered(LISTEN_MIN), replicas(3), &others(), 0), three());
}

#[test]
fn two_nodes_of_one_ordinal_are_two_stateful_sets() {
    let seen = [others(), vec![answer(9, "other-2")]].concat();
    assert_eq!(twice(&own("relay-0"), replicas(3), &seen, 0), wait(Waiting::SameOrdinal(2)));
    let second_zero = [others(), vec![answer(9, "other-0")]].concat();
    assert_eq!(twice(&own("relay-0"), replicas(3), &second_zero, 0), wait(Waiting::SameOrdinal(0)));
}

#[test]
fn one_node_of_two_names_is_a_copied_disk() {
    let copied = [answer(101, "relay-1"), answer(101, "relay-2")];
    assert_eq!(
        twice(&own("relay-0"), replicas(3), &copied, 0),
        wait(Waiting::SameNode(NodeId(101)))
    );
    let own_copied = [answer(100, "relay-1"), answer(102, "relay-2")];
    assert_eq!(
        twice(&own("relay-0"), replicas(3), &own_copied, 0),
        wait(Waiting::SameNode(NodeId(100)))
    );
}

#[test]
fn the_own_answer_and_repeated_ones_count_once() {
    let seen = [others(), others(), vec![answer(100, "relay-0")]].concat();
    assert_eq!(twice(&own("relay-0"), replicas(3), &seen, 0), three());
}

#[test]
fn surplus_pods_join_later() {
    let seen = [others(), vec![answer(103, "relay-3")]].concat();
    assert_eq!(twice(&own("relay-0"), replicas(3), &seen, 0), three());
}

#[test]
fn rule_24_a_cluster_of_one_is_formed_after_ten_seconds_alone() {
    let watched = |watched_for| OwnState { watched_for, ..own("relay-0") };
    let short = Duration::from_millis(9_999);
    assert_eq!(twice(&watched(short), replicas(1), &[], 0), wait(Waiting::Watching(short)));
    let long = watched(WATCH_ALONE_MIN);
    assert_eq!(twice(&long, replicas(1), &[], 0), formed(&[(100, "relay-0")]));
    assert_eq!(twice(&long, replicas(1), &[], 1), wait(Waiting::Unreachable(1)));
    assert_eq!(
        twice(&long, replicas(1), &others(), 0),
        wait(Waiting::NotAlone(names(["relay-1", "relay-2"])))
    );
}

#[test]
fn rule_24_alone_a_name_needs_no_number() {
    let laptop = OwnState { watched_for: WATCH_ALONE_MIN, ..own("laptop") };
    assert_eq!(twice(&laptop, replicas(1), &[], 0), formed(&[(100, "laptop")]));
    let third = OwnState { watched_for: WATCH_ALONE_MIN, ..own("web3") };
    let name = "web3".to_owned();
    assert_eq!(twice(&third, replicas(1), &[], 0), wait(Waiting::NotOrdinalZero { name }));
}

#[test]
fn whoever_sees_a_cluster_waits_to_be_added() {
    let member = Answer { cluster: Some(C), is_pristine: false, ..answer(101, "relay-1") };
    for name in ["relay-0", "relay-2", "laptop"] {
        assert_eq!(
            twice(&own(name), replicas(3), std::slice::from_ref(&member), 5),
            Formation::Join(C)
        );
    }
    let restarted = OwnState { cluster: Some(C), is_pristine: false, ..own("relay-0") };
    assert_eq!(twice(&restarted, replicas(3), &[], 2), Formation::Join(C));
}

#[test]
fn two_clusters_are_a_conflict_also_when_one_is_the_own() {
    let member = |node, cluster| Answer { cluster: Some(cluster), ..answer(node, "relay-1") };
    let both = Formation::Conflict(BTreeSet::from([C, D]));
    assert_eq!(twice(&own("relay-0"), replicas(3), &[member(1, C), member(2, D)], 0), both);
    let settled = OwnState { cluster: Some(D), expected_cluster: Some(D), ..own("relay-0") };
    assert_eq!(twice(&settled, replicas(3), &[member(1, C)], 0), both);
}

#[test]
fn an_expected_cluster_is_joined_and_no_other() {
    let expecting = OwnState { expected_cluster: Some(C), ..own("relay-0") };
    let member = |cluster| [Answer { cluster: Some(cluster), ..answer(101, "relay-1") }];
    assert_eq!(twice(&expecting, replicas(3), &member(C), 0), Formation::Join(C));
    assert_eq!(
        twice(&expecting, replicas(3), &member(D), 0),
        Formation::Refused(FormationRefusal::OtherCluster { expected: C, found: D })
    );
}

#[test]
fn an_expected_cluster_forbids_forming_one() {
    let expecting = OwnState { expected_cluster: Some(C), ..own("relay-0") };
    assert_eq!(
        twice(&expecting, replicas(3), &others(), 0),
        Formation::Refused(FormationRefusal::AllEmpty { expected: C })
    );
    // While a node does not answer, the expected cluster may be there.
    assert_eq!(twice(&expecting, replicas(3), &others(), 1), wait(Waiting::Unreachable(1)));
}

#[test]
fn every_reason_to_wait_names_its_subject() {
    let texts = [
        (Waiting::NotOrdinalZero { name: "relay-1".to_owned() }, "relay-1"),
        (Waiting::NotPristine(names(["a-1", "a-2"])), "a-1, a-2"),
        (Waiting::SameNode(NodeId(0xab)), "00000000000000ab"),
        (Waiting::SameOrdinal(4), "ordinal 4"),
        (Waiting::Missing(BTreeSet::from([1, 2])), "ordinal 1, 2"),
        (Waiting::Unreachable(3), "3 discovered"),
        (Waiting::NotAlone(names(["a-1"])), "a-1"),
        (Waiting::Watching(Duration::from_secs(4)), "4 of 10 s"),
        (Waiting::Listening(Duration::from_secs(1)), "1 of 2 s"),
    ];
    for (waiting, subject) in texts {
        assert!(waiting.to_string().contains(subject), "{waiting}");
    }
}

/// What happens to the other pods while the first one asks them.
#[derive(Clone, Debug)]
enum Step {
    /// A holder of a cluster passes it to another founder.
    Spread { from: usize, to: usize },
    /// A pod loses its disk and starts again.
    Wipe { pod: usize },
    /// A pod asks all others and decides.
    Decide { of: usize },
}

/// One question: the steps before it, and whether it gets an answer.
type Question = (Vec<Step>, bool);

#[derive(Clone, Debug)]
struct History {
    pods: usize,
    expected: u16,
    /// Pods that hold the first cluster when the first pod has just lost its disk.
    holders: Vec<usize>,
    /// Rounds of the first pod, each with one question to each of the others.
    rounds: Vec<Vec<Question>>,
}

fn step(pods: usize) -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..pods, 1..pods).prop_map(|(from, to)| Step::Spread { from, to }),
        3 => (1..pods).prop_map(|pod| Step::Wipe { pod }),
        1 => (1..pods).prop_map(|of| Step::Decide { of }),
    ]
}

fn history() -> impl Strategy<Value = History> {
    (2..=4_usize, 0..=1_usize).prop_flat_map(|(pods, surplus)| {
        let question = (prop::collection::vec(step(pods), 0..=1), prop::bool::weighted(0.95));
        let round = prop::collection::vec(question, pods - 1);
        let rounds = prop::collection::vec(round, 1..5);
        let holders = prop::collection::vec(1..pods, 0..=2);
        (holders, rounds).prop_map(move |(holders, rounds)| {
            let expected = u16::try_from(pods - surplus).unwrap().max(2);
            History { pods, expected, holders, rounds }
        })
    })
}

#[derive(Default)]
struct Pod {
    node: u64,
    cluster: Option<ClusterId>,
    rounds: Rounds,
    /// The round in progress: the last answer of each other pod.
    heard: BTreeMap<usize, Option<Answer>>,
}

struct World {
    pods: Vec<Pod>,
    expected: Expected,
    nodes: u64,
    /// Founders of every cluster that was formed.
    formed: BTreeMap<ClusterId, BTreeSet<NodeId>>,
}

impl World {
    /// A world in which a first cluster was formed and its founder was then wiped.
    fn new(history: &History) -> Self {
        let pod = |node| Pod { node, ..Pod::default() };
        let nodes = history.pods as u64;
        let founders = (1..=nodes).map(NodeId).collect();
        let mut world = Self {
            pods: (1..=nodes).map(pod).collect(),
            expected: replicas(history.expected),
            nodes,
            formed: BTreeMap::from([(C, founders)]),
        };
        history.holders.iter().for_each(|holder| world.pods[*holder].cluster = Some(C));
        world.act(&Step::Wipe { pod: 0 });
        world
    }

    fn answer(&self, pod: usize) -> Answer {
        let Pod { node, cluster, .. } = self.pods[pod];
        Answer { cluster, is_pristine: cluster.is_none(), ..answer(node, &format!("relay-{pod}")) }
    }

    fn decide(&mut self, of: usize) -> Formation {
        let heard = std::mem::take(&mut self.pods[of].heard);
        let seen: Vec<Answer> = heard.into_values().flatten().collect();
        let silent = self.pods.len() - 1 - seen.len();
        let myself = OwnState {
            node: NodeId(self.pods[of].node),
            cluster: self.pods[of].cluster,
            is_pristine: self.pods[of].cluster.is_none(),
            watched_for: WATCH_ALONE_MIN,
            ..own(&format!("relay-{of}"))
        };
        self.pods[of].rounds.decide(&myself, &self.expected, &seen, silent)
    }

    /// Forms, and checks that no directory of any pod holds a cluster.
    fn form(&mut self, of: usize, members: &BTreeMap<NodeId, Founder>) {
        let holders: Vec<u64> =
            self.pods.iter().filter(|pod| pod.cluster.is_some()).map(|pod| pod.node).collect();
        assert!(holders.is_empty(), "{holders:?} hold a cluster, and a second one is formed");
        let cluster = ClusterId(self.nodes << 8 | self.formed.len() as u64);
        self.formed.insert(cluster, members.keys().copied().collect());
        self.pods[of].cluster = Some(cluster);
    }

    fn ask(&mut self, from: usize, to: usize, is_answered: bool) {
        if from != to {
            let heard = is_answered.then(|| self.answer(to));
            self.pods[from].heard.insert(to, heard);
        }
    }

    fn decide_and_act(&mut self, of: usize) {
        if let Formation::Form { members } = self.decide(of) {
            self.form(of, &members);
        }
    }

    fn act(&mut self, step: &Step) {
        match *step {
            Step::Spread { from, to } => {
                let Some(cluster) = self.pods[from].cluster else { return };
                if self.formed[&cluster].contains(&NodeId(self.pods[to].node)) {
                    self.pods[to].cluster.get_or_insert(cluster);
                }
            }
            Step::Wipe { pod } => {
                self.nodes += 1;
                self.pods[pod] = Pod { node: self.nodes, ..Pod::default() };
            }
            Step::Decide { of } => {
                (0..self.pods.len()).for_each(|to| self.ask(of, to, true));
                self.decide_and_act(of);
            }
        }
    }

    fn play(&mut self, history: &History) {
        for round in &history.rounds {
            for (to, (steps, is_answered)) in (1..).zip(round) {
                steps.iter().for_each(|step| self.act(step));
                self.ask(0, to, *is_answered);
            }
            self.decide_and_act(0);
        }
    }

    /// Every pod asks all others and decides, three times.
    fn settle(&mut self) {
        for _ in 0..3 {
            (0..self.pods.len()).for_each(|of| self.act(&Step::Decide { of }));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, ..ProptestConfig::default() })]

    #[test]
    fn no_cluster_is_formed_while_a_directory_holds_one(history in history()) {
        let mut world = World::new(&history);
        world.play(&history);
        world.settle();
        let clusters: BTreeSet<ClusterId> =
            world.pods.iter().filter_map(|pod| pod.cluster).collect();
        // Never two clusters; one if every pod answers.
        prop_assert_eq!(clusters.len(), 1);
    }

    #[test]
    fn partial_views_never_lead_to_two_forms(
        views in prop::collection::vec(prop::collection::vec(prop::bool::weighted(0.9), 5), 1..40),
    ) {
        let all: Vec<Answer> = (0..5).map(|pod| answer(pod, &format!("relay-{pod}"))).collect();
        let everyone = vec![true; 5];
        let mut rounds = vec![Rounds::default(); 5];
        let mut complete = 0;
        // The last two views are complete, so that every history forms.
        for view in views.iter().chain([&everyone, &everyone]) {
            // A pod always reaches itself.
            complete = if view[1..].iter().all(|sees| *sees) { complete + 1 } else { 0 };
            let seen: Vec<Answer> =
                (0..5).filter(|pod| view[*pod]).map(|pod| all[pod].clone()).collect();
            for (pod, rounds) in rounds.iter_mut().enumerate() {
                let myself = OwnState { node: NodeId(pod as u64), ..own(&format!("relay-{pod}")) };
                let verdict = rounds.decide(&myself, &replicas(5), &seen, 0);
                let forms = matches!(&verdict, Formation::Form { members } if members.len() == 5);
                let has_to_form = pod == 0 && complete >= 2;
                prop_assert_eq!(forms, has_to_form, "{}: {:?}", pod, verdict);
                prop_assert!(forms || matches!(verdict, Formation::Wait(_)), "{:?}", verdict);
            }
        }
        prop_assert!(complete >= 2);
    }
}
