//! What `cluster` means, alone and together with the flags of `serve`.

use super::super::tests::{Disk, config, errors};
use super::*;
use crate::config::{Config, SecretCheck, load_under};

const FULL: &str = "
cluster:
  data_dir: /data
  replicas: 3
  service: relay-headless.ci.svc
  pod_name: relay-0
  peer_addr: ':4320'
  gossip_addr: 127.0.0.1:4322
  advertise_host: relay-0.example.com
  election_timeout: 1s
  removal_grace: 1h
  secret_file: /etc/relay/cluster-secret
  peer_tls: migrate
  tls: {cert_file: /tls/tls.crt, key_file: /tls/tls.key, ca_file: /tls/ca.crt}
  admit: [relay-blue, '10.0.0.7']
  expected_cluster_id: 00ff00000000000A
";

/// The rules that a file breaks together with flags.
fn errors_under(text: &str, overrides: &Overrides) -> Vec<String> {
    let loaded = load_under(text, "relay.yaml", &Disk::default(), SecretCheck::Skipped, overrides);
    let errors = loaded.err().map_or_else(String::new, |errors| errors.to_string());
    errors.lines().map(str::to_owned).collect()
}

fn broken(settings: &ClusterSettings) -> Vec<&'static str> {
    let conflicts = settings.conflicts(StoreBackend::Cluster);
    conflicts.into_iter().map(|conflict| conflict.key).collect()
}

fn replica(pod_name: &str) -> ClusterSettings {
    ClusterSettings {
        pod_name: Some(pod_name.to_owned()),
        service: Some("relay".to_owned()),
        secret_file: Some(SecretRef::file("/secret")),
        ..ClusterSettings::default()
    }
}

#[test]
fn every_key_is_read() {
    let expected = ClusterSettings {
        data_dir: "/data".into(),
        replicas: 3,
        is_replicas_given: true,
        service: Some("relay-headless.ci.svc".to_owned()),
        seeds: Vec::new(),
        pod_name: Some("relay-0".to_owned()),
        peer_addr: "0.0.0.0:4320".to_owned(),
        gossip_addr: "127.0.0.1:4322".to_owned(),
        advertise_host: Some("relay-0.example.com".to_owned()),
        election_timeout: Duration::from_secs(1),
        removal_grace: Duration::from_hours(1),
        secret_file: Some(SecretRef::file("/etc/relay/cluster-secret")),
        peer_tls: PeerTlsPolicy::Migrate,
        tls: Some(PeerCertificate {
            cert: "/tls/tls.crt".into(),
            key: "/tls/tls.key".into(),
            ca: "/tls/ca.crt".into(),
        }),
        admit: vec!["relay-blue".to_owned(), "10.0.0.7".to_owned()],
        expected_cluster_id: Some(0x00ff_0000_0000_000a),
    };
    assert_eq!(config(FULL).cluster, expected);
    let seeds = "cluster: {replicas: 3, seeds: [10.0.0.1:3322, '[fd00::2]:3322'], \
                 advertise_host: 10.0.0.1, secret_file: /s}\n";
    assert_eq!(config(seeds).cluster.seeds, ["10.0.0.1:3322", "[fd00::2]:3322"]);
}

#[test]
fn a_replica_is_a_cluster_of_one_until_it_is_told_how_to_find_others() {
    assert!(!config("").cluster.seeks_others());
    assert!(config("cluster: {service: relay}\n").cluster.seeks_others());
    let seeds = "cluster: {seeds: ['a:1'], advertise_host: b}\n";
    assert!(config(seeds).cluster.seeks_others());
}

