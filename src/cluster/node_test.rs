//! A node for tests: a cluster of one over real files, and common steps of its tests.

use super::test_clock::ManualClock;
use super::*;
use crate::clock::{Clock, Timestamp};
use crate::effect::{Delivery, EffectId, PlannedEffect, RouteName, TargetKey};
use crate::event::{Key, Naming, Parent, Rank, RunEvent, RunKind, RunState, Scm};
use crate::state_machine::{
    Applied, AttemptOutcome, AttemptResult, Begin, Boot, Command, DueWork, Entry, Fate, Grant,
    Owner, Planned, Settings, SlotId, StateMachine,
};
use crate::wire::encode_state;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Wall time at the start of a test.
pub const START_MS: u64 = 1_790_000_000_000;
/// A condition that is not met by then counts as never met.
pub const WITHIN: Duration = Duration::from_secs(20);

/// A data directory, and how to start clusters in it.
pub struct Node {
    pub folder: TempDir,
    pub clock: Arc<ManualClock>,
    pub settings: Settings,
    pub free_bytes_min: u64,
}

impl Node {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp(START_MS)));
        Self { folder, clock, settings: Settings::default(), free_bytes_min: 0 }
    }

    pub async fn try_start(&self) -> Result<Cluster, StartError> {
        let options = Options {
            backend: Backend::Disk(self.folder.path().to_owned()),
            settings: self.settings.clone(),
            free_bytes_min: self.free_bytes_min,
            ..Options::default()
        };
        let clock: Arc<dyn Clock> = self.clock.clone();
        Cluster::start(options, clock).await
    }

    pub async fn start(&self) -> Cluster {
        self.try_start().await.unwrap()
    }

    /// Checks that a restart changes only what registering the new life changes.
    pub async fn restart(&self, cluster: Cluster) -> Cluster {
        let mut expected = cluster.read(StateMachine::clone);
        let boot = Boot {
            node: cluster.node_id(),
            number: cluster.boot() + 1,
            ended_while_planning: None,
        };
        cluster.shutdown().await;
        drop(cluster);
        let restarted = self.start().await;
        let commands = vec![Command::Boot(boot.clone())];
        expected.apply(Entry { at: restarted.read(StateMachine::now), commands });
        assert!(restarted.read(encode_state) == encode_state(&expected));
        assert_eq!(restarted.boot(), boot.number);
        restarted
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn mark_planning(&self, run: Key, sequence: u64) {
        let mut mark = run.0.to_be_bytes().to_vec();
        mark.extend(sequence.to_be_bytes());
        std::fs::write(self.path("planning"), mark).unwrap();
    }
}

/// The end of a PipelineRun.
pub fn event(uid: &str) -> RunEvent {
    let text = str::to_owned;
    let none = String::new;
    RunEvent {
        ce_id: format!("ce-{uid}"),
        ce_source: text("/tekton"),
        ce_type: text("dev.tekton.event.pipelinerun.successful.v1"),
        ce_time: Timestamp(START_MS),
        kind: RunKind::PipelineRun,
        namespace: text("ci"),
        name: format!("run-{uid}"),
        uid: text(uid),
        resource_version: 1,
        created_at: Timestamp(START_MS - 2_000),
        rank: Rank::Terminal,
        state: RunState::Success,
        reason: text("Succeeded"),
        message: none(),
        attempt: 0,
        last_transition: Timestamp(START_MS - 1_000),
        started_at: Timestamp(START_MS - 2_000),
        finished_at: Timestamp(START_MS - 1_000),
        parent: Parent::default(),
        naming: Naming::default(),
        task_name: none(),
        pipeline_name: text("build"),
        pipeline_task: none(),
        event_listener_name: none(),
        trigger_name: none(),
        task_display_name: none(),
        pipeline_display_name: none(),
        is_finally: false,
        scm_event_type: none(),
        children: Vec::new(),
        skipped_tasks: Vec::new(),
        scm: Scm::default(),
        jira_issue_key: none(),
        group_id: none(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        params: Vec::new(),
        results: Vec::new(),
        cut: Vec::new(),
    }
}

pub async fn accept(cluster: &Cluster, uid: &str) -> Fate {
    cluster.accept(vec![event(uid)]).await.unwrap()[0].fate
}

/// The run, slot and sequence of the only event that waits for its plan.
pub fn unplanned(cluster: &Cluster) -> (Key, SlotId, u64, u32) {
    cluster.read(|state| {
        let mut due = state.due_work(cluster.node_id(), Timestamp(u64::MAX));
        match due.next().unwrap() {
            DueWork::Plan { run, slot, queued } => {
                (run, slot, queued.sequence, queued.ended_plannings)
            }
            DueWork::Send(effect) => panic!("{effect:?} is planned already"),
        }
    })
}

/// Plans one effect for the only waiting event and gets the right to send it.
pub async fn begin(cluster: &Cluster) -> EffectId {
    let (run, slot, sequence, _) = unplanned(cluster);
    let effect = EffectId(Key::of(&["effect"]));
    let [kind, instance, action] = ["slack", "builds", "notify"].map(str::to_owned);
    let route = RouteName { kind, instance, action };
    let target = TargetKey("slack/builds".to_owned());
    let effects = vec![PlannedEffect { id: effect, route, target, delivery: Delivery::Stream }];
    let planned = Planned { run, sequence, effects, skipped: vec![], failed: vec![] };
    let epoch = cluster.read(|state| state.slot(slot).epoch);
    let owner = Owner { node: cluster.node_id(), boot: cluster.boot(), slot, epoch };
    let begin = Begin { owner, planned: Some(planned), asked: vec![Grant::first(effect)] };
    let answers = cluster.propose(vec![Command::Begin(begin)]).await.unwrap();
    assert!(matches!(&answers[0], Applied::Begun(grants) if grants.len() == 1), "{answers:?}");
    effect
}

/// Records the calls begun here as not made.
pub async fn give_back(cluster: &Cluster) {
    let (node, boot) = (cluster.node_id(), cluster.boot());
    let unsent = |Grant { effect, attempt }| AttemptOutcome {
        effect,
        attempt,
        result: AttemptResult::Unsent,
    };
    let outcomes = cluster.read(|state| state.begun_by(node, boot).map(unsent).collect());
    assert_eq!(cluster.propose(vec![Command::Record(outcomes)]).await.unwrap(), [Applied::Done]);
}

/// Waits until `holds` returns true for the state; checks after each applied entry.
pub async fn until(cluster: &Cluster, holds: impl Fn(&StateMachine) -> bool) {
    let mut applied = cluster.applied();
    let wait = applied.wait_for(|_| cluster.read(&holds));
    tokio::time::timeout(WITHIN, wait).await.unwrap().unwrap();
}

/// Every file of a data directory with its content, except what each start changes and the ballast,
/// which has none.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files = BTreeMap::new();
    for path in entries {
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if !["identity.json", "ballast"].iter().any(|name| path.ends_with(name)) {
            files.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    files
}
