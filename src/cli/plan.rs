//! `plan`: what a configuration does with events, without sending anything.

use super::flags::PlanFlags;
use super::say;
use crate::clock::Timestamp;
use crate::config::SecretCheck;
use crate::config_file;
use crate::demo::read_recording;
use crate::event::{Decoded, decode};
use crate::integration::{Credential, HttpRequest, Outbound, Text, Turn};
use crate::plan::{DryRun, Step, TakesAll};
use anyhow::Context as _;
use std::process::ExitCode;
use std::time::Duration;

/// Time let pass after the last event, so that summaries that wait for stragglers are shown.
const AFTERMATH: Duration = Duration::from_mins(1);

pub(super) fn plan(flags: &PlanFlags) -> anyhow::Result<ExitCode> {
    let config = config_file::load(&flags.config, SecretCheck::Skipped)?;
    let settings = crate::app::settings(&config);
    let mut run: Option<DryRun> = None;
    for path in &flags.events {
        for recorded in read_recording(path)? {
            let events = recorded.cloud_events().with_context(|| path.display().to_string())?;
            for event in &events {
                let received_at = event.time.unwrap_or(Timestamp(1));
                let decoded = decode(event, received_at, &config.keep)
                    .with_context(|| format!("{}: event {}", path.display(), event.id))?;
                let Decoded::Run(event) = decoded else {
                    say(format_args!("{} {}: ignored", event.event_type, event.id));
                    continue;
                };
                let dry = run.get_or_insert_with(|| {
                    DryRun::new(config.rules.clone(), settings.clone(), received_at)
                });
                show_all(&dry.advance(received_at.max(dry.now()), &mut TakesAll), "later");
                let title = format!("{} {} {}", event.kind, event.name, event.state);
                show_all(&dry.take(*event, &mut TakesAll), &title);
            }
        }
    }
    if let Some(mut dry) = run {
        let end = dry.now().after(AFTERMATH);
        show_all(&dry.advance(end, &mut TakesAll), "after the last event");
    }
    Ok(ExitCode::SUCCESS)
}

fn show_all(steps: &[Step], title: &str) {
    if steps.is_empty() {
        return;
    }
    say(format_args!("\n{title}"));
    for step in steps {
        match step {
            Step::Fate(fate) => say(format_args!("  fate     {}", fate.as_str())),
            Step::Skipped(skipped) => {
                say(format_args!("  skipped  {} ({})", skipped.route, skipped.reason.as_str()));
            }
            Step::Failed { route, cause } => {
                say(format_args!("  failed   {route}: {}", cause.detail));
            }
            Step::Turn { route, target, turn } => {
                say(format_args!("  effect   {route} -> {target}"));
                show_turn(turn);
            }
        }
    }
}

fn show_turn(turn: &Turn) {
    match turn {
        Turn::Send(Outbound::Http(request), _) => show_request(request),
        Turn::Send(Outbound::Log(line), _) => say(format_args!("           {line}")),
        Turn::Done(_) => say("           nothing to send"),
        Turn::Fail(failure) => say(format_args!("           cannot be sent: {failure}")),
    }
}

fn show_request(request: &HttpRequest) {
    let url = match &request.url {
        Text::Plain(url) => url.clone(),
        Text::Secret(place) => place.to_string(),
    };
    say(format_args!("           {} {url}", request.method.as_str()));
    for (name, value) in &request.headers {
        say(format_args!("           {name}: {value}"));
    }
    if let Some(header) = credential(&request.credential) {
        say(format_args!("           {header}"));
    }
    if !request.body.is_empty() {
        say(format_args!("           {}", request.body));
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
    }
}
