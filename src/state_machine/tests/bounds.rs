//! Rules 8 and 14: the state has a bound in bytes, and what gives way is what is over, then what is
//! silent in the namespace that holds most. What is owed never gives way to what is new.

use super::*;
use crate::state_machine::memory::letter_weight;
use crate::state_machine::summaries::SummaryWeights;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);
/// Some forty runs of these tests.
const SMALL: u64 = 256 * 1024;

/// A core at the second level whose state may take so many bytes.
fn bounded(memory_bytes: u64) -> Core {
    let mut core = Core::with(|settings| settings.memory_bytes = memory_bytes);
    core.apply(Command::RaiseLevel { level: FeatureLevel::SECOND });
    core
}

fn of(namespace: &str, uid: &str) -> Draft {
    let name = namespace.to_owned();
    pipeline_run(uid).with(|event| event.namespace = name)
}

fn bytes(core: &Core) -> u64 {
    core.state.memory_use().bytes
}

/// What the parts of the state weigh, as they counted it.
fn counted(state: &StateMachine) -> (Memory, SummaryWeights, [u64; 3]) {
    let sums = [Part::DeadLetters, Part::Past, Part::History].map(|part| state.part_bytes(part));
    (state.memory.clone(), state.summaries.weights().clone(), sums)
}

/// What the state would weigh if it were read from a snapshot now.
fn recounted(core: &Core) -> (Memory, SummaryWeights, [u64; 3]) {
    let mut copy = core.state.clone();
    copy.rebuild_indexes();
    let (memory, summaries, [_, _, history]) = counted(&copy);
    let letters = copy.dead_letters.values().map(letter_weight).sum();
    let past: Tombstones = copy.tombstones.iter().map(|(key, past)| (*key, past.clone())).collect();
    (memory, summaries, [letters, past.bytes(), history])
}

fn offer(core: &mut Core, event: impl Into<RunEvent>) -> Applied {
    core.apply(Command::Accept(Box::new(event.into())))
}

fn is_taken(answer: &Applied) -> bool {
    matches!(answer, Applied::Accepted(Accepted { fate: Fate::Accepted, .. }))
}

#[test]
fn rule_14_the_weight_of_the_state_stays_within_its_bound_and_every_run_is_taken() {
    let mut core = bounded(SMALL);
    for number in 0..2000 {
        core.pass(SECOND);
        let event = of("ci", &format!("r-{number}")).success().changed(number * 1000);
        core.take(event);
        assert!(bytes(&core) <= SMALL, "{} bytes after run {number}", bytes(&core));
    }
    let (live, past) = core.state.run_counts();
    assert!(live > 0 && past > 100, "{live} live, {past} past");
    assert!(core.state.timers.len() <= live + 1, "{} timers", core.state.timers.len());
}

#[test]
fn rule_08_a_run_that_gave_way_is_known_by_its_transitions_or_fires_nothing() {
    let mut core = bounded(SMALL);
    for number in 0..4000 {
        core.pass(10 * SECOND);
        core.take(of("ci", &format!("r-{number}")).success().changed(number * 10_000));
    }
    let delivered = core.state.counters().delivered;
    for number in 0..4000 {
        core.take(of("ci", &format!("r-{number}")).success().changed(number * 10_000).again("x"));
    }
    assert_eq!(core.state.counters().delivered, delivered);
}

#[test]
fn rule_08_runs_that_never_end_give_way_and_their_end_is_taken_when_it_comes() {
    let mut core = bounded(SMALL);
    for number in 0..100 {
        core.pass(SECOND);
        core.take(of("ci", &format!("r-{number}")).running("x").changed(number * 1000));
    }
    assert!(core.state.run("r-0").is_none(), "the longest silent run has shrunk");
    assert_eq!(core.accept(of("ci", "r-0").running("x").again("again")), Fate::Duplicate);
    let sent = core.take(of("ci", "r-0").failure().changed(600_000));
    assert!(sent.contains(&"status r-0 failure".to_owned()), "{sent:?}");
}

