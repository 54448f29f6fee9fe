//! The events of the demo: the recorded events, with annotations added to runs without any, then
//! the ways in which Tekton repeats and reorders them.

use super::recording::{Recorded, RecordingError, recorded_lines};
use crate::clock::Timestamp;
use crate::effect::{EffectId, RouteName};
use crate::event::{Decoded, Keep, decode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

const RECORDING: &str = include_str!("../event/testdata/recorded-v1.12plus.jsonl");
const PREFIX: &str = "tekton.dev/tekton-events-relay.scm.";

/// Requests to play, in order.
#[derive(Debug)]
pub struct Scenario {
    pub requests: Vec<Recorded>,
    /// Number of different runs.
    pub runs: usize,
    /// Final commit status of every commit's check, by (commit, check name).
    pub expected: BTreeMap<(String, String), &'static str>,
    /// Rows that the comment on each pull request must show.
    pub rows: BTreeMap<u64, &'static [Row]>,
    /// The transition of each request.
    pub transitions: Vec<Transition>,
}

/// The transition in a request. Requests with the same content have equal transitions.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Transition {
    /// Uid of its run.
    pub run_uid: String,
    /// The `webhook-id` of its webhook call.
    pub webhook_id: String,
}

/// (pipeline task, final state) in the table of a summary.
pub type Row = (&'static str, &'static str);

/// (run name, commit, pull request, final GitHub state, tasks) of the recorded PipelineRuns.
type Pipeline = (&'static str, &'static str, u64, &'static str, &'static [Row]);

const PIPELINES: [Pipeline; 4] = [
    (
        "ok",
        "6dcb09b5b57875f334f61aebed695e2e4193db5e",
        7,
        "success",
        &[("build", "succeeded"), ("cleanup", "succeeded")],
    ),
    ("bad", "b4d0000000000000000000000000000000000bad", 8, "failure", &[("willfail", "failed")]),
    ("cancelme", "ca9ce10000000000000000000000000000000000", 9, "error", &[("build", "cancelled")]),
    (
        "timeme",
        "713e000000000000000000000000000000000000",
        10,
        "failure",
        &[("build", "cancelled")],
    ),
];

/// Where the webhook of [`config_text`] is configured.
const WEBHOOK: (&str, &str, &str) = ("webhook", "archive", "notify");

impl Scenario {
    /// The recording, then late, repeated and re-emitted events.
    ///
    /// # Errors
    /// The recording is malformed.
    pub fn recorded() -> Result<Self, RecordingError> {
        let recorded = recorded_lines("recording", RECORDING)?;
        let mut requests: Vec<Recorded> = recorded.into_iter().map(annotate).collect();
        let repeated: Vec<Recorded> = requests.iter().step_by(5).cloned().collect();
        let late: Vec<Recorded> =
            requests.iter().filter(|r| r.event_type().contains(".running.")).cloned().collect();
        let reemitted: Vec<Recorded> = requests
            .iter()
            .enumerate()
            .map(|(at, request)| request.with_id(&format!("re-emitted-{at}")))
            .collect();
        let runs = requests.iter().filter_map(Recorded::run_name).collect::<Vec<_>>();
        let runs = runs.into_iter().collect::<std::collections::BTreeSet<_>>().len();
        requests.extend(repeated);
        requests.extend(late.iter().enumerate().map(|(at, r)| r.with_id(&format!("late-{at}"))));
        requests.extend(reemitted);
        let expected = PIPELINES
            .iter()
            .map(|(run, sha, _, state, _)| {
                (((*sha).to_owned(), format!("tekton/run:{run}")), *state)
            })
            .collect();
        let rows = PIPELINES.iter().map(|(_, _, pr, _, rows)| (*pr, *rows)).collect();
        let transitions = requests.iter().map(Recorded::transition).collect();
        Ok(Self { requests, runs, expected, rows, transitions })
    }
}

/// Adds the annotations that a pipeline author would set.
fn annotate(mut request: Recorded) -> Recorded {
    let Ok(mut body) = serde_json::from_slice::<Value>(&request.body) else { return request };
    let run = body.as_object_mut().and_then(|root| root.values_mut().next());
    let Some(metadata) = run.and_then(|run| run.get_mut("metadata")) else { return request };
    let name = metadata["name"].as_str().unwrap_or_default().to_owned();
    let pipeline = PIPELINES.iter().find(|(run, ..)| {
        name == *run || name.strip_prefix(run).is_some_and(|rest| rest.starts_with('-'))
    });
    let Some((_, sha, pr, ..)) = pipeline else { return request };
    let annotations = json!({
        format!("{PREFIX}provider"): "github",
        format!("{PREFIX}repo-owner"): "o",
        format!("{PREFIX}repo-name"): "r",
        format!("{PREFIX}commit-sha"): sha,
        format!("{PREFIX}pr-number"): pr.to_string(),
    });
    metadata["annotations"] = annotations;
    request.body = body.to_string().into_bytes();
    request
}

