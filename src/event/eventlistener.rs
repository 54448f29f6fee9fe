//! Events of an EventListener. Their data is the header map of the inbound webhook, or `null`. This
//! module reads only the name of the webhook's event, since tokens and signatures are in the map in
//! clear text. It never copies another value.

use super::cloudevent::CloudEvent;
use super::ingest_error::shown;
use super::names::{NameKind, visible};
use super::naming::Naming;
use super::run::{Parent, RunEvent, RunKind, Scm};
use super::run_state::{Rank, RunState};
use super::tekton::DecodeError;
use crate::clock::Timestamp;
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Header that names the webhook's event, and the provider that sends it. The first one present
/// decides: Gitea sends GitHub's and Gogs' headers as well as its own.
const EVENT_HEADERS: [(&str, &str); 4] = [
    ("x-gitea-event", "gitea"),
    ("x-github-event", "github"),
    ("x-gitlab-event", "gitlab"),
    ("x-event-key", "bitbucket-cloud"),
];

/// Event keys of Bitbucket Server, which shares its header with Bitbucket Cloud.
const BITBUCKET_SERVER_KEYS: [&str; 2] = ["pr:", "repo:refs_changed"];

/// Event names are one or two words at every provider.
const SCM_EVENT_CHARS_MAX: usize = 64;

/// State and rank by the last word of the type. `None` for `done`, which says nothing about
/// success, and for a word that no EventListener sends as an event (`accepted` is only ever a
/// response).
pub(super) fn of_type(word: &str) -> Option<(RunState, Rank)> {
    match word {
        "started" => Some((RunState::Running, Rank::Started)),
        "successful" => Some((RunState::Success, Rank::Terminal)),
        "failed" => Some((RunState::Failure, Rank::Terminal)),
        _ => None,
    }
}

/// The run event of one lifecycle event.
///
/// # Errors
/// The source names no EventListener, or the data is neither a map nor `null`.
pub(super) fn decode(
    event: &CloudEvent,
    (state, rank): (RunState, Rank),
    received_at: Timestamp,
) -> Result<RunEvent, DecodeError> {
    let Webhook { provider, scm_event_type } = webhook(event)?;
    let (namespace, name) = place(&event.source).ok_or_else(|| DecodeError::Source {
        event_type: event.event_type.clone(),
        value: shown(&event.source),
    })?;
    if !NameKind::Uid.accepts(&event.id) {
        let (event_type, field) = (event.event_type.clone(), "id");
        let (value, accepted) = (shown(&event.id), NameKind::Uid.accepted());
        return Err(DecodeError::Name { event_type, field, value, accepted });
    }
    let at = event.time.unwrap_or(received_at);
    Ok(RunEvent {
        ce_id: event.id.clone(),
        ce_source: event.source.clone(),
        ce_type: event.event_type.clone(),
        ce_time: at,
        kind: RunKind::EventListener,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        // All events of one request share one id: that request is the run.
        uid: event.id.clone(),
        resource_version: 0,
        created_at: at,
        rank,
        state,
        reason: String::new(),
        message: String::new(),
        attempt: 0,
        last_transition: at,
        started_at: Timestamp::UNKNOWN,
        finished_at: Timestamp::UNKNOWN,
        parent: Parent::default(),
        naming: Naming::default(),
        task_name: String::new(),
        pipeline_name: String::new(),
        pipeline_task: String::new(),
        event_listener_name: name.to_owned(),
        trigger_name: String::new(),
        task_display_name: String::new(),
        pipeline_display_name: String::new(),
        is_finally: false,
        scm_event_type,
        children: Vec::new(),
        skipped_tasks: Vec::new(),
        scm: Scm { provider, ..Scm::default() },
        jira_issue_key: String::new(),
        group_id: String::new(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        params: Vec::new(),
        results: Vec::new(),
        cut: Vec::new(),
    })
}

/// Namespace and name from `/apis/<group>/<version>/namespaces/<namespace>/<kind>/<name>`, in
/// which group, version and kind are mostly empty. The namespace is empty where none is named.
fn place(source: &str) -> Option<(&str, &str)> {
    let (path, name) = source.rsplit_once('/')?;
    let mut parts = path.split('/').skip_while(|part| *part != "namespaces");
    let namespace = parts.nth(1).unwrap_or_default();
    let is_namespace = namespace.is_empty() || NameKind::Label.accepts(namespace);
    (NameKind::Subdomain.accepts(name) && is_namespace).then_some((namespace, name))
}

/// What the inbound webhook was, by its headers; both fields are empty where the headers do not
/// say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Webhook {
    provider: String,
    scm_event_type: String,
}

