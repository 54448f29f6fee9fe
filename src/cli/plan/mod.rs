//! `plan`: what a configuration does with events, without sending anything.

mod json;
mod target;
mod text;

use super::flags::{Output, PlanFlags};
use super::say;
use crate::clock::Timestamp;
use crate::config::SecretCheck;
use crate::config_file;
use crate::demo::read_recording;
use crate::event::{CloudEvent, Decoded, RunEvent, decode};
use crate::integration::token::HeaderForm;
use crate::integration::{Credential, Text};
use crate::plan::{DryRun, Step};
use anyhow::Context as _;
use std::process::ExitCode;
use std::time::Duration;
use target::EmptyThread;

/// Time let pass after the last event, so that summaries that wait for stragglers are shown.
const AFTERMATH: Duration = Duration::from_mins(1);

/// What led to some steps.
#[derive(Debug)]
enum Cause {
    /// An event of a run.
    Event(Box<RunEvent>),
    /// An event of another kind, which nothing is done with.
    Ignored { event_type: String, id: String },
    /// Time that went by before the next event, or after the last one.
    Time { is_after_all: bool },
}

/// A cause, and what was decided on it.
#[derive(Debug)]
struct Decided {
    cause: Cause,
    steps: Vec<Step>,
}

pub(super) fn plan(flags: &PlanFlags) -> anyhow::Result<ExitCode> {
    let decided = decide(flags)?;
    match flags.output {
        Output::Text => text::lines(&decided).iter().for_each(say),
        Output::Json => say(json::document(&decided)),
    }
    Ok(ExitCode::SUCCESS)
}

fn decide(flags: &PlanFlags) -> anyhow::Result<Vec<Decided>> {
    let config = config_file::load(&flags.config, SecretCheck::Skipped)?;
    let settings = crate::app::settings(&config);
    let mut target = EmptyThread::new()?;
    let mut run: Option<DryRun> = None;
    let mut decided = Vec::new();
    for path in &flags.events {
        for recorded in read_recording(path)? {
            let events = recorded.cloud_events().with_context(|| path.display().to_string())?;
            for event in &events {
                let received_at = event.time.unwrap_or(Timestamp(1));
                let decoded = decode(event, received_at, &config.keep)
                    .with_context(|| format!("{}: event {}", path.display(), event.id))?;
                let Decoded::Run(event) = decoded else {
                    decided.push(ignored(event));
                    continue;
                };
                let dry = run.get_or_insert_with(|| {
                    DryRun::new(config.rules.clone(), settings.clone(), received_at)
                });
                let steps = dry.advance(received_at.max(dry.now()), &mut target);
                decided.push(Decided { cause: Cause::Time { is_after_all: false }, steps });
                let steps = dry.take((*event).clone(), &mut target);
                decided.push(Decided { cause: Cause::Event(event), steps });
            }
        }
    }
    if let Some(mut dry) = run {
        let steps = dry.advance(dry.now().after(AFTERMATH), &mut target);
        decided.push(Decided { cause: Cause::Time { is_after_all: true }, steps });
    }
    decided.retain(|one| !one.steps.is_empty() || matches!(one.cause, Cause::Ignored { .. }));
    Ok(decided)
}

fn ignored(event: &CloudEvent) -> Decided {
    let (event_type, id) = (event.event_type.clone(), event.id.clone());
    Decided { cause: Cause::Ignored { event_type, id }, steps: Vec::new() }
}

/// How often each thing was decided.
#[derive(Debug, Default)]
struct Counts {
    events: usize,
    ignored: usize,
    effects: usize,
    skipped: usize,
    failed: usize,
}

impl Counts {
    fn of(decided: &[Decided]) -> Self {
        let mut counts = Self::default();
        for one in decided {
            match one.cause {
                Cause::Event(_) => counts.events += 1,
                Cause::Ignored { .. } => counts.ignored += 1,
                Cause::Time { .. } => {}
            }
            for step in &one.steps {
                match step {
                    Step::Fate(_) | Step::Check { .. } => {}
                    Step::Skipped(_) => counts.skipped += 1,
                    Step::Failed { .. } => counts.failed += 1,
                    Step::Turn { turn, .. } => {
                        let is_failed = matches!(turn, crate::integration::Turn::Fail(_));
                        counts.effects += usize::from(!is_failed);
                        counts.failed += usize::from(is_failed);
                    }
                }
            }
        }
        counts
    }
}

/// A URL, or the place of a secret one.
fn url_text(url: &Text) -> String {
    match url {
        Text::Plain(url) => url.clone(),
        Text::Secret(place) => place.to_string(),
    }
}

/// The header that will prove who we are, with the place of the secret in it.
fn credential(credential: &Credential) -> Option<String> {
    match credential {
        Credential::None => None,
        Credential::Bearer(place) => Some(format!("authorization: Bearer {place}")),
        Credential::Header { name, secret } => Some(format!("{name}: {secret}")),
        Credential::Basic { username, password } => {
            Some(format!("authorization: Basic {username}:{password}"))
        }
        Credential::HmacSha256 { name, secret } => Some(format!("{name}: sha256=<by {secret}>")),
        Credential::Rs256Jwt { key, .. } => Some(format!("authorization: Bearer <JWT by {key}>")),
        Credential::Exchanged { place, exchange } => {
            let HeaderForm { name, prefix } = place;
            let url = url_text(&exchange.request(Timestamp::UNKNOWN).url);
            Some(format!("{name}: {prefix}<token from {url}>"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integration::github::AppInstallation;
    use crate::secret::SecretRef;

    #[test]
    fn a_token_is_shown_by_where_it_comes_from() {
        let private_key = SecretRef::file("/key");
        let app = AppInstallation { app_id: 1, installation_id: 2, private_key };
        let app = app.credential("https://api.example");
        let url = "https://api.example/app/installations/2/access_tokens";
        let shown = format!("authorization: Bearer <token from {url}>");
        assert_eq!(credential(&app), Some(shown));
        let Credential::Exchanged { exchange, .. } = app else { panic!("{app:?}") };
        let signed = credential(&exchange.request(Timestamp(1)).credential);
        assert_eq!(signed.as_deref(), Some("authorization: Bearer <JWT by <secret /key>>"));
    }
}
