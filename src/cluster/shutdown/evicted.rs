//! Why a process of a cluster with peers has to end. Its node was removed, and the next start
//! begins as a new node. Its build is too old, and the next start continues the same node. Or other
//! nodes can no longer find it.

use crate::cluster::fatal::FatalError;
use crate::cluster::member::Member;
use crate::cluster::transport::RefusalKind;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tracing::error;

/// Runs until `stop` is cancelled or there is a reason, which ends the process.
pub(in crate::cluster) async fn run(member: Arc<Member>, stop: CancellationToken) {
    let mut rejected_by = member.peers.rejected_by();
    let mut gossip = member.gossip.failed();
    let refused = tokio::select! {
        () = stop.cancelled() => return,
        // If gossip restarted in this life, other nodes would not believe it.
        ended = gossip.wait_for(Option::is_some) => {
            if let Ok(Some(end)) = ended.as_deref() {
                member.fail(FatalError::Gossip(end.clone()));
            }
            return;
        }
        refused = rejected_by.wait_for(Option::is_some) => match refused.as_deref() {
            Ok(Some(refused)) => refused.clone(),
            Ok(None) | Err(_) => return,
        },
    };
    if !is_node_over(refused.kind) {
        return member.fail(FatalError::BuildTooOld(refused));
    }
    if let Err(error) = member.directory.set_aside() {
        error!(%error, "the data directory cannot be marked");
    }
    member.fail(FatalError::NodeOver(refused));
}

/// Whether no build can be accepted again as this node.
fn is_node_over(refused: RefusalKind) -> bool {
    match refused {
        RefusalKind::Retired | RefusalKind::StaleBoot => true,
        // A newer build continues with the same directory.
        RefusalKind::FeatureLevel
        | RefusalKind::WrongCluster
        | RefusalKind::WrongNode
        | RefusalKind::WireVersion
        | RefusalKind::Malformed
        | RefusalKind::Stopped => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::data_dir::directory::DataDirectory;
    use crate::cluster::test_member::{Node, node};
    use crate::cluster::test_node::WITHIN;

    async fn ran(node: &Node) -> Option<FatalError> {
        let running = run(Arc::clone(&node.member), node.stop.clone());
        tokio::time::timeout(WITHIN, running).await.unwrap();
        node.failed.borrow().clone()
    }

    #[tokio::test]
    async fn a_node_that_is_told_that_it_was_removed_ends_and_begins_anew() {
        let node = node(1).await;
        node.member.peers.note_removal();
        let Some(FatalError::NodeOver(told)) = ran(&node).await else { panic!("it goes on") };
        assert_eq!(told.kind, RefusalKind::Retired);
        let before = node.member.directory.identity();
        let Node { member, folder, .. } = node;
        // The last owner of the member releases the lock.
        drop(member);
        let next = DataDirectory::open(folder.path()).unwrap().identity();
        assert_ne!(next.node_id, before.node_id);
        assert_eq!((next.boot, next.cluster_id), (1, None));
    }

    #[tokio::test]
    async fn a_node_that_stops_in_good_order_stays_the_same() {
        let node = node(1).await;
        node.stop.cancel();
        assert!(ran(&node).await.is_none());
        assert!(!node.folder.path().join("set-aside").exists());
    }

    #[test]
    fn rule_22_a_build_that_is_too_old_leaves_its_directory_to_a_newer_one() {
        assert!(!is_node_over(RefusalKind::FeatureLevel));
        assert!(is_node_over(RefusalKind::Retired));
        assert!(is_node_over(RefusalKind::StaleBoot));
    }
}
