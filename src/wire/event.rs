//! Events and the known facts of their runs, to and from the wire.

use super::enums::{
    from_not_settled, from_rank, from_root_kind, from_run_kind, from_run_state, to_not_settled,
    to_rank, to_root_kind, to_run_kind, to_run_state,
};
use super::proto::naming::Reference as WireReference;
use super::scalar::{from_pairs, from_values, required, to_pairs, to_values};
use super::{WireError, proto};
use crate::clock::Timestamp;
use crate::event::{
    CheckWriter, ChildRef, Naming, Parent, Position, Reference, Repository, RunAge, RunContext,
    RunEvent, Scm, SkippedTask,
};
use std::sync::Arc;

pub(super) fn to_event(event: &RunEvent) -> proto::RunEvent {
    proto::RunEvent {
        ce_id: event.ce_id.clone(),
        ce_source: event.ce_source.clone(),
        ce_type: event.ce_type.clone(),
        ce_time_ms: event.ce_time.0,
        kind: to_run_kind(event.kind),
        namespace: event.namespace.clone(),
        name: event.name.clone(),
        uid: event.uid.clone(),
        resource_version: event.resource_version,
        created_at_ms: event.created_at.0,
        rank: to_rank(event.rank),
        state: to_run_state(event.state),
        reason: event.reason.clone(),
        message: event.message.clone(),
        attempt: event.attempt,
        last_transition_ms: event.last_transition.0,
        started_at_ms: event.started_at.0,
        finished_at_ms: event.finished_at.0,
        parent: Some(to_parent(&event.parent)),
        task_name: event.task_name.clone(),
        pipeline_name: event.pipeline_name.clone(),
        pipeline_task: event.pipeline_task.clone(),
        event_listener_name: event.event_listener_name.clone(),
        trigger_name: event.trigger_name.clone(),
        task_display_name: event.task_display_name.clone(),
        pipeline_display_name: event.pipeline_display_name.clone(),
        is_finally: event.is_finally,
        scm_event_type: event.scm_event_type.clone(),
        children: event.children.iter().map(to_child).collect(),
        scm: Some(to_scm(&event.scm)),
        jira_issue_key: event.jira_issue_key.clone(),
        group_id: event.group_id.clone(),
        labels: to_pairs(&event.labels),
        annotations: to_pairs(&event.annotations),
        params: to_values(&event.params),
        results: to_values(&event.results),
        cut: event.cut.clone(),
        naming: (event.naming != Naming::default()).then(|| to_naming(&event.naming)),
        skipped_tasks: event.skipped_tasks.iter().map(to_skipped_task).collect(),
    }
}

pub(super) fn from_event(event: proto::RunEvent) -> Result<RunEvent, WireError> {
    Ok(RunEvent {
        ce_id: event.ce_id,
        ce_source: event.ce_source,
        ce_type: event.ce_type,
        ce_time: Timestamp(event.ce_time_ms),
        kind: from_run_kind(event.kind, "RunEvent.kind")?,
        namespace: event.namespace,
        name: event.name,
        uid: event.uid,
        resource_version: event.resource_version,
        created_at: Timestamp(event.created_at_ms),
        rank: from_rank(event.rank, "RunEvent.rank")?,
        state: from_run_state(event.state, "RunEvent.state")?,
        reason: event.reason,
        message: event.message,
        attempt: event.attempt,
        last_transition: Timestamp(event.last_transition_ms),
        started_at: Timestamp(event.started_at_ms),
        finished_at: Timestamp(event.finished_at_ms),
        parent: from_parent(required(event.parent, "RunEvent.parent")?),
        task_name: event.task_name,
        pipeline_name: event.pipeline_name,
        pipeline_task: event.pipeline_task,
        event_listener_name: event.event_listener_name,
        trigger_name: event.trigger_name,
        task_display_name: event.task_display_name,
        pipeline_display_name: event.pipeline_display_name,
        is_finally: event.is_finally,
        scm_event_type: event.scm_event_type,
        children: event.children.into_iter().map(from_child).collect(),
        scm: from_scm(required(event.scm, "RunEvent.scm")?)?,
        jira_issue_key: event.jira_issue_key,
        group_id: event.group_id,
        labels: from_pairs(event.labels, "RunEvent.labels")?,
        annotations: from_pairs(event.annotations, "RunEvent.annotations")?,
        params: from_values(event.params),
        results: from_values(event.results),
        cut: event.cut,
        naming: event.naming.map(from_naming).unwrap_or_default(),
        skipped_tasks: event.skipped_tasks.into_iter().map(from_skipped_task).collect(),
    })
}

fn to_parent(parent: &Parent) -> proto::Parent {
    proto::Parent { uid: parent.uid.clone(), name: parent.name.clone() }
}

fn from_parent(parent: proto::Parent) -> Parent {
    Parent { uid: parent.uid, name: parent.name }
}

fn to_child(child: &ChildRef) -> proto::ChildRef {
    proto::ChildRef {
        name: child.name.clone(),
        pipeline_task: child.pipeline_task.clone(),
        display_name: child.display_name.clone(),
    }
}

fn from_child(child: proto::ChildRef) -> ChildRef {
    ChildRef {
        name: child.name,
        pipeline_task: child.pipeline_task,
        display_name: child.display_name,
    }
}

fn to_skipped_task(task: &SkippedTask) -> proto::SkippedTask {
    proto::SkippedTask { name: task.name.clone(), reason: task.reason.clone() }
}

