//! The command line: how many runs, with which faults, and the flags that `cargo test` passes to
//! every test binary.

use std::path::PathBuf;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Root runs to make: PipelineRuns, and TaskRuns and CustomRuns without a PipelineRun.
    pub runs: usize,
    /// Whether the forge fails, replicas are killed and controllers restarted meanwhile.
    pub has_faults: bool,
    /// Decides the order of shapes.
    pub seed: u64,
    /// Another build of the program, instead of the one under test.
    pub binary: Option<PathBuf>,
    /// File for each arriving event, one `{headers, body}` a line, as `plan` reads it.
    pub record: Option<PathBuf>,
    /// Only the name is printed.
    pub is_list: bool,
    /// Whether the filters select this test.
    pub is_selected: bool,
}

/// The one test of this binary.
pub const NAME: &str = "real_tekton";

/// Enough that every shape occurs, and few enough for a minute.
const RUNS: usize = 30;
const SEED: u64 = 20_261_130;

/// Flags of the standard test binary that have no effect here.
const IGNORED: [&str; 9] = [
    "--nocapture",
    "--no-capture",
    "--show-output",
    "--quiet",
    "-q",
    "--exact",
    "--ignored",
    "--include-ignored",
    "--bench",
];
/// The same, followed by a value.
const IGNORED_WITH_VALUE: [&str; 4] = ["--test-threads", "--color", "--format", "--skip"];

impl Options {
    /// Reads the arguments after the name of the binary.
    ///
    /// # Errors
    /// An unknown flag, or a flag without its value; the text says which.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            runs: RUNS,
            has_faults: false,
            seed: SEED,
            binary: None,
            record: None,
            is_list: false,
            is_selected: true,
        };
        let mut filters = Vec::new();
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
                "--faults" => options.has_faults = true,
                "--runs" => options.runs = number(&argument, &value()?)?,
                "--seed" => options.seed = number(&argument, &value()?)? as u64,
                "--binary" => options.binary = Some(PathBuf::from(value()?)),
                "--record" => options.record = Some(PathBuf::from(value()?)),
                known if IGNORED.contains(&known) => {}
                known if IGNORED_WITH_VALUE.contains(&known) => drop(value()?),
                flag if flag.starts_with('-') => return Err(format!("unknown flag {flag}")),
                filter => filters.push(filter.to_owned()),
            }
        }
        options.is_selected =
            filters.is_empty() || filters.iter().any(|filter| NAME.contains(filter.as_str()));
        Ok(options)
    }
}

fn number(flag: &str, value: &str) -> Result<usize, String> {
    let parsed = value.parse().ok().filter(|number| *number > 0);
    parsed.ok_or_else(|| format!("{flag} takes a number above 0, not {value:?}"))
}
