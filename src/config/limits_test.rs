//! Every number and duration has its range. Both ends are accepted; one step beyond is refused at
//! the value, and the message names the range.

use super::tests::errors;
use super::*;

/// Key, lowest, highest, one below, one above, the range as in the message.
type Range = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const RANGES: [Range; 20] = [
    ("max_concurrency", "0", "500", "-1", "501", "0 to 500"),
    ("handler_timeout", "100ms", "10s", "99ms", "10001ms", "100ms to 10s"),
    ("server.max_body_size", "1024", "67108864", "1023", "67108865", "1024 to 67108864"),
    ("server.shutdown_timeout_sec", "1", "600", "0", "601", "1 to 600"),
    ("retry.max_attempts", "0", "100000", "-1", "100001", "0 to 100000"),
    ("retry.initial_backoff", "10ms", "5m", "9ms", "25h", "10ms to 24h"),
    ("retry.max_backoff", "1s", "24h", "9ms", "25h", "10ms to 24h"),
    ("retry.max_age", "1s", "168h", "999ms", "169h", "1s to 168h"),
    ("store.ttl", "1m", "24h", "59s", "25h", "1m to 24h"),
    ("store.transition_ttl", "1h", "8760h", "59m", "8761h", "1h to 8760h"),
    (
        "store.memory",
        "16777216",
        "68719476736",
        "16777215",
        "68719476737",
        "16777216 to 68719476736",
    ),
    ("store.runs_max", "1000", "10000000", "999", "10000001", "1000 to 10000000"),
    ("store.free_bytes_min", "0", "1099511627776", "-1", "1099511627777", "0 to 1099511627776"),
    ("cluster.election_timeout", "300ms", "10s", "299ms", "10001ms", "300ms to 10s"),
    ("cluster.removal_grace", "30s", "168h", "29s", "169h", "30s to 168h"),
    ("store.spool_after", "500ms", "60s", "499ms", "61s", "500ms to 1m"),
    ("dlq.retention_days", "0", "365", "-1", "366", "0 to 365"),
    ("dlq.max_entries", "1", "1000000", "0", "1000001", "1 to 1000000"),
    ("accumulator.ttl", "1s", "168h", "999ms", "169h", "1s to 168h"),
    ("accumulator.straggler_window", "0", "10m", "-1s", "601s", "0s to 10m"),
];

/// A file with one key, and the column of its value.
fn file(path: &str, value: &str) -> (String, usize) {
    let line = match path.split_once('.') {
        Some((section, key)) => format!("{section}: {{{key}: {value}}}\n"),
        None => format!("{path}: {value}\n"),
    };
    let column = line.rfind(value).unwrap() + 1;
    (line, column)
}

fn is_valid(text: &str) -> bool {
    load(text, "f", &super::tests::Disk::default(), SecretCheck::Skipped).is_ok()
}

#[test]
fn both_ends_of_a_range_are_accepted() {
    for (path, lowest, highest, ..) in RANGES {
        for value in [lowest, highest] {
            assert!(is_valid(&file(path, value).0), "{path}: {value}");
        }
    }
}

#[test]
fn a_step_beyond_a_range_is_refused_at_the_value() {
    for (path, _, _, below, above, range) in RANGES {
        for value in [below, above] {
            let (text, column) = file(path, value);
            let lines = errors(&text);
            let place = format!("relay.yaml:1:{column}: {path}: ");
            let told = &lines[0];
            assert!(lines.len() == 1 && told.starts_with(&place), "{path}: {lines:?}");
            let is_negative_duration = told.contains("is negative");
            assert!(
                told.ends_with(&format!("; accepted: {range}")) || is_negative_duration,
                "{told}"
            );
        }
    }
}

#[test]
fn every_default_is_within_its_range() {
    let defaults = "
max_concurrency: 256
handler_timeout: 10s
server: {addr: '0.0.0.0:8080', max_body_size: 4194304, shutdown_timeout_sec: 30}
retry: {max_attempts: 0, initial_backoff: 1s, max_backoff: 5m, max_age: 24h}
store: {backend: cluster, ttl: 1h, transition_ttl: 168h, memory: 268435456, runs_max: 500000,
  free_bytes_min: 536870912, spool_after: 3s, on_quorum_loss: spool}
dlq: {retention_days: 7, max_entries: 10000}
accumulator: {enabled: false, ttl: 1h, straggler_window: 5s}
logging: {level: info, format: json}
cluster: {data_dir: ./data, peer_addr: '0.0.0.0:3320', gossip_addr: '0.0.0.0:3322', seeds: [],
  service: '', election_timeout: 500ms, removal_grace: 5m}
";
    let (written, absent) = (super::tests::config(defaults), Config::default());
    assert_eq!(written.server, absent.server);
    assert_eq!(written.retry, absent.retry);
    assert_eq!(written.store, absent.store);
    assert_eq!(written.dlq, absent.dlq);
    assert_eq!(written.logging, absent.logging);
    assert_eq!(written.cluster, absent.cluster);
    assert_eq!(written.max_concurrency, absent.max_concurrency);
    assert_eq!(written.handler_timeout, absent.handler_timeout);
    let (written, absent) = (written.accumulator, absent.accumulator);
    assert_eq!((written.enabled, written.ttl), (absent.enabled, absent.ttl));
    assert_eq!(written.straggler_window, absent.straggler_window);
}

