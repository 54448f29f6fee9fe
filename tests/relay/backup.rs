//! A backup of a running relay turns an empty directory into a relay with the knowledge of the
//! first one. The content of a directory is never given up without an order.

use crate::harness::{Finished, Receiver, Relay, Setup, recorded, run, run_events};

/// Runs `cluster` with these arguments in the folder of a setup.
async fn cluster(setup: &Setup, arguments: &[&str]) -> Finished {
    let line: Vec<&str> = ["cluster"].iter().chain(arguments).copied().collect();
    run(setup.folder(), &line).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_makes_an_empty_directory_a_relay_that_knows_every_run() {
    let (requests, _) = recorded();
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = Relay::start(&setup).await;
    relay.take(&requests).await;
    relay.settled().await;
    let before = relay.get("/api/v1/cluster").await;
    let uid = &run_events(&requests)[0].uid;
    let run_before = relay.get(&format!("/api/v1/runs/{uid}")).await;
    let url = relay.url("");
    let saved = cluster(&setup, &["snapshot", "--url", &url, "--output", "backup"]).await;
    assert_eq!(saved.code, Some(0), "{saved:?}");
    assert!(saved.stdout.contains("backup: ") && saved.stdout.contains("up to log entry"));
    assert!(!setup.path("backup.part").exists());
    relay.kill_nine().await;

    let elsewhere = Setup::of(&receiver);
    let backup = setup.path("backup").display().to_string();
    let recover = ["recover", "--data-dir", "data", "--from-snapshot", &backup];
    let made = cluster(&elsewhere, &recover).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    let relay = Relay::start(&elsewhere).await;
    let after = relay.get("/api/v1/cluster").await;
    assert_ne!(after["cluster_id"], before["cluster_id"]);
    assert_ne!(after["self"], before["self"]);
    assert_eq!(after["slots"]["unowned"], 0);
    assert_eq!(relay.get(&format!("/api/v1/runs/{uid}")).await, run_before);
    for answer in relay.take(&requests).await {
        assert_eq!(answer.fate, "duplicate");
    }
    relay.settled().await;
    assert_eq!(receiver.seen().repeated_webhooks(), 0);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_after_the_backup_are_given_up_only_by_force() {
    let (requests, _) = recorded();
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = Relay::start(&setup).await;
    relay.take(&requests[..1]).await;
    relay.settled().await;
    let url = relay.url("");
    let saved = cluster(&setup, &["snapshot", "--url", &url, "--output", "backup"]).await;
    assert_eq!(saved.code, Some(0), "{saved:?}");
    let recover = ["recover", "--data-dir", "data", "--from-snapshot", "backup"];
    let in_use = cluster(&setup, &recover).await;
    assert_eq!(in_use.code, Some(1));
    assert!(in_use.stderr.contains("in use by another process"), "{in_use:?}");
    relay.take(&requests[1..]).await;
    relay.settled().await;
    relay.stop().await;

    let refused = cluster(&setup, &recover).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("log entries after the snapshot"), "{refused:?}");
    // Nothing was changed: the relay continues where it was.
    let relay = Relay::start(&setup).await;
    assert_eq!(relay.take(&requests[1..2]).await[0].fate, "duplicate");
    relay.stop().await;
    let forced = [recover.as_slice(), &["--force"]].concat();
    let made = cluster(&setup, &forced).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.stdout.contains("set-aside-"), "{made:?}");
    let relay = Relay::start(&setup).await;
    let fates = relay.take(&requests[..2]).await;
    assert_eq!((fates[0].fate.as_str(), fates[1].fate.as_str()), ("duplicate", "accepted"));
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_without_a_relay_or_a_token_is_no_backup() {
    let setup = Setup::empty();
    setup.write("backup", "of yesterday");
    let url = format!("http://{}", setup.address);
    let arguments = ["snapshot", "--url", &url, "--output", "backup"];
    let silent = cluster(&setup, &arguments).await;
    assert_eq!(silent.code, Some(1));
    assert!(silent.stderr.contains("no answer from"), "{silent:?}");
    setup.write("token", "right");
    setup.write("relay.yaml", "server: { admin: { token_file: ./token } }\n");
    let relay = Relay::start(&setup).await;
    let stranger = cluster(&setup, &arguments).await;
    assert_eq!(stranger.code, Some(1));
    assert!(stranger.stderr.contains("the bearer token is missing"), "{stranger:?}");
    assert_eq!(std::fs::read(setup.path("backup")).unwrap(), b"of yesterday");
    let with_token = [arguments.as_slice(), &["--token-file", "token"]].concat();
    let saved = cluster(&setup, &with_token).await;
    assert_eq!(saved.code, Some(0), "{saved:?}");
    assert!(std::fs::read(setup.path("backup")).unwrap().starts_with(b"RELAYSN1"));
    relay.stop().await;
}
