//! The control plane with Tekton's controllers, started by `.ci/lab` and used over its API.

use crate::shared::eventually;
use http::Method;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::process::Command;

/// Where all runs are.
pub const NAMESPACE: &str = "ci";

/// The script, relative to the folder of the package, where cargo starts tests.
const LAB: &str = ".ci/lab";
const API: &str = "https://127.0.0.1:24643";
/// Between two polls of one run: dozens are polled in parallel.
const LOOK_EVERY: Duration = Duration::from_millis(400);
/// A run ends within this time, on a machine that also does other things.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

/// The kinds of runs, and the kinds that report about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    PipelineRun,
    TaskRun,
    CustomRun,
    Pipeline,
    Task,
}

impl Kind {
    /// The kinds of runs.
    pub const RUNS: [Self; 3] = [Self::PipelineRun, Self::TaskRun, Self::CustomRun];

    /// As in the field `kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::PipelineRun => "PipelineRun",
            Self::TaskRun => "TaskRun",
            Self::CustomRun => "CustomRun",
            Self::Pipeline => "Pipeline",
            Self::Task => "Task",
        }
    }

    pub fn api_version(self) -> &'static str {
        if self == Self::CustomRun { "tekton.dev/v1beta1" } else { "tekton.dev/v1" }
    }

    fn path(self) -> String {
        let (version, plural) = (self.api_version(), self.name().to_lowercase());
        format!("/apis/{version}/namespaces/{NAMESPACE}/{plural}s")
    }
}

/// What this machine lacks to start one.
pub fn lacks() -> Option<String> {
    let found = std::process::Command::new(LAB).arg("path").stdin(Stdio::null()).output();
    let found = found.unwrap_or_else(|error| panic!("{LAB}: {error}"));
    (!found.status.success()).then(|| String::from_utf8_lossy(&found.stderr).trim().to_owned())
}

/// A running control plane. Its processes end with the namespace of the test.
#[derive(Clone)]
pub struct ControlPlane {
    run: PathBuf,
    client: reqwest::Client,
    /// Runs as they were when deleted.
    deleted: Arc<Mutex<Vec<Value>>>,
}

impl ControlPlane {
    /// Starts everything below `folder`; CloudEvents go to `sink`.
    pub async fn start(folder: &Path, sink: &str) -> Self {
        let run = folder.join("control-plane");
        lab(&run, &["up", sink]).await;
        let read = |file: &str| std::fs::read(run.join("pki").join(file)).unwrap();
        let authority = reqwest::Certificate::from_pem(&read("ca.crt")).unwrap();
        let identity = [read("admin.crt"), read("admin.key")].concat();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .tls_certs_only([authority])
            .identity(reqwest::Identity::from_pem(&identity).unwrap());
        let plane = Self { run, client: client.build().unwrap(), deleted: Arc::default() };
        let namespace = json!({"metadata": {"name": NAMESPACE}});
        plane.call(Method::POST, "/api/v1/namespaces", Some(&namespace)).await.unwrap();
        plane
    }

    /// Restarts the controllers: each run is announced again, under new ids.
    pub async fn restart_tekton(&self) {
        lab(&self.run, &["restart-tekton"]).await;
    }

    /// Runs `kubectl` with the rights of the administrator.
    pub async fn kubectl(&self, arguments: &[&str]) -> std::process::Output {
        let place = std::process::Command::new(LAB).arg("path").output().unwrap().stdout;
        let place = PathBuf::from(String::from_utf8(place).unwrap().trim());
        let mut kubectl = Command::new(place.join("bin/kubectl"));
        kubectl.arg("--kubeconfig").arg(self.run.join("admin.kubeconfig")).args(arguments);
        kubectl.stdin(Stdio::null()).output().await.unwrap()
    }

    /// Creates an object; returns it as in the API.
    pub async fn create(&self, kind: Kind, mut object: Value) -> Value {
        object["apiVersion"] = kind.api_version().into();
        object["kind"] = kind.name().into();
        let made = self.call(Method::POST, &kind.path(), Some(&object)).await;
        made.unwrap_or_else(|error| panic!("{error}\n{object}"))
    }

    /// All objects of a kind with labels that match `selector`; an empty selector matches all.
    pub async fn list(&self, kind: Kind, selector: &str) -> Vec<Value> {
        let selector = selector.replace('=', "%3D").replace(',', "%2C");
        let path = format!("{}?labelSelector={selector}", kind.path());
        let mut list = self.call(Method::GET, &path, None).await.unwrap();
        let items = list["items"].take();
        serde_json::from_value(items).unwrap()
    }