#[test]
fn wrong_values_are_told_where_they_are() {
    let text = "\
cluster:
  replicas: 3
  service: relay:3322
  seeds: [relay-1, 'relay-2:3322']
  pod_name: relay_0
  peer_addr: 3320
  advertise_host: 0.0.0.0
  expected_cluster_id: 0x12
  secret_file: hunter2
";
    let name = "expected a DNS name of letters, digits, `-` and `.`";
    assert_eq!(
        errors(text),
        [
            format!("relay.yaml:3:12: cluster.service: {name}"),
            "relay.yaml:4:11: cluster.seeds[0]: expected the gossip address of a replica, such \
             as 10.0.0.7:3322 or relay-0.ci:3322"
                .to_owned(),
            format!("relay.yaml:5:13: cluster.pod_name: {name}"),
            "relay.yaml:6:14: cluster.peer_addr: expected an address such as 0.0.0.0:8080, \
             [::]:8080 or :8080"
                .to_owned(),
            "relay.yaml:7:3: cluster.advertise_host: is required with `seeds` while `peer_addr` \
             is every address of the machine: write the host that others reach this replica by \
             (--advertise-host), or listen on it (--peer-addr)"
                .to_owned(),
            "relay.yaml:7:19: cluster.advertise_host: expected a host without port, such as \
             relay-0.relay, 10.0.0.7 or [fd00::7]"
                .to_owned(),
            "relay.yaml:8:24: cluster.expected_cluster_id: expected a cluster id of 16 \
             hexadecimal digits, as /api/v1/cluster shows it"
                .to_owned(),
            "relay.yaml:9:16: cluster.secret_file: expected a path that starts with / or ./ (the \
             secret itself does not belong here)"
                .to_owned(),
        ]
    );
}

#[test]
fn a_service_and_seeds_exclude_each_other() {
    let text = "cluster:\n  seeds: ['a:1']\n  service: relay\n  advertise_host: b\n";
    assert_eq!(
        errors(text),
        ["relay.yaml:2:3: cluster.seeds: excludes `service`: replicas find each other one way"]
    );
}

#[test]
fn several_replicas_need_a_way_to_each_other() {
    assert_eq!(
        errors("cluster: {replicas: 3}\n"),
        ["relay.yaml:1:11: cluster.replicas: above 1 needs a way to the others: write `service` \
          (--service), the DNS name of a headless Service, or `seeds` (--seed), gossip addresses \
          such as 10.0.0.7:3322"]
    );
}

#[test]
fn several_replicas_need_disks() {
    let rule = "needs disks: `store.backend: memory` ends with its process, so a member that \
                restarts would forget what it had confirmed; write `store.backend: cluster`";
    for (key, cluster) in [
        ("service", "service: relay"),
        ("seeds", "seeds: ['a:1'], advertise_host: b"),
        ("service", "replicas: 3, service: relay, peer_tls: migrate"),
    ] {
        let lines = errors(&format!("store: {{backend: memory}}\ncluster: {{{cluster}}}\n"));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].ends_with(&format!(" cluster.{key}: {rule}")), "{lines:?}");
    }
    let lines = errors("store: {backend: memory}\ncluster: {replicas: 2}\n");
    assert_eq!(lines[0], format!("relay.yaml:2:11: cluster.replicas: {rule}"));
    assert_eq!(config("store: {backend: memory}\n").cluster, ClusterSettings::default());
}

#[test]
fn rule_24_a_pod_name_without_number_cannot_begin_with_several() {
    let with = |replicas| ClusterSettings { replicas, is_replicas_given: true, ..replica("relay") };
    assert_eq!(broken(&with(3)), ["pod_name"]);
    assert_eq!(broken(&with(1)), [""; 0]);
}

#[test]
fn rule_24_who_forms_the_cluster_is_told_its_size() {
    assert_eq!(broken(&replica("relay-0")), ["replicas"]);
    assert_eq!(broken(&replica("relay-3")), [""; 0]);
    assert_eq!(broken(&ClusterSettings { is_replicas_given: true, ..replica("relay-0") }), [""; 0]);
    assert_eq!(broken(&ClusterSettings { service: None, ..replica("relay-0") }), [""; 0]);
}

#[test]
fn several_replicas_need_a_secret_and_are_told_how_to_make_one() {
    let without = |replicas, name| ClusterSettings {
        replicas,
        is_replicas_given: true,
        secret_file: None,
        ..replica(name)
    };
    for settings in [without(3, "relay-0"), without(1, "relay-1"), without(3, "relay-2")] {
        assert_eq!(broken(&settings), ["secret_file"], "{settings:?}");
        let migrating = ClusterSettings { peer_tls: PeerTlsPolicy::Migrate, ..settings };
        assert_eq!(broken(&migrating), [""; 0]);
    }
    assert_eq!(broken(&without(1, "relay-0")), [""; 0]);
    assert_eq!(
        errors("cluster: {replicas: 3, service: relay}\n"),
        ["relay.yaml:1:10: cluster.secret_file: is required for several replicas, which prove \
          themselves to each other by it: make one for all of them with `openssl rand -hex 32 > \
          cluster-secret`, and write where it is (--secret-file)"]
    );
}

