//! `validate`: every mistake of a file at once.

use super::flags::ValidateFlags;
use super::say;
use crate::config::{Notice, SecretCheck, Severity};
use crate::config_file::check;
use std::process::ExitCode;

pub(super) fn validate(flags: &ValidateFlags) -> anyhow::Result<ExitCode> {
    let secrets = if flags.no_secrets { SecretCheck::Skipped } else { SecretCheck::Required };
    match check(&flags.file, secrets)? {
        Ok(loaded) => {
            for notice in &loaded.notices {
                say(format_args!("{}:{notice}", flags.file.display()));
            }
            let is_warning = |notice: &&Notice| notice.severity == Severity::Warning;
            let warnings = loaded.notices.iter().filter(is_warning).count();
            if flags.strict && warnings > 0 {
                say(format_args!("{}: {warnings} warnings, refused", flags.file.display()));
                return Ok(ExitCode::FAILURE);
            }
            let routes = loaded.config.rules.routes.len();
            say(format_args!("{}: valid, {routes} routes", flags.file.display()));
            Ok(ExitCode::SUCCESS)
        }
        Err(errors) => {
            say(errors.with_snippets());
            Ok(ExitCode::FAILURE)
        }
    }
}