#[test]
fn rule_14_a_flood_of_one_namespace_evicts_no_unfinished_run_of_another() {
    let mut core = bounded(SMALL);
    let small: Vec<String> = (0..3).map(|number| format!("small-{number}")).collect();
    for uid in &small {
        core.take(of("small", uid).running("x"));
    }
    for number in 0..3000 {
        core.pass(Duration::from_millis(100));
        let flood = of("flood", &format!("f-{number}"));
        core.take(if number % 2 == 0 { flood.running("x") } else { flood.success() });
        assert!(bytes(&core) <= SMALL);
    }
    for uid in &small {
        assert!(core.state.run(uid).is_some(), "{uid} gave way");
        assert!(is_taken(&offer(&mut core, of("small", uid).success().changed(400_000))));
    }
    assert!(is_taken(&offer(&mut core, of("small", "fresh").running("x").changed(400_000))));
}

#[test]
fn rule_14_what_is_owed_gives_way_to_nothing_and_the_others_keep_a_reserve() {
    let mut core = bounded(SMALL);
    let mut taken = 0;
    while is_taken(&offer(&mut core, of("flood", &format!("f-{taken}")).running("x"))) {
        taken += 1;
    }
    assert!(taken > 10 && core.state.memory_use().is_full);
    assert!(bytes(&core) <= SMALL);
    let refused = Applied::Refused(Refusal::Full);
    assert_eq!(offer(&mut core, of("flood", "one-more").running("x")), refused);
    assert!(is_taken(&offer(&mut core, of("other", "fresh").running("x"))));
    assert!(is_taken(&offer(&mut core, of("flood", "f-0").success().changed(5))));
    assert_eq!(core.state.unplanned(), taken + 2, "nothing that was taken was lost");
    core.settle();
    assert!(!core.state.memory_use().is_full);
    assert!(is_taken(&offer(&mut core, of("flood", "one-more").running("x"))));
}

#[test]
fn rule_14_a_bound_that_is_lowered_is_reached_step_by_step() {
    let mut core = bounded(16 * SMALL);
    for number in 0..600 {
        core.take(of("ci", &format!("r-{number}")).success());
    }
    assert!(bytes(&core) > 2 * SMALL);
    let settings = Settings { memory_bytes: SMALL, ..core.state.settings().clone() };
    core.apply(Command::Settings(settings));
    core.pass(SECOND);
    core.pass(SECOND);
    assert!(bytes(&core) <= SMALL, "{}", bytes(&core));
}

#[test]
fn rule_14_dead_letters_have_a_share_in_bytes_and_the_newest_stays() {
    let mut core = bounded(SMALL);
    for number in 0..100 {
        core.accept(of("ci", &format!("r-{number}")).success());
        core.plan_all();
        let grant = core.begin(core.chat(&format!("r-{number}"))).unwrap();
        core.die(grant);
        core.settle();
    }
    let letters = core.state.dead_letters().len();
    assert!((2..100).contains(&letters), "{letters}");
    assert!(core.state.part_bytes(Part::DeadLetters) <= SMALL / 8);
    let dropped = core.state.counters().letters_dropped;
    assert_eq!(usize::try_from(dropped).unwrap() + letters, 100);
}

#[test]
fn rule_05_a_stream_target_goes_when_nothing_is_left_to_send_to_it() {
    let mut core = bounded(SMALL);
    core.take(of("ci", "a").success());
    let targets: Vec<&str> = core.state.outbox.targets.keys().map(|key| key.0.as_str()).collect();
    assert_eq!(targets.len(), 1, "{targets:?}");
    assert!(targets[0].starts_with("status/"), "{targets:?}");
}

#[test]
fn rule_05_an_idle_target_is_forgotten_after_its_time_without_a_timer() {
    let mut core = bounded(SMALL);
    core.take(of("ci", "a").success());
    core.pass(HOUR);
    core.pass(7 * DAY);
    assert_eq!(core.state.outbox.targets.len(), 0);
    assert_eq!(core.state.timers.len(), 0);
}

