//! `cluster`: who is in it, and orders to it.

use super::flags::{ClusterCommand, ClusterFlags, Output, Remote};
use super::remote::{Client, read, runtime, show, text};
use super::table::columns;
use super::{backup, complain};
use crate::api::answers::{
    ClusterAnswer, LeaderAnswer, LevelAnswer, LogEndAnswer, MemberAnswer, RemovedAnswer,
};
use anyhow::bail;
use reqwest::Method;
use serde_json::json;
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
                show(remote.output, answer, status)?;
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
            (Ok(answer), Output::Text) => match read(answer) {
                Ok(cluster) => status(&cluster),
                Err(error) => vec![format!("{error:#}")],
            },
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
    let node = resolve(&read(client.get(CLUSTER).await?)?, member)?;
    let path = format!("{CLUSTER}/members/{node}");
    let answer = client.call(Method::DELETE, &path, None).await?;
    let line = |RemovedAnswer { name, removed }: &RemovedAnswer| {
        vec![format!("removed {}", named(name, removed))]
    };
    show(remote.output, answer, line)
}

async fn transfer(remote: &Remote, to: Option<&str>) -> anyhow::Result<()> {
    let client = Client::new(&remote.endpoint).await?;
    let body = match to {
        Some(member) => Some(json!({"to": resolve(&read(client.get(CLUSTER).await?)?, member)?})),
        None => None,
    };
    let path = format!("{CLUSTER}/transfer");
    let answer = client.call(Method::POST, &path, body).await?;
    let line = |LeaderAnswer { leader, name }: &LeaderAnswer| {
        vec![format!("{} leads", named(name, leader))]
    };
    show(remote.output, answer, line)
}

async fn finalize(remote: &Remote) -> anyhow::Result<()> {
    let client = Client::new(&remote.endpoint).await?;
    let answer = client.call(Method::POST, &format!("{CLUSTER}/finalize"), None).await?;
    let line = |answer: &LevelAnswer| vec![format!("feature level {}", answer.feature_level)];
    show(remote.output, answer, line)
}

/// The node id of a member that is named by it or by its pod.
fn resolve(cluster: &ClusterAnswer, member: &str) -> anyhow::Result<String> {
    if cluster.members.iter().any(|known| known.node_id == member) {
        return Ok(member.to_owned());
    }
    let of_name = cluster.members.iter().filter(|known| known.name == member && !member.is_empty());
    let ids: Vec<&str> = of_name.map(|known| known.node_id.as_str()).collect();
    match ids.as_slice() {
        [id] => Ok((*id).to_owned()),
        [] => bail!("no member has the node id or the pod name {member:?}"),
        several => bail!("{member:?} names several members, give one id: {}", several.join(", ")),
    }
}

/// `NAME (ID)`, or the id of a node without a name.
fn named(name: &str, id: &str) -> String {
    if name.is_empty() { id.to_owned() } else { format!("{name} ({id})") }
}

/// The cluster as people read it.
fn status(cluster: &ClusterAnswer) -> Vec<String> {
    let mut lines = vec![
        format!(
            "cluster {}, term {}, applied {}, tolerates {} lost, {} slots unowned",
            text(cluster.cluster_id.as_deref()),
            cluster.term,
            cluster.applied_index,
            cluster.fault_tolerance,
            cluster.slots.unowned,
        ),
        format!(
            "quorum {}, view {}",
            if cluster.has_quorum { "yes" } else { "no" },
            text(Some(&cluster.view)),
        ),
    ];
    // A relay of an earlier version does not tell it.
    if let Some(LogEndAnswer { index, term }) = cluster.own_log_end {
        lines.push(format!("the log of the replica asked ends at term {term}, index {index}"));
    }
    lines.extend(cluster.warnings.iter().map(|warning| format!("warning: {warning}")));
    let heads = ["NAME", "NODE", "ADDRESS", "ROLE", "STATE", "LEADER", "LAG", "SLOTS"];
    let members = cluster.members.iter().map(member);
    let rows: Vec<_> = std::iter::once(heads.map(str::to_owned)).chain(members).collect();
    lines.extend(columns(&rows));
    lines
}

/// The member's state, and whether it is unhealthy.
fn state(member: &MemberAnswer) -> String {
    let state = text(member.state.as_deref());
    if member.unhealthy == Some(true) { format!("{state} unhealthy") } else { state.to_owned() }
}

fn member(member: &MemberAnswer) -> [String; 8] {
    let cell = |value: &str| text(Some(value)).to_owned();
    [
        cell(&member.name),
        cell(&member.node_id),
        cell(&member.addresses.peer),
        cell(&member.role),
        state(member),
        if member.is_leader { "yes" } else { "" }.to_owned(),
        member.lag.map_or("-".to_owned(), |lag| lag.to_string()),
        member.slots.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn cluster_of(answer: Value) -> ClusterAnswer {
        serde_json::from_value(answer).unwrap()
    }

    fn two() -> ClusterAnswer {
        cluster_of(json!({
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
        }))
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
        cluster.warnings = vec!["whoever reaches server.addr may send events".to_owned()];
        let told = "warning: whoever reaches server.addr may send events";
        assert_eq!(status(&cluster)[3], told);
    }

    #[test]
    fn rule_27_a_sick_member_is_shown_as_such() {
        let mut cluster = two();
        cluster.members[0].unhealthy = Some(true);
        assert!(status(&cluster)[4].contains("voter    live unhealthy  yes"));
    }

    #[test]
    fn a_cluster_of_one_without_quorum_has_neither_name_nor_address() {
        let member = json!({"node_id": "00ab", "name": "", "addresses": {"peer": ""},
            "role": "voter", "state": "live", "is_leader": false, "lag": null, "slots": 256});
        let answer = json!({"has_quorum": false, "view": "local", "members": [member]});
        let lines = status(&cluster_of(answer));
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
        let told = |cluster: &ClusterAnswer, name| resolve(cluster, name).unwrap_err().to_string();
        assert_eq!(
            told(&cluster, "relay-9"),
            "no member has the node id or the pod name \"relay-9\""
        );
        cluster.members[1].name = "relay-0".to_owned();
        let several = "\"relay-0\" names several members, give one id: 00ab, 00cd";
        assert_eq!(told(&cluster, "relay-0"), several);
        cluster.members[1].name = String::new();
        assert!(told(&cluster, "").starts_with("no member"));
    }

    #[test]
    fn a_node_is_named_by_its_pod_where_it_has_one() {
        assert_eq!(named("relay-0", "00ab"), "relay-0 (00ab)");
        assert_eq!(named("", "00ab"), "00ab");
    }
}
