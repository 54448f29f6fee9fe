//! Files of the Go relay: features that this relay has load, the rest is refused by name, and no
//! key is unknown.

use super::tests::Disk;
use super::*;

/// Every key outside `scm`, `notifiers` and `jira` with its default, as a tool writes them.
const ALL_DEFAULTS: &str = "
server:
  addr: ':8080'
  metrics_addr: ''
  read_timeout_sec: 10
  write_timeout_sec: 10
  shutdown_timeout_sec: 30
  max_body_size: 1048576
  rate_limit: {enabled: false, requests_per_second: 100, burst: 200}
  auth: {enabled: false, type: hmac-sha256, secret_file: '', validate_timestamp: true, timestamp_tolerance: 5m}
  tls: {cert_file: '', key_file: ''}
dashboard_url: ''
filter: {allow_taskrun: false, allow_pipelinerun: true, allow_customrun: false, allow_eventlistener: false, ignore_unknown: true, allow_namespaces: [], deny_namespaces: []}
dedupe_size: 10000
max_concurrency: 0
handler_timeout: 10s
retry: {max_attempts: 4, initial_backoff: 250ms, max_backoff: 30s}
store:
  backend: memory
  ttl: 1h
  valkey: {address: '', password_file: '', db: 0, key_prefix: tekton-events-relay}
  olric: {bind_addr: '', bind_port: 0, memberlist_port: 0, peers: [], env: local}
dlq: {enabled: false, path: /var/lib/tekton-events-relay/dlq.jsonl, max_size_bytes: 10485760, retention_days: 0}
accumulator: {enabled: false, ttl: 30s, max_size: 100, template: '', provider: {name: ''}}
logging: {level: info, verbose: {caller: false, http_calls: false, payloads: false}}
tracing: {}
jira: []
";

/// Every key of the integrations that this relay has, with values that switch nothing else on.
const OUR_INTEGRATIONS: &str = "
scm:
  github:
    - name: g
      enabled: true
      base_url: ''
      insecure_skip_verify: false
      auth: {secret_file: '', secret_key: '', app_id: 0, installation_id: 0, private_key_file: ''}
      rate_limit: {}
      actions:
        - name: a
          type: commit_status
          enabled: true
          when: ''
          dedupe: true
          mode: ''
          template: ''
          context_per_task: true
          labels: {add: [], remove: []}
          filter: {tasks: {allow: [], deny: []}, pipelines: {allow: [], deny: []}, custom_runs: {allow: [], deny: []}, event_listeners: {allow: [], deny: []}}
          fallback_action: ''
          fallback_only: false
notifiers:
  slack: [{name: s, auth: {webhook_url_file: '', webhook_url_key: '', bot_token: {token_file: '', token_key: '', channel_id: ''}}, channel: '', channel_expr: '', username: '', icon_emoji: '', template: '', mode: create, thread_mode: '', thread_ts: '', dedupe: false, batch: {enabled: false, max_size: 10}, retry_override: {max_attempts: 0, initial_backoff: 0s, max_backoff: 0s}}]
  webhook: [{name: w, url_file: '', url_key: '', auth: {type: hmac, secret_file: ''}, transform: '', headers: {}, batch: {enabled: false}}]
";

fn loaded(text: &str) -> Loaded {
    load(text, "config.yaml", &Disk::default(), SecretCheck::Skipped)
        .unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn a_file_of_defaults_loads() {
    let loaded = loaded(ALL_DEFAULTS);
    let noticed: Vec<&str> = loaded.notices.iter().map(|notice| notice.path.as_str()).collect();
    assert_eq!(
        noticed,
        [
            "",
            "server.metrics_addr",
            "server.read_timeout_sec",
            "server.write_timeout_sec",
            "server.rate_limit",
            "server.auth",
            "server.tls",
            "dedupe_size",
            "store.valkey",
            "store.olric",
            "dlq.enabled",
            "dlq.path",
            "dlq.max_size_bytes",
            "accumulator.max_size",
            "logging.verbose",
            "tracing",
            "jira",
        ]
    );
    let filter = loaded.config.rules.filter;
    assert!(filter.allow_pipelinerun && !filter.allow_taskrun && filter.ignore_unknown);
    assert_eq!((loaded.config.max_concurrency, loaded.config.retry.max_attempts), (256, Some(4)));
    assert_eq!(loaded.config.dlq.retention, Duration::from_hours(168));
}

#[test]
fn every_key_of_our_integrations_is_known() {
    let loaded = loaded(OUR_INTEGRATIONS);
    let routes = loaded.config.rules.routes.iter().map(|route| route.name.to_string());
    assert_eq!(routes.collect::<Vec<_>>(), ["github/g/a", "slack/s/notify", "webhook/w/notify"]);
    let noticed: Vec<&str> = loaded.notices.iter().map(|notice| notice.path.as_str()).collect();
    assert_eq!(
        noticed,
        [
            "scm.github[0].rate_limit",
            "scm.github[0].actions[0].dedupe",
            "scm.github[0].actions[0].mode",
            "scm.github[0].actions[0].template",
            "scm.github[0].actions[0].labels",
            "scm.github[0].actions[0].fallback_action",
            "scm.github[0].actions[0].fallback_only",
            "notifiers.slack[0].auth.bot_token",
            "notifiers.slack[0].channel_expr",
            "notifiers.slack[0].thread_mode",
            "notifiers.slack[0].thread_ts",
            "notifiers.slack[0].dedupe",
            "notifiers.slack[0].batch",
            "notifiers.slack[0].retry_override",
            "notifiers.webhook[0].batch",
        ]
    );
}

#[test]
fn keys_of_another_action_type_are_told_apart_from_unknown_ones() {
    let text = "
scm:
  github:
    - name: g
      actions:
        - {type: commit_status, template: x}
        - {type: pr_comment, context_per_task: true}
";
    let errors = load(text, "f", &Disk::default(), SecretCheck::Skipped).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "f:6:33: scm.github[0].actions[0].template: belongs to comments\n\
         f:7:30: scm.github[0].actions[1].context_per_task: belongs to commit statuses"
    );
}
