//! `validate`: every mistake of a file at once.

use super::flags::ValidateFlags;
use super::say;
use crate::config::SecretCheck;
use crate::config_file::check;
use std::process::ExitCode;

pub(super) fn validate(flags: &ValidateFlags) -> anyhow::Result<ExitCode> {
    let secrets = if flags.no_secrets { SecretCheck::Skipped } else { SecretCheck::Required };
    match check(&flags.file, secrets)? {
        Ok(loaded) => {
            for notice in &loaded.notices {
                say(format_args!("{}:{notice}", flags.file.display()));
            }
            let routes = loaded.config.rules.routes.len();
            say(format_args!("{}: valid, {routes} routes", flags.file.display()));
            Ok(ExitCode::SUCCESS)
        }
        Err(errors) => {
            say(&errors);
            Ok(ExitCode::FAILURE)
        }
    }
}
