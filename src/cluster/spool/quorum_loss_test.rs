//! Events during a lost quorum: where they are kept, and when they leave this disk.

use super::super::feed::FEED_COUNT_MAX;
use super::super::{SPOOL_BYTES_MAX, Spooled};
use super::*;
use crate::cluster::data_dir::free_space::FreeSpace;
use crate::cluster::test_clock::ManualClock;
use crate::cluster::test_member::{CLUSTER, Node, SPOOL_AFTER, node};
use crate::cluster::test_node::{WITHIN, event};
use crate::config::OnQuorumLoss;
use crate::state_machine::{Settings, StateMachine};
use tempfile::TempDir;

const MILLISECOND: Duration = Duration::from_millis(1);

struct Parts {
    quorum_loss: QuorumLoss,
    clock: Arc<ManualClock>,
    failed: watch::Receiver<Option<FatalError>>,
    folder: TempDir,
}

impl Parts {
    fn new(on_quorum_loss: OnQuorumLoss, bytes_max: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        let shared: Arc<dyn Clock> = clock.clone();
        let (failing, failed) = watch::channel(None);
        let spool = Spool::open(folder.path(), bytes_max).unwrap();
        let policy = QuorumLossPolicy { spool_after: SPOOL_AFTER, on_quorum_loss };
        let quorum = Quorum::new(Arc::clone(&shared));
        let quorum_loss = QuorumLoss::new(QuorumLossParts {
            spool,
            folder: folder.path().to_owned(),
            quorum,
            policy,
            clock: shared,
            failing,
        });
        Self { quorum_loss, clock, failed, folder }
    }

    fn spooling() -> Self {
        Self::new(OnQuorumLoss::Spool, SPOOL_BYTES_MAX)
    }

    fn kept(&self) -> Vec<String> {
        let kept: Vec<Spooled> = self.quorum_loss.spool.oldest(usize::MAX).unwrap();
        kept.into_iter().map(|spooled| spooled.event.uid).collect()
    }
}

/// A leader whose log has no room for another run.
async fn full_leader() -> Node {
    let mut leader = node(1).await;
    leader.lead().await;
    let settings = Settings { runs_max: 1, ..Settings::default() };
    let first = Command::Accept(Box::new(event("first")));
    leader.propose(vec![Command::Settings(settings), first]).await;
    leader
}

#[tokio::test]
async fn rule_12_a_quorum_that_was_never_there_is_lost_since_the_start() {
    let parts = Parts::spooling();
    parts.clock.advance(SPOOL_AFTER - MILLISECOND);
    assert_eq!(parts.quorum_loss.mode(false), Degradation::Wait);
    parts.clock.advance(MILLISECOND);
    assert_eq!(parts.quorum_loss.mode(false), Degradation::Spool);
}

#[tokio::test]
async fn rule_13_a_quorum_is_waited_for_and_when_it_is_back_the_log_is_tried_again() {
    let parts = Parts::spooling();
    parts.clock.advance(10 * SPOOL_AFTER);
    parts.quorum_loss.quorum.proven();
    parts.clock.advance(SPOOL_AFTER - MILLISECOND);
    assert_eq!(parts.quorum_loss.mode(false), Degradation::Wait);
    parts.clock.advance(MILLISECOND);
    assert_eq!(parts.quorum_loss.mode(false), Degradation::Spool);
    assert_eq!(parts.quorum_loss.mode(true), Degradation::Refuse);
    parts.quorum_loss.quorum.proven();
    assert_eq!(parts.quorum_loss.mode(true), Degradation::Wait);
}

#[tokio::test]
async fn rule_13_without_room_and_by_order_events_are_refused() {
    for (on_quorum_loss, bytes_max) in
        [(OnQuorumLoss::Spool, 0), (OnQuorumLoss::Reject, SPOOL_BYTES_MAX)]
    {
        let parts = Parts::new(on_quorum_loss, bytes_max);
        parts.clock.advance(SPOOL_AFTER);
        assert_eq!(parts.quorum_loss.mode(false), Degradation::Refuse);
    }
}

