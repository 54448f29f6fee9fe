//! The whole test: a control plane, then rounds of runs against a cluster of three and a single
//! replica.

use super::control_plane::{ControlPlane, succeeded};
use super::facts::Facts;
use super::faults::{self, Progress};
use super::forge::Forge;
use super::front::Front;
use super::objects::next_sha;
use super::options::Options;
use super::shapes::{self, Shape};
use super::verdict::{Verdict, judge};
use super::{gather, manifests, replicas};
use crate::harness::{Cluster, Lab};
use crate::shared::{Seeded, eventually};
use futures_util::StreamExt as _;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Stages played at the same time: as many as two processors simulate without time-outs.
const STAGES_AT_ONCE: usize = 16;
/// Runs for the single replica.
const RUNS_ALONE: usize = 6;
/// After this time without an event, Tekton has sent everything.
const QUIET: Duration = Duration::from_secs(4);
const QUIET_WITHIN: Duration = Duration::from_secs(180);
/// Violations that are printed.
const LINES_TOLD_MAX: usize = 40;

/// One round: this many runs against this many replicas.
struct Round {
    name: &'static str,
    replicas: usize,
    runs: usize,
    has_faults: bool,
    seed: u64,
    binary: Option<PathBuf>,
}

/// One shape to play in it.
struct Scene {
    shape: &'static Shape,
    sha: String,
    mark: String,
    pr: usize,
}

/// Plays everything below the folder `root`; returns whether every promise held.
pub async fn run(options: &Options, root: &Path) -> bool {
    let folder = Lab::new(root, "lab", options.seed).folder;
    let front = Front::start(options.record.as_deref()).await;
    let started = Instant::now();
    let plane = ControlPlane::start(&folder, &front.sink()).await;
    println!("control plane up in {:.1} s", started.elapsed().as_secs_f64());
    manifests::are_taken(&plane, &folder).await;
    shapes::furnish(&plane).await;
    let several = Round {
        name: "three_replicas",
        replicas: 3,
        runs: options.runs,
        has_faults: options.has_faults,
        seed: options.seed,
        binary: options.binary.clone(),
    };
    // Behind a headless Service a replica sees itself in gossip.
    let alone = Round {
        name: "one_replica_behind_a_seed",
        replicas: 1,
        runs: RUNS_ALONE.min(options.runs),
        has_faults: false,
        seed: options.seed + 1,
        binary: options.binary.clone(),
    };
    let mut is_right = true;
    for round in [several, alone] {
        is_right &= play(&round, &plane, &front, root).await;
    }
    is_right
}

/// Plays one round and prints its verdict; returns whether it was right.
async fn play(round: &Round, plane: &ControlPlane, front: &Front, root: &Path) -> bool {
    let started = Instant::now();
    let lab = Lab::new(root, round.name, round.seed);
    let forge = Forge::start().await;
    let mut cluster = replicas::formed(&lab, round.replicas, round.binary.as_deref(), &forge).await;
    front.send_to(cluster.nodes.iter().map(|node| node.url("")).collect());
    let scenes = scenes(round);
    let progress = Progress::of(scenes.len());
    let played =
        futures_util::stream::iter(&scenes).for_each_concurrent(STAGES_AT_ONCE, async |scene| {
            scene.shape.play(plane, &scene.mark, &scene.sha, scene.pr).await;
            progress.step();
        });
    if round.has_faults {
        let broken = faults::play(&mut cluster, &forge, plane, &progress);
        futures_util::future::join(played, broken).await;
    } else {
        played.await;
    }
    eventually("no event comes any more", QUIET_WITHIN, async || {
        (front.quiet_for() > QUIET).then_some(())
    })
    .await;
    cluster.settled().await;
    let facts = facts(round, &scenes, (plane, front, &forge, &cluster)).await;
    let mut verdict = judge(&facts);
    verdict.violations.extend(panicked(&cluster));
    tell(round, &verdict, started);
    let is_right = verdict.violations.is_empty();
    if !is_right {
        std::fs::write(lab.folder.join("facts"), format!("{facts:#?}\n")).unwrap();
        println!("  kept: {}", lab.folder.display());
    }
    is_right
}

/// Every shape in turn, in an order that the seed decides, until there are enough runs.
fn scenes(round: &Round) -> Vec<Scene> {
    let mut random = Seeded::new(round.seed);
    let (mut scenes, mut roots) = (Vec::new(), 0);
    while roots < round.runs {
        let mut order: Vec<&Shape> = shapes::ALL.iter().collect();
        random.shuffle(&mut order);
        for shape in order {
            if roots >= round.runs {
                break;
            }
            roots += shape.roots;
            let sha = format!("{:016x}{:016x}{:08x}", random.next(), random.next(), scenes.len());
            let pr = scenes.len() + 1;
            scenes.push(Scene { shape, mark: format!("{}-{pr}", round.replicas), sha, pr });
        }
    }
    scenes
}

async fn facts(
    round: &Round,
    scenes: &[Scene],
    (plane, front, forge, cluster): (&ControlPlane, &Front, &Forge, &Cluster),
) -> Facts {
    let attempts = front.attempts();
    let shas = scenes.iter().flat_map(|scene| [scene.sha.clone(), next_sha(&scene.sha)]);
    let commits: BTreeSet<String> = shas.collect();
    let objects = plane.runs().await;
    let mut facts = gather::facts(&objects, &forge.seen(), &cluster.receiver.seen(), &attempts);
    facts.runs.retain(|run| commits.contains(&run.commit));
    let node = cluster.nodes.first().expect("there is a node");
    facts.in_doubt = node.gauge("effects_in_doubt_total").await.expect("a settled node answers");
    facts.is_disturbed = round.has_faults;
    facts
}

fn panicked(cluster: &Cluster) -> impl Iterator<Item = String> {
    let panicked = cluster.nodes.iter().filter(|node| node.log().contains("panicked at"));
    panicked.map(|node| format!("{} has panicked", node.pod()))
}

fn tell(round: &Round, verdict: &Verdict, started: Instant) {
    let violations = &verdict.violations;
    let how = if violations.is_empty() { "ok" } else { "FAILED" };
    let seconds = started.elapsed().as_secs_f64();
    println!("{} seed {}: {how}, {seconds:.1} s\n{}", round.name, round.seed, verdict.counts);
    violations.iter().take(LINES_TOLD_MAX).for_each(|line| println!("  ! {line}"));
    if violations.len() > LINES_TOLD_MAX {
        println!("  ! and {} more", violations.len() - LINES_TOLD_MAX);
    }
}
