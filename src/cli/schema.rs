//! `schema`: the JSON Schema of the configuration file.

use std::io::Write as _;
use std::process::ExitCode;

/// Prints the schema. It is JSON, which says nothing to a terminal, so no character is spelt out.
pub(super) fn schema() -> anyhow::Result<ExitCode> {
    let schema = serde_json::to_string_pretty(&crate::config::schema())?;
    writeln!(std::io::stdout(), "{schema}")?;
    Ok(ExitCode::SUCCESS)
}
