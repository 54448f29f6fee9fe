use super::super::{recorded_run, recorded_runs};
use super::*;
use std::collections::BTreeMap;

fn event(event_type: &str, data: &str) -> CloudEvent {
    CloudEvent {
        id: "1".to_owned(),
        source: "/apis///namespaces/ns//n".to_owned(),
        event_type: event_type.to_owned(),
        subject: None,
        time: Some(Timestamp(7)),
        data: data.as_bytes().to_vec(),
    }
}

fn decoded(event_type: &str, data: &str) -> Result<Decoded, DecodeError> {
    decode(&event(event_type, data), Timestamp(9), &Keep::all())
}

fn run(event_type: &str, data: &str) -> RunEvent {
    match decoded(event_type, data).unwrap() {
        Decoded::Run(run) => *run,
        Decoded::Ignored { event_type } => panic!("{event_type} was ignored"),
    }
}

const TASK_RUN: &str = "dev.tekton.event.taskrun.failed.v1";

type Recorded = (RunKind, &'static str, RunState, Rank, &'static str, u32);

/// Kind, name, state, rank, reason and attempt of the recorded events, in their order.
#[rustfmt::skip]
const RECORDED: [Recorded; 38] = [
    (RunKind::PipelineRun, "ok", RunState::Pending, Rank::Queued, "", 0),
    (RunKind::PipelineRun, "bad", RunState::Pending, Rank::Queued, "", 0),
    (RunKind::TaskRun, "ok-build", RunState::Pending, Rank::Queued, "", 0),
    (RunKind::PipelineRun, "cancelme", RunState::Pending, Rank::Queued, "", 0),
    (RunKind::TaskRun, "bad-willfail", RunState::Pending, Rank::Queued, "", 0),
    (RunKind::PipelineRun, "timeme", RunState::Pending, Rank::Queued, "", 0),
    (RunKind::CustomRun, "cr1", RunState::Pending, Rank::Started, "", 0),
    (RunKind::PipelineRun, "ok", RunState::Running, Rank::Running, "Running", 0),
    (RunKind::TaskRun, "solo", RunState::Pending, Rank::Queued, "", 0),
    (RunKind::TaskRun, "cancelme-build", RunState::Pending, Rank::Queued, "", 0),
    (RunKind::PipelineRun, "bad", RunState::Running, Rank::Running, "Running", 0),
    (RunKind::TaskRun, "timeme-build", RunState::Pending, Rank::Queued, "", 0),
    (RunKind::TaskRun, "bad-willfail", RunState::Pending, Rank::Running, "Pending", 0),
    (RunKind::TaskRun, "ok-build", RunState::Pending, Rank::Running, "Pending", 0),
    (RunKind::PipelineRun, "cancelme", RunState::Running, Rank::Running, "Running", 0),
    (RunKind::PipelineRun, "timeme", RunState::Running, Rank::Running, "Running", 0),
    (RunKind::TaskRun, "solo", RunState::Pending, Rank::Running, "Pending", 0),
    (RunKind::TaskRun, "cancelme-build", RunState::Pending, Rank::Running, "Pending", 0),
    (RunKind::TaskRun, "bad-willfail", RunState::Running, Rank::Running, "Running", 0),
    (RunKind::TaskRun, "ok-build", RunState::Running, Rank::Running, "Running", 0),
    (RunKind::TaskRun, "timeme-build", RunState::Pending, Rank::Running, "Pending", 0),
    (RunKind::TaskRun, "solo", RunState::Running, Rank::Running, "Running", 0),
    (RunKind::TaskRun, "bad-willfail", RunState::Running, Rank::Running, "ToBeRetried", 1),
    (RunKind::TaskRun, "cancelme-build", RunState::Running, Rank::Running, "Running", 0),
    (RunKind::TaskRun, "ok-build", RunState::Success, Rank::Terminal, "Succeeded", 0),
    (RunKind::TaskRun, "ok-cleanup", RunState::Pending, Rank::Queued, "", 0),
    (RunKind::TaskRun, "ok-cleanup", RunState::Pending, Rank::Running, "Pending", 0),
    (RunKind::TaskRun, "solo", RunState::Success, Rank::Terminal, "Succeeded", 0),
    (RunKind::TaskRun, "timeme-build", RunState::Running, Rank::Running, "Running", 0),
    (RunKind::TaskRun, "ok-cleanup", RunState::Running, Rank::Running, "Running", 0),
    (RunKind::PipelineRun, "cancelme", RunState::Canceled, Rank::Terminal, "Cancelled", 0),
    (RunKind::TaskRun, "cancelme-build", RunState::Canceled, Rank::Terminal, "TaskRunCancelled", 0),
    (RunKind::PipelineRun, "timeme", RunState::Failure, Rank::Terminal, "PipelineRunTimeout", 0),
    (RunKind::TaskRun, "timeme-build", RunState::Canceled, Rank::Terminal, "TaskRunCancelled", 0),
    (RunKind::TaskRun, "bad-willfail", RunState::Failure, Rank::Terminal, "StepFailed", 1),
    (RunKind::PipelineRun, "bad", RunState::Failure, Rank::Terminal, "Failed", 0),
    (RunKind::TaskRun, "ok-cleanup", RunState::Success, Rank::Terminal, "Succeeded", 0),
    (RunKind::PipelineRun, "ok", RunState::Success, Rank::Terminal, "Succeeded", 0),
];

