//! Rule 5, at random: pipelines of any shape, two runs of each, any subset of their events in any
//! order and any number of times. Two writers never share a check, the runs of one writer do, and a
//! name that was written once is never changed.

use super::*;
use crate::event::{Naming, Parent, Rank, Reference, RunKind, RunState, child_name};
use proptest::prelude::*;
use std::collections::BTreeMap;

const CASES: u32 = 10_000;
/// Names that pipelines, tasks and runs draw from alike.
const NAMES: [&str; 4] = ["build", "task", "run-0", "build-0"];
/// Longer than what Tekton leaves of a parent's name beside a hash.
const LONG: &str = "a-name-that-is-so-long-that-tekton-hashes-it";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Named,
    Resolver,
    Generated,
    PipelinesAsCode,
    Unnamed,
}

#[derive(Clone, Debug)]
enum Part {
    Task,
    Matrix(u32),
    Loop(u32),
    Custom,
    Nested { source: Source, parts: Vec<Part> },
}

#[derive(Clone, Debug)]
struct Pipeline {
    source: Source,
    name: &'static str,
    is_long: bool,
    parts: Vec<(usize, Part)>,
}

/// A CustomRun that stands alone and makes runs in rounds.
#[derive(Clone, Debug)]
struct LoneLoop {
    source: Source,
    name: &'static str,
    rounds: u32,
    /// Of PipelineRuns with a task each, else of TaskRuns.
    is_of_pipelines: bool,
    is_labelled: bool,
}

fn lone_loop() -> impl Strategy<Value = LoneLoop> {
    let source = vec![Source::Named, Source::Generated, Source::Unnamed];
    let facts = (prop::sample::select(source), prop::sample::select(&NAMES[..]), 1..3_u32);
    (facts, any::<bool>(), prop::bool::weighted(0.8)).prop_map(
        |((source, name, rounds), is_of_pipelines, is_labelled)| LoneLoop {
            source,
            name,
            rounds,
            is_of_pipelines,
            is_labelled,
        },
    )
}

fn leaf() -> impl Strategy<Value = Part> {
    prop_oneof![
        3 => Just(Part::Task),
        2 => (2..4_u32).prop_map(Part::Matrix),
        1 => (1..3_u32).prop_map(Part::Loop),
        1 => Just(Part::Custom),
    ]
}

fn part() -> impl Strategy<Value = Part> {
    let source = prop_oneof![Just(Source::Named), Just(Source::Unnamed)];
    let nested = (source, prop::collection::vec(leaf(), 1..3))
        .prop_map(|(source, parts)| Part::Nested { source, parts });
    prop_oneof![4 => leaf(), 1 => nested]
}

fn pipeline() -> impl Strategy<Value = Pipeline> {
    let source = prop_oneof![
        Just(Source::Named),
        Just(Source::Resolver),
        Just(Source::Generated),
        Just(Source::PipelinesAsCode),
        Just(Source::Unnamed),
    ];
    let parts = prop::collection::vec((0..NAMES.len(), part()), 0..3);
    (source, prop::sample::select(&NAMES[..]), prop::bool::weighted(0.2), parts)
        .prop_map(|(source, name, is_long, parts)| Pipeline { source, name, is_long, parts })
}

/// Small random numbers from one seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// A run of the model: who it is by construction, what it hangs below, and its events.
struct Run {
    identity: String,
    uid: String,
    parent: Option<usize>,
    /// An inner pipeline that a name refers to: what hangs below it looks like a root's child.
    hides_root: bool,
    events: Vec<RunEvent>,
    /// Events that tell its name, once what is above it is known.
    telling: fn(&RunEvent) -> bool,
}

impl Run {
    fn of(identity: String, parent: Option<usize>) -> Self {
        let (uid, events) = Default::default();
        Self { identity, uid, parent, hides_root: false, events, telling: |_| true }
    }
}

/// Which of its pipeline task's runs a run is.
#[derive(Clone, Copy)]
enum Place {
    Only,
    Index(u32),
    Round(u32),
}

struct Runs(Vec<Run>);