#[tokio::test]
async fn rule_13_what_is_kept_is_told_as_spooled_and_survives_the_process() {
    let parts = Parts::spooling();
    let answers = parts.quorum_loss.keep(["a", "b"].map(event).to_vec()).await.unwrap();
    let slots = ["a", "b"].map(SlotId::of_root);
    let told = slots.map(|slot| Accepted { fate: Fate::Spooled, slot, owner: None });
    assert_eq!(answers, told);
    assert_eq!((parts.quorum_loss.len(), parts.kept()), (2, vec!["a".to_owned(), "b".to_owned()]));
    assert!(parts.quorum_loss.bytes() > 0);
    let again = Spool::open(parts.folder.path(), SPOOL_BYTES_MAX).unwrap();
    assert_eq!(again.len(), 2);
}

#[tokio::test]
async fn rule_13_a_full_spool_keeps_nothing_and_the_process_goes_on() {
    let parts = Parts::new(OnQuorumLoss::Spool, 1);
    let refused = parts.quorum_loss.keep(vec![event("a")]).await;
    assert_eq!(refused, Err(AcceptError::Overloaded));
    assert!(parts.quorum_loss.len() == 0 && parts.failed.borrow().is_none());
}

#[tokio::test]
async fn rule_13_a_disk_that_cannot_be_written_ends_the_process() {
    let parts = Parts::spooling();
    std::fs::remove_dir(parts.folder.path()).unwrap();
    let refused = parts.quorum_loss.keep(vec![event("a")]).await;
    assert_eq!(refused, Err(AcceptError::Stopped));
    assert!(matches!(&*parts.failed.borrow(), Some(FatalError::Spool(_))));
}

#[tokio::test]
async fn rule_13_an_event_leaves_the_spool_only_after_its_commit() {
    let parts = Parts::spooling();
    parts.quorum_loss.keep(["a", "b"].map(event).to_vec()).await.unwrap();
    // The log has stopped, so nothing is written.
    let mut stopped = node(1).await;
    stopped.stop.cancel();
    stopped.write();
    assert!(!parts.quorum_loss.feed(&stopped.member.queue, FEED_COUNT_MAX).await);
    assert_eq!((parts.quorum_loss.len(), parts.kept().len()), (2, 2));

    let mut leader = node(2).await;
    leader.lead().await;
    assert!(parts.quorum_loss.feed(&leader.member.queue, FEED_COUNT_MAX).await);
    assert_eq!((parts.quorum_loss.len(), parts.kept()), (0, Vec::new()));
    let known = |state: &StateMachine| ["a", "b"].map(|uid| state.run(uid).is_some());
    assert_eq!(leader.member.raft().read(known), [true, true]);
}

#[tokio::test]
async fn rule_13_what_the_log_has_no_room_for_stays_in_the_spool() {
    let parts = Parts::spooling();
    let leader = full_leader().await;
    parts.quorum_loss.keep(vec![event("a")]).await.unwrap();
    assert!(!parts.quorum_loss.feed(&leader.member.queue, FEED_COUNT_MAX).await);
    assert_eq!((parts.quorum_loss.len(), parts.kept()), (1, vec!["a".to_owned()]));
    leader.propose(vec![Command::Settings(Settings::default())]).await;
    assert!(parts.quorum_loss.feed(&leader.member.queue, FEED_COUNT_MAX).await);
    assert_eq!(parts.quorum_loss.len(), 0);
}

