//! Whole files: their meaning, and every mistake with its place.

use super::*;
use crate::secret::SecretRef;
use std::collections::BTreeMap;
use std::path::Path;

/// Files in memory.
#[derive(Default)]
pub(super) struct Disk(pub(super) BTreeMap<&'static str, &'static str>);

impl Files for Disk {
    fn read(&self, path: &Path) -> Result<String, FileError> {
        let text = path.to_str().and_then(|path| self.0.get(path));
        text.map(|text| (*text).to_owned()).ok_or(FileError::NotFound)
    }
}

pub(super) fn load_with(
    text: &str,
    disk: &[(&'static str, &'static str)],
) -> Result<Loaded, ConfigErrors> {
    let disk = Disk(disk.iter().copied().collect());
    load(text, "relay.yaml", &disk, SecretCheck::Required)
}

pub(super) fn loaded(text: &str) -> Loaded {
    load_with(text, &[]).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The meaning of a valid file; secrets are not read.
pub(super) fn config(text: &str) -> Config {
    let loaded = load(text, "relay.yaml", &Disk::default(), SecretCheck::Skipped);
    loaded.unwrap_or_else(|errors| panic!("{errors}")).config
}

/// The error lines of an invalid file.
pub(super) fn errors(text: &str) -> Vec<String> {
    let errors = load_with(text, &[]).expect_err("the file is wrong").to_string();
    errors.lines().map(str::to_owned).collect()
}

#[test]
fn an_empty_file_is_all_defaults() {
    let config = loaded("").config;
    assert_eq!(config.server, ServerSettings::default());
    assert_eq!(config.store, Store::default());
    assert_eq!(config.dlq, DeadLetters::default());
    assert_eq!(config.logging, Logging::default());
    assert_eq!(config.cluster, ClusterSettings::default());
    assert_eq!(config.retry, RetryPolicy::default());
    assert_eq!((config.max_concurrency, config.handler_timeout), (256, Duration::from_secs(10)));
    assert_eq!(config.rules.dashboard_url, "");
    assert_eq!(config.rules.routes.len(), 0);
    assert_eq!(config.keep, Keep::default());
}

#[test]
fn every_scalar_key_is_read() {
    let text = "
server: {addr: ':9090', max_body_size: 1_048_576, shutdown_timeout_sec: 20}
dashboard_url: https://tekton.example.com/
max_concurrency: 7
handler_timeout: 2.5s
retry: {max_attempts: 4, initial_backoff: 250ms, max_backoff: 30s, max_age: 1h30m}
store: {backend: cluster, ttl: 30m, transition_ttl: 24h, memory: 33_554_432, runs_max: 5000,
  free_bytes_min: 0, spool_after: 10s, on_quorum_loss: reject}
dlq: {retention_days: 3, max_entries: 12}
logging: {level: debug, format: text}
cluster: {data_dir: /var/lib/relay}
";
    let config = loaded(text).config;
    assert_eq!(config.server.addr, "0.0.0.0:9090");
    assert_eq!(config.server.max_body_bytes, 1 << 20);
    assert_eq!(config.server.shutdown_timeout, Duration::from_secs(20));
    assert_eq!(config.rules.dashboard_url, "https://tekton.example.com");
    assert_eq!((config.max_concurrency, config.handler_timeout), (7, Duration::from_millis(2500)));
    assert_eq!(
        config.retry,
        RetryPolicy {
            max_attempts: Some(4),
            initial_backoff: Duration::from_millis(250),
            max_backoff: Duration::from_secs(30),
            max_age: Duration::from_mins(90),
        }
    );
    assert_eq!(
        config.store,
        Store {
            backend: StoreBackend::Cluster,
            ttl: Duration::from_mins(30),
            transition_ttl: Duration::from_hours(24),
            memory: 32 << 20,
            runs_max: 5000,
            free_bytes_min: 0,
            spool_after: Duration::from_secs(10),
            on_quorum_loss: OnQuorumLoss::Reject,
        }
    );
    assert_eq!(config.dlq, DeadLetters { retention: Duration::from_hours(72), entries_max: 12 });
    assert_eq!(config.logging, Logging { level: LogLevel::Debug, format: LogFormat::Text });
    let data_dir = "/var/lib/relay".into();
    assert_eq!(config.cluster, ClusterSettings { data_dir, ..ClusterSettings::default() });
}

#[test]
fn wrong_scalars_are_told_all_at_once_in_the_order_of_the_file() {
    let text = "\
server:
  adr: :8080
  max_body_size: big
max_concurrency: 501
handler_timeout: 11s
retry: {initial_backoff: 5, max_backoff: 1 s}
store: {backend: valkey, on_quorum_loss: process, ttl: -1h}
logging: {level: loud, level: info}
cluster: [1]
dashboard_url: https://user:hunter2@example.com
";
    assert_eq!(
        errors(text),
        [
            "relay.yaml:2:3: server.adr: unknown key, did you mean \"addr\"? Accepted: addr, admin, auth, \
             max_body_size, shutdown_timeout_sec, tls",
            "relay.yaml:3:18: server.max_body_size: expected an integer, found \"big\"",
            "relay.yaml:4:18: max_concurrency: 501 is out of range; accepted: 0 to 500",
            "relay.yaml:5:18: handler_timeout: 11s is out of range; accepted: 100ms to 10s",
            "relay.yaml:6:26: retry.initial_backoff: \"5\" is no duration: the unit is missing after \"5\"; write 5s",
            "relay.yaml:6:42: retry.max_backoff: \"1 s\" is no duration: unknown unit \" s\"; \
             write 1s",
            "relay.yaml:7:18: store.backend: `valkey` is not supported; write `cluster`: \
             replicas share their state through their own log",
            "relay.yaml:7:42: store.on_quorum_loss: `process` is not supported; write `spool` or \
             `reject`: without a quorum nothing can be sent just once",
            "relay.yaml:7:56: store.ttl: \"-1h\" is no duration: is negative; write for example \
             250ms, 10s or 1h30m",
            "relay.yaml:8:18: logging.level: \"loud\" is not one of error, warn, info, debug, \
             trace",
            "relay.yaml:8:24: logging.level: the key is already set at line 8",
            "relay.yaml:9:10: cluster: expected a mapping, found a list",
            "relay.yaml:10:16: dashboard_url: expected a URL that starts with http:// or \
             https://, without user, query and fragment",
        ]
    );
}

#[test]
fn keys_that_exclude_each_other_are_a_mistake() {
    assert_eq!(
        errors("retry: {initial_backoff: 1m, max_backoff: 1s}\n"),
        ["relay.yaml:1:9: retry.initial_backoff: is longer than `max_backoff`"]
    );
}

#[test]
fn text_that_is_no_yaml_is_one_mistake() {
    let lines = errors("server: {addr: 1\nretry: }\n");
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("relay.yaml:"), "{lines:?}");
}

