//! Pipelines, tasks and runs, as users write them. Annotations of a TaskRun reach its pod, where
//! the simulated node reads how long it lasts and how it ends (`lab/stages.yaml`).

use serde_json::{Value, json};

/// The subject of a run: one commit of one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    pub sha: String,
    pub pr: String,
    /// `scm.context`; empty for none.
    pub context: &'static str,
}

impl Commit {
    /// Another commit of the same pull request.
    pub fn next(&self) -> Self {
        Self { sha: next_sha(&self.sha), ..self.clone() }
    }

    /// The annotations that identify it to the relay.
    pub fn annotations(&self) -> Value {
        let mut annotations = json!({});
        let mut set = |key: &str, value: &str| {
            annotations[format!("tekton.dev/tekton-events-relay.scm.{key}")] = value.into();
        };
        set("provider", "github");
        set("repo-owner", "acme");
        set("repo-name", "shop");
        set("commit-sha", &self.sha);
        set("pr-number", &self.pr);
        if !self.context.is_empty() {
            set("context", self.context);
        }
        annotations
    }
}

/// The hash of the commit after this one.
pub fn next_sha(sha: &str) -> String {
    sha.chars().rev().collect()
}

/// How long the steps of a task last, and how they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    pub lasts: &'static str,
    pub exit_code: &'static str,
}

pub const PASSES: Steps = Steps { lasts: "300ms", exit_code: "0" };
pub const FAILS: Steps = Steps { lasts: "300ms", exit_code: "1" };
/// Longer than any run may take.
pub const HANGS: Steps = Steps { lasts: "600s", exit_code: "0" };

impl Steps {
    fn annotations(self) -> Value {
        json!({"lab/lasts": self.lasts, "lab/exit-code": self.exit_code})
    }
}

fn steps() -> Value {
    json!([{"name": "s", "image": "busybox", "command": ["true"]}])
}

/// A task of a pipeline, defined inline.
pub fn task(name: &str, steps_go: Steps) -> Value {
    json!({"name": name, "taskSpec": {"metadata": {"annotations": steps_go.annotations()}, "steps": steps()}})
}

/// The same with more keys.
pub fn task_with(name: &str, steps_go: Steps, keys: &Value) -> Value {
    let mut task = task(name, steps_go);
    merge(&mut task, keys);
    task
}

/// A task for each of these values of `os`.
pub fn matrix(name: &str, steps_go: Steps, values: &[&str]) -> Value {
    let keys = json!({
        "taskSpec": {"params": [{"name": "os", "type": "string"}]},
        "matrix": {"params": [{"name": "os", "value": values}]},
    });
    task_with(name, steps_go, &keys)
}

/// An inline pipeline.
pub fn spec(tasks: &[Value], finally: &[Value]) -> Value {
    let mut spec = json!({"tasks": tasks});
    if !finally.is_empty() {
        spec["finally"] = finally.into();
    }
    spec
}

/// A Pipeline of the namespace.
pub fn pipeline(name: &str, spec: &Value) -> Value {
    json!({"metadata": {"name": name}, "spec": spec})
}

/// A Task of the namespace.
pub fn lone_task(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"steps": steps()}})
}

/// The name of a run: complete, or a prefix for the API to complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'n> {
    Own(&'n str),
    Generated(&'n str),
}

/// A PipelineRun.
pub fn pipeline_run(name: Name<'_>, commit: &Commit, spec: &Value) -> Value {
    let mut metadata = json!({"annotations": commit.annotations()});
    match name {
        Name::Own(name) => metadata["name"] = name.into(),
        Name::Generated(beginning) => metadata["generateName"] = beginning.into(),
    }
    json!({"metadata": metadata, "spec": spec})
}

/// A PipelineRun of the Pipeline `pipeline` whose tasks `red` fail.
pub fn run_of(pipeline: &str, red: &[&str]) -> Value {
    let how = |task: &&str| json!({"pipelineTaskName": task, "metadata": {"annotations": FAILS.annotations()}});
    json!({"pipelineRef": {"name": pipeline}, "taskRunSpecs": red.iter().map(how).collect::<Vec<_>>()})
}

/// The same, through the cluster resolver.
pub fn remote_run_of(pipeline: &str, red: &[&str]) -> Value {
    let mut run = run_of(pipeline, red);
    let param = |name: &str, value: &str| json!({"name": name, "value": value});
    let params = [
        param("kind", "pipeline"),
        param("name", pipeline),
        param("namespace", super::control_plane::NAMESPACE),
    ];
    run["pipelineRef"] = json!({"resolver": "cluster", "params": params});
    run
}

/// A TaskRun without an owner.
pub fn task_run(name: Name<'_>, commit: &Commit, steps_go: Steps, task: Option<&str>) -> Value {
    let spec = match task {
        Some(task) => json!({"taskRef": {"name": task}}),
        None => json!({"taskSpec": {"steps": steps()}}),
    };
    let mut run = pipeline_run(name, commit, &spec);
    merge(&mut run["metadata"]["annotations"], &steps_go.annotations());
    run
}

/// Puts the keys of `change` into `object`, deeply.
pub fn merge(object: &mut Value, change: &Value) {
    match (object, change) {
        (Value::Object(object), Value::Object(change)) => {
            for (key, value) in change {
                merge(object.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (object, change) => *object = change.clone(),
    }
}