    /// An object, if it exists.
    pub async fn get(&self, kind: Kind, name: &str) -> Option<Value> {
        self.call(Method::GET, &format!("{}/{name}", kind.path()), None).await.ok()
    }

    /// Changes a part of an object (RFC 7386); `part` is `/status` or empty.
    pub async fn patch(&self, kind: Kind, (name, part): (&str, &str), change: &Value) {
        let path = format!("{}/{name}{part}", kind.path());
        self.call(Method::PATCH, &path, Some(change))
            .await
            .unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits until a run exists that meets the condition; returns it.
    pub async fn seen(&self, kind: Kind, name: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let mut last = None;
        let deadline = tokio::time::Instant::now() + ENDS_WITHIN;
        loop {
            if let Some(object) = self.get(kind, name).await {
                if is_it(&object) {
                    return object;
                }
                last = Some(object);
            }
            let is_late = tokio::time::Instant::now() > deadline;
            assert!(!is_late, "{} {name} not within {ENDS_WITHIN:?}: {last:?}", kind.name());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until a run has ended; returns it.
    pub async fn ended(&self, kind: Kind, name: &str) -> Value {
        self.seen(kind, name, has_ended).await
    }

    /// Waits until a run has a child that is running.
    pub async fn has_a_running_child(&self, name: &str) {
        let selector = format!("tekton.dev/pipelineRun={name}");
        let what = format!("a TaskRun of {name} runs");
        eventually(&what, ENDS_WITHIN, async || {
            let children = self.list(Kind::TaskRun, &selector).await;
            let is_running = |run: &Value| succeeded(run)["reason"] == "Running";
            if children.iter().any(is_running) {
                return Some(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
            None
        })
        .await;
    }

    /// Deletes a finished PipelineRun with its children, and waits until they are gone. They stay
    /// in [`Self::runs`].
    pub async fn delete(&self, name: &str) {
        let selector = format!("tekton.dev/pipelineRun={name}");
        let mut gone =
            vec![with_kind(Kind::PipelineRun, self.get(Kind::PipelineRun, name).await.unwrap())];
        for kind in [Kind::TaskRun, Kind::CustomRun] {
            let children = self.list(kind, &selector).await.into_iter();
            gone.extend(children.map(|child| with_kind(kind, child)));
        }
        self.deleted.lock().unwrap_or_else(PoisonError::into_inner).extend(gone);
        let path = format!("{}/{name}", Kind::PipelineRun.path());
        let how = json!({"propagationPolicy": "Foreground"});
        self.call(Method::DELETE, &path, Some(&how)).await.unwrap();
        eventually(&format!("{name} is gone"), ENDS_WITHIN, async || {
            if self.get(Kind::PipelineRun, name).await.is_none() {
                return Some(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
            None
        })
        .await;
    }

    /// All runs that ever existed, deleted ones in their last form.
    pub async fn runs(&self) -> Vec<Value> {
        let mut runs = self.deleted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for kind in Kind::RUNS {
            let listed = self.list(kind, "").await.into_iter();
            runs.extend(listed.map(|run| with_kind(kind, run)));
        }
        runs
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let media_type = if method == Method::PATCH {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let mut request = self.client.request(method, format!("{API}{path}"));
        if let Some(body) = body {
            request = request.header("content-type", media_type).body(body.to_string());
        }
        let answer = request.send().await.map_err(|error| format!("{path}: {error:?}"))?;
        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
        if !status.is_success() {
            return Err(format!("{path}: {status} {text}"));
        }
        serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))
    }
}

/// Items of a list do not contain their kind.
fn with_kind(kind: Kind, mut run: Value) -> Value {
    run["kind"] = kind.name().into();
    run
}

async fn lab(run: &Path, arguments: &[&str]) {
    let mut command = Command::new(LAB);
    command.args(arguments).env("RELAY_LAB_RUN", run).stdin(Stdio::null());
    let output = command.output().await.unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{LAB} {arguments:?}: {told}");
}

/// The condition `Succeeded` of a run; null if it has none yet.
pub fn succeeded(run: &Value) -> Value {
    let mut conditions = run["status"]["conditions"].as_array().into_iter().flatten();
    conditions.find(|condition| condition["type"] == "Succeeded").cloned().unwrap_or_default()
}

/// Whether a run has ended.
pub fn has_ended(run: &Value) -> bool {
    matches!(succeeded(run)["status"].as_str(), Some("True" | "False"))
}
