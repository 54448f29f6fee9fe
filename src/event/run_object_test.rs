use super::super::keep::KeptNames;
use super::super::recorded_run;
use super::super::run::NamedValue;
use super::super::tekton::{Decoded, decode};
use super::*;

const CREATED: &str = r#""creationTimestamp":"2026-05-04T10:02:10Z""#;

fn decoded(kind: &str, root: &str, object: &str, keep: &Keep) -> RunEvent {
    typed(kind, "running", root, object, keep)
}

fn typed(kind: &str, word: &str, root: &str, object: &str, keep: &Keep) -> RunEvent {
    let event = CloudEvent {
        id: "1".to_owned(),
        source: "/apis///namespaces/ns//n".to_owned(),
        event_type: format!("dev.tekton.event.{kind}.{word}.v1"),
        subject: None,
        time: Some(Timestamp(7)),
        data: format!(r#"{{"{root}":{object}}}"#).into_bytes(),
    };
    match decode(&event, Timestamp(9), keep).unwrap() {
        Decoded::Run(run) => *run,
        Decoded::Ignored { event_type } => panic!("{event_type} was ignored"),
    }
}

/// A TaskRun with these members in addition to its name and uid.
fn task_run(metadata: &str, members: &str) -> RunEvent {
    let object = format!(r#"{{"metadata":{{"name":"r","uid":"u"{metadata}}}{members}}}"#);
    decoded("taskrun", "taskRun", &object, &Keep::all())
}

fn pipeline_run(metadata: &str, members: &str) -> RunEvent {
    let object = format!(r#"{{"metadata":{{"name":"r","uid":"u"{metadata}}}{members}}}"#);
    decoded("pipelinerun", "pipelineRun", &object, &Keep::all())
}

fn condition(status: &str, reason: &str) -> RunEvent {
    let members = format!(
        r#","status":{{"conditions":[{{"type":"Ready","status":"True"}},
        {{"type":"Succeeded","status":"{status}","reason":"{reason}","message":"m",
        "lastTransitionTime":"1970-01-01T00:00:05Z"}}]}}"#
    );
    task_run("", &members)
}

fn value(name: &str, value: &str) -> NamedValue {
    NamedValue { name: name.to_owned(), value: value.to_owned() }
}

fn child(name: &str, task: &str) -> ChildRef {
    ChildRef { name: name.to_owned(), pipeline_task: task.to_owned(), ..ChildRef::default() }
}

fn parent_of(uid: &str, name: &str) -> Parent {
    Parent { uid: uid.to_owned(), name: name.to_owned() }
}

#[test]
fn a_recorded_task_names_its_pipeline_run_its_task_and_finally() {
    let task = recorded_run(37);
    assert_eq!(task.parent, parent_of("e057acf0-b2db-44f1-9998-244f88eb1daa", "ok"));
    assert_eq!((task.pipeline_task.as_str(), task.is_finally), ("cleanup", true));
    assert_eq!((task.pipeline_name.as_str(), task.scm.pr_number), ("ok", Some(7)));
    assert_eq!(task.started_at, Timestamp::parse_rfc3339("2026-11-20T18:53:37Z").unwrap());
    assert_eq!(task.finished_at, Timestamp::parse_rfc3339("2026-11-20T18:53:40Z").unwrap());
    assert_eq!(task.last_transition, task.finished_at);
    assert_eq!(task.message, "All Steps have completed executing");
    assert_eq!((task.resource_version, task.cut), (811, vec![]));
    assert!(!recorded_run(25).is_finally);
}

#[test]
fn a_recorded_pipeline_run_names_its_children_and_no_parent() {
    let run = recorded_run(38);
    assert_eq!(run.children, [child("ok-build", "build"), child("ok-cleanup", "cleanup")]);
    assert_eq!(run.parent, Parent::default());
}