impl Runs {
    fn add_pipeline(&mut self, pipeline: &Pipeline, place: &str) {
        let long = if pipeline.is_long { LONG } else { "" };
        let name = format!("{}-{place}{long}", pipeline.name);
        let identity = match pipeline.source {
            Source::Named | Source::Resolver => format!("pipeline {}", pipeline.name),
            Source::Generated => format!("generated {}", pipeline.name),
            Source::PipelinesAsCode => format!("pac {}", pipeline.name),
            Source::Unnamed => format!("run {name}"),
        };
        let base = base(RunKind::PipelineRun, &name);
        let root = self.add_root(pipeline, identity, base);
        for (task, (name, part)) in pipeline.parts.iter().enumerate() {
            self.add_part(root, &format!("{}-t{task}", NAMES[*name]), part);
        }
    }

    fn add_loop(&mut self, of: &LoneLoop, place: &str) {
        let name = format!("{}-{place}", of.name);
        let mut base = base(RunKind::CustomRun, &name);
        base.naming.reference = Reference::Inline;
        let identity = match of.source {
            Source::Named => {
                base.naming.reference = Reference::Name(of.name.to_owned());
                base.naming.custom_kind = "Loop.example.dev".to_owned();
                format!("custom task {}", of.name)
            }
            Source::Generated => {
                base.naming.generate_name = format!("{}-", of.name);
                format!("generated custom {}", of.name)
            }
            Source::Resolver | Source::PipelinesAsCode | Source::Unnamed => {
                format!("custom {name}")
            }
        };
        let above = self.add(Run::of(identity, None), base, "");
        for round in 0..of.rounds {
            self.add_round(above, of, round);
        }
    }

    fn add_round(&mut self, above: usize, of: &LoneLoop, round: u32) {
        let (owner, identity) = (&self.0[above].events[0], &self.0[above].identity);
        let name = format!("{}-{round:05}-x{}", owner.name, self.0.len());
        let identity = if of.is_labelled {
            format!("{identity} round {round}")
        } else {
            format!("{identity} run {name}")
        };
        let naming = Naming {
            reference: Reference::Name("build".to_owned()),
            owner: owner.name.clone(),
            iteration: if of.is_labelled { round.to_string() } else { String::new() },
            ..Naming::default()
        };
        let parent = Parent { uid: owner.uid.clone(), name: owner.name.clone() };
        let (kind, label) = if of.is_of_pipelines {
            (RunKind::PipelineRun, "build")
        } else {
            (RunKind::TaskRun, "")
        };
        let run = Run { hides_root: of.is_of_pipelines, ..Run::of(identity, Some(above)) };
        let round = self.add(run, RunEvent { parent, naming, ..base(kind, &name) }, label);
        if of.is_of_pipelines {
            self.add_part(round, "task", &Part::Matrix(2));
        }
    }

    fn add_root(&mut self, pipeline: &Pipeline, identity: String, mut base: RunEvent) -> usize {
        let name = base.name.clone();
        let mut label = name.clone();
        let mut telling: fn(&RunEvent) -> bool = |_| true;
        base.naming.reference = Reference::Inline;
        match pipeline.source {
            Source::Named => {
                base.naming.reference = Reference::Name(pipeline.name.to_owned());
                label = pipeline.name.to_owned();
            }
            Source::Resolver => {
                base.naming.reference = Reference::Resolver;
                label = pipeline.name.to_owned();
                telling = |event| event.rank != Rank::Queued;
            }
            Source::Generated => base.naming.generate_name = format!("{}-", pipeline.name),
            Source::PipelinesAsCode => base.naming.original_name = pipeline.name.to_owned(),
            Source::Unnamed => {}
        }
        self.add(Run { telling, ..Run::of(identity, None) }, base, &label)
    }

    /// Adds a run with its events, whose label is set by the second one.
    fn add(&mut self, mut run: Run, base: RunEvent, label: &str) -> usize {
        let queued_label = match (base.kind, run.parent) {
            (RunKind::PipelineRun, None) => String::new(),
            (RunKind::PipelineRun, Some(_)) => base.pipeline_name.clone(),
            _ => label.to_owned(),
        };
        let queued = RunEvent { pipeline_name: queued_label, ..base.clone() };
        let mut events = vec![staged(queued, Rank::Queued, RunState::Pending, 0)];
        let named = RunEvent { pipeline_name: label.to_owned(), ..base };
        events.push(staged(named.clone(), Rank::Running, RunState::Running, 1));
        let ended = staged(named, Rank::Terminal, RunState::Failure, 2);
        if ended.kind == RunKind::TaskRun {
            let again =
                RunEvent { attempt: 1, ce_id: format!("{}-again", ended.ce_id), ..ended.clone() };
            events.push(again);
        }
        events.push(ended);
        run.uid.clone_from(&events[0].uid);
        run.events = events;
        self.0.push(run);
        self.0.len() - 1
    }