fn webhook(event: &CloudEvent) -> Result<Webhook, DecodeError> {
    if event.data.is_empty() {
        return Ok(Webhook::default());
    }
    let named: Option<EventHeader> = serde_json::from_slice(&event.data).map_err(|error| {
        let event_type = event.event_type.clone();
        DecodeError::Json { event_type, line: error.line(), column: error.column() }
    })?;
    let Some((place, value)) = named.and_then(|header| header.0) else {
        return Ok(Webhook::default());
    };
    let (_, provider) = EVENT_HEADERS[place];
    let is_server = BITBUCKET_SERVER_KEYS.iter().any(|key| value.starts_with(key));
    let provider = match provider {
        "bitbucket-cloud" if is_server => "bitbucket-server",
        other => other,
    };
    Ok(Webhook { provider: provider.to_owned(), scm_event_type: normalised(&value) })
}

/// The first of the [`EVENT_HEADERS`] that a map has: its place in the table, and its value.
struct EventHeader(Option<(usize, String)>);

impl<'de> Deserialize<'de> for EventHeader {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = EventHeader;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of headers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<EventHeader, A::Error> {
        let mut best: Option<(usize, String)> = None;
        while let Some(HeaderName(name)) = map.next_key()? {
            let place =
                EVENT_HEADERS.iter().position(|(header, _)| name.eq_ignore_ascii_case(header));
            let Some(place) = place.filter(|place| best.as_ref().is_none_or(|b| *place < b.0))
            else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if let Some(value) = map.next_value::<HeaderValue>()?.into_first() {
                best = Some((place, value));
            }
        }
        Ok(EventHeader(best))
    }
}

#[derive(Deserialize)]
struct HeaderName<'a>(#[serde(borrow)] Cow<'a, str>);

/// Go writes a header as a list of values; others may write one value.
#[derive(Deserialize)]
#[serde(untagged)]
enum HeaderValue {
    One(String),
    Many(Vec<String>),
    Other(IgnoredAny),
}

impl HeaderValue {
    fn into_first(self) -> Option<String> {
        match self {
            Self::One(value) => Some(value),
            Self::Many(values) => values.into_iter().next(),
            Self::Other(IgnoredAny) => None,
        }
    }
}

/// One word for the same event at every provider.
fn normalised(event: &str) -> String {
    let starts_with_any = |starts: &[&str]| starts.iter().any(|start| event.starts_with(start));
    let word = match event {
        "Push Hook" | "Tag Push Hook" | "repo:push" | "repo:refs_changed" => "push",
        "Merge Request Hook" => "pull_request",
        "Issue Hook" => "issues",
        "Note Hook" | "issue:comment_created" => "issue_comment",
        _ if starts_with_any(&["pullrequest:comment_", "pr:comment:"]) => "issue_comment",
        // Gitea has a name for each kind of review ("pull_request_approved").
        _ if starts_with_any(&["pullrequest:", "pr:", "pull_request_"]) => "pull_request",
        _ if event.starts_with("issue:") => "issues",
        _ => event,
    };
    visible(word).chars().take(SCM_EVENT_CHARS_MAX).collect()
}

#[cfg(test)]
#[path = "eventlistener_test.rs"]
mod tests;
