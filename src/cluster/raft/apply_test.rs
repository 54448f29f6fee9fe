//! The content of a snapshot, compared with its header.

use super::super::types::{LogEntry, MemberNode, RaftEntry};
use super::*;
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::cluster::raft::{CHANGES_MAX, Changed};
use crate::cluster::test_node::event;
use crate::state_machine::{Command, Entry, Settings, StateChange};
use crate::wire;
use futures_util::stream;
use openraft::Membership;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

fn in_memory() -> AppliedState {
    AppliedState::open(SnapshotStore::in_memory()).unwrap()
}

fn log_id(index: u64) -> LogId {
    LogId { leader_id: 1_u64.into(), index }
}

/// An entry whose stamp is its index, so that the state shows the applied index.
fn tick(index: u64) -> RaftEntry {
    let entry = Entry { at: Timestamp(index), commands: vec![Command::Tick] };
    let payload = EntryPayload::Normal(LogEntry::from(entry));
    RaftEntry { log_id: log_id(index), payload }
}

async fn apply(state: &mut AppliedState, entries: Vec<RaftEntry>) {
    let entries = entries.into_iter().map(|entry| Ok((entry, None)));
    state.apply(stream::iter(entries)).await.unwrap();
}

#[test]
fn rule_17_a_snapshot_built_during_apply_is_of_one_moment() {
    const ENTRIES: u64 = 20_000;
    let state = in_memory();
    let (mut applying, ends) = (state.clone(), state.applied());
    let applier = std::thread::spawn(move || {
        let entries = (1..=ENTRIES).map(|index| Ok((tick(index), None)));
        futures_util::FutureExt::now_or_never(applying.apply(stream::iter(entries)))
            .unwrap()
            .unwrap();
    });
    let mut built = 0_u64;
    while *ends.borrow() < ENTRIES {
        let snapshot = state.build().unwrap();
        let (meta, read) = decode(&snapshot.snapshot).unwrap();
        assert_eq!(read.now().0, meta.last_log_id.map_or(0, |id| id.index));
        built += 1;
    }
    applier.join().unwrap();
    assert!(built > 0, "nothing was built while entries were applied");
}

#[tokio::test]
async fn an_installed_snapshot_is_the_state_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let snapshots = SnapshotStore::in_folder(folder.path().to_owned()).unwrap();
        AppliedState::open(snapshots).unwrap()
    };
    let mut source = in_memory();
    let nodes = BTreeMap::from([(
        5,
        MemberNode { name: "relay-5".to_owned(), address: "five:3320".to_owned() },
    )]);
    let membership = Membership::new(vec![BTreeSet::from([5])], nodes).unwrap();
    let payload = EntryPayload::Membership(membership);
    let member = RaftEntry { log_id: log_id(1), payload };
    apply(&mut source, vec![member, tick(2), tick(3)]).await;
    let snapshot = source.build().unwrap();
    let mut target = open();
    target.install_snapshot(&snapshot.meta, snapshot.snapshot).await.unwrap();
    assert_eq!(*target.applied().borrow(), 3);
    for mut state in [target, open()] {
        assert_eq!(state.applied_state().await.unwrap(), source.applied_state().await.unwrap());
        assert_eq!(state.read(StateMachine::now), Timestamp(3));
        assert_eq!(state.get_current_snapshot().await.unwrap().unwrap().meta, snapshot.meta);
    }
}

#[tokio::test]
async fn a_damaged_snapshot_is_not_installed() {
    let mut source = in_memory();
    apply(&mut source, vec![tick(4)]).await;
    let mut snapshot = source.build().unwrap();
    let middle = snapshot.snapshot.len() / 2;
    snapshot.snapshot[middle] ^= 1;
    let mut target = in_memory();
    apply(&mut target, vec![tick(2)]).await;
    let installed = target.install_snapshot(&snapshot.meta, snapshot.snapshot).await;
    assert_eq!(installed.unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert_eq!(target.read(StateMachine::now), Timestamp(2));
    assert_eq!(target.applied_state().await.unwrap().0, Some(log_id(2)));
}

#[tokio::test]
async fn an_older_snapshot_that_was_built_meanwhile_does_not_replace_an_installed_one() {
    let mut state = in_memory();
    apply(&mut state, vec![tick(2)]).await;
    let older = state.build().unwrap();
    let mut source = in_memory();
    apply(&mut source, vec![tick(9)]).await;
    let newer = source.build().unwrap();
    state.install_snapshot(&newer.meta, newer.snapshot).await.unwrap();
    state.snapshots.keep(&older.meta, &older.snapshot).unwrap();
    assert_eq!(state.get_current_snapshot().await.unwrap().unwrap().meta, newer.meta);
}

/// A replica that has applied an event stamped 1970, and its digest.
async fn applied_long_ago() -> (AppliedState, u128) {
    let mut state = in_memory();
    let commands = vec![Command::Accept(Box::new(event("a")))];
    let entry = Entry { at: Timestamp(2), commands };
    let payload = EntryPayload::Normal(LogEntry::from(entry));
    apply(&mut state, vec![tick(1), RaftEntry { log_id: log_id(2), payload }, tick(3)]).await;
    let digest = state.read(wire::digest);
    (state, digest)
}

#[tokio::test]
async fn rule_19_equal_entries_give_equal_digests_whatever_the_wall_clock_says() {
    let clock = SystemClock::default();
    let (first, digest) = applied_long_ago().await;
    assert_eq!(first.read(StateMachine::now), Timestamp(3));
    let later = clock.monotonic() + Duration::from_millis(5);
    while clock.monotonic() < later {
        std::thread::yield_now();
    }
    let (second, digest_later) = applied_long_ago().await;
    assert_eq!(digest, digest_later);
    assert_eq!(second.read(StateMachine::now), Timestamp(3));
}

fn checkpoint(index: u64) -> RaftEntry {
    let entry = Entry { at: Timestamp(index), commands: vec![Command::Tick, Command::Checkpoint] };
    let payload = EntryPayload::Normal(LogEntry::from(entry));
    RaftEntry { log_id: log_id(index), payload }
}

/// Waits until a digest at `index` is kept, and returns the kept digests.
async fn digested(state: &AppliedState, index: u64) -> Vec<StateDigest> {
    let waiting = async {
        while state.checkpoints().first().map(|digest| digest.index) != Some(index) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), waiting).await.unwrap();
    state.checkpoints()
}

