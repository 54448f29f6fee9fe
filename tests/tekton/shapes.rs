//! The shapes of runs, each played for its own commit.

use super::control_plane::{ControlPlane, Kind, has_ended, succeeded};
use super::objects::{
    Commit, FAILS, HANGS, Name, PASSES, Steps, lone_task, matrix, merge, pipeline, pipeline_run,
    remote_run_of, run_of, spec, task, task_run, task_with,
};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};
use tekton_events_relay::clock::{Clock as _, SystemClock};

/// A shape: its name, its number of root runs, and how it is played.
#[derive(Clone, Copy)]
pub struct Shape {
    pub name: &'static str,
    pub roots: usize,
    play: for<'s> fn(&'s Stage) -> LocalBoxFuture<'s, ()>,
    /// `scm.context` of its commit.
    context: &'static str,
}

/// The surroundings of a shape.
pub struct Stage {
    pub plane: ControlPlane,
    pub commit: Commit,
    /// Suffix of the names of its runs, so that no two stages share one.
    pub mark: String,
}

macro_rules! shapes {
    ($($name:ident $roots:literal $context:literal,)*) => {
        /// All shapes.
        pub const ALL: [Shape; [$($roots),*].len()] = [$(Shape {
            name: stringify!($name),
            roots: $roots,
            play: |stage| $name(stage).boxed_local(),
            context: $context,
        }),*];
    };
}

shapes! {
    two_pipelines_with_a_task_of_one_name 2 "",
    the_same_commit_again 2 "",
    inline_again 2 "",
    a_matrix 1 "",
    retries 1 "",
    a_pipeline_time_out 1 "",
    a_task_time_out 1 "",
    cancelled 1 "",
    cancelled_with_finally 1 "",
    stopped 1 "",
    a_pipeline_in_a_pipeline 1 "",
    custom_runs 2 "",
    a_lone_custom_run 1 "",
    lone_task_runs 2 "",
    a_name_used_again 2 "",
    by_a_resolver 2 "",
    an_ignored_failure 1 "",
    a_skipped_task 1 "",
    pipelines_as_code 2 "",
    long_names 1 "",
    a_pipeline_that_is_not_there 1 "",
    a_context_of_its_own 2 "ci/main",
}

impl Shape {
    /// Plays it, and returns when all its runs have ended.
    pub async fn play(&self, plane: &ControlPlane, mark: &str, sha: &str, pr: usize) {
        let commit = Commit { sha: sha.to_owned(), pr: pr.to_string(), context: self.context };
        (self.play)(&Stage { plane: plane.clone(), commit, mark: mark.to_owned() }).await;
    }
}

/// Creates the Pipelines and Tasks that runs refer to.
pub async fn furnish(plane: &ControlPlane) {
    let build = spec(
        &[task("compile", PASSES), matrix("test", PASSES, &["linux", "mac", "windows"])],
        &[task("report", PASSES)],
    );
    let deploy = spec(
        &[
            task("compile", PASSES),
            task_with("roll-out", PASSES, &json!({"runAfter": ["compile"]})),
        ],
        &[],
    );
    plane.create(Kind::Pipeline, pipeline("build", &build)).await;
    plane.create(Kind::Pipeline, pipeline("deploy", &deploy)).await;
    plane.create(Kind::Task, lone_task("scan")).await;
}

impl Stage {
    fn named(&self, name: &str) -> String {
        format!("{name}-{}", self.mark)
    }

    async fn start(&self, name: &str, spec: &Value) -> String {
        let run = pipeline_run(Name::Own(name), &self.commit, spec);
        self.make(Kind::PipelineRun, run).await
    }

    /// Creates a run; returns its name.
    async fn make(&self, kind: Kind, run: Value) -> String {
        let made = self.plane.create(kind, run).await;
        made["metadata"]["name"].as_str().unwrap().to_owned()
    }

    /// Creates a PipelineRun and waits for its end.
    async fn whole(&self, name: &str, spec: &Value) {
        let name = self.start(&self.named(name), spec).await;
        self.plane.ended(Kind::PipelineRun, &name).await;
    }

    async fn inline(&self, name: &str, tasks: &[Value], finally: &[Value]) {
        self.whole(name, &json!({"pipelineSpec": spec(tasks, finally)})).await;
    }

