//! A disk in memory that records every operation, so that a test can cut the power after each of
//! them, and that fails or stalls its syncs on demand.

use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// A disk writes this much completely or not at all.
const SECTOR_BYTES: usize = 512;
/// A writer that has not synced by then counts as stuck.
const SYNC_WITHIN: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub enum Operation {
    Write { offset: usize, bytes: Vec<u8> },
    SetLength(usize),
    Sync,
}

/// How the syncs of a disk behave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Syncs {
    #[default]
    Work,
    /// They wait.
    Stall,
    /// The next one fails, later ones work again: the kernel reports a lost page once.
    FailOnce(io::ErrorKind),
}

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    operations: Vec<Operation>,
    syncs: Syncs,
    is_stalled: bool,
}

#[derive(Clone, Debug, Default)]
pub struct SimulatedDisk(Arc<(Mutex<Content>, Condvar)>);

impl SimulatedDisk {
    pub fn with(bytes: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.content().bytes = bytes;
        disk
    }

    pub fn operations(&self) -> Vec<Operation> {
        self.content().operations.clone()
    }

    pub fn operation_count(&self) -> usize {
        self.content().operations.len()
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.content().bytes.clone()
    }

    pub fn stall_syncs(&self) {
        self.content().syncs = Syncs::Stall;
    }

    pub fn fail_one_sync(&self, kind: io::ErrorKind) {
        self.set_syncs(Syncs::FailOnce(kind));
    }

    pub fn go_on(&self) {
        self.set_syncs(Syncs::Work);
    }

    /// Waits until a sync is stalled: later submissions share the next commit.
    pub fn until_stalled(&self) {
        let content = self.content();
        let wait = self.0.1.wait_timeout_while(content, SYNC_WITHIN, |c| !c.is_stalled);
        assert!(wait.unwrap().0.is_stalled, "no sync within {SYNC_WITHIN:?}");
    }

    fn set_syncs(&self, syncs: Syncs) {
        self.content().syncs = syncs;
        self.0.1.notify_all();
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.0.lock().unwrap()
    }
}

impl StorageBackend for SimulatedDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.content().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let content = self.content();
        let from = usize::try_from(offset).unwrap();
        let bytes = content.bytes.get(from..from + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.content().take(Operation::SetLength(usize::try_from(len).unwrap()));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut content = self.content();
        content.is_stalled = content.syncs == Syncs::Stall;
        self.0.1.notify_all();
        let mut content = self.0.1.wait_while(content, |c| c.syncs == Syncs::Stall).unwrap();
        content.is_stalled = false;
        if let Syncs::FailOnce(kind) = content.syncs {
            content.syncs = Syncs::Work;
            return Err(io::Error::new(kind, "the disk lost a page"));
        }
        content.take(Operation::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.content().take(Operation::Write { offset, bytes: data.to_vec() });
        Ok(())
    }
}

impl Content {
    fn take(&mut self, operation: Operation) {
        apply(&mut self.bytes, &operation, |_| true);
        self.operations.push(operation);
    }
}

/// Applies an operation; of a write, only the sectors chosen by `is_kept`.
fn apply(image: &mut Vec<u8>, operation: &Operation, mut is_kept: impl FnMut(usize) -> bool) {
    match operation {
        Operation::Write { offset, bytes } => {
            let end = offset + bytes.len();
            image.resize(image.len().max(end), 0);
            for (number, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                let at = offset + number * SECTOR_BYTES;
                if is_kept(number) {
                    image[at..at + sector.len()].copy_from_slice(sector);
                }
            }
        }
        Operation::SetLength(length) => image.resize(*length, 0),
        Operation::Sync => {}
    }
}

/// What happens to operations without a following sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsynced {
    Lost,
    Kept,
    /// Each one is lost, kept or torn, by this number.
    Mixed(u64),
}

/// The durable disk at the last sync, advanced along a trace.
#[derive(Debug, Default)]
pub struct Survivor {
    durable: Vec<u8>,
    /// Operations before this one are in `durable`.
    synced: usize,
}

impl Survivor {
    pub fn of(durable: Vec<u8>) -> Self {
        Self { durable, synced: 0 }
    }

    /// The disk content if the power fails after `cut` operations. Cuts must not descend.
    pub fn after(&mut self, operations: &[Operation], cut: usize, unsynced: Unsynced) -> Vec<u8> {
        let is_sync = |operation: &Operation| matches!(operation, Operation::Sync);
        let last_sync = operations[..cut].iter().rposition(is_sync).map_or(0, |at| at + 1);
        for operation in &operations[self.synced..last_sync.max(self.synced)] {
            apply(&mut self.durable, operation, |_| true);
        }
        self.synced = self.synced.max(last_sync);
        let mut image = self.durable.clone();
        let mut random = match unsynced {
            Unsynced::Lost => return image,
            Unsynced::Kept => None,
            Unsynced::Mixed(seed) => Some(Random(seed)),
        };
        for operation in &operations[self.synced..cut] {
            match random.as_mut().map(|random| random.below(3)) {
                None | Some(0) => apply(&mut image, operation, |_| true),
                Some(1) => {}
                Some(_) => {
                    let random = random.as_mut().unwrap();
                    apply(&mut image, operation, |_| random.below(2) == 0);
                }
            }
        }
        image
    }
}

/// A small generator of reproducible numbers (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
