//! The commands that look before something is done: every mistake at once, exact requests, and
//! nothing sent.

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
    let lines: Vec<&str> = told.stdout.lines().collect();
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
  effect   github/main/pipeline-status -> github/main/o/r/6dcb09b5b57875f334f61aebed695e2e4193db5e/tekton%2Fok
           POST https://api.github.com/repos/o/r/statuses/6dcb09b5b57875f334f61aebed695e2e4193db5e
           accept: application/vnd.github+json
           user-agent: tekton-events-relay
           content-type: application/json
           x-github-api-version: 2022-11-28
           authorization: Bearer <secret /etc/secrets/github/main/token>
           {"context":"tekton/ok","description":"Tasks Completed: 2 (Failed: 0, Cancelled 0), Skipped: 0","state":"success","target_url":"https://tekton.example.com/#/namespaces/default/pipelineruns/ok"}
"##;
    assert!(told.stdout.contains(request), "{}", told.stdout);
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