#[test]
fn keys_without_effect_are_noticed_where_they_are() {
    let text = "\
dedupe_size: 10000
server: {read_timeout_sec: 10}
dlq:
  enabled: true
  path: /tmp/x
tracing: {endpoint: ''}
";
    let notices: Vec<String> = loaded(text).notices.iter().map(ToString::to_string).collect();
    let dead_letters = "has no effect: dead letters are always kept, in the replicated state";
    assert_eq!(
        notices,
        [
            "1:1: warning: 0 routes: nothing will ever be sent".to_owned(),
            "1:1: dedupe_size: has no effect: what is remembered is bounded by `store`".to_owned(),
            "2:10: server.read_timeout_sec: has no effect: requests are closed by deadlines that \
             the sender's retries rely on"
                .to_owned(),
            format!("4:3: dlq.enabled: {dead_letters}"),
            format!("5:3: dlq.path: {dead_letters}"),
            "6:1: tracing: is off, and not needed".to_owned(),
        ]
    );
}

#[test]
fn what_the_relay_has_not_yet_is_refused_by_name() {
    let text = "\
server: {metrics_addr: ':9', rate_limit: {enabled: true}, tls: {cert_file: ''}}
tracing: {endpoint: http://x}
jira: [{name: j}]
";
    assert_eq!(
        errors(text),
        [
            "relay.yaml:1:10: server.metrics_addr: `metrics_addr` is not supported yet; remove it",
            "relay.yaml:1:30: server.rate_limit: `rate_limit` is not supported yet; remove it",
            "relay.yaml:2:1: tracing: `tracing` is not supported yet; remove it",
            "relay.yaml:3:1: jira: `jira` is not supported yet; remove it",
        ]
    );
}

#[test]
fn a_secret_has_to_be_there_unless_secrets_are_skipped() {
    let text = "server: {admin: {change_token_file: /run/token}}\n";
    assert_eq!(
        errors(text),
        ["relay.yaml:1:37: server.admin.change_token_file: secret file /run/token: no such file"]
    );
    let empty = load_with(text, &[("/run/token", " \n")]).unwrap_err().to_string();
    assert!(empty.ends_with("secret file /run/token: the file is empty"), "{empty}");
    let found = load_with(text, &[("/run/token", "t")]).unwrap();
    let skipped = load(text, "f", &Disk::default(), SecretCheck::Skipped).unwrap();
    let token = Some(SecretRef::file("/run/token"));
    assert_eq!(
        (
            found.config.server.admin.change_token_file,
            skipped.config.server.admin.change_token_file,
        ),
        (token.clone(), token)
    );
}

#[test]
fn a_secret_in_the_place_of_its_path_is_never_shown() {
    for pasted in ["ghp_hunter2", "https://hooks.example.com/services/hunter2"] {
        let lines = errors(&format!("server: {{admin: {{token_file: '{pasted}'}}}}\n"));
        assert_eq!(lines.len(), 1);
        assert!(!lines[0].contains("hunter2"), "{lines:?}");
    }
}

#[test]
fn the_hash_is_that_of_the_text() {
    let hash = |text| loaded(text).config.hash();
    assert_eq!(hash("max_concurrency: 1\n"), hash("max_concurrency: 1\n"));
    assert_ne!(hash("max_concurrency: 1\n"), hash("max_concurrency: 2\n"));
}