    fn add_part(&mut self, above: usize, task: &str, part: &Part) {
        match part {
            Part::Task => self.add_child(above, RunKind::TaskRun, task, Place::Only),
            Part::Custom => self.add_child(above, RunKind::CustomRun, task, Place::Only),
            Part::Matrix(count) => {
                for index in 0..*count {
                    self.add_child(above, RunKind::TaskRun, task, Place::Index(index));
                }
            }
            Part::Loop(count) => {
                self.add_child(above, RunKind::CustomRun, task, Place::Only);
                for round in 0..*count {
                    self.add_child(above, RunKind::TaskRun, task, Place::Round(round));
                }
            }
            Part::Nested { source, parts } => self.add_nested(above, task, *source, parts),
        }
    }

    fn child_base(&self, above: usize, kind: RunKind, task: &str, suffix: &str) -> RunEvent {
        let parent = &self.0[above].events[1];
        let name = child_name(&parent.name, &format!("-{task}{suffix}"));
        RunEvent {
            parent: Parent { uid: parent.uid.clone(), name: parent.name.clone() },
            pipeline_task: task.to_owned(),
            pipeline_name: parent.pipeline_name.clone(),
            naming: Naming {
                reference: Reference::Inline,
                original_name: parent.naming.original_name.clone(),
                ..Naming::default()
            },
            ..base(kind, &name)
        }
    }

    fn add_child(&mut self, above: usize, kind: RunKind, task: &str, place: Place) {
        let suffix = match place {
            Place::Only | Place::Round(_) => String::new(),
            Place::Index(index) => format!("-{index}"),
        };
        let mut base = self.child_base(above, kind, task, &suffix);
        let is_combination = !suffix.is_empty();
        let above_it = &self.0[above].identity;
        let mut identity = format!("{above_it}/{task}{suffix} of a matrix: {is_combination}");
        if let Place::Round(round) = place {
            base.naming.owner = base.name.clone();
            base.naming.iteration = round.to_string();
            base.name = format!("{}-{round:05}-x{}", base.name, self.0.len());
            base.uid = format!("uid-{}", base.name);
            identity = format!("{identity} round {round}");
        }
        let label = base.pipeline_name.clone();
        self.add(Run::of(identity, Some(above)), base, &label);
    }

    fn add_nested(&mut self, above: usize, task: &str, source: Source, parts: &[Part]) {
        let mut base = self.child_base(above, RunKind::PipelineRun, task, "");
        let identity = format!("{}/{task} of a matrix: false", self.0[above].identity);
        let mut label = base.name.clone();
        if source == Source::Named {
            label = "build".to_owned();
            base.naming.reference = Reference::Name(label.clone());
        }
        let hides_root = source == Source::Named;
        let inner = Run { hides_root, ..Run::of(identity, Some(above)) };
        let inner = self.add(inner, base, &label);
        for (number, part) in parts.iter().enumerate() {
            self.add_part(inner, &format!("task-i{number}"), part);
        }
    }
}

fn base(kind: RunKind, name: &str) -> RunEvent {
    RunEvent {
        kind,
        uid: format!("uid-{name}"),
        name: name.to_owned(),
        pipeline_name: String::new(),
        ..pipeline_run("x").queued().into()
    }
}

fn staged(event: RunEvent, rank: Rank, state: RunState, at: u64) -> RunEvent {
    let is_resolved = rank != Rank::Queued;
    RunEvent {
        rank,
        state,
        ce_id: format!("{} {rank:?}", event.uid),
        last_transition: Timestamp(START.0 + at),
        ce_time: Timestamp(START.0 + at),
        naming: Naming { is_resolved, ..event.naming.clone() },
        ..event
    }
}

