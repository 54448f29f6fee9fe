//! Strangers at the ports between replicas: none of them gets an answer, and none becomes a member.

use crate::harness::{Relay, Setup, client, eventually, run};
use crate::shared::{client_builder, free_address};
use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// Forming a cluster of one takes 10 s, in which it would see others.
const FORMED_MAX: Duration = Duration::from_secs(60);
/// A member would be admitted within 10 s of its start.
const ADMITTED_MAX: Duration = Duration::from_secs(15);
const ASK_EVERY: Duration = Duration::from_millis(250);
const SECRET: &str = "the secret of the replica that is attacked";
const ROUTES: [&str; 12] = [
    "/raft/append",
    "/raft/vote",
    "/raft/pre-vote",
    "/raft/transfer",
    "/raft/snapshot",
    "/cluster/forward",
    "/cluster/check",
    "/cluster/ask",
    "/cluster/look",
    "/cluster/remove",
    "/cluster/hand-over",
    "/cluster/finalize",
];

/// A replica that looks for others at the gossip address of the first one. Killed when dropped.
struct Replica {
    setup: Setup,
    peer: String,
    gossip: String,
    child: Child,
}

impl Replica {
    /// Starts `relay-0`, or a stranger that has `seed`; with these flags in addition to the
    /// addresses.
    fn start(name: &str, seed: Option<&str>, secret: Option<&str>, flags: &[&str]) -> Self {
        let setup = Setup::empty();
        let (peer, gossip) = (free_address(), free_address());
        let log = std::fs::File::create(setup.path("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tekton-events-relay"));
        command.args(["serve", "--pod-name", name, "--server-addr", &setup.address]);
        command.args(["--peer-addr", &peer, "--gossip-addr", &gossip, "--data-dir", "data"]);
        command.args(["--seed", seed.unwrap_or(&gossip)]).args(flags);
        if let Some(secret) = secret {
            setup.write("cluster-secret", secret);
            command.args(["--secret-file", "cluster-secret"]);
        }
        command.current_dir(setup.folder()).stdin(Stdio::null()).kill_on_drop(true);
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        Self { setup, peer, gossip, child }
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let answer = client().get(format!("http://{}{path}", self.setup.address)).send().await;
        serde_json::from_str(&answer.ok()?.text().await.ok()?).ok()
    }

    async fn members(&self) -> Option<usize> {
        Some(self.get("/api/v1/cluster").await?["members"].as_array()?.len())
    }

    /// A gauge of the replica.
    async fn gauge(&self, name: &str) -> u64 {
        let answer = client().get(format!("http://{}/metrics", self.setup.address)).send().await;
        let text = answer.unwrap().text().await.unwrap();
        let line = format!("tekton_events_relay_{name} ");
        let value = text.lines().find_map(|known| known.strip_prefix(&line)).unwrap();
        value.trim().parse().unwrap()
    }

    /// Waits until it has formed its own cluster.
    async fn formed(&self) {
        eventually("the replica has formed a cluster", FORMED_MAX, async || {
            let ready = self.get("/readyz").await?;
            (ready["status"] == "ok" && self.members().await? == 1).then_some(())
        })
        .await;
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.setup.path("log")).unwrap()
    }

    /// What a stranger could change or end.
    async fn standing(&self) -> (Value, Value, Value) {
        let view = self.get("/api/v1/cluster").await.unwrap();
        (view["cluster_id"].clone(), view["term"].clone(), view["members"][0]["node_id"].clone())
    }
}

/// The attacked replica.
async fn attacked() -> Replica {
    let replica = Replica::start("relay-0", None, Some(SECRET), &["--replicas", "1"]);
    replica.formed().await;
    replica
}

#[tokio::test(flavor = "multi_thread")]
async fn s04_no_route_of_the_peer_port_answers_a_stranger() {
    let mut replica = attacked().await;
    let before = replica.standing().await;
    let plain = client_builder().http2_prior_knowledge().timeout(ADMITTED_MAX).build().unwrap();
    let without_certificate = client_builder()
        .tls_danger_accept_invalid_certs(true)
        .timeout(ADMITTED_MAX)
        .build()
        .unwrap();
    for (client, scheme) in [(&plain, "http"), (&without_certificate, "https")] {
        for route in ROUTES {
            let call = client.post(format!("{scheme}://{}{route}", replica.peer));
            let answer = call.header("relay-hello", "CQEAAAAAAAAA").body("x").send().await;
            assert!(answer.is_err(), "{scheme} {route}: {answer:?}");
        }
    }
    assert_eq!(replica.standing().await, before);
    assert!(replica.child.try_wait().unwrap().is_none(), "{}", replica.log());
    assert!(replica.gauge("peer_connections_refused_total").await >= 24);
}