#[test]
fn all_recorded_events_decode_as_the_controller_meant_them() {
    let runs = recorded_runs();
    let read: Vec<Recorded> = RECORDED
        .iter()
        .zip(&runs)
        .map(|(expected, run)| {
            let name = if run.name == expected.1 { expected.1 } else { "another" };
            let reason = if run.reason == expected.4 { expected.4 } else { "another" };
            (run.kind, name, run.state, run.rank, reason, run.attempt)
        })
        .collect();
    assert_eq!((runs.len(), read), (RECORDED.len(), RECORDED.to_vec()));
    for run in &runs {
        assert!(run.uid.len() == 36 && run.created_at.is_known(), "{run:?}");
        assert!(run.resource_version > 0 && run.namespace == "default", "{run:?}");
    }
}

#[test]
fn a_task_and_its_cancelled_or_timed_out_pipeline_run_meet_on_one_slot() {
    for (pipeline, task) in [(31, 32), (33, 34)] {
        assert_eq!(recorded_run(task).root_uid(), recorded_run(pipeline).uid);
    }
}

#[test]
fn positions_rise_along_each_recorded_run() {
    let mut last: BTreeMap<String, super::super::Position> = BTreeMap::new();
    for run in recorded_runs() {
        let position = run.position();
        if let Some(before) = last.insert(run.uid.clone(), position) {
            assert!(before < position, "{} {}", run.name, run.ce_type);
        }
    }
}

#[test]
fn bookkeeping_of_kubernetes_is_not_kept() {
    for mut run in recorded_runs() {
        run.cut.clear();
        let text = format!("{run:?}");
        assert!(!text.contains("last-applied") && !text.contains("managedFields"), "{text}");
        assert!(!text.contains("busybox"), "{text}");
    }
}

