//! Watches the free disk space below the data directory (rule 15). While it is low, events are
//! refused so that the sender retries them; everything else continues.

use crate::clock::Clock;
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long one measurement is valid.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The free space of one directory, measured at most once a second.
pub(in crate::cluster) struct FreeSpace {
    /// `None` if nothing is on disk.
    folder: Option<PathBuf>,
    free_bytes_min: u64,
    clock: Arc<dyn Clock>,
    last: Mutex<Option<(Duration, bool)>>,
}

impl FreeSpace {
    pub(in crate::cluster) fn new(
        folder: Option<PathBuf>,
        free_bytes_min: u64,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { folder, free_bytes_min, clock, last: Mutex::new(None) }
    }

    /// Whether less is free than required. If the disk cannot be asked it does not count as low: a
    /// write will show it.
    pub(in crate::cluster) fn is_low(&self) -> bool {
        let Some(folder) = &self.folder else { return false };
        let now = self.clock.monotonic();
        let mut last = self.last.lock();
        if let Some((looked_at, is_low)) = *last
            && now.saturating_sub(looked_at) < LOOK_EVERY
        {
            return is_low;
        }
        let is_low = free_bytes(folder).is_some_and(|free| free < self.free_bytes_min);
        *last = Some((now, is_low));
        is_low
    }
}

/// Bytes that an unprivileged process may still write below `folder`.
pub(in crate::cluster) fn free_bytes(folder: &Path) -> Option<u64> {
    rustix::fs::statvfs(folder).ok().map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::test_clock::ManualClock;

    #[test]
    fn rule_15_a_disk_below_the_bound_is_low() {
        let folder = tempfile::tempdir().unwrap();
        let disk = |free_bytes_min| {
            let path = Some(folder.path().to_owned());
            FreeSpace::new(path, free_bytes_min, Arc::new(ManualClock::default()))
        };
        assert!(!disk(1).is_low());
        assert!(disk(u64::MAX).is_low());
    }

    #[test]
    fn one_look_is_good_for_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        let path = Some(folder.path().to_owned());
        let mut disk = FreeSpace::new(path, 1, Arc::clone(&clock) as Arc<dyn Clock>);
        assert!(!disk.is_low());
        disk.free_bytes_min = u64::MAX;
        clock.advance(LOOK_EVERY - Duration::from_millis(1));
        assert!(!disk.is_low());
        clock.advance(Duration::from_millis(1));
        assert!(disk.is_low());
    }

    #[test]
    fn what_is_only_in_memory_needs_no_disk() {
        assert!(!FreeSpace::new(None, u64::MAX, Arc::new(ManualClock::default())).is_low());
    }
}
