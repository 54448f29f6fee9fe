//! The commands of the runbook "Three processes on one machine", literally except for the ports and
//! without any configuration. Three form a cluster, a fourth and a fifth join, and all five agree.

use crate::harness::load::Load;
use crate::harness::view::{View, agree};
use crate::harness::{CHANGE_UNDER_WAY, Counts, FORMED_MAX, Lab, SECRET, To, error_lines};
use crate::shared::{client, copy_of_the_recording, free_ports, reached, run as run_command};
use futures_util::future::join_all;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;
use tokio::process::{Child, Command};

const RUNBOOK: &str = include_str!("../../../docs/OPERATIONS.md");
const SECTION: &str = "## Three processes on one machine\n";
const FOUNDERS: usize = 3;
const NODES: usize = 5;
/// Documented ports: servers from 8081 on, peers from 3321 on, gossip from 3331 on.
const PORTS: [u16; 3] = [8081, 3321, 3331];

/// A process of a documented command.
struct Process {
    url: String,
    log: PathBuf,
    child: Child,
}

pub async fn run(lab: Lab) -> Counts {
    let (serve, status) = commands();
    std::fs::write(lab.folder.join("cluster-secret"), SECRET).unwrap();
    assert_eq!(serve.len(), NODES, "{serve:?}");
    let first = free_ports(u16::try_from(PORTS.len() * NODES).unwrap());
    let mut processes: Vec<Process> = Vec::new();
    for command in &serve[..FOUNDERS] {
        processes.push(start(&lab, &with_ports(command, first)));
    }
    agreed(&mut processes).await;
    for command in &serve[FOUNDERS..] {
        processes.push(start(&lab, &with_ports(command, first)));
    }
    let view = agreed(&mut processes).await;
    assert_eq!((view.voters(), view.fault_tolerance), (NODES, Some(2)), "{view}");
    let urls = processes.iter().map(|process| format!("{}/", process.url)).collect();
    let load = Load::new(urls, client(), (lab.seed, Instant::now()));
    load.play_copy(1, &To::any(NODES)).await;
    for (at, request) in copy_of_the_recording(1).0.iter().enumerate() {
        let sent = load.send(request, &To::Node(at % NODES)).await;
        assert!(sent.has_fate("duplicate"), "{}", sent.title());
    }
    let history = load.history();
    assert!(history.unacknowledged().is_empty(), "{}", history.to_text());
    let told = run_command(&lab.folder, &with_ports(&status, first)[1..]).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    let names = (0..NODES).map(|node| format!("relay-{node} "));
    let rows = names.filter(|name| told.stdout.lines().any(|line| line.starts_with(name)));
    assert_eq!(rows.count(), NODES, "{}", told.stdout);
    for process in &processes {
        let log = log(&process.log);
        assert!(!log.contains("panicked at"), "{log}");
        assert_eq!(error_lines(&log, &[CHANGE_UNDER_WAY]), [""; 0]);
    }
    let (events, tries) = (history.sent.len(), history.tries());
    Counts { events, tries, ..Counts::default() }
}

/// The commands that start processes, and the one that queries them.
fn commands() -> (Vec<String>, String) {
    let (_, section) = RUNBOOK.split_once(SECTION).expect("the section is there");
    let section = section.split("\n## ").next().expect("a section has an end");
    let section = section.replace("\\\n", " ");
    let serve = section.lines().filter(|line| line.starts_with("tekton-events-relay serve "));
    let mut spans = section.split('`');
    let status = spans.find(|text| text.starts_with("tekton-events-relay cluster status "));
    (serve.map(str::to_owned).collect(), status.expect("the status is asked for").to_owned())
}

/// The words of a command, with free ports in place of the documented ones.
fn with_ports(command: &str, first: u16) -> Vec<String> {
    let mut command = command.to_owned();
    let nodes = u16::try_from(NODES).unwrap();
    for (base, block) in PORTS.into_iter().zip(0..) {
        for node in 0..nodes {
            let (documented, free) = (base + node, first + block * nodes + node);
            // Not a final port yet: those are not preceded by this text.
            command = command.replace(&format!(".1:{documented}"), &format!(".1:free-{free}"));
        }
    }
    command.replace(":free-", ":").split_whitespace().map(str::to_owned).collect()
}

fn start(lab: &Lab, words: &[String]) -> Process {
    let value = |flag: &str| {
        let at = words.iter().position(|word| word == flag).expect("the flag is documented");
        words[at + 1].clone()
    };
    let log = lab.folder.join(format!("{}.log", value("--pod-name")));
    let file = std::fs::File::create(&log).unwrap();
    let mut command = Command::new(&lab.binary);
    command.args(&words[1..]).current_dir(&lab.folder).stdin(Stdio::null());
    command.stdout(file.try_clone().unwrap()).stderr(file).kill_on_drop(true);
    let url = format!("http://{}", value("--server-addr"));
    Process { url, log, child: command.spawn().unwrap() }
}

/// Waits until all processes are ready and name the same cluster, leader and members.
async fn agreed(processes: &mut [Process]) -> View {
    let client = client();
    let what = format!("{} processes agree:", processes.len());
    reached(&what, FORMED_MAX, async || {
        for process in processes.iter_mut() {
            let ended = process.child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", log(&process.log));
        }
        let ask = |process: &Process| {
            let (client, url) = (client.clone(), process.url.clone());
            async move {
                let ready = client.get(format!("{url}/readyz")).send().await.ok()?;
                ready.error_for_status().ok()?;
                let view = client.get(format!("{url}/api/v1/cluster")).send().await.ok()?;
                serde_json::from_str::<View>(&view.text().await.ok()?).ok()
            }
        };
        let views: Option<Vec<View>> =
            join_all(processes.iter().map(ask)).await.into_iter().collect();
        let views = views.ok_or("not all are ready")?;
        let is_full = views[0].voters() == processes.len() && agree(&views);
        let told: String = views.iter().map(View::to_string).collect();
        is_full.then(|| views[0].clone()).ok_or(told)
    })
    .await
}

fn log(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
