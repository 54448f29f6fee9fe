//! Starts the log output and renders error chains.

use crate::config::{LogFormat, Logging};
use std::error::Error;
use std::fmt::Write as _;
use tracing_subscriber::EnvFilter;

/// Starts logging to standard error. A second call changes nothing: tests start several relays
/// in one process.
pub fn start_logs(logging: &Logging) {
    let filter = EnvFilter::new(logging.level.as_str());
    // openraft tells every heartbeat at info, and each one that a dead member misses at warn.
    let quiet = "openraft=error".parse().expect("a constant directive parses");
    // What its handle logs as an error it returns as well: a question that comes while the node stops.
    let silent = "openraft::raft=off".parse().expect("a constant directive parses");
    // An answer to a heartbeat that comes while the node stops finds nobody to hear of it.
    let late = "openraft::core::heartbeat=off".parse().expect("a constant directive parses");
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter.add_directive(quiet).add_directive(silent).add_directive(late))
        .with_writer(std::io::stderr);
    let _ = match logging.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.try_init(),
    };
}

/// An error and all its sources, in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::fmt::Error);

    #[test]
    fn a_chain_names_every_source_once() {
        let text = chain(&Outer(std::fmt::Error));
        assert_eq!(text, format!("outer: {}", std::fmt::Error));
    }
}
