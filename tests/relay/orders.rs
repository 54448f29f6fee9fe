//! Orders to a cluster of one: there is no node to transfer to, and none to remove.

use crate::harness::{Relay, Setup, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_one_cannot_be_given_away() {
    let setup = Setup::empty();
    let relay = Relay::start(&setup).await;
    let url = relay.url("");
    let own = relay.get("/api/v1/cluster").await["self"].as_str().unwrap().to_owned();
    for (order, told) in [
        (vec!["remove", own.as_str()], "leads: transfer the leadership first (409)"),
        (vec!["transfer"], "no other voter is fit to lead (409)"),
        (vec!["remove", "relay-7"], "no member has the node id or the pod name \"relay-7\""),
    ] {
        let line = [["cluster"].as_slice(), &order, &["--url", &url]].concat();
        let ended = run(setup.folder(), &line).await;
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains(told), "{ended:?}");
    }
    let itself = ["cluster", "transfer", "--to", &own, "--url", &url];
    assert_eq!(run(setup.folder(), &itself).await.stdout, format!("{own} leads\n"));
    // Its only member has its own level.
    let finalize = ["cluster", "finalize", "--url", &url];
    assert_eq!(run(setup.folder(), &finalize).await.stdout, "feature level 2\n");
    assert_eq!(relay.get("/api/v1/cluster").await["feature_level"], 2);
    let status = run(setup.folder(), &["cluster", "status", "--url", &url]).await.stdout;
    assert!(status.contains("quorum yes, view ") && status.contains(&own), "{status}");
    relay.stop().await;
}