impl Recorded {
    /// The `ce-type` header.
    #[must_use]
    pub fn event_type(&self) -> &str {
        let header = self.headers.iter().find(|(name, _)| name == "ce-type");
        header.map_or("", |(_, value)| value)
    }

    /// The name of the run in the body.
    #[must_use]
    pub fn run_name(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let run = body.as_object()?.values().next()?;
        Some(run.pointer("/metadata/name")?.as_str()?.to_owned())
    }

    /// Type and run, for people.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{:<50} {:<16}", self.event_type(), self.run_name().unwrap_or_default())
    }

    /// Its transition; empty if it is not an event of a run.
    fn transition(&self) -> Transition {
        let events = self.cloud_events().unwrap_or_default();
        let decoded = events.first().map(|event| decode(event, Timestamp(1), &Keep::all()));
        match decoded {
            Some(Ok(Decoded::Run(event))) => {
                let (kind, instance, action) = WEBHOOK;
                let route = RouteName {
                    kind: kind.to_owned(),
                    instance: instance.to_owned(),
                    action: action.to_owned(),
                };
                let webhook_id = EffectId::of(event.transition_key(), &route, 0).to_string();
                Transition { run_uid: event.uid, webhook_id }
            }
            Some(Ok(Decoded::Ignored { .. }) | Err(_)) | None => Transition::default(),
        }
    }

    /// The same event under another id, as a restarted controller sends it.
    #[must_use]
    pub fn with_id(&self, id: &str) -> Self {
        let mut request = self.clone();
        for (name, value) in &mut request.headers {
            if name == "ce-id" {
                id.clone_into(value);
            }
        }
        request
    }
}

/// A configuration that sends to the receiver at `receiver`; its secrets are in `folder`. Flags set
/// the addresses and the data directory of a replica.
///
/// # Errors
/// The secret files cannot be written.
pub fn config_text(folder: &Path, receiver: &str) -> std::io::Result<String> {
    let secret = |name: &str, content: String| -> std::io::Result<String> {
        let path = folder.join(name);
        std::fs::write(&path, content)?;
        Ok(path.display().to_string())
    };
    let token = secret("github-token", "demo-token".to_owned())?;
    let slack = secret("slack-url", format!("{receiver}/slack"))?;
    let webhook = secret("webhook-url", format!("{receiver}/webhook"))?;
    Ok(format!(
        r#"store: {{ free_bytes_min: 0 }}
retry: {{ initial_backoff: 100ms, max_backoff: 1s }}
accumulator:
  enabled: true
  straggler_window: 1s
  provider: {{ name: summary }}
scm:
  github:
    - name: hub
      enabled: true
      base_url: "{receiver}"
      auth: {{ secret_file: "{token}" }}
      actions:
        - name: checks
          type: commit_status
          enabled: true
        - name: summary
          type: pr_comment
          enabled: true
          mode: upsert
          when: isPipelineRun() && stateIn("success", "failure", "error", "canceled")
          template: "**{{{{ .PipelineName | default .RunName }}}}**: {{{{ .State }}}} ({{{{ .Reason }}}})"
notifiers:
  slack:
    - name: team
      enabled: true
      when: isPipelineRun() && stateIn("failure", "error", "canceled")
      auth: {{ webhook_url_file: "{slack}" }}
  webhook:
    - name: archive
      enabled: true
      url_file: "{webhook}"
"#
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_pipeline_run_and_its_tasks_name_a_commit() {
        let scenario = Scenario::recorded().unwrap();
        for request in &scenario.requests {
            let name = request.run_name().unwrap();
            let lone = name == "solo" || name == "cr1";
            let body = String::from_utf8(request.body.clone()).unwrap();
            assert_eq!(body.contains("scm.commit-sha"), !lone, "{name}");
        }
    }

    #[test]
    fn re_emitted_events_have_ids_of_their_own() {
        let scenario = Scenario::recorded().unwrap();
        let request = scenario.requests.last().unwrap();
        let id = request.headers.iter().find(|(name, _)| name == "ce-id").unwrap();
        assert!(id.1.starts_with("re-emitted-"));
        assert_eq!(scenario.runs, 11);
    }

    #[test]
    fn each_request_of_the_recording_tells_a_transition_of_its_own_and_the_others_repeat_them() {
        let scenario = Scenario::recorded().unwrap();
        let recorded = recorded_lines("recording", RECORDING).unwrap().len();
        let (first, others) = scenario.transitions.split_at(recorded);
        let news: BTreeSet<&Transition> = first.iter().collect();
        assert_eq!((recorded, news.len(), others.len()), (38, 38, 56));
        assert!(others.iter().all(|other| news.contains(other)));
        assert!(!news.contains(&Transition::default()));
    }
}
