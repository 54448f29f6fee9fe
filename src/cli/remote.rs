//! Commands that ask a running relay over HTTP.

use super::flags::{ClusterCommand, ClusterFlags, DlqCommand, DlqFlags, Output, Remote};
use super::say;
use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// A relay that does not answer in this time is reported as not answering.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn cluster(flags: &ClusterFlags) -> anyhow::Result<ExitCode> {
    let ClusterCommand::Status(remote) = &flags.command;
    let answer = call(remote, reqwest::Method::GET, "/api/v1/cluster", None)?;
    show(remote, &answer, cluster_table);
    Ok(ExitCode::SUCCESS)
}

pub(super) fn dlq(flags: &DlqFlags) -> anyhow::Result<ExitCode> {
    match &flags.command {
        DlqCommand::List { remote, limit, offset } => {
            let path = format!("/api/v1/dlq?limit={limit}&offset={offset}");
            let answer = call(remote, reqwest::Method::GET, &path, None)?;
            show(remote, &answer, letter_table);
        }
        DlqCommand::Replay { remote, provider, state, after } => {
            let body = json!({"filter": {"provider": provider, "state": state, "after": after}});
            let path = "/api/v1/dlq/replay";
            let answer = call(remote, reqwest::Method::POST, path, Some(body))?;
            show(remote, &answer, |answer| vec![format!("{} queued again", answer["replayed"])]);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(remote: &Remote, answer: &Value, table: impl Fn(&Value) -> Vec<String>) {
    match remote.output {
        Output::Json => say(answer),
        Output::Text => table(answer).into_iter().for_each(say),
    }
}

fn call(
    remote: &Remote,
    method: reqwest::Method,
    path: &str,
    body: Option<Value>,
) -> anyhow::Result<Value> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(TIMEOUT).build()?;
    let url = format!("{}{path}", remote.url.trim_end_matches('/'));
    let mut request = client.request(method, &url);
    if let Some(file) = &remote.token_file {
        let token = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        request = request.bearer_auth(token.trim());
    }
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let response = request.send().await.with_context(|| format!("no answer from {url}"))?;
        let status = response.status();
        let text = response.text().await?;
        if !status.is_success() {
            bail!("{url} answered {status}: {text}");
        }
        Ok(serde_json::from_str(&text)?)
    })
}

fn cluster_table(answer: &Value) -> Vec<String> {
    let mut lines = vec![format!(
        "cluster {}  term {}  applied {}  tolerates {} lost",
        text(&answer["cluster_id"]),
        answer["term"],
        answer["applied_index"],
        answer["fault_tolerance"],
    )];
    lines.push(format!("{:<18}{:<9}{:<8}{:<8}{:>5}", "NODE", "ROLE", "STATE", "LEADER", "SLOTS"));
    for member in answer["members"].as_array().into_iter().flatten() {
        let leader = if member["is_leader"] == Value::Bool(true) { "yes" } else { "" };
        lines.push(format!(
            "{:<18}{:<9}{:<8}{leader:<8}{:>5}",
            text(&member["node_id"]),
            text(&member["role"]),
            text(&member["state"]),
            member["slots"],
        ));
    }
    lines
}

fn letter_table(answer: &Value) -> Vec<String> {
    let events = answer["events"].as_array().into_iter().flatten();
    let mut lines: Vec<String> = events
        .map(|letter| {
            let effect = &letter["effect"];
            format!(
                "{:>6}  {}  {}/{}  {}  {}",
                text(&letter["id"]),
                text(&letter["failed_at"]),
                text(&effect["instance"]),
                text(&effect["action"]),
                text(&letter["envelope"]["Report"]["run_name"]),
                text(&letter["cause"]),
            )
        })
        .collect();
    lines.push(format!("{} of {} dead letters", answer["count"], answer["total"]));
    lines
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_table_has_a_row_for_each_member() {
        let member = json!({"node_id": "00ab", "role": "voter", "state": "live", "is_leader": true, "slots": 256});
        let answer = json!({"cluster_id": "c", "term": 1, "applied_index": 9, "fault_tolerance": 0, "members": [member]});
        let lines = cluster_table(&answer);
        assert_eq!(lines.len(), 3);
        assert!(lines[2].starts_with("00ab") && lines[2].ends_with("256"), "{}", lines[2]);
    }
}
