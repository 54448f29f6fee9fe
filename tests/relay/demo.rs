//! The demo ends well, leaves nothing behind, and ends at once when interrupted.

use crate::harness::{client, eventually};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// Three times its duration on a busy machine.
const DEMO_MAX: Duration = Duration::from_secs(100);
/// SIGKILL for three processes.
const INTERRUPT_MAX: Duration = Duration::from_secs(10);

fn demo(temporary: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tekton-events-relay"));
    command.arg("demo").args(arguments).env("TMPDIR", temporary).current_dir(temporary);
    // Meant for another relay: no replica of the demo may use them.
    command.env("RELAY_SERVICE", "relay.invalid").env("RELAY_DATA_DIR", "/nowhere");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap()
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

/// Reads up to the line that says that the cluster is formed; returns the URLs printed before it.
async fn formed(output: &mut BufReader<ChildStdout>) -> Vec<String> {
    let mut urls = Vec::new();
    let mut line = String::new();
    while output.read_line(&mut line).await.unwrap() > 0 {
        urls.extend(line.split(" on ").nth(1).map(|url| url.trim().to_owned()));
        if line.starts_with("formed in ") {
            return urls;
        }
        line.clear();
    }
    panic!("the demo ended before its cluster was formed");
}

async fn ends_well(arguments: &[&str]) -> String {
    let temporary = tempfile::tempdir().unwrap();
    let child = demo(temporary.path(), arguments);
    let output = tokio::time::timeout(DEMO_MAX, child.wait_with_output()).await;
    let output = output.expect("the demo ends").unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(is_empty(temporary.path()), "something is left behind:\n{told}");
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn three_replicas_lose_nothing_though_the_leader_is_killed_and_one_is_rolled() {
    let told = ends_well(&[]).await;
    for step in ["formed in ", "leader relay-", " leads after ", " is back, ", "rolled relay-"] {
        assert!(told.contains(step), "no {step:?} in:\n{told}");
    }
    let members = told.lines().filter(|line| line.contains(" voter ") && line.contains(" live "));
    assert_eq!(members.count(), 3, "{told}");
    let verdict = told.lines().find(|line| line.starts_with("verdict: ")).unwrap();
    let start = "verdict: 94 sent, 94 acknowledged, 38 with news, ";
    assert!(verdict.starts_with(start) && verdict.ends_with(", 0 lost"), "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_delivers_everything_once() {
    let told = ends_well(&["--replicas", "1"]).await;
    let verdict = told.lines().find(|line| line.starts_with("verdict: ")).unwrap();
    let start = "verdict: 94 sent, 94 acknowledged, 38 with news, ";
    assert!(verdict.starts_with(start), "{verdict}");
    assert!(verdict.ends_with(", 0 duplicates, 0 lost"), "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_demo_leaves_no_replica_and_no_file() {
    let temporary = tempfile::tempdir().unwrap();
    let mut child = demo(temporary.path(), &[]);
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let urls = tokio::time::timeout(DEMO_MAX, formed(&mut output)).await.expect("it forms");
    assert_eq!(urls.len(), 3);
    let line = format!("kill -INT {}", child.id().unwrap());
    assert!(Command::new("sh").arg("-c").arg(line).status().await.unwrap().success());
    let ended = tokio::time::timeout(INTERRUPT_MAX, child.wait()).await;
    assert_eq!(ended.expect("the demo ends").unwrap().code(), Some(1));
    output.read_to_end(&mut Vec::new()).await.unwrap();
    let client = client();
    for url in urls {
        eventually("the replica is gone", INTERRUPT_MAX, async || {
            client.get(&url).send().await.err().filter(reqwest::Error::is_connect)
        })
        .await;
    }
    assert!(is_empty(temporary.path()));
}
