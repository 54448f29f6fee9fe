//! Runs that say the same hostile text wherever they can say anything, for the tests of what kinds
//! of integrations make of it.

use super::Effect;
use super::fixture::{effect, route, summary};
use crate::effect::{RouteName, Summary, SummaryRow};
use crate::event::check::RootKind;
use crate::event::{
    CheckWriter, ChildRef, NamedValue, Naming, Parent, Repository, RunContext, RunEvent, Scm,
    SkippedTask,
};
use crate::template::every_field;
use std::sync::{Arc, LazyLock};

/// The label, annotation, parameter and result that [`EVERY_FIELD`] reads.
const KEY: &str = "hostile";

/// An event template that prints every field.
pub(super) static EVERY_FIELD: LazyLock<String> = LazyLock::new(|| every_field(KEY));

/// An effect of such a run.
pub(super) struct Hostile {
    route: RouteName,
    event: RunEvent,
    context: RunContext,
    summary: Summary,
}

impl Hostile {
    /// The event with `text` in every field that is one.
    pub(super) fn new(mut event: RunEvent, text: &str) -> Self {
        spoil_event(&mut event, text);
        let mut summary = summary();
        spoil_summary(&mut summary, text);
        Self { route: route(), event, context: hostile_context(text), summary }
    }

    pub(super) fn effect(&self) -> Effect<'_> {
        Effect { summary: Some(&self.summary), ..effect(&self.route, &self.event, &self.context) }
    }
}

fn fill<const N: usize>(texts: [&mut String; N], text: &str) {
    texts.into_iter().for_each(|field| text.clone_into(field));
}

/// Names every field, so that a new one is not forgotten.
fn spoil_event(event: &mut RunEvent, text: &str) {
    let RunEvent {
        ce_id,
        ce_source,
        ce_type,
        namespace,
        name,
        uid,
        reason,
        message,
        parent: Parent { uid: parent_uid, name: parent_name },
        naming,
        task_name,
        pipeline_name,
        pipeline_task,
        event_listener_name,
        trigger_name,
        task_display_name,
        pipeline_display_name,
        scm_event_type,
        children,
        skipped_tasks,
        scm,
        jira_issue_key,
        group_id,
        labels,
        annotations,
        params,
        results,
        cut,
        kind: _,
        ce_time: _,
        resource_version: _,
        created_at: _,
        rank: _,
        state: _,
        attempt: _,
        last_transition: _,
        started_at: _,
        finished_at: _,
        is_finally: _,
    } = event;
    fill([ce_id, ce_source, ce_type, namespace, name, uid, reason, message], text);
    fill([parent_uid, parent_name, task_name, pipeline_name, pipeline_task], text);
    fill([event_listener_name, trigger_name, task_display_name, pipeline_display_name], text);
    fill([scm_event_type, jira_issue_key, group_id], text);
    spoil_naming(naming, text);
    spoil_scm(scm, text);
    for ChildRef { name, pipeline_task, display_name } in children {
        fill([name, pipeline_task, display_name], text);
    }
    for SkippedTask { name, reason } in skipped_tasks {
        fill([name, reason], text);
    }
    for map in [labels, annotations] {
        map.values_mut().for_each(|value| text.clone_into(value));
        map.insert(KEY.to_owned(), text.to_owned());
    }
    results.push(NamedValue::default());
    for NamedValue { name, value } in params.iter_mut().chain(results) {
        fill([name, value], text);
    }
    params.push(NamedValue { name: KEY.to_owned(), value: text.to_owned() });
    cut.push(text.to_owned());
}

fn spoil_naming(naming: &mut Naming, text: &str) {
    let Naming {
        reference: _,
        is_resolved: _,
        generate_name,
        original_name,
        custom_kind,
        iteration,
        owner,
    } = naming;
    fill([generate_name, original_name, custom_kind, iteration, owner], text);
}

fn spoil_scm(scm: &mut Scm, text: &str) {
    let Scm {
        provider,
        api_base_url,
        commit_sha,
        context,
        ref_name,
        repository: Repository { owner, name, id, workspace, project, org },
        issue_number: _,
        pr_number: _,
        discussion_number: _,
    } = scm;
    fill([provider, api_base_url, commit_sha, context, ref_name], text);
    fill([owner, name, id, workspace, project, org], text);
}

fn hostile_context(text: &str) -> RunContext {
    let text = text.to_owned();
    let writer = CheckWriter {
        kind: RootKind::PipelineRun,
        root: text.clone(),
        tasks: vec![text.clone()],
        combination: text.clone(),
    };
    RunContext {
        check_name: text.clone(),
        writer: Some(Arc::new(writer)),
        not_settled: None,
        failed_tasks: text.clone(),
        is_summed_up: false,
        previous_state: None,
        target_url: text,
    }
}

fn spoil_summary(summary: &mut Summary, text: &str) {
    let Summary { title, run_name, state: _, rows, is_incomplete: _ } = summary;
    fill([title, run_name], text);
    for row in rows {
        let SummaryRow {
            name,
            run_name,
            reason,
            is_finally: _,
            state: _,
            is_ignored: _,
            is_skipped: _,
            started_at: _,
            finished_at: _,
        } = row;
        fill([name, run_name, reason], text);
    }
}
