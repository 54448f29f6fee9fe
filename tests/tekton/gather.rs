//! Collects facts from the API's objects, the forge's history and the delivered events.

use super::control_plane::succeeded;
use super::facts::{End, Event, Facts, Notification, Run, Status, Writer};
use super::forge;
use super::front::Attempt;
use crate::shared::Seen;
use serde_json::Value;
use std::collections::BTreeMap;

const COMMIT: &str = "tekton.dev/tekton-events-relay.scm.commit-sha";
const TASK: &str = "tekton.dev/pipelineTask";
const PAC: &str = "pipelinesascode.tekton.dev/original-prname";

/// Types of events that report the end of a run.
const ENDS: [&str; 2] = [".successful.v1", ".failed.v1"];

/// Combines them.
pub fn facts(
    objects: &[Value],
    forge: &forge::Seen,
    receiver: &Seen,
    attempts: &[Attempt],
) -> Facts {
    Facts {
        runs: runs(objects),
        statuses: forge.statuses.iter().map(status).collect(),
        events: events(attempts),
        notifications: notifications(receiver),
        comments: forge.comments.clone(),
        spooled: attempts.iter().filter(|attempt| attempt.fate == "spooled").count(),
        ..Facts::default()
    }
}

/// Text at a path of an object; empty if there is none.
fn text<'o>(object: &'o Value, path: &[&str]) -> &'o str {
    path.iter().fold(object, |object, key| &object[*key]).as_str().unwrap_or_default()
}

/// The runs that are about a commit.
fn runs(objects: &[Value]) -> Vec<Run> {
    let by_uid: BTreeMap<&str, &Value> =
        objects.iter().map(|object| (text(object, &["metadata", "uid"]), object)).collect();
    let run = |object: &&Value| Run {
        uid: text(object, &["metadata", "uid"]).to_owned(),
        link: format!("{}/{}", text(object, &["kind"]), text(object, &["metadata", "name"])),
        created: text(object, &["metadata", "creationTimestamp"]).to_owned(),
        commit: text(object, &["metadata", "annotations", COMMIT]).to_owned(),
        writer: writer(object, &by_uid),
        end: end(object),
    };
    let of_a_commit =
        |object: &&Value| !text(object, &["metadata", "annotations", COMMIT]).is_empty();
    objects.iter().filter(of_a_commit).map(|object| run(&object)).collect()
}

fn end(object: &Value) -> End {
    let condition = succeeded(object);
    let reason = text(&condition, &["reason"]);
    match text(&condition, &["status"]) {
        "True" => End::Green,
        "False" if reason == "FailureIgnored" => End::Ignored,
        "False" if reason.contains("Cancelled") => End::Canceled,
        "False" => End::Red,
        _ => End::Open,
    }
}

fn parent<'o>(object: &Value, by_uid: &BTreeMap<&str, &'o Value>) -> Option<&'o Value> {
    let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    owners.filter_map(|owner| by_uid.get(text(owner, &["uid"])).copied()).next()
}

fn writer(object: &Value, by_uid: &BTreeMap<&str, &Value>) -> Writer {
    let mut path = Vec::new();
    let mut root = object;
    let owner = parent(object, by_uid);
    while let Some(above) = parent(root, by_uid) {
        path.insert(0, text(root, &["metadata", "labels", TASK]).to_owned());
        root = above;
    }
    let combination = owner.and_then(|owner| combination(object, owner));
    Writer { root: root_name(root), path, combination }
}

/// The name that stays the same when a root runs again.
fn root_name(root: &Value) -> String {
    let resolved = root["spec"]["pipelineRef"]["params"].as_array().into_iter().flatten();
    let mut resolved =
        resolved.filter(|param| param["name"] == "name").map(|param| text(param, &["value"]));
    let generated = text(root, &["metadata", "generateName"]).trim_end_matches('-');
    let names = [
        ("pac", text(root, &["metadata", "labels", PAC])),
        ("pipeline", text(root, &["spec", "pipelineRef", "name"])),
        ("pipeline", resolved.next_back().unwrap_or_default()),
        ("generated", generated),
        ("name", text(root, &["metadata", "name"])),
    ];
    let (how, name) = names.into_iter().find(|(_, name)| !name.is_empty()).unwrap_or_default();
    format!("{} {how} {name}", text(root, &["kind"]))
}

/// The number at the end of a child's name, if its pipeline task has a matrix.
fn combination(object: &Value, owner: &Value) -> Option<String> {
    let task = text(object, &["metadata", "labels", TASK]);
    let specs = [&owner["status"]["pipelineSpec"], &owner["spec"]["pipelineSpec"]];
    let lists = specs.into_iter().flat_map(|spec| [&spec["tasks"], &spec["finally"]]);
    let mut tasks = lists.filter_map(Value::as_array).flatten();
    let is_matrix =
        tasks.any(|known| text(known, &["name"]) == task && known["matrix"].is_object());
    let name = text(object, &["metadata", "name"]);
    let (_, number) = name.rsplit_once('-')?;
    is_matrix.then(|| number.to_owned())
}

/// The run of a link into the dashboard: `.../taskruns/name` is `TaskRun/name`.
fn link(target_url: &str) -> String {
    let mut parts = target_url.rsplit('/');
    let (name, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let kind = match kind {
        "pipelineruns" => "PipelineRun",
        "taskruns" => "TaskRun",
        "customruns" => "CustomRun",
        other => other,
    };
    format!("{kind}/{name}")
}

fn status(status: &forge::Status) -> Status {
    Status {
        commit: status.commit.clone(),
        check: status.check.clone(),
        state: status.state.clone(),
        link: link(&status.target_url),
        is_answered: status.is_answered,
    }
}

/// Attempts with one id are one event.
fn events(attempts: &[Attempt]) -> Vec<Event> {
    let mut events: BTreeMap<&str, Event> = BTreeMap::new();
    for attempt in attempts {
        let event = events.entry(&attempt.id).or_insert_with(|| Event {
            uid: attempt.uid.clone(),
            is_final: ENDS.iter().any(|end| attempt.event_type.ends_with(end)),
            is_taken: false,
        });
        event.is_taken |= (200..300).contains(&attempt.status);
    }
    events.into_values().collect()
}

fn notifications(receiver: &Seen) -> Vec<Notification> {
    let calls = receiver.webhooks().into_iter();
    calls
        .map(|call| Notification {
            id: call.headers["webhook-id"].to_str().unwrap().to_owned(),
            uid: text(&call.body, &["run_id"]).to_owned(),
            state: text(&call.body, &["state"]).to_owned(),
        })
        .collect()
}