#[test]
fn rule_08_nothing_remains_of_a_run_when_its_life_is_over_at_the_second_level() {
    let mut core = Core::with(|settings| settings.accumulates = true);
    core.apply(Command::RaiseLevel { level: FeatureLevel::SECOND });
    core.take(pipeline_run("p").started().group("g"));
    core.take(task_run("p", "t", "test").success());
    core.take(task_run("ghost", "u", "test").success());
    core.take(pipeline_run("p").success().group("g").children(&["t"]));
    // A child waits for a PipelineRun that was never heard of.
    core.pass(10 * SECOND);
    core.settle();
    for _ in 0..20 {
        core.pass(DAY);
        core.settle();
    }
    core.pass(DAY);
    let left: Vec<_> = Part::ALL.map(|part| (part, core.state.part_bytes(part))).into();
    let left: Vec<_> = left.into_iter().filter(|(_, bytes)| *bytes > 0).collect();
    // The last finished run of a pipeline is remembered by number.
    assert!(left.iter().all(|(part, _)| *part == Part::History), "{left:?}");
    assert_eq!(core.state.timers.len(), 0);
}

/// One thing that happens in a flood.
#[derive(Clone, Debug)]
struct Blow {
    namespace: usize,
    run: usize,
    end: bool,
    label_bytes: usize,
    settles: bool,
    wait_ms: u64,
}

fn blow() -> impl Strategy<Value = Blow> {
    let parts = (0..4_usize, 0..60_usize, any::<bool>(), 0..8_usize, 0..4_u8, 0..40_000_u64);
    parts.prop_map(|(namespace, run, end, size, settles, wait_ms)| Blow {
        // The first namespace floods.
        namespace: namespace.saturating_sub(2),
        run,
        end,
        label_bytes: size * size * 40,
        settles: settles > 0,
        wait_ms,
    })
}

impl Blow {
    fn event(&self, number: usize, at: Timestamp) -> RunEvent {
        let namespace = ["flood", "small"][self.namespace];
        let draft = of(namespace, &format!("{namespace}-{}", self.run + number / 40));
        let draft = draft.label(&"x".repeat(self.label_bytes)).again(&number.to_string());
        let draft = draft.changed(at.0 - START.0);
        let state = if self.end { draft.success() } else { draft.running(&number.to_string()) };
        state.into()
    }
}

fn held(core: &Core) -> BTreeMap<String, u64> {
    let mut held = BTreeMap::new();
    for namespace in ["flood", "small"] {
        held.insert(namespace.to_owned(), core.state.memory.held_by(namespace));
    }
    held
}

fn unfinished(core: &Core) -> BTreeMap<Key, String> {
    let runs = core.state.runs.iter().filter(|(_, run)| !run.facts.state.is_final());
    runs.map(|(key, run)| (*key, run.facts.namespace.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rule_14_random_floods_stay_within_the_bound_and_press_who_holds_most(
        blows in proptest::collection::vec(blow(), 1..400),
    ) {
        const MEMORY: u64 = 96 * 1024;
        let mut core = bounded(MEMORY);
        for (number, blow) in blows.iter().enumerate() {
            core.pass(Duration::from_millis(blow.wait_ms));
            let event = blow.event(number, core.now);
            let (before, open) = (held(&core), unfinished(&core));
            let entry = 8192 + 2 * u64::try_from(blow.label_bytes).unwrap();
            let answer = offer(&mut core, event.clone());
            prop_assert!(
                is_taken(&answer) || matches!(answer, Applied::Accepted(_))
                    || answer == Applied::Refused(Refusal::Full)
            );
            let after = held(&core);
            for (key, namespace) in open {
                if core.state.runs.contains_key(&key) {
                    continue;
                }
                let others = after.iter().filter(|(other, _)| **other != namespace);
                let most = others.map(|(_, bytes)| *bytes).max().unwrap_or_default();
                prop_assert!(
                    most <= before[&namespace] + entry,
                    "a run of {namespace} gave way, which held {} of {before:?}",
                    before[&namespace],
                );
            }
            if blow.settles {
                core.settle();
            }
            prop_assert!(bytes(&core) <= MEMORY + entry, "{} after {number}", bytes(&core));
            if number % 16 == 0 {
                prop_assert_eq!(counted(&core.state), recounted(&core));
            }
        }
        prop_assert_eq!(counted(&core.state), recounted(&core));
    }
}
