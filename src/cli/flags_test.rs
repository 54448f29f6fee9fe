//! What can be typed after `serve`, and how a wrong flag is told.

use super::*;
use clap::CommandFactory as _;

/// The flags of one `serve`.
fn serve(arguments: &[&str]) -> Result<ServeFlags, String> {
    let line = ["tekton-events-relay", "serve"].iter().chain(arguments);
    match Cli::try_parse_from(line).map_err(|error| error.to_string())?.command {
        CliCommand::Serve(flags) => Ok(flags),
        other @ (CliCommand::Demo(_)
        | CliCommand::Validate(_)
        | CliCommand::Schema
        | CliCommand::Plan(_)
        | CliCommand::Cluster(_)
        | CliCommand::Dlq(_)
        | CliCommand::Transform) => Err(format!("{other:?}")),
    }
}

#[test]
fn every_flag_of_serve_is_an_environment_variable_of_its_name() {
    let cli = Cli::command();
    let serve = cli.find_subcommand("serve").unwrap();
    let flags: Vec<&str> = serve.get_arguments().filter_map(clap::Arg::get_long).collect();
    assert_eq!(
        flags,
        [
            "config",
            "pod-name",
            "server-addr",
            "peer-addr",
            "gossip-addr",
            "advertise-host",
            "data-dir",
            "replicas",
            "service",
            "seed",
            "secret-file",
            "peer-tls",
        ]
    );
    for flag in serve.get_arguments() {
        let name = flag.get_long().unwrap().to_ascii_uppercase().replace('-', "_");
        let env = flag.get_env().and_then(|env| env.to_str());
        assert_eq!(env, Some(format!("RELAY_{name}").as_str()));
    }
}

#[test]
fn each_flag_is_its_override() {
    let flags = serve(&[
        "--pod-name=relay-0",
        "--server-addr=:8081",
        "--peer-addr=127.0.0.1:3321",
        "--gossip-addr=127.0.0.1:3331",
        "--advertise-host=localhost",
        "--data-dir=./relay-0",
        "--replicas=3",
        "--seed=127.0.0.1:3331",
        "--seed=127.0.0.1:3332,127.0.0.1:3333",
        "--secret-file=cluster-secret",
        "--peer-tls=migrate",
    ]);
    let expected = Overrides {
        server_addr: Some("0.0.0.0:8081".to_owned()),
        data_dir: Some("./relay-0".into()),
        replicas: Some(3),
        service: None,
        seeds: ["127.0.0.1:3331", "127.0.0.1:3332", "127.0.0.1:3333"].map(str::to_owned).into(),
        pod_name: Some("relay-0".to_owned()),
        peer_addr: Some("127.0.0.1:3321".to_owned()),
        gossip_addr: Some("127.0.0.1:3331".to_owned()),
        advertise_host: Some("localhost".to_owned()),
        secret_file: Some("cluster-secret".into()),
        peer_tls: Some(PeerTlsPolicy::Migrate),
    };
    assert_eq!(flags.unwrap().overrides(), expected);
    assert_eq!(serve(&[]).unwrap().overrides(), Overrides::default());
    let service = serve(&["--service=relay.ci.svc"]).unwrap().overrides().service;
    assert_eq!(service.as_deref(), Some("relay.ci.svc"));
}

#[test]
fn a_wrong_flag_is_told_with_the_words_of_the_file() {
    for (flag, told) in [
        ("--replicas=0", "0 is out of range; accepted: 1 to 99"),
        ("--replicas=100", "100 is out of range; accepted: 1 to 99"),
        ("--replicas=three", "expected an integer, found \"three\""),
        ("--peer-addr=3320", "expected an address such as 0.0.0.0:8080, [::]:8080 or :8080"),
        ("--seed=relay-0", "expected the gossip address of a replica, such as 10.0.0.7:3322"),
        ("--service=relay:3322", "expected a DNS name of letters, digits, `-` and `.`"),
        ("--advertise-host=0.0.0.0", "expected a host without port"),
    ] {
        let error = serve(&[flag]).unwrap_err();
        let name = flag.split('=').next().unwrap();
        assert!(error.contains(told) && error.contains(name), "{error}");
    }
}

#[test]
fn every_flag_of_serve_is_documented_with_its_variable() {
    let docs = include_str!("../../docs/CONFIGURATION.md");
    let mut documented: Vec<(&str, &str)> = docs
        .lines()
        .filter_map(|line| line.strip_prefix("| `--"))
        .map(|row| {
            let mut words = row.split([' ', '`', ',']);
            (words.next().unwrap(), words.find(|word| word.starts_with("RELAY_")).unwrap())
        })
        .collect();
    documented.sort_unstable();
    let cli = Cli::command();
    let serve = cli.find_subcommand("serve").unwrap();
    let mut flags: Vec<(&str, &str)> = serve
        .get_arguments()
        .map(|flag| (flag.get_long().unwrap(), flag.get_env().unwrap().to_str().unwrap()))
        .collect();
    flags.sort_unstable();
    assert_eq!(documented, flags);
}

/// The flags of one `demo`.
fn demo(arguments: &[&str]) -> Result<DemoFlags, String> {
    let line = ["tekton-events-relay", "demo"].iter().chain(arguments);
    match Cli::try_parse_from(line).map_err(|error| error.to_string())?.command {
        CliCommand::Demo(flags) => Ok(flags),
        other @ (CliCommand::Serve(_)
        | CliCommand::Validate(_)
        | CliCommand::Schema
        | CliCommand::Plan(_)
        | CliCommand::Cluster(_)
        | CliCommand::Dlq(_)
        | CliCommand::Transform) => Err(format!("{other:?}")),
    }
}

#[test]
fn a_demo_plays_with_one_three_or_five_replicas() {
    assert_eq!(demo(&[]).unwrap().replicas, 3);
    assert_eq!(["1", "3", "5"].map(|n| demo(&["--replicas", n]).unwrap().replicas), [1, 3, 5]);
    for wrong in ["0", "2", "7", "three"] {
        let error = demo(&["--replicas", wrong]).unwrap_err();
        assert!(error.contains("[possible values: 1, 3, 5]"), "{error}");
    }
}

#[test]
fn the_schema_is_that_of_every_file_so_it_takes_none() {
    let typed = |words: &[&str]| Cli::try_parse_from(["relay"].iter().chain(words));
    assert!(matches!(typed(&["schema"]).unwrap().command, CliCommand::Schema));
    assert!(typed(&["schema", "relay.yaml"]).is_err());
}
