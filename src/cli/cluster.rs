//! `cluster`: who is in it, and orders to it.

use super::flags::{ClusterCommand, ClusterFlags, Output, Remote};
use super::remote::{Client, runtime, show, text};
use super::table::columns;
use super::{backup, complain};
use anyhow::bail;
use reqwest::Method;
use serde_json::{Value, json};
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

const CLUSTER: &str = "/api/v1/cluster";
/// Between two looks of `--watch`.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// Cursor to the upper left corner, and everything below it away.
const CLEAR: &str = "\x1b[H\x1b[J";

pub(super) fn cluster(flags: &ClusterFlags) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(async {
        match &flags.command {
            ClusterCommand::Status { remote, watch: false } => {
                let answer = Client::new(&remote.endpoint).await?.get(CLUSTER).await?;
                show(remote.output, &answer, status);
            }
            ClusterCommand::Status { remote, watch: true } => watch(remote).await?,
            ClusterCommand::Remove { remote, member } => remove(remote, member).await?,
            ClusterCommand::Transfer { remote, to } => transfer(remote, to.as_deref()).await?,
            ClusterCommand::Finalize { remote } => finalize(remote).await?,
            ClusterCommand::Snapshot { endpoint, output } => backup::save(endpoint, output).await?,
            ClusterCommand::Recover(flags) => backup::recover(flags)?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Until the process is ended, or nobody reads any more. A relay that does not answer now may do
/// so in a second.
async fn watch(remote: &Remote) -> anyhow::Result<()> {
    let client = Client::new(&remote.endpoint).await?;
    let is_redrawn = std::io::stdout().is_terminal() && remote.output == Output::Text;
    loop {
        let lines = match (client.get(CLUSTER).await, remote.output) {
            (Ok(answer), Output::Json) => vec![answer.to_string()],
            (Ok(answer), Output::Text) => status(&answer),
            (Err(error), Output::Text) => vec![format!("{error:#}")],
            (Err(error), Output::Json) => {
                complain(format_args!("{error:#}"));
                Vec::new()
            }
        };
        let clear = if is_redrawn { CLEAR } else { "" };
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        if write!(std::io::stdout(), "{clear}{lines}").is_err() {
            return Ok(());
        }
        tokio::time::sleep(WATCH_EVERY).await;
    }
}

async fn remove(remote: &Remote, member: &str) -> anyhow::Result<()> {
    let client = Client::new(&remote.endpoint).await?;
    let node = resolve(&client.get(CLUSTER).await?, member)?;
    let path = format!("{CLUSTER}/members/{node}");
    let answer = client.call(Method::DELETE, &path, None).await?;
    let line = |answer: &Value| vec![format!("removed {}", named(answer, "removed"))];
    show(remote.output, &answer, line);
    Ok(())
}

async fn transfer(remote: &Remote, to: Option<&str>) -> anyhow::Result<()> {
    let client = Client::new(&remote.endpoint).await?;
    let body = match to {
        Some(member) => Some(json!({"to": resolve(&client.get(CLUSTER).await?, member)?})),
        None => None,
    };
    let path = format!("{CLUSTER}/transfer");
    let answer = client.call(Method::POST, &path, body).await?;
    let line = |answer: &Value| vec![format!("{} leads", named(answer, "leader"))];
    show(remote.output, &answer, line);
    Ok(())
}

async fn finalize(remote: &Remote) -> anyhow::Result<()> {
    let client = Client::new(&remote.endpoint).await?;
    let answer = client.call(Method::POST, &format!("{CLUSTER}/finalize"), None).await?;
    let line = |answer: &Value| vec![format!("feature level {}", answer["feature_level"])];
    show(remote.output, &answer, line);
    Ok(())
}

/// The node id of a member that is named by it or by its pod.
fn resolve(cluster: &Value, member: &str) -> anyhow::Result<String> {
    let members = || cluster["members"].as_array().into_iter().flatten();
    if let Some(found) = members().find(|known| known["node_id"] == member) {
        return Ok(text(&found["node_id"]).to_owned());
    }
    let of_name = members().filter(|known| known["name"] == member && !member.is_empty());
    let ids: Vec<&str> = of_name.map(|known| text(&known["node_id"])).collect();
    match ids.as_slice() {
        [id] => Ok((*id).to_owned()),
        [] => bail!("no member has the node id or the pod name {member:?}"),
        several => bail!("{member:?} names several members, give one id: {}", several.join(", ")),
    }
}

/// `NAME (ID)`, or the id of a node without a name.
fn named(answer: &Value, id: &str) -> String {
    match answer["name"].as_str().unwrap_or_default() {
        "" => text(&answer[id]).to_owned(),
        name => format!("{name} ({})", text(&answer[id])),
    }
}

/// The cluster as people read it.
fn status(answer: &Value) -> Vec<String> {
    let has_quorum = answer["has_quorum"] == Value::Bool(true);
    let mut lines = vec![
        format!(
            "cluster {}, term {}, applied {}, tolerates {} lost, {} slots unowned",
            text(&answer["cluster_id"]),
            answer["term"],
            answer["applied_index"],
            answer["fault_tolerance"],
            answer["slots"]["unowned"],
        ),
        format!("quorum {}, view {}", if has_quorum { "yes" } else { "no" }, text(&answer["view"])),
    ];
    // A relay of an earlier version does not tell it.
    if let Some(index) = answer["own_log_end"]["index"].as_u64() {
        let term = &answer["own_log_end"]["term"];
        lines.push(format!("the log of the replica asked ends at term {term}, index {index}"));
    }
    let warnings = answer["warnings"].as_array().into_iter().flatten();
    lines.extend(warnings.map(|warning| format!("warning: {}", text(warning))));
    let heads = ["NAME", "NODE", "ADDRESS", "ROLE", "STATE", "LEADER", "LAG", "SLOTS"];
    let members = answer["members"].as_array().into_iter().flatten().map(member);
    let rows: Vec<_> = std::iter::once(heads.map(str::to_owned)).chain(members).collect();
    lines.extend(columns(&rows));
    lines
}

/// The member's state, and whether it is unhealthy.
fn state(member: &Value) -> String {
    let state = member["state"].as_str().unwrap_or("-");
    if member["unhealthy"] == Value::Bool(true) {
        format!("{state} unhealthy")
    } else {
        state.to_owned()
    }
}

fn member(member: &Value) -> [String; 8] {
    let is_leader = member["is_leader"] == Value::Bool(true);
    let cell = |value: &Value| match value.as_str() {
        Some("") | None => "-".to_owned(),
        Some(text) => text.to_owned(),
    };
    let count = |value: &Value| value.as_u64().map_or("-".to_owned(), |count| count.to_string());
    [
        cell(&member["name"]),
        cell(&member["node_id"]),
        cell(&member["addresses"]["peer"]),
        cell(&member["role"]),
        state(member),
        if is_leader { "yes" } else { "" }.to_owned(),
        count(&member["lag"]),
        count(&member["slots"]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Value {
        json!({
            "cluster_id": "c", "term": 3, "applied_index": 90, "fault_tolerance": 0,
            "has_quorum": true, "view": "leader", "own_log_end": {"term": 3, "index": 92},
            "slots": {"total": 256, "unowned": 0},
            "members": [
                {"node_id": "00ab", "name": "relay-0", "addresses": {"peer": "10.0.0.1:3320"},
                 "role": "voter", "state": "live", "is_leader": true, "lag": 0, "slots": 128,
                 "unhealthy": false},
                {"node_id": "00cd", "name": "relay-1", "addresses": {"peer": "10.0.0.12:3320"},
                 "role": "learner", "state": null, "is_leader": false, "lag": null, "slots": 1},
            ],
        })
    }

    #[test]
    fn the_status_has_a_row_for_each_member_and_says_whose_view_it_is() {
        assert_eq!(
            status(&two()),
            [
                "cluster c, term 3, applied 90, tolerates 0 lost, 0 slots unowned",
                "quorum yes, view leader",
                "the log of the replica asked ends at term 3, index 92",
                "NAME     NODE  ADDRESS         ROLE     STATE  LEADER  LAG  SLOTS",
                "relay-0  00ab  10.0.0.1:3320   voter    live   yes       0    128",
                "relay-1  00cd  10.0.0.12:3320  learner  -                -      1",
            ]
        );
    }

    #[test]
    fn a_warning_of_the_replica_that_is_asked_is_a_line() {
        let mut cluster = two();
        cluster["warnings"] = json!(["whoever reaches server.addr may send events"]);
        let told = "warning: whoever reaches server.addr may send events";
        assert_eq!(status(&cluster)[3], told);
    }

    #[test]
    fn rule_27_a_sick_member_is_shown_as_such() {
        let mut cluster = two();
        cluster["members"][0]["unhealthy"] = json!(true);
        assert!(status(&cluster)[4].contains("voter    live unhealthy  yes"));
    }

    #[test]
    fn a_cluster_of_one_without_quorum_has_neither_name_nor_address() {
        let member = json!({"node_id": "00ab", "name": "", "addresses": {"peer": ""},
            "role": "voter", "state": "live", "is_leader": false, "lag": null, "slots": 256});
        let answer = json!({"has_quorum": false, "view": "local", "members": [member]});
        let lines = status(&answer);
        assert_eq!(lines[1], "quorum no, view local");
        assert_eq!(lines[3], "-     00ab  -        voter  live           -      256");
    }

    #[test]
    fn a_member_is_found_by_its_id_and_by_its_name() {
        assert_eq!(resolve(&two(), "00cd").unwrap(), "00cd");
        assert_eq!(resolve(&two(), "relay-0").unwrap(), "00ab");
    }

    #[test]
    fn a_name_that_is_not_of_exactly_one_member_is_refused() {
        let mut cluster = two();
        let told = |cluster: &Value, name| resolve(cluster, name).unwrap_err().to_string();
        assert_eq!(
            told(&cluster, "relay-9"),
            "no member has the node id or the pod name \"relay-9\""
        );
        cluster["members"][1]["name"] = json!("relay-0");
        let several = "\"relay-0\" names several members, give one id: 00ab, 00cd";
        assert_eq!(told(&cluster, "relay-0"), several);
        cluster["members"][1]["name"] = json!("");
        assert!(told(&cluster, "").starts_with("no member"));
    }

    #[test]
    fn a_node_is_named_by_its_pod_where_it_has_one() {
        assert_eq!(
            named(&json!({"leader": "00ab", "name": "relay-0"}), "leader"),
            "relay-0 (00ab)"
        );
        assert_eq!(named(&json!({"removed": "00ab", "name": ""}), "removed"), "00ab");
    }
}