#[tokio::test]
async fn rule_13_events_are_fed_in_order_and_portion_by_portion() {
    let parts = Parts::spooling();
    let count = FEED_COUNT_MAX + 1;
    let uids: Vec<String> = (0..count).map(|number| format!("run-{number}")).collect();
    parts.quorum_loss.keep(uids.iter().map(|uid| event(uid)).collect()).await.unwrap();
    let mut leader = node(1).await;
    leader.lead().await;
    assert!(parts.quorum_loss.feed(&leader.member.queue, FEED_COUNT_MAX).await);
    assert_eq!(parts.kept(), uids[FEED_COUNT_MAX..]);
    let stop = CancellationToken::new();
    let running =
        tokio::spawn(parts.quorum_loss.clone().run(leader.member.queue.clone(), stop.clone()));
    let raft = leader.member.raft();
    let mut applied = raft.applied();
    let is_fed = |_: &u64| raft.read(|state| state.run(&uids[FEED_COUNT_MAX]).is_some());
    tokio::time::timeout(WITHIN, applied.wait_for(is_fed)).await.unwrap().unwrap();
    stop.cancel();
    tokio::time::timeout(WITHIN, running).await.unwrap().unwrap();
    assert_eq!(parts.kept(), Vec::<String>::new());
    let first =
        raft.read(|state| state.run(&uids[0]).map(|run| run.run.queue[0].sequence)).unwrap();
    let last =
        raft.read(|state| state.run(&uids[FEED_COUNT_MAX]).map(|run| run.run.queue[0].sequence));
    assert_eq!(last, Some(first + u64::try_from(FEED_COUNT_MAX).unwrap()));
}

#[tokio::test]
async fn rule_15_a_low_disk_takes_no_event_into_the_spool() {
    let mut node = node(1).await;
    node.member.join(CLUSTER).unwrap();
    node.clock.advance(SPOOL_AFTER);
    let accepted = node.cluster(WITHIN).accept(vec![event("a")]).await.unwrap();
    assert_eq!((accepted[0].fate, node.member.quorum_loss.len()), (Fate::Spooled, 1));
    let clock: Arc<dyn Clock> = node.clock.clone();
    let low = FreeSpace::new(Some(node.folder.path().to_owned()), u64::MAX, clock);
    Arc::get_mut(&mut node.member).unwrap().disk = Arc::new(low);
    let refused = node.cluster(WITHIN).accept(vec![event("b")]).await;
    assert_eq!((refused, node.member.quorum_loss.len()), (Err(AcceptError::DiskLow), 1));
}

#[tokio::test]
async fn v24_a_newer_event_of_a_run_waits_behind_those_that_are_spooled() {
    let node = node(1).await;
    node.member.join(CLUSTER).unwrap();
    node.clock.advance(SPOOL_AFTER);
    let cluster = node.cluster(WITHIN);
    assert_eq!(cluster.accept(vec![event("a")]).await.unwrap()[0].fate, Fate::Spooled);
    node.member.quorum_loss.quorum.proven();
    assert_eq!(node.member.degradation(), Degradation::Wait);
    assert_eq!(cluster.accept(vec![event("a")]).await.unwrap()[0].fate, Fate::Spooled);
    assert!(!node.member.owes_order_to(&[event("b")]));
    // The runs of an earlier life's events are known, too.
    let parts = Parts::spooling();
    parts.quorum_loss.keep(vec![event("a")]).await.unwrap();
    let again = Spool::open(parts.folder.path(), SPOOL_BYTES_MAX).unwrap();
    assert_eq!(again.uids().unwrap().into_keys().collect::<Vec<_>>(), ["a"]);
}

#[tokio::test]
async fn v24_runs_whose_events_were_fed_owe_nobody_an_order() {
    let parts = Parts::spooling();
    parts.quorum_loss.keep(["a", "a", "b"].map(event).to_vec()).await.unwrap();
    let mut leader = node(1).await;
    leader.lead().await;
    assert!(parts.quorum_loss.feed(&leader.member.queue, 1).await);
    assert!(parts.quorum_loss.has_runs_of(&[event("a")]));
    assert!(parts.quorum_loss.feed(&leader.member.queue, FEED_COUNT_MAX).await);
    assert!(!parts.quorum_loss.has_runs_of(&["a", "b"].map(event)));
}

#[tokio::test]
async fn rule_13_an_event_for_which_the_log_has_no_room_holds_up_no_other() {
    let parts = Parts::spooling();
    let leader = full_leader().await;
    let known = RunEvent { ce_id: "again".to_owned(), message: "2".to_owned(), ..event("first") };
    parts.quorum_loss.keep(vec![event("a"), known]).await.unwrap();
    assert!(!parts.quorum_loss.feed(&leader.member.queue, 1).await);
    assert!(parts.quorum_loss.feed(&leader.member.queue, 1).await);
    assert_eq!(parts.kept(), ["a"]);
}
