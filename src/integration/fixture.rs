//! Events and replies that the tests of the integrations share.

use super::{Effect, Exchange, HttpReply, HttpRequest, Outbound, Reply, Turn};
use crate::clock::Timestamp;
use crate::effect::{EffectId, Receipt, RouteName, Summary, SummaryRow};
use crate::event::{
    Key, Naming, Parent, Rank, Repository, RunContext, RunEvent, RunKind, RunState, Scm,
};
use crate::failure::DeliveryFailure;
use std::collections::BTreeMap;

/// 2026-11-20T10:00:00Z
pub(super) const NOW: Timestamp = Timestamp(1_795_168_800_000);

/// A PipelineRun of a pull request that failed after 65 s.
pub(super) fn event() -> RunEvent {
    RunEvent {
        ce_id: "ce-1".to_owned(),
        ce_source: "/apis/run".to_owned(),
        ce_type: "dev.tekton.event.pipelinerun.failed.v1".to_owned(),
        ce_time: NOW,
        kind: RunKind::PipelineRun,
        namespace: "ci".to_owned(),
        name: "app-x7k2p".to_owned(),
        uid: "5ab1d2f0-0000-4000-8000-000000000001".to_owned(),
        resource_version: 42,
        created_at: NOW.before(std::time::Duration::from_secs(70)),
        rank: Rank::Terminal,
        state: RunState::Failure,
        reason: "Failed".to_owned(),
        message: "Tasks Completed: 2 (Failed: 1)".to_owned(),
        attempt: 0,
        last_transition: NOW,
        started_at: NOW.before(std::time::Duration::from_secs(65)),
        finished_at: NOW,
        parent: Parent::default(),
        naming: Naming::default(),
        task_name: String::new(),
        pipeline_name: "app".to_owned(),
        pipeline_task: String::new(),
        event_listener_name: String::new(),
        trigger_name: String::new(),
        task_display_name: String::new(),
        pipeline_display_name: String::new(),
        is_finally: false,
        scm_event_type: String::new(),
        children: Vec::new(),
        skipped_tasks: Vec::new(),
        scm: scm(),
        jira_issue_key: String::new(),
        group_id: String::new(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        params: Vec::new(),
        results: Vec::new(),
        cut: Vec::new(),
    }
}

fn scm() -> Scm {
    Scm {
        provider: "github".to_owned(),
        commit_sha: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        repository: Repository {
            owner: "Acme".to_owned(),
            name: "app".to_owned(),
            ..Repository::default()
        },
        pr_number: Some(7),
        ..Scm::default()
    }
}

pub(super) fn context() -> RunContext {
    RunContext {
        check_name: "tekton/app".to_owned(),
        previous_state: None,
        target_url: "https://dash.example/#/namespaces/ci/pipelineruns/app-x7k2p".to_owned(),
        ..RunContext::default()
    }
}

pub(super) fn route() -> RouteName {
    RouteName { kind: "kind".to_owned(), instance: "main".to_owned(), action: "notify".to_owned() }
}

/// The first attempt of an effect that nothing was sent for.
pub(super) fn effect<'a>(
    route: &'a RouteName,
    event: &'a RunEvent,
    context: &'a RunContext,
) -> Effect<'a> {
    Effect {
        id: EffectId(Key(0xabc)),
        route,
        event,
        context,
        remote_id: None,
        summary: None,
        is_in_doubt: false,
        is_repair: false,
        now: NOW,
    }
}

/// Two tasks of [`event`], one of them never heard of.
pub(super) fn summary() -> Summary {
    let row = |name: &str, state| SummaryRow {
        name: name.to_owned(),
        run_name: format!("app-x7k2p-{name}"),
        is_finally: false,
        state,
        is_ignored: false,
        is_skipped: false,
        reason: String::new(),
        started_at: Timestamp::UNKNOWN,
        finished_at: Timestamp::UNKNOWN,
    };
    let build = SummaryRow {
        reason: "Failed".to_owned(),
        started_at: NOW.before(std::time::Duration::from_secs(61)),
        finished_at: NOW,
        ..row("build", Some(RunState::Failure))
    };
    Summary {
        title: "app".to_owned(),
        run_name: "app-x7k2p".to_owned(),
        state: RunState::Failure,
        rows: vec![build, row("deploy", None)],
        is_incomplete: true,
    }
}

/// An answer without headers.
pub(super) fn answer(status: u16, body: &str) -> Reply {
    answer_with(status, &[], body)
}

/// An answer with headers.
pub(super) fn answer_with(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let headers =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let body = body.to_owned();
    Reply::Http(HttpReply { status, headers, body, now: NOW, ..HttpReply::default() })
}

/// The request of a turn and what follows it.
pub(super) fn sent(turn: Turn) -> (HttpRequest, Box<dyn Exchange>) {
    match turn {
        Turn::Send(Outbound::Http(request), exchange) => (request, exchange),
        other @ (Turn::Send(..) | Turn::Done(_) | Turn::Fail(_)) => {
            panic!("expected a request, got {other:?}")
        }
    }
}

/// The receipt of a turn that ends well.
pub(super) fn done(turn: Turn) -> Receipt {
    match turn {
        Turn::Done(receipt) => receipt,
        other @ (Turn::Send(..) | Turn::Fail(_)) => panic!("expected a receipt, got {other:?}"),
    }
}

/// The failure of a turn that ends badly.
pub(super) fn failed(turn: Turn) -> DeliveryFailure {
    match turn {
        Turn::Fail(failure) => failure,
        other @ (Turn::Send(..) | Turn::Done(_)) => panic!("expected a failure, got {other:?}"),
    }
}

/// The parsed body of a request.
pub(super) fn body(request: &HttpRequest) -> serde_json::Value {
    serde_json::from_str(&request.body).expect("requests carry JSON")
}
