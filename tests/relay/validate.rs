//! The commands that check without acting: every mistake at once, exact requests, and nothing sent.

use crate::harness::{Receiver, Setup, run};
use std::path::{Path, PathBuf};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

const FIVE_MISTAKES: &str = r#"dashbord_url: https://tekton.example.com
max_concurrency: many
notifiers:
  webhook:
    - name: archive
      url_file: ./nowhere
      when: stateIn("success"
  slack:
    - name: team
      auth: { webhook_url_file: ./slack-url }
      template: "{{ .RunName "
"#;

#[tokio::test(flavor = "multi_thread")]
async fn five_mistakes_are_five_lines_with_their_places() {
    let setup = Setup::empty();
    setup.write("relay.yaml", FIVE_MISTAKES);
    setup.write("slack-url", "https://hooks.example.com/x");
    let told = run(setup.folder(), &["validate", "relay.yaml"]).await;
    assert_eq!(told.code, Some(1));
    let lines: Vec<&str> = told.stdout.lines().filter(|line| !line.starts_with("  | ")).collect();
    let places = [
        "relay.yaml:1:1: dashbord_url: unknown key, did you mean \"dashboard_url\"?",
        "relay.yaml:2:18: max_concurrency: expected an integer, found \"many\"",
        "relay.yaml:6:17: notifiers.webhook[0].url_file: secret file ./nowhere: no such file",
        "relay.yaml:7:",
        "relay.yaml:11:",
    ];
    assert_eq!(lines.len(), places.len(), "{}", told.stdout);
    for (line, place) in lines.iter().zip(places) {
        assert!(line.starts_with(place), "{line}\nis not at {place}");
    }
    assert!(lines[3].contains("notifiers.webhook[0].when: no valid CEL condition"), "{}", lines[3]);
    assert!(lines[4].contains("notifiers.slack[0].template: no valid template"), "{}", lines[4]);
    // The code with a mistake is shown below it; text that is not code may be a secret.
    let shown = told.stdout.lines().filter(|line| line.starts_with("  | ")).count();
    assert_eq!(shown, 4, "{}", told.stdout);
    assert!(told.stdout.contains("  | stateIn(\"success\"\n"), "{}", told.stdout);
}

/// The output of `validate` for a file, and whether the file is accepted.
async fn validated(text: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let setup = Setup::empty();
    setup.write("relay.yaml", text);
    let line = [&["validate", "relay.yaml", "--no-secrets"], arguments].concat();
    let told = run(setup.folder(), &line).await;
    (told.code, told.stdout)
}

const STATUS: &str = "scm: {github: [{name: g, actions: [{type: commit_status, when: RULE}]}]}\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_be_meant_is_refused_and_named() {
    let rules = [
        ("event.State == \"cancelled\"", "did you mean \"canceled\"?"),
        ("event.State == \"Succeeded\"", "unknown state \"Succeeded\""),
        ("isTaskRun() && isPipelineRun()", "the rule can never be true"),
        ("isPipelinerun()", "did you mean \"isPipelineRun\"?"),
        ("event.Stat == \"success\"", "did you mean \"State\"?"),
        ("event.State = \"success\"", "write == for ="),
        ("isPR() and isTaskRun()", "write && for \"and\""),
    ];
    for (rule, message) in rules {
        let (code, told) = validated(&STATUS.replace("RULE", &format!("'{rule}'")), &[]).await;
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains(message), "{told}");
        assert!(told.contains(&format!("  | {rule}\n")) && told.contains('^'), "{told}");
    }
    let files = [
        ("filter: {allow_namespaces: !prod}\n", "`!prod` is a YAML tag"),
        ("filter:\n  allow_namespaces:\n", "filter.allow_namespaces: has no value"),
        ("filter:\n", "filter: has no value"),
        ("handler_timeout: 10\n", "write 10s"),
        ("retry: {max_age: 1d}\n", "write 24h"),
        ("dashboard_url: ${URL}\n", "variables such as ${X} are not expanded"),
        ("logging: {level: ${LEVEL}}\n", "variables such as ${X} are not expanded"),
        ("notifiers: {gitlab: [{name: x}]}\n", "is a forge: it belongs under `scm`"),
        ("scm: {slack: [{name: x}]}\n", "is a notifier: it belongs under `notifiers`"),
        ("dashbord_url: x\n", "did you mean \"dashboard_url\"? Accepted: "),
    ];
    for (text, message) in files {
        let (code, told) = validated(text, &[]).await;
        assert_eq!(code, Some(1), "{text}: {told}");
        assert!(told.contains(message), "{text}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hardly_meant_is_warned_about_and_refused_where_that_is_asked() {
    let always = STATUS.replace("RULE", "'isPR() || !isPR()'");
    let files = [
        ("", "1:1: warning: 0 routes: nothing will ever be sent"),
        ("# nothing yet\n", "1:1: warning: 0 routes: nothing will ever be sent"),
        ("scm: {github: [{name: g}]}\n", "scm.github[0].actions: warning: holds no action"),
        ("scm:\n  github: [{name: g, actions: []}]\n", "2:22: scm.github[0].actions: warning"),
        ("notifiers: {log: [{name: l, when: }]}\n", "has no value"),
        (
            "cluster: {replicas: 2, service: a.b, secret_file: ./s}\n",
            "1:11: cluster.replicas: warning: is even",
        ),
        (&always, "warning: is true for every event"),
    ];
    for (text, warning) in files {
        let (code, told) = validated(text, &[]).await;
        assert!(told.contains(warning), "{text}: {told}");
        let (strict, told) = validated(text, &["--strict"]).await;
        assert_eq!(strict, Some(1), "{text}: {told}");
        let is_error = text.contains("when: }");
        assert_eq!(code, Some(i32::from(is_error)), "{text}: {told}");
    }
    let (code, told) = validated(&STATUS.replace("RULE", "isPR()"), &["--strict"]).await;
    assert_eq!((code, told.as_str()), (Some(0), "relay.yaml: valid, 1 routes\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_mistakes_does_not_start() {
    let setup = Setup::empty();
    setup.write("relay.yaml", FIVE_MISTAKES);
    let arguments = ["serve", "--config", "relay.yaml", "--server-addr", &setup.address];
    let told = run(setup.folder(), &arguments).await;
    assert_eq!(told.code, Some(1));
    assert!(told.stderr.contains("relay.yaml:2:18: max_concurrency"), "{}", told.stderr);
    assert!(!setup.path("data").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_valid() {
    let mut examples: Vec<PathBuf> = std::fs::read_dir(repository("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    examples.sort();
    assert!(!examples.is_empty());
    let setup = Setup::empty();
    for example in &examples {
        let example = example.to_str().unwrap();
        let told = run(setup.folder(), &["validate", example, "--no-secrets"]).await;
        assert_eq!(told.code, Some(0), "{}", told.stdout);
        assert!(told.stdout.contains(": valid, "), "{}", told.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_shows_the_exact_request() {
    let setup = Setup::empty();
    let recording = repository("src/event/testdata/recorded-v1.12plus.jsonl");
    let recording = std::fs::read_to_string(recording).unwrap();
    setup.write("end.jsonl", recording.lines().last().unwrap());
    let example = repository("examples/github.yaml");
    let arguments = ["plan", "--config", example.to_str().unwrap(), "end.jsonl"];
    let told = run(setup.folder(), &arguments).await;
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let request = r##"
  effect   github/main/pipeline-status -> github/main/o/r/6dcb09b5b57875f334f61aebed695e2e4193db5e/tekton%2Frun:ok
           POST https://api.github.com/repos/o/r/statuses/6dcb09b5b57875f334f61aebed695e2e4193db5e
           accept: application/vnd.github+json
           user-agent: tekton-events-relay
           content-type: application/json
           x-github-api-version: 2022-11-28
           authorization: Bearer <secret /etc/secrets/github/main/token>
           {"context":"tekton/run:ok","description":"Tasks Completed: 2 (Failed: 0, Cancelled 0), Skipped: 0","state":"success","target_url":"https://tekton.example.com/#/namespaces/default/pipelineruns/ok"}
"##;
    assert!(told.stdout.contains(request), "{}", told.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_shows_the_text_of_comments_and_of_transforms_and_counts() {
    let setup = Setup::empty();
    let config = r#"
scm:
  github:
    - name: hub
      base_url: http://127.0.0.1:9
      auth: {secret_file: ./token}
      actions:
        - {name: report, type: pr_comment, mode: upsert, template: 'run {{ .RunName }} ended'}
notifiers:
  webhook:
    - {name: w, url_file: ./url, transform: '{made: .run_name}'}
    - {name: endless, url_file: ./url, transform: 'def f: f; f'}
"#;
    setup.write("relay.yaml", config);
    setup.write("events.jsonl", include_str!("../field/09-comment.jsonl"));
    let arguments = ["plan", "--config", "relay.yaml", "events.jsonl"];
    let told = run(setup.folder(), &arguments).await;
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let text = &told.stdout;
    for shown in [
        "           GET http://127.0.0.1:9/repos/",
        "           POST http://127.0.0.1:9/repos/",
        " ended",
        "{\"made\":\"",
        "cannot be sent: render: jq program did not end within 1 s of processor time",
    ] {
        assert!(text.contains(shown), "no {shown:?} in {text}");
    }
    let last = text.lines().last().unwrap();
    assert_eq!(last, "1 events, 0 ignored: 2 effects, 0 skipped, 1 failed", "{text}");

    let as_json = [arguments.as_slice(), &["--output", "json"]].concat();
    let told = run(setup.folder(), &as_json).await;
    let document: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(document["summary"]["effects"], 2, "{document:#}");
    let decision = &document["decisions"][0];
    assert_eq!((&decision["cause"], &decision["fate"]), (&"event".into(), &"accepted".into()));
    let effects = decision["effects"].as_array().unwrap();
    let made = effects.iter().find(|effect| effect["route"] == "webhook/w/notify").unwrap();
    assert!(made["requests"][1]["body"]["made"].is_string(), "{made:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_sends_nothing() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let recording = repository("src/event/testdata/recorded-v1.12plus.jsonl");
    let arguments = ["plan", "--config", "relay.yaml", recording.to_str().unwrap()];
    let told = run(setup.folder(), &arguments).await;
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert_eq!(told.stdout.matches("  fate     accepted\n").count(), 38);
    assert_eq!(receiver.seen().calls.len(), 0);
    assert!(!setup.path("data").exists());
}
