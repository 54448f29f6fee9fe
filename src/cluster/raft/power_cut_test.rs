//! Cuts the power after every single disk operation of a scripted history, and after those of the
//! following recovery. The log read back must be the log after some prefix of the script that
//! contains every step acknowledged before the cut.

use super::super::super::record::encode_record;
use super::super::super::simulated_disk::{Operation, Random, SimulatedDisk, Survivor, Unsynced};
use super::*;
use crate::clock::Timestamp;
use crate::cluster::raft::types::LogEntry;
use crate::event::Key;
use crate::state_machine::{Command, Entry};
use openraft::EntryPayload;
use std::collections::BTreeMap;

/// After every n-th cut the recovered log is written on.
const WRITE_ON_EVERY: usize = 7;
/// After every n-th cut the power fails again during the recovery.
const CUT_AGAIN_EVERY: usize = 47;

pub(super) fn log_id(term: u64, index: u64) -> LogId {
    LogId { leader_id: term.into(), index }
}

/// An entry whose content depends on term and index; every eighth spans several pages.
pub(super) fn entry(term: u64, index: u64) -> RaftEntry {
    large_entry(term, index, if index.is_multiple_of(8) { 600 } else { 2 })
}

/// An entry with this many keys of 16 bytes.
pub(super) fn large_entry(term: u64, index: u64, keys: usize) -> RaftEntry {
    let commands =
        vec![Command::Touch(vec![Key(u128::from(term) << 64 | u128::from(index)); keys])];
    let entry = Entry { at: Timestamp(1_000 * term + index), commands };
    RaftEntry { log_id: log_id(term, index), payload: EntryPayload::Normal(LogEntry::from(entry)) }
}

/// One request of openraft to a log.
#[derive(Clone, Copy, Debug)]
enum Step {
    Vote(Vote),
    /// Entries of a term, from the first to the last index.
    Append(u64, u64, u64),
    Committed(LogId),
    TruncateAfter(LogId),
    Purge(LogId),
}

/// The required content of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Model {
    entries: BTreeMap<u64, Vec<u8>>,
    vote: Option<Vec<u8>>,
    last: Option<LogId>,
    purged: Option<LogId>,
    committed: Option<LogId>,
}

impl Model {
    fn take(&mut self, step: Step) {
        match step {
            Step::Vote(vote) => self.vote = Some(encode_vote(&vote)),
            Step::Append(term, first, last) => {
                let added = (first..=last).map(|index| (index, encode_record(&entry(term, index))));
                self.entries.extend(added);
                self.last = Some(log_id(term, last));
            }
            Step::Committed(id) => self.committed = Some(id),
            Step::TruncateAfter(id) => {
                self.entries.retain(|index, _| *index <= id.index);
                self.last = Some(id);
            }
            Step::Purge(id) => {
                self.entries.retain(|index, _| *index > id.index);
                self.purged = Some(id);
                self.last = self.last.max(Some(id));
            }
        }
    }

    async fn of(log: &mut LogStore) -> Self {
        let entries = log.try_get_log_entries(..).await.unwrap();
        let state = log.get_log_state().await.unwrap();
        Self {
            entries: entries.iter().map(|e| (e.index(), encode_record(e))).collect(),
            vote: log.read_vote().await.unwrap().map(|vote| encode_vote(&vote)),
            last: state.last_log_id,
            purged: state.last_purged_log_id,
            committed: log.read_committed().await.unwrap(),
        }
    }
}

/// A step, and the operations done when it was submitted and when it was confirmed.
#[derive(Clone, Copy, Debug)]
struct Issued {
    step: Step,
    from: usize,
    confirmed: Option<usize>,
}

/// A log on a simulated disk, and the steps submitted so far.
struct Script {
    disk: SimulatedDisk,
    log: LogStore,
    issued: Vec<Issued>,
}

impl Script {
    async fn step(&mut self, step: Step) {
        let from = self.disk.operation_count();
        let (callback, flushed) = callback();
        match step {
            Step::Vote(vote) => self.log.save_vote(&vote).await.unwrap(),
            Step::Append(term, first, last) => {
                let entries = (first..=last).map(|index| entry(term, index));
                self.log.append(entries, callback).await.unwrap();
                flushed.await.unwrap().unwrap();
            }
            Step::Committed(id) => self.log.save_committed(Some(id)).await.unwrap(),
            Step::TruncateAfter(id) => self.log.truncate_after(Some(id)).await.unwrap(),
            Step::Purge(id) => self.log.purge(id).await.unwrap(),
        }
        let is_confirmed = !matches!(step, Step::Committed(_));
        let confirmed = is_confirmed.then(|| self.disk.operation_count());
        self.issued.push(Issued { step, from, confirmed });
    }

    /// Submits appends while the sync of the first one waits, so that the others share a commit
    /// with `last`.
    async fn together(&mut self, appends: &[(u64, u64, u64)], last: Step) {
        self.disk.stall_syncs();
        let mut waiting = Vec::new();
        for (term, first, end) in appends {
            let from = self.disk.operation_count();
            let (callback, flushed) = callback();
            let entries = (*first..=*end).map(|index| entry(*term, index));
            self.log.append(entries, callback).await.unwrap();
            self.disk.until_stalled();
            let step = Step::Append(*term, *first, *end);
            self.issued.push(Issued { step, from, confirmed: None });
            waiting.push(flushed);
        }
        assert!(waiting.iter_mut().all(|flushed| flushed.now_or_never().is_none()));
        let first = self.issued.len() - waiting.len();
        let disk = self.disk.clone();
        {
            let mut ended = std::pin::pin!(self.step(last));
            // The first poll submits it.
            assert!(ended.as_mut().now_or_never().is_none());
            disk.go_on();
            ended.await;
        }
        for (at, flushed) in waiting.into_iter().enumerate() {
            flushed.await.unwrap().unwrap();
            self.issued[first + at].confirmed = Some(self.disk.operation_count());
        }
    }
}

