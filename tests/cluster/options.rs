//! The command line of the scenarios: names to run, `--repeat`, `--jobs`, `--list`, and the flags
//! that `cargo test` passes to every test binary. `RELAY_PREVIOUS_BINARY` replaces
//! `--other-binary`, so that a plain `cargo test` rolls a mixed cluster if the binary of the last
//! release is available.

use std::ffi::OsString;
use std::path::PathBuf;

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Parts of names; empty means all.
    pub filters: Vec<String>,
    /// Names must equal a filter.
    pub is_exact: bool,
    pub skipped: Vec<String>,
    pub repeat: u64,
    /// Scenarios that run at the same time.
    pub jobs: u64,
    pub seed: u64,
    /// Another build of the program, for scenarios about mixed versions.
    pub other_binary: Option<PathBuf>,
    /// Only names are printed.
    pub is_list: bool,
}

/// Environment variable that names another build if no flag does.
pub const PREVIOUS_BINARY: &str = "RELAY_PREVIOUS_BINARY";

/// Decides everything random unless another seed is given.
const SEED: u64 = 20_261_120;

/// A scenario mostly waits for deadlines of the cluster, so two share two cores well.
const JOBS: u64 = 2;

/// Flags of the standard test binary that have no effect here.
const IGNORED: [&str; 9] = [
    "--nocapture",
    "--no-capture",
    "--show-output",
    "--quiet",
    "-q",
    "--ignored",
    "--include-ignored",
    "--test",
    "--bench",
];
/// The same, followed by a value.
const IGNORED_WITH_VALUE: [&str; 4] = ["--test-threads", "--color", "--format", "-Z"];

impl Options {
    /// Reads the arguments after the name of the binary. `previous_binary` is the value of
    /// [`PREVIOUS_BINARY`]: it is used if no flag names another build, and empty means unset.
    ///
    /// # Errors
    /// An unknown flag, or a flag without its value; the text says which.
    pub fn parse(
        arguments: impl Iterator<Item = String>,
        previous_binary: Option<OsString>,
    ) -> Result<Self, String> {
        let mut options = Self {
            filters: Vec::new(),
            is_exact: false,
            skipped: Vec::new(),
            repeat: 1,
            jobs: JOBS,
            seed: SEED,
            other_binary: previous_binary.filter(|path| !path.is_empty()).map(PathBuf::from),
            is_list: false,
        };
        let split = |argument: String| match argument.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => {
                vec![flag.to_owned(), value.to_owned()]
            }
            _ => vec![argument],
        };
        let mut arguments = arguments.flat_map(split);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--list" => options.is_list = true,
                "--exact" => options.is_exact = true,
                "--repeat" => options.repeat = number(&argument, &value()?)?,
                "--jobs" => options.jobs = number(&argument, &value()?)?,
                "--seed" => options.seed = number(&argument, &value()?)?,
                "--other-binary" => options.other_binary = Some(PathBuf::from(value()?)),
                "--skip" => options.skipped.push(value()?),
                known if IGNORED.contains(&known) => {}
                known if IGNORED_WITH_VALUE.contains(&known) => drop(value()?),
                flag if flag.starts_with('-') => return Err(format!("unknown flag {flag}")),
                filter => options.filters.push(filter.to_owned()),
            }
        }
        Ok(options)
    }

    /// Whether the scenario `name` was requested.
    pub fn selects(&self, name: &str) -> bool {
        let is_part =
            |part: &String| if self.is_exact { name == part } else { name.contains(part) };
        let is_asked = self.filters.is_empty() || self.filters.iter().any(is_part);
        is_asked && !self.skipped.iter().any(is_part)
    }
}

fn number(flag: &str, value: &str) -> Result<u64, String> {
    let parsed = value.parse().ok().filter(|number| *number > 0);
    parsed.ok_or_else(|| format!("{flag} takes a number above 0, not {value:?}"))
}