#[tokio::test(flavor = "multi_thread")]
async fn s05_a_stock_binary_with_a_seed_becomes_no_member() {
    let mut replica = attacked().await;
    let before = replica.standing().await;
    let seed = replica.gossip.clone();
    let guessed = Some("a secret that somebody has guessed");
    let mut strangers = [
        Replica::start("relay-1", Some(&seed), guessed, &[]),
        Replica::start("relay-2", Some(&seed), None, &["--peer-tls", "migrate"]),
        // It knows the secret, but its name is not in the set.
        Replica::start("other-1", Some(&seed), Some(SECRET), &[]),
        Replica::start("relay-100", Some(&seed), Some(SECRET), &[]),
    ];
    eventually("names outside the set are refused and counted", ADMITTED_MAX, async || {
        (replica.gauge("nodes_not_admitted_total").await == 2).then_some(())
    })
    .await;
    let mut ask = tokio::time::interval(ASK_EVERY);
    for _ in 0..ADMITTED_MAX.as_millis() / ASK_EVERY.as_millis() {
        ask.tick().await;
        assert_eq!(replica.members().await, Some(1));
    }
    assert_eq!(replica.standing().await, before);
    for name in ["other-1", "relay-100"] {
        assert!(replica.log().contains(name), "{name} is told:\n{}", replica.log());
    }
    for stranger in &mut strangers {
        assert!(stranger.child.try_wait().unwrap().is_none(), "{}", stranger.log());
        let ready = stranger.get("/readyz").await.unwrap();
        assert_eq!(ready["status"], "unavailable", "{ready}");
    }
    assert!(replica.child.try_wait().unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn s18_what_is_created_is_for_this_user_alone_and_never_through_a_link() {
    use std::os::unix::fs::PermissionsExt as _;
    let setup = Setup::empty();
    setup.write("target", "kept");
    std::fs::create_dir(setup.path("data")).unwrap();
    for link in ["ballast", "identity.tmp"] {
        std::os::unix::fs::symlink(setup.path("target"), setup.path("data").join(link)).unwrap();
    }
    let relay = Relay::start(&setup).await;
    relay.stop().await;
    assert_eq!(std::fs::read_to_string(setup.path("target")).unwrap(), "kept");
    let mut folders = vec![setup.path("data")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let mode =
                std::fs::symlink_metadata(entry.path()).unwrap().permissions().mode() & 0o777;
            let is_folder = entry.path().is_dir();
            assert_eq!(mode, if is_folder { 0o700 } else { 0o600 }, "{}", entry.path().display());
            seen += 1;
            if is_folder {
                folders.push(entry.path());
            }
        }
    }
    assert!(seen > 3, "{seen} files");
}

#[tokio::test(flavor = "multi_thread")]
async fn s24_a_directory_that_vanished_before_joining_ends_the_process() {
    // There is no other replica to form a cluster with yet.
    let replicas = ["--replicas", "2"];
    let mut founder = Replica::start("relay-0", None, Some(SECRET), &replicas);
    let seed = founder.gossip.clone();
    let mut joining = Replica::start("relay-1", Some(&seed), Some(SECRET), &[]);
    eventually("the node waits", FORMED_MAX, async || {
        let ready = joining.get("/readyz").await?;
        (ready["status"] == "unavailable").then_some(())
    })
    .await;
    std::fs::remove_dir_all(joining.setup.path("data")).unwrap();
    let ended = tokio::time::timeout(FORMED_MAX, joining.child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(3), "{}", joining.log());
    assert!(joining.log().contains("the id of the cluster cannot be kept"), "{}", joining.log());
    assert!(founder.child.try_wait().unwrap().is_none(), "{}", founder.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn s05_several_replicas_without_a_secret_do_not_start_and_say_how_to_make_one() {
    let setup = Setup::empty();
    let serve = ["serve", "--pod-name", "relay-0", "--replicas", "3", "--seed", "127.0.0.1:1"];
    let listen = ["--peer-addr", "127.0.0.1:0", "--gossip-addr", "127.0.0.1:0"];
    let ended = run(setup.folder(), &[&serve[..], &listen].concat()).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("openssl rand -hex 32 > cluster-secret"), "{}", ended.stderr);
    assert!(ended.stderr.contains("--secret-file"), "{}", ended.stderr);
}