#[tokio::test]
async fn rule_21_a_digest_is_of_the_state_right_after_its_checkpoint() {
    let mut state = in_memory();
    apply(&mut state, vec![tick(1), checkpoint(2), tick(3), tick(4)]).await;
    let mut expected = in_memory();
    apply(&mut expected, vec![tick(1), tick(2)]).await;
    let sum = expected.read(crate::wire::digest);
    assert_eq!(digested(&state, 2).await, [StateDigest { index: 2, sum }]);
    assert_ne!(state.read(crate::wire::digest), sum);
    assert_eq!(expected.checkpoints(), []);
}

#[tokio::test]
async fn rule_21_the_newest_digests_are_kept_and_equal_states_have_equal_ones() {
    let (mut one, mut other) = (in_memory(), in_memory());
    for index in 1..=9 {
        apply(&mut one, vec![checkpoint(index)]).await;
        apply(&mut other, vec![checkpoint(index)]).await;
        assert_eq!(digested(&one, index).await, digested(&other, index).await);
    }
    let indexes: Vec<u64> = one.checkpoints().iter().map(|digest| digest.index).collect();
    assert_eq!(indexes, [9, 8, 7, 6]);
}

fn settings(index: u64, runs_max: u64) -> RaftEntry {
    let settings = Settings { runs_max, ..Settings::default() };
    let entry = Entry { at: Timestamp(index), commands: vec![Command::Settings(settings)] };
    RaftEntry { log_id: log_id(index), payload: EntryPayload::Normal(LogEntry::from(entry)) }
}

fn changed(index: u64) -> Option<Changed> {
    Some(Changed::Entry { index, changes: Arc::from([StateChange::SettingsChanged]) })
}

#[tokio::test]
async fn changes_come_with_the_index_of_their_entry_once_the_state_has_them() {
    let mut state = in_memory();
    apply(&mut state, vec![settings(1, 1)]).await;
    let mut changes = state.changes();
    apply(&mut state, vec![tick(2), settings(3, 3), tick(4), settings(5, 5)]).await;
    assert_eq!([changes.next().await, changes.next().await], [changed(3), changed(5)]);
    assert_eq!(state.read(|state| state.settings().runs_max), 5);
    assert_eq!(changes.try_next(), None);
}

#[tokio::test]
async fn a_subscriber_that_fell_behind_is_told_how_much_it_missed_and_holds_nobody_up() {
    let mut state = in_memory();
    let mut slow = state.changes();
    let entries = u64::try_from(CHANGES_MAX).unwrap() + 2;
    apply(&mut state, (1..=entries).map(|index| settings(index, index)).collect()).await;
    assert_eq!(state.last(), Some(log_id(entries)));
    assert_eq!(slow.next().await, Some(Changed::Missed { entries: 2 }));
    assert_eq!(slow.next().await, changed(3));
}

#[tokio::test]
async fn an_installed_snapshot_says_that_all_may_have_changed() {
    let mut source = in_memory();
    apply(&mut source, vec![settings(1, 7), tick(9)]).await;
    let snapshot = source.build().unwrap();
    let mut state = in_memory();
    let mut changes = state.changes();
    state.install_snapshot(&snapshot.meta, snapshot.snapshot).await.unwrap();
    assert_eq!(changes.next().await, Some(Changed::Snapshot { index: 9 }));
    assert_eq!(state.read(|state| state.settings().runs_max), 7);
}