#[test]
fn all_types_of_both_generations_have_their_kind_and_rank() {
    let object = r#"{"metadata":{"name":"r","uid":"u"}}"#;
    for (kind, root, run_kind) in [
        ("taskrun", "taskRun", RunKind::TaskRun),
        ("pipelinerun", "pipelineRun", RunKind::PipelineRun),
        ("customrun", "customRun", RunKind::CustomRun),
        ("run", "run", RunKind::CustomRun),
    ] {
        for (word, rank) in [
            ("queued", Rank::Queued),
            ("started", Rank::Started),
            ("running", Rank::Running),
            ("unknown", Rank::Running),
            ("successful", Rank::Terminal),
            ("failed", Rank::Terminal),
        ] {
            let event_type = format!("dev.tekton.event.{kind}.{word}.v1");
            let run = run(&event_type, &format!(r#"{{"{root}":{object}}}"#));
            assert_eq!((run.kind, run.rank), (run_kind, rank), "{event_type}");
        }
    }
}

#[test]
fn unknown_types_and_versions_are_ignored_whatever_their_data() {
    for unknown in [
        "dev.cdevents.taskrun.finished.0.1.1",
        "dev.tekton.event.taskrun.failed.v2",
        "dev.tekton.event.taskrun.failed",
        "dev.tekton.event.taskrun.failed.v1.v1",
        "dev.tekton.event.taskrun.v1",
        "dev.tekton.event.taskrun.cancelled.v1",
        "dev.tekton.event.TaskRun.failed.v1",
        "dev.tekton.event.stepaction.failed.v1",
        "dev.tekton.event.triggers.accepted.v1",
        "dev.tekton.event.",
        "",
    ] {
        let ignored = Decoded::Ignored { event_type: unknown.to_owned() };
        assert_eq!(decoded(unknown, "not json"), Ok(ignored));
    }
}

#[test]
fn data_without_the_run_names_what_is_missing() {
    let lacks = |field| {
        let event_type = TASK_RUN.to_owned();
        Err(DecodeError::Missing { event_type, field })
    };
    for data in ["", "null", "{}", r#"{"pipelineRun":{}}"#, r#"{"taskRun":null}"#] {
        assert_eq!(decoded(TASK_RUN, data), lacks("taskRun"), "{data}");
    }
    for data in [
        r#"{"taskRun":{}}"#,
        r#"{"taskRun":{"metadata":null}}"#,
        r#"{"taskRun":{"metadata":{"name":"","uid":"u"}}}"#,
    ] {
        assert_eq!(decoded(TASK_RUN, data), lacks("metadata.name"), "{data}");
    }
    let error = decoded(TASK_RUN, "{}").unwrap_err();
    assert_eq!(error.to_string(), "data of dev.tekton.event.taskrun.failed.v1 lacks taskRun");
}

#[test]
fn data_of_another_shape_is_malformed_and_not_quoted() {
    for data in [
        "{",
        r#"{"taskRun":"hush"}"#,
        r#"{"taskRun":{"metadata":{"name":["hush"]}}}"#,
        r#"{"taskRun":{"metadata":{"name":"r","labels":"hush"}}}"#,
        r#"{"taskRun":{"metadata":{"name":"r"},"status":{"conditions":"hush"}}}"#,
    ] {
        let error = decoded(TASK_RUN, data).unwrap_err();
        assert!(matches!(error, DecodeError::Json { line: 1, .. }), "{data}");
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }
    let error = decoded(TASK_RUN, "{").unwrap_err();
    let expected = format!("data of {TASK_RUN} is malformed at line 1 column 1");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_recorded_body_cut_short_anywhere_is_malformed() {
    let mut event = super::super::testdata::recorded_events().swap_remove(37);
    let whole = event.data.clone();
    for length in 1..whole.len() {
        event.data = whole[..length].to_vec();
        let error = decode(&event, Timestamp(9), &Keep::all()).unwrap_err();
        assert!(matches!(error, DecodeError::Json { .. }), "{length}: {error}");
    }
}

#[test]
fn a_name_that_no_object_can_have_is_refused() {
    let long = "n".repeat(254);
    for (field, metadata) in [
        ("metadata.name", format!(r#"{{"name":"{long}"}}"#)),
        ("metadata.namespace", format!(r#"{{"name":"r","namespace":"{long}"}}"#)),
        ("metadata.uid", format!(r#"{{"name":"r","uid":"{long}"}}"#)),
    ] {
        let data = format!(r#"{{"taskRun":{{"metadata":{metadata}}}}}"#);
        assert_eq!(
            decoded(TASK_RUN, &data).unwrap_err().to_string(),
            format!("{field} in data of {TASK_RUN} has 254 bytes, at most 253 are accepted")
        );
    }
}

#[test]
fn the_time_of_reception_stands_in_for_an_absent_time() {
    let data = r#"{"taskRun":{"metadata":{"name":"r","uid":"u"}}}"#;
    let mut event = event(TASK_RUN, data);
    event.time = None;
    let Decoded::Run(run) = decode(&event, Timestamp(9), &Keep::all()).unwrap() else { panic!() };
    assert_eq!(run.ce_time, Timestamp(9));
}
