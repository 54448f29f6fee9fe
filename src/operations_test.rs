//! The runbooks name commands, metrics, reasons and files that exist.

use crate::cli::Cli;
use crate::telemetry::metric_table::{PREFIX, row};
use clap::Parser as _;
use std::collections::BTreeSet;
use std::path::Path;

const RUNBOOKS: &str = include_str!("../docs/OPERATIONS.md");
const BINARY: &str = "tekton-events-relay ";

/// The commands of our binary, in blocks and in the text.
fn commands() -> Vec<String> {
    let joined = RUNBOOKS.replace("\\\n", "");
    let mut commands = Vec::new();
    for line in joined.lines() {
        let spans = line.split('`').skip(1).step_by(2);
        let alone = [line.split("-- ").last().unwrap_or(line).trim_start()];
        let typed = spans.chain(alone).filter(|text| text.starts_with(BINARY));
        commands.extend(typed.map(|text| text.replace("NODE_ID", "00000000000000ab")));
    }
    commands
}

#[test]
fn every_command_is_understood() {
    let commands = commands();
    assert!(commands.len() > 12, "{commands:?}");
    for command in commands {
        let words: Vec<&str> = command.split_whitespace().collect();
        let parsed = Cli::try_parse_from(&words);
        assert!(parsed.is_ok(), "{command}: {}", parsed.unwrap_err());
    }
}

#[test]
fn three_processes_differ_in_what_must_differ() {
    let serve: Vec<String> =
        commands().into_iter().filter(|command| command.contains(" serve ")).collect();
    let given = |command: &String, flag: &str| -> Vec<String> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let pairs = words.windows(2).filter(|pair| pair[0] == flag);
        pairs.map(|pair| pair[1].to_owned()).collect()
    };
    assert_eq!(serve.len(), 5);
    for flag in ["--pod-name", "--data-dir", "--server-addr", "--peer-addr", "--gossip-addr"] {
        let values: BTreeSet<String> =
            serve.iter().flat_map(|command| given(command, flag)).collect();
        assert_eq!(values.len(), serve.len(), "{flag}: {values:?}");
    }
    let gossip: Vec<String> =
        serve[..3].iter().flat_map(|command| given(command, "--gossip-addr")).collect();
    for command in &serve {
        assert_eq!(given(command, "--seed"), gossip);
    }
    let sockets: Vec<String> = serve
        .iter()
        .flat_map(|command| [given(command, "--server-addr"), given(command, "--peer-addr")])
        .flatten()
        .collect();
    assert_eq!(sockets.iter().collect::<BTreeSet<_>>().len(), sockets.len());
}

#[test]
fn every_metric_exists() {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut names = 0;
    for (at, prefix) in RUNBOOKS.match_indices(PREFIX) {
        let rest = &RUNBOOKS[at + prefix.len()..];
        let name = &rest[..rest.find(|c| !is_word(c)).unwrap()];
        let name = name.trim_end_matches("_bucket");
        assert!(row(name).is_some() || name.is_empty(), "{name}");
        names += usize::from(!name.is_empty());
    }
    assert!(names > 10);
}

#[test]
fn every_problem_of_an_alert_is_documented() {
    let problems = include_str!("../docs/PROBLEMS.md");
    for (at, label) in RUNBOOKS.match_indices("{reason=") {
        let id = RUNBOOKS[at + label.len()..].split('"').nth(1).unwrap();
        assert!(problems.contains(&format!("## {id}\n")), "{id}");
    }
}

#[test]
fn every_reason_for_being_unready_is_told() {
    let (_, section) = RUNBOOKS.split_once("## Readiness\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let told: Vec<&str> = rows.map(|row| row.split('`').next().unwrap()).collect();
    let health = include_str!("api/health.rs");
    let (_, parts) = health.split_once("let parts = [").unwrap();
    let parts = parts.split("];").next().unwrap();
    let lines = parts.lines().filter_map(|line| line.trim_start().strip_prefix("(\""));
    let known: Vec<&str> = lines.map(|line| line.split('"').next().unwrap()).collect();
    assert_eq!(told, known);
}

#[test]
fn every_link_leads_somewhere() {
    let headings: BTreeSet<String> = RUNBOOKS
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|heading| heading.to_lowercase().replace(',', "").replace(' ', "-"))
        .collect();
    for (at, open) in RUNBOOKS.match_indices("](#") {
        let link = RUNBOOKS[at + open.len()..].split(')').next().unwrap();
        assert!(headings.contains(link), "{link}");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["deploy/headless-service", "deploy/strict"] {
        assert!(RUNBOOKS.contains(folder) && root.join(folder).is_dir(), "{folder}");
    }
    assert!(include_str!("../README.md").contains("](docs/OPERATIONS.md)"));
}

#[test]
fn every_call_of_the_api_is_documented() {
    let page = include_str!("../docs/API.md");
    for (routes, prefix) in
        [(include_str!("api/admin/mod.rs"), "/api"), (include_str!("api/mod.rs"), "")]
    {
        let code = routes.lines().filter_map(|line| line.trim().strip_prefix(".route(\""));
        let mut calls = 0;
        for route in code {
            let (path, rest) = route.split_once("\", ").unwrap();
            let method = rest.split('(').next().unwrap().to_uppercase();
            let call = format!("| `{method} {prefix}{path}` |");
            assert!(page.contains(&call), "{call}");
            calls += 1;
        }
        assert!(calls >= 3, "{calls} in {prefix}");
    }
}

#[test]
fn every_fate_is_told() {
    let page = include_str!("../docs/EVENTS.md");
    for fate in crate::state_machine::Fate::ALL {
        assert!(page.contains(&format!("\n| `{}` | ", fate.as_str())), "{}", fate.as_str());
    }
}