#[test]
fn a_day_of_zero_is_the_default_and_no_limit_is_no_attempt_limit() {
    let config = super::tests::config("dlq: {retention_days: 0}\nretry: {max_attempts: 0}\n");
    assert_eq!(config.dlq, DeadLetters::default());
    assert_eq!(config.retry.max_attempts, None);
}

#[test]
fn addresses_are_checked_where_they_are_written() {
    let listen = "expected an address such as 0.0.0.0:8080, [::]:8080 or :8080";
    assert_eq!(
        errors("server: {addr: example.com}\n"),
        [format!("relay.yaml:1:16: server.addr: {listen}")]
    );
}

#[test]
fn the_number_of_replicas_has_a_range() {
    let valid = |replicas: &str| {
        is_valid(&format!("cluster: {{replicas: {replicas}, service: r, peer_tls: migrate}}\n"))
    };
    assert!(valid("1") && valid("99"));
    for replicas in ["0", "100"] {
        let lines = errors(&format!("cluster: {{replicas: {replicas}}}\n"));
        let told = format!(
            "relay.yaml:1:21: cluster.replicas: {replicas} is out of range; accepted: 1 to 99"
        );
        assert_eq!(lines, [told]);
    }
}

#[test]
fn rule_13_process_is_refused_by_name_until_it_can_promise_something() {
    assert_eq!(
        errors("store: {on_quorum_loss: process}\n"),
        ["relay.yaml:1:25: store.on_quorum_loss: `process` is not supported; write `spool` or \
             `reject`: without a quorum nothing can be sent just once"]
    );
}

#[test]
fn rule_13_what_to_do_without_a_quorum_is_spool_or_reject() {
    let on_quorum_loss = |text| super::tests::config(text).store.on_quorum_loss;
    assert_eq!(on_quorum_loss("store: {on_quorum_loss: spool}\n"), OnQuorumLoss::Spool);
    assert_eq!(on_quorum_loss("store: {on_quorum_loss: reject}\n"), OnQuorumLoss::Reject);
    assert_eq!(on_quorum_loss("store: {on_quorum_loss: ''}\n"), OnQuorumLoss::Spool);
    assert_eq!(
        errors("store: {on_quorum_loss: rejekt}\n"),
        ["relay.yaml:1:25: store.on_quorum_loss: \"rejekt\" is not one of spool, reject, did you \
             mean \"reject\"?"]
    );
}

#[test]
fn max_in_flight_is_within_its_range_and_max_concurrency_or_refused_at_its_place() {
    let in_flight = |max_concurrency: &str, max_in_flight: &str| {
        format!(
            "max_concurrency: {max_concurrency}\n\
             notifiers:\n  log:\n    - name: l\n      max_in_flight: {max_in_flight}\n"
        )
    };
    let place = "relay.yaml:5:22: notifiers.log[0].max_in_flight";
    for (max_concurrency, max_in_flight, told) in [
        ("100", "0", "0 is out of range; accepted: 1 to 256"),
        ("500", "257", "257 is out of range; accepted: 1 to 256"),
        ("100", "101", "101 is more than max_concurrency; accepted: 1 to 100"),
        ("100", "many", "expected an integer, found \"many\""),
    ] {
        let text = in_flight(max_concurrency, max_in_flight);
        assert_eq!(errors(&text), [format!("{place}: {told}")], "{text}");
    }
    // A file that says nothing of it has the share of the kind, as far as there is one.
    for (max_concurrency, written, expected) in
        [("100", "100", 100), ("100", "1", 1), ("0", "256", 256)]
    {
        assert_eq!(calls(&in_flight(max_concurrency, written)), expected);
    }
    assert_eq!(calls("max_concurrency: 7\nnotifiers: {log: [{name: l}]}\n"), 7);
    assert_eq!(calls("notifiers: {log: [{name: l}]}\n"), 64);
}

/// `max_in_flight` of the first route of a file.
fn calls(text: &str) -> usize {
    let loaded = load(text, "f", &super::tests::Disk::default(), SecretCheck::Skipped);
    loaded.unwrap_or_else(|errors| panic!("{errors}")).config.rules.routes[0].in_flight_max
}