/// Votes, appends of several shapes, a follower's truncations, purges, and a purge beyond the end
/// of the log as after installing a snapshot.
async fn history(disk: SimulatedDisk) -> Vec<Issued> {
    let database = Database::builder().create_with_backend(disk.clone()).unwrap();
    let mut script = Script { disk, log: open(database), issued: Vec::new() };
    script.step(Step::Vote(Vote::new(1, 7))).await;
    script.step(Step::Vote(Vote::new_committed(1, 7))).await;
    script.step(Step::Append(1, 0, 0)).await;
    script.step(Step::Append(1, 1, 3)).await;
    script.step(Step::Committed(log_id(1, 2))).await;
    script.together(&[(1, 4, 4), (1, 5, 8), (1, 9, 9)], Step::Vote(Vote::new(2, 8))).await;
    script.step(Step::Committed(log_id(1, 4))).await;
    script.step(Step::TruncateAfter(log_id(1, 5))).await;
    script.step(Step::Append(2, 6, 9)).await;
    script.together(&[(2, 10, 10), (2, 11, 16)], Step::TruncateAfter(log_id(2, 9))).await;
    script.step(Step::Append(3, 10, 12)).await;
    script.step(Step::Committed(log_id(3, 11))).await;
    script.together(&[(3, 13, 13), (3, 14, 14)], Step::Purge(log_id(2, 7))).await;
    script.step(Step::Append(3, 15, 17)).await;
    script.step(Step::Purge(log_id(4, 30))).await;
    script.step(Step::Vote(Vote::new_committed(5, 9))).await;
    script.step(Step::Append(5, 31, 33)).await;
    script.issued
}

/// The allowed states after a cut at `cut` operations.
fn allowed(issued: &[Issued], cut: usize) -> Vec<Model> {
    let is_confirmed = |issued: &Issued| issued.confirmed.is_some_and(|at| at <= cut);
    let confirmed = issued.iter().rposition(is_confirmed).map_or(0, |at| at + 1);
    let begun = issued.iter().take_while(|issued| issued.from < cut).count();
    let mut model = Model::default();
    let mut models = Vec::new();
    for count in 0..=begun {
        if count >= confirmed {
            models.push(model.clone());
        }
        if let Some(issued) = issued.get(count) {
            model.take(issued.step);
        }
    }
    models
}

/// Opens the disk after a cut and compares.
async fn recover(disk: SimulatedDisk, allowed: &[Model], what: &str) -> LogStore {
    let database = Database::builder().create_with_backend(disk).unwrap();
    let mut log = open(database);
    let found = Model::of(&mut log).await;
    assert!(allowed.contains(&found), "{what}: {found:?} is none of {allowed:?}");
    log
}

/// Checks that a recovered log accepts and keeps the next entry.
async fn write_on(mut log: LogStore, disk: SimulatedDisk, what: &str) {
    let mut expected = Model::of(&mut log).await;
    let next = expected.last.map_or(0, |id| id.index + 1);
    let (callback, flushed) = callback();
    log.append([entry(9, next)], callback).await.unwrap();
    flushed.await.unwrap().unwrap();
    expected.take(Step::Append(9, next, next));
    recover(SimulatedDisk::with(disk.bytes()), &[expected], what).await;
}

/// Cuts the power a second time, after each operation of the recovery.
async fn cut_again(image: Vec<u8>, allowed: &[Model], random: &mut Random, what: &str) {
    let disk = SimulatedDisk::with(image.clone());
    drop(recover(disk.clone(), allowed, what).await);
    let operations = disk.operations();
    let mut survivor = Survivor::of(image);
    for cut in 0..operations.len() {
        let unsynced = Unsynced::Mixed(random.below(u64::MAX));
        let left = survivor.after(&operations, cut, unsynced);
        let what = format!("{what}, then {cut} of the recovery, {unsynced:?}");
        recover(SimulatedDisk::with(left), allowed, &what).await;
    }
}

#[tokio::test]
async fn nothing_confirmed_is_lost_wherever_the_power_is_cut() {
    let disk = SimulatedDisk::default();
    let issued = history(disk.clone()).await;
    let operations = disk.operations();
    let mut survivor = Survivor::default();
    let mut random = Random(0x5eed);
    let mut images = 0;
    // Before its first sync the file is being created, and nothing was confirmed.
    let first = issued[0].from;
    for cut in first..=operations.len() {
        let allowed = allowed(&issued, cut);
        let mut mixed = || Unsynced::Mixed(random.below(u64::MAX));
        // Only a sync changes the durable content, and then nothing is unsynced.
        let is_synced = matches!(operations[cut - 1], Operation::Sync);
        let losses =
            if is_synced { vec![Unsynced::Lost] } else { vec![Unsynced::Kept, mixed(), mixed()] };
        for unsynced in losses {
            let image = survivor.after(&operations, cut, unsynced);
            let what = format!("cut behind {cut}, {unsynced:?}");
            let disk = SimulatedDisk::with(image.clone());
            let log = recover(disk.clone(), &allowed, &what).await;
            images += 1;
            if images % WRITE_ON_EVERY == 0 {
                write_on(log, disk, &what).await;
            }
            if images % CUT_AGAIN_EVERY == 0 {
                cut_again(image, &allowed, &mut random, &what).await;
            }
        }
    }
    assert!(images > 100, "only {images} images");
}