    /// Starts tasks that never end, and changes the run once one of them runs.
    async fn change_while_it_runs(&self, name: &str, change: &Value) {
        let tasks =
            [task("long", HANGS), task_with("then", PASSES, &json!({"runAfter": ["long"]}))];
        let spec = json!({"pipelineSpec": spec(&tasks, &[task("report", PASSES)])});
        let name = self.start(&self.named(name), &spec).await;
        self.plane.has_a_running_child(&name).await;
        self.plane.patch(Kind::PipelineRun, (&name, ""), change).await;
        self.plane.ended(Kind::PipelineRun, &name).await;
    }

    /// Ends a CustomRun, as its own controller would.
    async fn decide(&self, name: &str, is_approved: bool) {
        let (status, reason) =
            if is_approved { ("True", "Approved") } else { ("False", "Rejected") };
        let now = now();
        let condition = json!({"type": "Succeeded", "status": status, "reason": reason,
            "message": reason.to_lowercase(), "lastTransitionTime": now});
        let change =
            json!({"status": {"conditions": [condition], "completionTime": now, "startTime": now}});
        self.plane.seen(Kind::CustomRun, name, |_| true).await;
        self.plane.patch(Kind::CustomRun, (name, "/status"), &change).await;
        self.plane.ended(Kind::CustomRun, name).await;
    }
}

/// RFC 3339, in seconds, as Kubernetes writes times.
fn now() -> String {
    let now = SystemClock::default().wall().to_string();
    format!("{}Z", &now[..19])
}

/// One green, one red, both with a task `compile`.
async fn two_pipelines_with_a_task_of_one_name(stage: &Stage) {
    let (build, deploy) = (run_of("build", &[]), run_of("deploy", &["roll-out"]));
    futures_util::future::join(stage.whole("one", &build), stage.whole("two", &deploy)).await;
}

/// A red run, and a green one of the same pipeline under another name.
async fn the_same_commit_again(stage: &Stage) {
    stage.whole("first", &run_of("build", &["test"])).await;
    stage.whole("again", &run_of("build", &[])).await;
}

/// The same without a Pipeline object.
async fn inline_again(stage: &Stage) {
    for steps in [FAILS, PASSES] {
        let spec = json!({"pipelineSpec": spec(&[task("compile", steps)], &[])});
        let run = pipeline_run(Name::Generated("nightly-"), &stage.commit, &spec);
        let name = stage.make(Kind::PipelineRun, run).await;
        stage.plane.ended(Kind::PipelineRun, &name).await;
    }
}

async fn a_matrix(stage: &Stage) {
    let param = |value: &str| json!([{"name": "os", "value": value}]);
    let combinations = json!({"matrix": {"params": null, "include": [
        {"name": "a", "params": param("linux")}, {"name": "b", "params": param("mac")}]}});
    let mut include = matrix("try", FAILS, &[]);
    merge(&mut include, &combinations);
    include["matrix"].as_object_mut().unwrap().remove("params");
    stage.inline("matrix", &[include, matrix("test", PASSES, &["1", "2", "3"])], &[]).await;
}

async fn retries(stage: &Stage) {
    stage.inline("retry", &[task_with("flaky", FAILS, &json!({"retries": 2}))], &[]).await;
}

async fn a_pipeline_time_out(stage: &Stage) {
    let spec =
        json!({"pipelineSpec": spec(&[task("slow", HANGS)], &[]), "timeouts": {"pipeline": "4s"}});
    stage.whole("slow", &spec).await;
}

async fn a_task_time_out(stage: &Stage) {
    let slow = task_with("slow", HANGS, &json!({"timeout": "3s"}));
    stage.inline("late", &[slow], &[task("report", PASSES)]).await;
}

async fn cancelled(stage: &Stage) {
    stage.change_while_it_runs("cancel", &json!({"spec": {"status": "Cancelled"}})).await;
}

async fn cancelled_with_finally(stage: &Stage) {
    stage
        .change_while_it_runs("abandon", &json!({"spec": {"status": "CancelledRunFinally"}}))
        .await;
}

/// Running tasks finish, the rest is not started.
async fn stopped(stage: &Stage) {
    let first = task("first", Steps { lasts: "3s", exit_code: "0" });
    let then = task_with("then", PASSES, &json!({"runAfter": ["first"]}));
    let spec = json!({"pipelineSpec": spec(&[first, then], &[task("report", PASSES)])});
    let name = stage.start(&stage.named("stop"), &spec).await;
    stage.plane.has_a_running_child(&name).await;
    let change = json!({"spec": {"status": "StoppedRunFinally"}});
    stage.plane.patch(Kind::PipelineRun, (&name, ""), &change).await;
    stage.plane.ended(Kind::PipelineRun, &name).await;
}

