//! The inputs of one run of a scenario, and its results.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A separate directory, and a seed for everything random. The directory is kept if the scenario
/// fails.
#[derive(Clone, Debug)]
pub struct Lab {
    pub folder: PathBuf,
    pub seed: u64,
    /// The binary under test.
    pub binary: PathBuf,
    /// Another build of the same program, for scenarios about mixed versions.
    pub other_binary: Option<PathBuf>,
}

impl Lab {
    /// Makes an empty directory below `root`.
    pub fn new(root: &Path, name: &str, seed: u64) -> Self {
        let folder = root.join(format!("{name}-{}-{seed}", std::process::id()));
        if folder.exists() {
            std::fs::remove_dir_all(&folder).unwrap();
        }
        std::fs::create_dir_all(&folder).unwrap();
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_tekton-events-relay"));
        Self { folder, seed, binary, other_binary: None }
    }
}

/// How much a scenario did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub events: usize,
    pub tries: usize,
    pub unacknowledged: usize,
    pub spooled: usize,
    pub arrivals: usize,
    pub repeated: u64,
    pub in_doubt: u64,
    /// Time from a kill until all following events had been sent; printed, and never judged.
    pub resumed: Option<Duration>,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events in {} tries", self.events, self.tries)?;
        write!(f, ", {} not acknowledged, {} spooled", self.unacknowledged, self.spooled)?;
        write!(f, "; {} arrivals, {} of them again", self.arrivals, self.repeated)?;
        write!(f, ", {} in doubt; 0 lost", self.in_doubt)?;
        match self.resumed {
            Some(after) => write!(f, "; went on within {:.1} s of a kill", after.as_secs_f64()),
            None => Ok(()),
        }
    }
}