#[test]
fn the_reason_decides_over_the_type() {
    for (status, reason, state, rank) in [
        ("True", "Succeeded", RunState::Success, Rank::Terminal),
        ("False", "TaskRunCancelled", RunState::Canceled, Rank::Terminal),
        ("False", "TaskRunTimeout", RunState::Failure, Rank::Terminal),
        ("False", "CouldntGetTask", RunState::Error, Rank::Terminal),
        ("Unknown", "Pending", RunState::Pending, Rank::Running),
        ("Unknown", "Started", RunState::Running, Rank::Started),
    ] {
        let run = condition(status, reason);
        assert_eq!((run.state, run.rank, run.reason.as_str()), (state, rank, reason));
        assert_eq!((run.message.as_str(), run.last_transition), ("m", Timestamp(5000)));
    }
}

#[test]
fn a_condition_of_no_known_status_leaves_it_to_the_type() {
    let run = condition("true", "Succeeded");
    assert_eq!((run.state, run.rank), (RunState::Running, Rank::Running));
    assert_eq!(run.reason, "Succeeded");
}

#[test]
fn of_facts_that_contradict_each_other_the_worse_counts() {
    let of = |word: &str, statuses: &[&str]| {
        let conditions = statuses.iter().map(|status| {
            format!(r#"{{"type":"Succeeded","status":"{status}","reason":"R{status}"}}"#)
        });
        let conditions = conditions.collect::<Vec<_>>().join(",");
        let object = format!(
            r#"{{"metadata":{{"name":"r","uid":"u"}},"status":{{"conditions":[{conditions}]}}}}"#
        );
        let run = typed("taskrun", word, "taskRun", &object, &Keep::all());
        (run.state, run.reason)
    };
    for (word, statuses, state, reason) in [
        ("successful", ["True", "False"].as_slice(), RunState::Failure, "RFalse"),
        ("successful", &["False", "True"], RunState::Failure, "RFalse"),
        ("successful", &["True", "Unknown"], RunState::Running, "RUnknown"),
        ("successful", &["false"], RunState::Failure, "Rfalse"),
        ("successful", &["False"], RunState::Failure, "RFalse"),
        ("failed", &["True"], RunState::Failure, "RTrue"),
        ("failed", &["Unknown"], RunState::Running, "RUnknown"),
        ("running", &["True"], RunState::Success, "RTrue"),
    ] {
        assert_eq!(of(word, statuses), (state, reason.to_owned()), "{word} {statuses:?}");
    }
}

#[test]
fn any_field_may_be_null() {
    let run = task_run(
        r#","namespace":null,"resourceVersion":null,"creationTimestamp":null,"labels":null,
        "annotations":{"a":null},"ownerReferences":[{"kind":null}]"#,
        r#","spec":{"params":[{"name":null,"value":null}],"taskRef":{"name":null},"taskSpec":null},
        "status":{"conditions":[{"type":null},{"type":"Succeeded","status":"Unknown",
        "reason":null,"message":null,"lastTransitionTime":null}],"startTime":null,
        "results":null,"retriesStatus":null,"childReferences":null,"taskRuns":{"t":null}}"#,
    );
    assert_eq!((run.state, run.rank), (RunState::Running, Rank::Running));
    assert_eq!(run.annotations.get("a").map(String::as_str), Some(""));
    assert_eq!((run.params, run.cut), (vec![value("", "")], vec![]));
    let bare = task_run("", r#","spec":null,"status":null"#);
    assert_eq!((bare.state, bare.attempt), (RunState::Running, 0));
}

#[test]
fn the_attempt_is_the_number_of_earlier_ones() {
    let past = r#","status":{"retriesStatus":[{"podName":"a"},{}]}"#;
    let retried = task_run("", &format!(r#","spec":{{"retries":3}}{past}"#));
    assert_eq!(retried.attempt, 2);
}

#[test]
fn an_attempt_that_the_spec_does_not_allow_is_not_believed() {
    let past = r#""status":{"retriesStatus":[{},{},{}]}"#;
    for (spec, expected) in [
        (r#"{"retries":1}"#, 1),
        (r#"{"retries":3}"#, 3),
        (r#"{"retries":0}"#, 0),
        (r#"{"retries":-1}"#, 0),
        (r#"{"retries":"many"}"#, 0),
        ("{}", 0),
        ("null", 0),
    ] {
        let members = format!(r#","spec":{spec},{past}"#);
        let object = format!(r#"{{"metadata":{{"name":"r","uid":"u"}}{members}}}"#);
        let custom = decoded("customrun", "customRun", &object, &Keep::all());
        assert_eq!(
            (task_run("", &members).attempt, custom.attempt),
            (expected, expected),
            "{spec}"
        );
        assert_eq!(pipeline_run("", &members).attempt, 0, "{spec}");
    }
}

#[test]
fn a_failure_is_ignored_only_by_the_pipeline_of_a_run() {
    let failed = r#","status":{"conditions":[{"type":"Succeeded","status":"False",
        "reason":"FailureIgnored"}]}"#;
    let owner = |kind: &str| {
        format!(
            r#","ownerReferences":[{{"kind":"{kind}","uid":"uo","name":"o","controller":true}}]"#
        )
    };
    let (of_pipeline, of_loop) = (owner("PipelineRun"), owner("CustomRun"));
    for (metadata, expected) in
        [(of_pipeline.as_str(), true), (of_loop.as_str(), false), ("", false)]
    {
        assert_eq!(task_run(metadata, failed).is_ignored(), expected, "{metadata}");
        assert_eq!(pipeline_run(metadata, failed).is_ignored(), expected, "{metadata}");
        let object = format!(r#"{{"metadata":{{"name":"r","uid":"u"{metadata}}}{failed}}}"#);
        assert!(!decoded("customrun", "customRun", &object, &Keep::all()).is_ignored());
    }
}

#[test]
fn a_resource_version_that_is_no_number_is_0() {
    assert_eq!(task_run(r#","resourceVersion":"2432921823""#, "").resource_version, 2_432_921_823);
    assert_eq!(task_run(r#","resourceVersion":"abc""#, "").resource_version, 0);
}

#[test]
fn a_run_without_uid_is_told_from_its_successor_by_creation() {
    let of = |kind: &str, root: &str, metadata: &str| {
        let object = format!(r#"{{"metadata":{{"name":"r"{metadata}}}}}"#);
        decoded(kind, root, &object, &Keep::all()).uid
    };
    let first = of("taskrun", "taskRun", &format!(",{CREATED}"));
    assert_eq!(first, of("taskrun", "taskRun", &format!(r#","uid":"",{CREATED}"#)));
    assert!(first.starts_with("no-uid-") && first.len() == "no-uid-".len() + 32, "{first}");
    for other in [
        of("taskrun", "taskRun", r#","creationTimestamp":"2026-05-04T10:02:11Z""#),
        of("taskrun", "taskRun", &format!(r#","namespace":"ns",{CREATED}"#)),
        of("pipelinerun", "pipelineRun", &format!(",{CREATED}")),
        of("taskrun", "taskRun", ""),
    ] {
        assert_ne!(first, other);
    }
}

#[test]
fn the_owner_is_the_parent_and_labels_fill_in_for_it() {
    let labels = r#","labels":{"tekton.dev/pipelineRun":"pl","tekton.dev/pipelineRunUID":"ul"}"#;
    let owners = r#","ownerReferences":[{"kind":"Job","uid":"j","name":"j"},
        {"kind":"PipelineRun","uid":"uo","name":"po","controller":true}]"#;
    let nameless = r#","ownerReferences":[{"kind":"PipelineRun","uid":"uo","controller":true}]"#;
    assert_eq!(task_run(owners, "").parent, parent_of("uo", "po"));
    assert_eq!(task_run(&format!("{owners}{labels}"), "").parent, parent_of("uo", "po"));
    assert_eq!(task_run(labels, "").parent, parent_of("ul", "pl"));
    assert_eq!(task_run(&format!("{nameless}{labels}"), "").parent, parent_of("uo", "pl"));
    assert_eq!(task_run("", "").parent, Parent::default());
}

#[test]
fn an_owner_that_is_no_controller_is_a_parent_only_where_labels_name_it() {
    let labels = r#","labels":{"tekton.dev/pipelineRun":"pl","tekton.dev/pipelineRunUID":"ul"}"#;
    let owners = |rest: &str| {
        format!(r#","ownerReferences":[{{"kind":"PipelineRun","uid":"ux","name":"px"}}{rest}]"#)
    };
    let controller = r#",{"kind":"PipelineRun","uid":"uo","name":"po","controller":true}"#;
    let named = r#",{"kind":"PipelineRun","uid":"ul","name":"pl"}"#;
    assert_eq!(task_run(&owners(""), "").parent, Parent::default());
    assert_eq!(pipeline_run(&owners(""), "").parent, Parent::default());
    assert_eq!(task_run(&owners(controller), "").parent, parent_of("uo", "po"));
    assert_eq!(pipeline_run(&owners(controller), "").parent, parent_of("uo", "po"));
    let labelled = |rest: &str| format!("{}{labels}", owners(rest));
    assert_eq!(task_run(&labelled(""), "").parent, parent_of("ul", "pl"));
    assert_eq!(pipeline_run(&labelled(""), "").parent, Parent::default());
    assert_eq!(pipeline_run(&labelled(named), "").parent, parent_of("ul", "pl"));
}

#[test]
fn a_run_of_a_loop_that_stands_alone_belongs_to_its_custom_run() {
    let owner =
        r#","ownerReferences":[{"kind":"CustomRun","uid":"uc","name":"loop","controller":true}]"#;
    for round in [task_run(owner, ""), pipeline_run(owner, "")] {
        assert_eq!((round.parent.clone(), round.is_round()), (parent_of("uc", "loop"), true));
        let mut first_level = round;
        first_level.keep_first_level();
        assert_eq!((first_level.parent.clone(), first_level.root_uid()), (Parent::default(), "u"));
    }
    let labels = r#","labels":{"tekton.dev/pipelineRun":"pl","tekton.dev/pipelineRunUID":"ul"}"#;
    let in_pipeline = task_run(&format!("{owner}{labels}"), "");
    assert_eq!(
        (in_pipeline.parent.clone(), in_pipeline.is_round()),
        (parent_of("ul", "pl"), false)
    );
    assert_eq!(in_pipeline.naming.owner, "loop");
}

#[test]
fn a_task_run_says_which_kind_it_refers_to_unless_that_is_a_task() {
    for (reference, expected) in [
        (r#""name":"scan""#, ""),
        (r#""name":"scan","kind":"Task""#, ""),
        (r#""name":"scan","kind":"Task","apiVersion":"tekton.dev/v1""#, ""),
        (r#""name":"scan","kind":"ClusterTask""#, "ClusterTask"),
        (r#""name":"scan","kind":"ClusterTask","apiVersion":"tekton.dev/v1beta1""#, "ClusterTask"),
        (r#""name":"scan","kind":"Task","apiVersion":"example.dev/v1""#, "Task.example.dev"),
    ] {
        let run = task_run("", &format!(r#","spec":{{"taskRef":{{{reference}}}}}"#));
        assert_eq!(run.naming.custom_kind, expected, "{reference}");
    }
}

#[test]
fn a_pipeline_run_is_its_own_root_whatever_owns_it() {
    let owners = r#","ownerReferences":[{"kind":"PipelineRun","uid":"up","controller":true}]"#;
    let owned = pipeline_run(owners, "");
    assert_eq!((owned.parent.clone(), owned.root_uid()), (parent_of("up", ""), "u"));
    let labels = r#","labels":{"tekton.dev/pipelineRun":"pl","tekton.dev/pipelineRunUID":"ul"}"#;
    assert_eq!(pipeline_run(labels, "").parent, Parent::default(), "labels alone may be copied");
}

#[test]
fn labels_name_what_a_run_belongs_to() {
    let run = task_run(
        r#","labels":{"tekton.dev/task":"kaniko","tekton.dev/pipeline":"release",
        "tekton.dev/pipelineTask":"image","tekton.dev/memberOf":"tasks",
        "triggers.tekton.dev/trigger":"on-push"}"#,
        r#","spec":{"taskRef":{"name":"other"},"pipelineRef":{"name":"other"}}"#,
    );
    let names = [&run.task_name, &run.pipeline_name, &run.pipeline_task, &run.trigger_name];
    assert_eq!(names, ["kaniko", "release", "image", "on-push"]);
    assert!(!run.is_finally && run.event_listener_name.is_empty());
}

#[test]
fn a_queued_run_has_the_names_that_its_labels_and_status_will_have() {
    let pipeline =
        pipeline_run("", r#","spec":{"pipelineRef":{"name":"release"},"pipelineSpec":null}"#);
    assert_eq!(pipeline.pipeline_name, "release");
    let inline = pipeline_run("", r#","spec":{"pipelineSpec":{"displayName":"Release"}}"#);
    assert_eq!(inline.pipeline_display_name, "Release");
    let task = task_run("", r#","spec":{"taskRef":{"name":"t"},"taskSpec":{"displayName":"T"}}"#);
    assert_eq!((task.task_name.as_str(), task.task_display_name.as_str()), ("t", "T"));
    let started = pipeline_run(
        "",
        r#","spec":{"pipelineSpec":{"displayName":"old"}},"status":{"pipelineSpec":{"displayName":"new"}}"#,
    );
    assert_eq!(started.pipeline_display_name, "new");
}

#[test]
fn results_are_read_under_the_names_of_all_versions() {
    let results = r#"[{"name":"a","type":"array","value":["x","y"]},{"name":"b","value":"1"}]"#;
    let expected = [value("a", r#"["x","y"]"#), value("b", "1")];
    for name in ["taskResults", "pipelineResults", "results"] {
        let status = format!(r#","status":{{"{name}":{results}}}"#);
        assert_eq!(task_run("", &status).results, expected, "{name}");
        assert_eq!(pipeline_run("", &status).results, expected, "{name}");
    }
}

#[test]
fn a_custom_run_is_read_whole() {
    let object = format!(
        r#"{{"metadata":{{"name":"wait","namespace":"ns","uid":"u",{CREATED},
        "labels":{{"tekton.dev/pipelineTask":"wait"}},
        "ownerReferences":[{{"apiVersion":"tekton.dev/v1","kind":"PipelineRun","name":"p","uid":"up","controller":true}}]}},
        "spec":{{"customRef":{{"kind":"ApprovalTask","name":"approval"}},
        "params":[{{"name":"approvers","value":["a","b"]}}]}},
        "status":{{"conditions":[{{"type":"Succeeded","status":"False","reason":"CustomRunTimedOut"}}],
        "results":[{{"name":"first-name","value":"Bob"}}],"extraFields":{{"any":{{"deep":[1]}}}}}}}}"#
    );
    let run = decoded("customrun", "customRun", &object, &Keep::all());
    assert_eq!(
        (run.kind, run.state, run.rank),
        (RunKind::CustomRun, RunState::Failure, Rank::Terminal)
    );
    assert_eq!((run.task_name.as_str(), run.pipeline_task.as_str()), ("approval", "wait"));
    assert_eq!(run.root_uid(), "up");
    assert_eq!(run.results, [value("first-name", "Bob")]);
    assert_eq!(run.params, [value("approvers", r#"["a","b"]"#)]);
}

#[test]
fn children_that_old_releases_embedded_are_read() {
    let embedded = r#""taskRuns":{"r-build-x":{"pipelineTaskName":"build","status":{"steps":[{}]}},
        "r-a":null},"runs":{"r-wait":{"pipelineTaskName":"wait"}}"#;
    let old = pipeline_run("", &format!(r#","status":{{{embedded}}}"#));
    let expected = [child("r-a", ""), child("r-build-x", "build"), child("r-wait", "wait")];
    assert_eq!(old.children, expected);
    let both = format!(
        r#","status":{{{embedded},"childReferences":[{{"name":"r-build-x","pipelineTaskName":"build"}}]}}"#
    );
    assert_eq!(pipeline_run("", &both).children, [child("r-build-x", "build")]);
}

#[test]
fn surplus_children_are_left_out_and_named() {
    let of = |count: usize| {
        let children: Vec<_> = (0..count).map(|n| format!(r#"{{"name":"c{n}"}}"#)).collect();
        let status = format!(r#","status":{{"childReferences":[{}]}}"#, children.join(","));
        let run = pipeline_run("", &status);
        (run.children.len(), run.cut)
    };
    assert_eq!(of(CHILDREN_MAX), (CHILDREN_MAX, vec![]));
    assert_eq!(of(CHILDREN_MAX + 1), (CHILDREN_MAX, vec!["children".to_owned()]));
}

#[test]
fn times_that_cannot_be_read_are_unknown_and_named() {
    let run = task_run(
        r#","creationTimestamp":"noon""#,
        r#","status":{"startTime":"","completionTime":"0001-01-01T00:00:00Z",
        "conditions":[{"type":"Succeeded","status":"True","lastTransitionTime":"x"}]}"#,
    );
    let times = [run.created_at, run.started_at, run.finished_at, run.last_transition];
    assert_eq!(times, [Timestamp::UNKNOWN; 4]);
    let cut = ["lastTransitionTime", "creationTimestamp", "startTime", "completionTime"];
    assert_eq!(run.cut, cut);
}

#[test]
fn rule_18_only_named_params_and_results_are_kept() {
    let object = r#"{"metadata":{"name":"r","uid":"u"},
        "spec":{"params":[{"name":"wanted","value":"1"},{"name":"other","value":"2"}]},
        "status":{"taskResults":[{"name":"wanted","value":"3"},{"name":"other","value":"4"}]}}"#;
    let keep = Keep { values: KeptNames::only(["wanted"]), ..Keep::default() };
    let run = decoded("taskrun", "taskRun", object, &keep);
    assert_eq!((run.params, run.results), (vec![value("wanted", "1")], vec![value("wanted", "3")]));
    assert_eq!(run.cut, [""; 0]);
}

#[test]
fn a_secret_appears_nowhere_in_a_run_event() {
    let object = r#"{"metadata":{"name":"r","uid":"u",
        "labels":{"deploy-token":"hush"},
        "annotations":{"example.com/password":"hush",
            "kubectl.kubernetes.io/last-applied-configuration":"{\"hush\":1}",
            "example.com/repo":"https://bot:hush@git.example/o/r?private_token=hush",
            "tekton.dev/tekton-events-relay.scm.api-base-url":"https://hush@git.example/api?x=hush"},
        "managedFields":[{"manager":"hush"}]},
        "spec":{"params":[{"name":"git-token","value":"hush"},{"name":"sshKey","value":["hush"]},
            {"name":"urls","value":["https://u:hush@a","https://u:hush@b"]}],
            "podTemplate":{"env":[{"name":"x","value":"hush"}]}},
        "status":{"taskResults":[{"name":"cosign-password","value":"hush"},
            {"name":"url","value":"https://hush@host/p"}],
            "conditions":[{"type":"Succeeded","status":"False","reason":"Failed",
            "message":"fatal: could not read https://bot:hush@git.example/o/r"}]}}"#;
    let run = decoded("taskrun", "taskRun", object, &Keep::all());
    assert!(!format!("{run:?}").contains("hush"), "{run:?}");
    assert_eq!(run.params, [value("urls", r#"["https://a","https://b"]"#)]);
    assert_eq!(run.results, [value("url", "https://host/p")]);
    assert_eq!(run.scm.api_base_url, "https://git.example/api");
    assert_eq!(run.message, "fatal: could not read https://git.example/o/r");
    for dropped in ["labels.deploy-token", "annotations.example.com/password", "params.git-token"] {
        assert!(run.cut.iter().any(|name| name == dropped), "{dropped}: {:?}", run.cut);
    }
}

#[test]
fn two_emissions_of_one_transition_have_one_key() {
    // Tekton up to 1.11 sends the end of a run twice, with another id, time and resource version.
    let of = |version: u32, time: u32| {
        task_run(
            &format!(r#","resourceVersion":"{version}""#),
            &format!(
                r#","status":{{"conditions":[{{"type":"Succeeded","status":"True",
                "reason":"Succeeded","lastTransitionTime":"2026-05-04T10:12:0{time}Z"}}]}}"#
            ),
        )
    };
    assert_eq!(of(1, 1).transition_key(), of(2, 2).transition_key());
}