fn from_skipped_task(task: proto::SkippedTask) -> SkippedTask {
    SkippedTask { name: task.name, reason: task.reason }
}

fn to_naming(naming: &Naming) -> proto::Naming {
    let reference = match &naming.reference {
        Reference::Unknown => None,
        Reference::Name(name) => Some(WireReference::Name(name.clone())),
        Reference::Resolver => Some(WireReference::Resolver(proto::Resolver {})),
        Reference::Inline => Some(WireReference::Inline(proto::Inline {})),
    };
    proto::Naming {
        reference,
        is_resolved: naming.is_resolved,
        generate_name: naming.generate_name.clone(),
        original_name: naming.original_name.clone(),
        custom_kind: naming.custom_kind.clone(),
        iteration: naming.iteration.clone(),
        owner: naming.owner.clone(),
    }
}

fn from_naming(naming: proto::Naming) -> Naming {
    let reference = match naming.reference {
        None => Reference::Unknown,
        Some(WireReference::Name(name)) => Reference::Name(name),
        Some(WireReference::Resolver(_)) => Reference::Resolver,
        Some(WireReference::Inline(_)) => Reference::Inline,
    };
    Naming {
        reference,
        is_resolved: naming.is_resolved,
        generate_name: naming.generate_name,
        original_name: naming.original_name,
        custom_kind: naming.custom_kind,
        iteration: naming.iteration,
        owner: naming.owner,
    }
}

pub(super) fn to_writer(writer: &CheckWriter) -> proto::CheckWriter {
    proto::CheckWriter {
        kind: to_root_kind(writer.kind),
        root: writer.root.clone(),
        tasks: writer.tasks.clone(),
        combination: writer.combination.clone(),
    }
}

pub(super) fn from_writer(writer: proto::CheckWriter) -> Result<CheckWriter, WireError> {
    Ok(CheckWriter {
        kind: from_root_kind(writer.kind, "CheckWriter.kind")?,
        root: writer.root,
        tasks: writer.tasks,
        combination: writer.combination,
    })
}

fn to_scm(scm: &Scm) -> proto::Scm {
    proto::Scm {
        provider: scm.provider.clone(),
        api_base_url: scm.api_base_url.clone(),
        commit_sha: scm.commit_sha.clone(),
        context: scm.context.clone(),
        ref_name: scm.ref_name.clone(),
        repository: Some(to_repository(&scm.repository)),
        issue_number: scm.issue_number,
        pr_number: scm.pr_number,
        discussion_number: scm.discussion_number,
    }
}

fn from_scm(scm: proto::Scm) -> Result<Scm, WireError> {
    Ok(Scm {
        provider: scm.provider,
        api_base_url: scm.api_base_url,
        commit_sha: scm.commit_sha,
        context: scm.context,
        ref_name: scm.ref_name,
        repository: from_repository(required(scm.repository, "Scm.repository")?),
        issue_number: scm.issue_number,
        pr_number: scm.pr_number,
        discussion_number: scm.discussion_number,
    })
}

fn to_repository(repository: &Repository) -> proto::Repository {
    proto::Repository {
        owner: repository.owner.clone(),
        name: repository.name.clone(),
        id: repository.id.clone(),
        workspace: repository.workspace.clone(),
        project: repository.project.clone(),
        org: repository.org.clone(),
    }
}

fn from_repository(repository: proto::Repository) -> Repository {
    Repository {
        owner: repository.owner,
        name: repository.name,
        id: repository.id,
        workspace: repository.workspace,
        project: repository.project,
        org: repository.org,
    }
}

pub(super) fn to_context(context: &RunContext) -> proto::RunContext {
    proto::RunContext {
        check_name: context.check_name.clone(),
        previous_state: context.previous_state.map(to_run_state),
        target_url: context.target_url.clone(),
        writer: context.writer.as_deref().map(to_writer),
        not_settled: context.not_settled.map(to_not_settled),
        failed_tasks: context.failed_tasks.clone(),
        is_summed_up: context.is_summed_up,
    }
}

pub(super) fn from_context(context: proto::RunContext) -> Result<RunContext, WireError> {
    let previous_state = context
        .previous_state
        .map(|state| from_run_state(state, "RunContext.previous_state"))
        .transpose()?;
    let not_settled = context
        .not_settled
        .map(|reason| from_not_settled(reason, "RunContext.not_settled"))
        .transpose()?;
    Ok(RunContext {
        check_name: context.check_name,
        writer: context.writer.map(from_writer).transpose()?.map(Arc::new),
        not_settled,
        failed_tasks: context.failed_tasks,
        is_summed_up: context.is_summed_up,
        previous_state,
        target_url: context.target_url,
    })
}

pub(super) fn to_position(position: &Position) -> proto::Position {
    proto::Position {
        attempt: position.attempt,
        rank: to_rank(position.rank),
        last_transition_ms: position.last_transition.0,
        ce_time_ms: position.ce_time.0,
    }
}

pub(super) fn from_position(position: proto::Position) -> Result<Position, WireError> {
    Ok(Position {
        attempt: position.attempt,
        rank: from_rank(position.rank, "Position.rank")?,
        last_transition: Timestamp(position.last_transition_ms),
        ce_time: Timestamp(position.ce_time_ms),
    })
}

pub(super) fn to_age(age: &RunAge) -> proto::RunAge {
    proto::RunAge { created_at_ms: age.created_at.0, uid: age.uid.clone() }
}

pub(super) fn from_age(age: proto::RunAge) -> RunAge {
    RunAge { created_at: Timestamp(age.created_at_ms), uid: age.uid }
}