/// The names under which runs were written, by uid; a second name of one run is a failure.
#[derive(Default)]
struct Written(BTreeMap<String, String>);

impl Written {
    /// Plans what waits, as the owner would.
    fn plan(&mut self, core: &mut Core) {
        loop {
            let due = core.state.due_work(A, core.now).next();
            let Some(DueWork::Plan { run, slot, queued }) = due else { return };
            let context = &queued.context;
            assert_eq!(context.writer.is_some(), context.not_settled.is_none());
            if context.writer.is_some() {
                let (uid, name) = (queued.event.uid.clone(), context.check_name.clone());
                let known = self.0.entry(uid).or_insert_with(|| name.clone());
                assert_eq!(*known, name, "another name of {}", queued.event.name);
            }
            let sequence = queued.sequence;
            let nothing = (Vec::new(), Vec::new(), Vec::new());
            let (effects, skipped, failed) = nothing;
            let planned = Some(Planned { run, sequence, effects, skipped, failed });
            let owner = core.owner(slot);
            core.apply(Command::Begin(Begin { owner, planned, asked: Vec::new() }));
        }
    }
}

fn check(pipelines: &[Pipeline], loops: &[LoneLoop], seed: u64) {
    let mut dice = Dice(seed);
    let mut runs = Runs(Vec::new());
    for (place, pipeline) in pipelines.iter().enumerate() {
        for round in 0..2 {
            runs.add_pipeline(pipeline, &format!("p{place}r{round}"));
        }
    }
    for (place, of) in loops.iter().enumerate() {
        for round in 0..2 {
            runs.add_loop(of, &format!("l{place}r{round}"));
        }
    }
    let loss = [0, 0, 3, 2][dice.below(4)];
    let mut kept: Vec<(usize, RunEvent)> = Vec::new();
    for (number, run) in runs.0.iter().enumerate() {
        for event in &run.events {
            let copies = if loss > 0 && dice.below(loss) == 0 { 0 } else { 1 + dice.below(4) / 3 };
            for copy in 0..copies {
                let ce_id = format!("{} {copy}", event.ce_id);
                kept.push((number, RunEvent { ce_id, ..event.clone() }));
            }
        }
    }
    for place in (1..kept.len()).rev() {
        kept.swap(place, dice.below(place + 1));
    }
    let (mut core, mut written) = (Core::second(), Written::default());
    for (_, event) in &kept {
        core.accept(event.clone());
        if dice.below(3) == 0 {
            written.plan(&mut core);
        }
    }
    core.pass(PARENT_WAIT);
    written.plan(&mut core);
    judge(&runs, &kept, &written);
}

/// What was written is what the model says of those whose events, and those above, were seen.
fn judge(runs: &Runs, kept: &[(usize, RunEvent)], written: &Written) {
    let is_told: Vec<bool> = (0..runs.0.len())
        .map(|number| {
            kept.iter().any(|(of, event)| *of == number && (runs.0[number].telling)(event))
        })
        .collect();
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    let mut writers: BTreeMap<&str, &str> = BTreeMap::new();
    for (number, run) in runs.0.iter().enumerate() {
        let above: Vec<usize> =
            std::iter::successors(run.parent, |parent| runs.0[*parent].parent).collect();
        let is_known = above.iter().all(|parent| is_told[*parent]);
        let name = written.0.get(&run.uid);
        if is_known && is_told[number] {
            assert!(name.is_some(), "{} is not written", run.identity);
        }
        // What hangs below a named inner pipeline that nobody heard of looks like its root's.
        let is_hidden = above.iter().any(|parent| runs.0[*parent].hides_root && !is_known);
        let Some(name) = name.filter(|_| !is_hidden) else { continue };
        let writer = writers.entry(name).or_insert(&run.identity);
        if is_known {
            assert_eq!(*writer, run.identity, "two writers of {name}");
            let known = names.entry(&run.identity).or_insert(name);
            assert_eq!(*known, name, "two checks of {}", run.identity);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn rule_05_a_check_belongs_to_one_writer_and_to_all_its_runs(
        pipelines in prop::collection::vec(pipeline(), 1..3),
        loops in prop::collection::vec(lone_loop(), 0..3),
        seed in any::<u64>(),
    ) {
        check(&pipelines, &loops, seed);
    }
}