#[test]
fn a_certificate_is_given_whole() {
    let lines = errors("cluster: {tls: {cert_file: /c, key_file: /k}, peer_tls: no}\n");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("cluster.tls.ca_file")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("cluster.peer_tls")), "{lines:?}");
}

#[test]
fn the_ordinal_is_the_number_at_the_end() {
    for (name, expected) in [("relay-0", Some(0)), ("r12", Some(12)), ("7", Some(7))] {
        assert_eq!(ordinal(name), expected, "{name}");
    }
    for name in ["relay", "relay-", "0-relay", "", "relay-99999999999"] {
        assert_eq!(ordinal(name), None, "{name}");
    }
}

#[test]
fn others_are_told_the_host_that_was_written_then_the_pod_then_the_listener() {
    let by_service = replica("relay-2");
    assert_eq!(by_service.host_for_others(), "relay-2.relay");
    let written = ClusterSettings { advertise_host: Some("h".to_owned()), ..by_service };
    assert_eq!(written.host_for_others(), "h");
    let peer_addr = "[::1]:3320".to_owned();
    let listener = ClusterSettings { peer_addr, ..ClusterSettings::default() };
    assert_eq!(listener.host_for_others(), "[::1]");
}

#[test]
fn flags_win_over_the_file_key_by_key() {
    let overrides = Overrides {
        server_addr: Some("127.0.0.1:1".to_owned()),
        data_dir: Some("/elsewhere".into()),
        replicas: Some(5),
        seeds: vec!["10.0.0.9:1".to_owned()],
        pod_name: Some("relay-9".to_owned()),
        peer_addr: Some("127.0.0.1:2".to_owned()),
        gossip_addr: Some("127.0.0.1:3".to_owned()),
        advertise_host: Some("10.0.0.9".to_owned()),
        service: None,
        secret_file: Some("elsewhere/secret".into()),
        peer_tls: Some(PeerTlsPolicy::Required),
    };
    let loaded = load_under(FULL, "f", &Disk::default(), SecretCheck::Skipped, &overrides);
    let merged = loaded.unwrap().config;
    let expected = ClusterSettings {
        data_dir: "/elsewhere".into(),
        replicas: 5,
        service: None,
        seeds: vec!["10.0.0.9:1".to_owned()],
        pod_name: Some("relay-9".to_owned()),
        peer_addr: "127.0.0.1:2".to_owned(),
        gossip_addr: "127.0.0.1:3".to_owned(),
        advertise_host: Some("10.0.0.9".to_owned()),
        secret_file: Some(SecretRef::file("elsewhere/secret")),
        peer_tls: PeerTlsPolicy::Required,
        ..config(FULL).cluster
    };
    assert_eq!((merged.server.addr.as_str(), merged.cluster), ("127.0.0.1:1", expected));
    let without = Config::without_file(&overrides);
    assert_eq!((without.server.addr.as_str(), without.cluster.replicas), ("127.0.0.1:1", 5));
}

#[test]
fn the_rules_hold_for_the_file_and_the_flags_together() {
    let service = Overrides { service: Some("relay".to_owned()), ..Overrides::default() };
    assert_eq!(errors_under("cluster: {replicas: 3, secret_file: /s}\n", &service), [""; 0]);
    let in_place_of_seeds = "cluster: {replicas: 3, seeds: ['a:1'], secret_file: /s}\n";
    assert_eq!(errors_under(in_place_of_seeds, &service), [""; 0]);
    let lines = errors_under("store: {backend: memory}\n", &service);
    assert!(lines[0].starts_with("relay.yaml:1:1: cluster.service: needs disks"), "{lines:?}");
    let both = Overrides { seeds: vec!["a:1".to_owned()], ..service };
    let lines = errors_under("cluster: {advertise_host: b}\n", &both);
    assert!(lines[0].contains("cluster.seeds: excludes `service`"), "{lines:?}");
}