async fn a_pipeline_in_a_pipeline(stage: &Stage) {
    let pack = task_with("pack", FAILS, &json!({"runAfter": ["compile"]}));
    let inner = spec(&[task("compile", PASSES), pack], &[]);
    let inner = json!({"name": "inner", "pipelineSpec": inner});
    stage.inline("nest", &[task("compile", PASSES), inner], &[]).await;
}

/// One is approved, and one is rejected.
async fn custom_runs(stage: &Stage) {
    for (name, is_approved) in [("approved", true), ("rejected", false)] {
        let ask = json!({"name": "ask", "taskRef": {"apiVersion": "example.dev/v1", "kind": "Approval", "name": "gate"}});
        let name =
            stage.start(&stage.named(name), &json!({"pipelineSpec": {"tasks": [ask]}})).await;
        stage.decide(&format!("{name}-ask"), is_approved).await;
        stage.plane.ended(Kind::PipelineRun, &name).await;
    }
}

async fn a_lone_custom_run(stage: &Stage) {
    let name = stage.named("gate");
    let run = pipeline_run(
        Name::Own(&name),
        &stage.commit,
        &json!({"customRef": {"apiVersion": "example.dev/v1", "kind": "Approval", "name": "gate"}}),
    );
    stage.make(Kind::CustomRun, run).await;
    stage.decide(&name, true).await;
}

/// By reference and inline.
async fn lone_task_runs(stage: &Stage) {
    for (name, steps, task) in [("scan", PASSES, Some("scan")), ("solo", FAILS, None)] {
        let name = stage.named(name);
        let run = task_run(Name::Own(&name), &stage.commit, steps, task);
        stage.make(Kind::TaskRun, run).await;
        stage.plane.ended(Kind::TaskRun, &name).await;
    }
}

/// A run is deleted, and another pipeline runs under its name, for the next commit.
async fn a_name_used_again(stage: &Stage) {
    let name = stage.named("reused");
    stage.whole("reused", &run_of("deploy", &["roll-out"])).await;
    stage.plane.delete(&name).await;
    let run = pipeline_run(Name::Own(&name), &stage.commit.next(), &run_of("build", &[]));
    stage.make(Kind::PipelineRun, run).await;
    stage.plane.ended(Kind::PipelineRun, &name).await;
}

/// The name of the pipeline is known late.
async fn by_a_resolver(stage: &Stage) {
    stage.whole("remote-first", &remote_run_of("deploy", &["compile"])).await;
    stage.whole("remote-again", &remote_run_of("deploy", &[])).await;
}

async fn an_ignored_failure(stage: &Stage) {
    let soft = task_with("soft", FAILS, &json!({"onError": "continue"}));
    let compile = task_with("compile", PASSES, &json!({"runAfter": ["soft"]}));
    stage.inline("soft", &[soft, compile], &[]).await;
}

async fn a_skipped_task(stage: &Stage) {
    let never = json!({"when": [{"input": "a", "operator": "in", "values": ["b"]}]});
    stage
        .inline("skip", &[task("compile", PASSES), task_with("publish", PASSES, &never)], &[])
        .await;
}

/// Pipelines-as-Code writes the pipeline inline and keeps its name in a label.
async fn pipelines_as_code(stage: &Stage) {
    for steps in [FAILS, PASSES] {
        let spec = json!({"pipelineSpec": spec(&[task("compile", steps)], &[])});
        let mut run = pipeline_run(Name::Generated("pac-"), &stage.commit, &spec);
        run["metadata"]["labels"] = json!({"pipelinesascode.tekton.dev/original-prname": "pac"});
        let name = stage.make(Kind::PipelineRun, run).await;
        stage.plane.ended(Kind::PipelineRun, &name).await;
    }
}

/// Tekton hashes the name of the child.
async fn long_names(stage: &Stage) {
    let mut name = format!("a-run-whose-name-is-as-long-as-a-label-may-be-{}", stage.mark);
    name.truncate(63);
    let long = task("a-task-whose-name-is-long-as-well-so-that-tekton-hashes-it", PASSES);
    let name = stage.start(&name, &json!({"pipelineSpec": spec(&[long], &[])})).await;
    stage.plane.ended(Kind::PipelineRun, &name).await;
}

async fn a_pipeline_that_is_not_there(stage: &Stage) {
    stage.whole("absent", &run_of("absent", &[])).await;
}

/// Everything below `scm.context`, twice.
async fn a_context_of_its_own(stage: &Stage) {
    stage.whole("ours-first", &run_of("deploy", &["compile"])).await;
    stage.whole("ours-again", &run_of("deploy", &[])).await;
}
