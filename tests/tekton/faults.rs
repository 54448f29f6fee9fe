//! The faults during the runs, one after the other, each after a share of the work.

use super::control_plane::ControlPlane;
use super::forge::{Forge, Mood};
use crate::harness::Cluster;
use crate::shared::eventually;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long the forge is out of order.
const OUTAGE: Duration = Duration::from_secs(15);
/// How long it answers with a limit.
const LIMIT: Duration = Duration::from_secs(10);
/// A killed replica returns after this time.
const DOWN: Duration = Duration::from_secs(3);
/// How long there is no quorum: well past `store.spool_after`.
const WITHOUT_QUORUM: Duration = Duration::from_secs(8);
/// No share of the work takes longer.
const STEP_MAX: Duration = Duration::from_secs(600);

/// How many stages have been played.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicUsize,
    total: usize,
}

impl Progress {
    pub fn of(total: usize) -> Self {
        Self { done: AtomicUsize::new(0), total }
    }

    /// Adds one.
    pub fn step(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    async fn reaches(&self, percent: usize) {
        eventually(&format!("{percent} % of the work is done"), STEP_MAX, async || {
            let done = self.done.load(Ordering::Relaxed);
            (done * 100 >= percent * self.total).then_some(())
        })
        .await;
    }
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    ForgeRefuses(u16, Duration),
    ForgeHangs(Duration),
    Kill(usize),
    ControllersRestart,
    QuorumIsLost,
}

/// When (in percent of the work) and which fault.
const PLAN: [(usize, Fault); 9] = [
    (5, Fault::ForgeRefuses(502, OUTAGE)),
    (20, Fault::Kill(0)),
    (28, Fault::ControllersRestart),
    (35, Fault::ForgeHangs(OUTAGE)),
    (50, Fault::Kill(1)),
    (58, Fault::ForgeRefuses(429, LIMIT)),
    (68, Fault::ControllersRestart),
    (75, Fault::Kill(2)),
    (85, Fault::QuorumIsLost),
];

/// Causes one fault after the other, and ends each.
pub async fn play(cluster: &mut Cluster, forge: &Forge, plane: &ControlPlane, progress: &Progress) {
    for (percent, fault) in PLAN {
        progress.reaches(percent).await;
        println!("  at {percent} %: {fault:?}");
        match fault {
            Fault::ForgeRefuses(status, how_long) => {
                out_of_order(forge, Mood::Refuses(status), how_long).await;
            }
            Fault::ForgeHangs(how_long) => out_of_order(forge, Mood::Hangs, how_long).await,
            Fault::Kill(node) => down(cluster, &[node], DOWN).await,
            Fault::ControllersRestart => plane.restart_tekton().await,
            Fault::QuorumIsLost => down(cluster, &[1, 2], WITHOUT_QUORUM).await,
        }
    }
}

async fn out_of_order(forge: &Forge, mood: Mood, how_long: Duration) {
    forge.turn(mood);
    tokio::time::sleep(how_long).await;
    forge.turn(Mood::Well);
}

async fn down(cluster: &mut Cluster, nodes: &[usize], how_long: Duration) {
    for node in nodes {
        cluster.nodes[*node].kill().await;
    }
    tokio::time::sleep(how_long).await;
    for node in nodes {
        cluster.start(*node);
    }
    for node in nodes {
        cluster.nodes[*node].ready().await;
    }
}
