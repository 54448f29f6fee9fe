//! The scenarios, in the order of running: simple ones first, since the others build on their
//! findings.

mod accept_anywhere;
mod changed_secret;
mod copied_disk;
mod documented;
mod foreign_volume;
mod formation;
mod freeze;
mod full_stop;
mod gossip_key;
mod headless;
mod headless_scale;
mod leader_kill;
mod lost_quorum;
mod orders;
mod owner_kill;
mod partition;
mod quorum_loss_spool;
mod readable_traffic;
mod rolling_restart;
mod scale;
mod slow_peer;
mod sole_voter;
mod version_skew;
mod wiped_disk;

use crate::harness::{Counts, Lab, pods};
use crate::options::Options;
use crate::runner::Scenario;
use futures_util::future::LocalBoxFuture;

/// All scenarios. Only those with pods need root.
pub const ALL: [Scenario; 29] = [
    always("formation", |lab| Box::pin(formation::run(lab))),
    always("accept_anywhere", |lab| Box::pin(accept_anywhere::run(lab))),
    always("leader_kill", |lab| Box::pin(leader_kill::run(lab))),
    always("owner_kill", |lab| Box::pin(owner_kill::run(lab))),
    always("rolling_restart", |lab| Box::pin(rolling_restart::run(lab))),
    always("full_stop", |lab| Box::pin(full_stop::run(lab))),
    always("freeze", |lab| Box::pin(freeze::run(lab))),
    always("partition_both_ways", |lab| Box::pin(partition::both_ways(lab))),
    always("partition_mute_leader", |lab| Box::pin(partition::mute_leader(lab))),
    always("partition_deaf_follower", |lab| Box::pin(partition::deaf_follower(lab))),
    always("partition_one_pair", |lab| Box::pin(partition::one_pair(lab))),
    always("partition_idle_pair", |lab| Box::pin(partition::idle_pair(lab))),
    always("wiped_disk", |lab| Box::pin(wiped_disk::run(lab))),
    always("quorum_loss_spool", |lab| Box::pin(quorum_loss_spool::run(lab))),
    always("quorum_loss_reject", |lab| Box::pin(quorum_loss_spool::rejected(lab))),
    always("scale", |lab| Box::pin(scale::run(lab))),
    always("sole_voter", |lab| Box::pin(sole_voter::run(lab))),
    always("copied_disk", |lab| Box::pin(copied_disk::run(lab))),
    always("orders", |lab| Box::pin(orders::run(lab))),
    always("lost_quorum", |lab| Box::pin(lost_quorum::run(lab))),
    always("slow_peer", |lab| Box::pin(slow_peer::run(lab))),
    always("gossip_key", |lab| Box::pin(gossip_key::run(lab))),
    always("changed_secret", |lab| Box::pin(changed_secret::run(lab))),
    always("readable_traffic", |lab| Box::pin(readable_traffic::run(lab))),
    always("foreign_volume", |lab| Box::pin(foreign_volume::run(lab))),
    always("documented", |lab| Box::pin(documented::run(lab))),
    in_pods("headless", |lab| Box::pin(headless::run(lab))),
    in_pods("headless_scale", |lab| Box::pin(headless_scale::run(lab))),
    Scenario {
        name: "version_skew",
        run: |lab| Box::pin(version_skew::run(lab)),
        lacks: another_build,
    },
];

/// A scenario that needs only the binary.
const fn always(name: &'static str, run: fn(Lab) -> LocalBoxFuture<'static, Counts>) -> Scenario {
    Scenario { name, run, lacks: |_| None }
}

/// A scenario that needs network namespaces.
const fn in_pods(name: &'static str, run: fn(Lab) -> LocalBoxFuture<'static, Counts>) -> Scenario {
    Scenario { name, run, lacks: |_| pods::missing() }
}

fn another_build(options: &Options) -> Option<&'static str> {
    let lacking = "needs another build: RELAY_PREVIOUS_BINARY=PATH, or --other-binary PATH";
    options.other_binary.is_none().then_some(lacking)
}
