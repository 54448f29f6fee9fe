//! What the demo reads from the answers of a replica: the members of the cluster, and the remaining
//! work. It reads text that others fetched.

use serde_json::Value;

/// A member in `GET /api/v1/cluster`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    pub name: String,
    pub role: String,
    /// Empty if unknown.
    pub state: String,
    pub slots: u64,
}

/// The cluster in the answer of one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Name of the leader that a quorum follows; `None` if there is none.
    pub leader: Option<String>,
    /// By name.
    pub members: Vec<MemberRow>,
    /// Slots without a worker.
    pub unowned: u64,
}

impl View {
    /// Reads an answer; `None` for other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let answer: Value = serde_json::from_str(text).ok()?;
        let listed = answer["members"].as_array()?;
        let mut members = listed.iter().map(member).collect::<Option<Vec<MemberRow>>>()?;
        members.sort_by(|one, other| one.name.cmp(&other.name));
        // Only the leader's own view proves that it leads. A replica that was cut off, or whose
        // leader has just died, still names the old leader.
        let is_proven = answer["view"] == "leader" && answer["has_quorum"] == true;
        let leader = listed.iter().find(|member| member["is_leader"] == true);
        let leader = leader.filter(|_| is_proven).and_then(|leader| leader["name"].as_str());
        let unowned = answer.pointer("/slots/unowned")?.as_u64()?;
        Some(Self { leader: leader.map(str::to_owned), members, unowned })
    }

    /// Whether a leader leads `count` live members, and every slot has an owner.
    #[must_use]
    pub fn is_whole(&self, count: usize) -> bool {
        self.leader.is_some()
            && self.members.len() == count
            && self.members.iter().all(|member| member.state == "live")
            && self.unowned == 0
    }

    /// A line for each member, for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let line = |member: &MemberRow| {
            let MemberRow { name, role, state, slots } = member;
            let is_leader = self.leader.as_ref() == Some(name);
            let leads = if is_leader { ", leads" } else { "" };
            format!("  {name:<9} {role:<8} {state:<8} {slots:>3} slots{leads}")
        };
        self.members.iter().map(line).collect()
    }
}

fn member(answer: &Value) -> Option<MemberRow> {
    Some(MemberRow {
        name: answer["name"].as_str()?.to_owned(),
        role: answer["role"].as_str()?.to_owned(),
        state: answer["state"].as_str().unwrap_or_default().to_owned(),
        slots: answer["slots"].as_u64()?,
    })
}

/// Whether a replica takes events, from `GET /readyz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// Takes them into the log; a spool does not count.
    pub is_ready: bool,
    /// Events that only the disk of this replica has.
    pub spooled: u64,
}

impl Readiness {
    /// Reads an answer; `None` for other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let answer: Value = serde_json::from_str(text).ok()?;
        let is_ready = answer["status"].as_str()? == "ok";
        Some(Self { is_ready, spooled: answer["spooled"].as_u64().unwrap_or_default() })
    }
}

/// The remaining work that one replica knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Effects that are not settled, events without a plan, and those in its spool.
    pub left: u64,
    /// Calls that ended without a record since the cluster was formed.
    pub in_doubt: u64,
}

impl Work {
    /// Reads the metrics in text exposition format, which do not include the spool; `None` if a
    /// gauge is missing.
    #[must_use]
    pub fn parse(metrics: &str) -> Option<Self> {
        let left = gauge(metrics, "effects_unsettled")? + gauge(metrics, "events_unplanned")?;
        Some(Self { left, in_doubt: gauge(metrics, "effects_in_doubt_total")? })
    }
}

fn gauge(metrics: &str, name: &str) -> Option<u64> {
    let name = format!("tekton_events_relay_{name} ");
    metrics.lines().find_map(|line| line.strip_prefix(name.as_str()))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(view: &str, has_quorum: bool) -> Value {
        let member = |name: &str, is_leader: bool, slots: u64| {
            json!({"name": name, "role": "voter", "state": "live", "is_leader": is_leader,
                   "slots": slots})
        };
        json!({
            "view": view,
            "has_quorum": has_quorum,
            "members": [member("relay-1", true, 128), member("relay-0", false, 128)],
            "slots": {"total": 256, "unowned": 0},
        })
    }

    fn view(answer: &Value) -> View {
        View::parse(&answer.to_string()).unwrap()
    }

    #[test]
    fn members_are_told_by_name_with_who_leads() {
        let view = view(&answer("leader", true));
        assert_eq!(view.leader.as_deref(), Some("relay-1"));
        assert_eq!(
            view.lines(),
            [
                "  relay-0   voter    live     128 slots",
                "  relay-1   voter    live     128 slots, leads",
            ]
        );
    }

    #[test]
    fn a_leader_is_believed_in_its_own_view_and_with_a_quorum_alone() {
        assert_eq!(view(&answer("local", true)).leader, None);
        assert_eq!(view(&answer("leader", false)).leader, None);
    }

    #[test]
    fn a_cluster_is_whole_with_all_members_live_and_all_slots_owned() {
        let whole = answer("leader", true);
        assert!(view(&whole).is_whole(2));
        assert!(!view(&whole).is_whole(3));
        let (mut dead, mut unowned) = (whole.clone(), whole);
        dead["members"][0]["state"] = json!("dead");
        unowned["slots"]["unowned"] = json!(1);
        assert!(!view(&dead).is_whole(2));
        assert!(!view(&unowned).is_whole(2));
    }

    #[test]
    fn a_member_whose_state_nobody_knows_is_not_live() {
        let mut unknown = answer("local", true);
        unknown["members"][0]["state"] = Value::Null;
        assert_eq!(view(&unknown).members[1].state, "");
        assert!(!view(&unknown).is_whole(2));
    }

    #[test]
    fn another_answer_is_no_view() {
        for text in ["", "{}", "{\"members\":[{}],\"slots\":{\"unowned\":0}}", "{\"members\":[]}"] {
            assert_eq!(View::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_replica_that_takes_events_to_its_spool_alone_is_not_ready() {
        let ready = Readiness { is_ready: true, spooled: 0 };
        assert_eq!(Readiness::parse(r#"{"status":"ok","spooled":0}"#), Some(ready));
        let degraded = Readiness { is_ready: false, spooled: 3 };
        assert_eq!(Readiness::parse(r#"{"status":"degraded","spooled":3}"#), Some(degraded));
        assert_eq!(Readiness::parse("upstream error"), None);
    }

    #[test]
    fn work_is_read_from_the_gauges_of_the_state() {
        let metrics = "# TYPE tekton_events_relay_effects_delivered_total gauge\n\
                       tekton_events_relay_effects_delivered_total 9\n\
                       tekton_events_relay_effects_in_doubt_total 3\n\
                       tekton_events_relay_effects_unsettled 2\n\
                       tekton_events_relay_events_unplanned 1\n";
        assert_eq!(Work::parse(metrics), Some(Work { left: 3, in_doubt: 3 }));
        assert_eq!(Work::parse(&metrics.replace("events_unplanned", "other")), None);
        assert_eq!(Work::parse(""), None);
    }
}
