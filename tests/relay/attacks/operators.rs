//! Browsers and strangers on the routes of operators.

use crate::harness::{Receiver, Relay, Setup, client, recorded, run};
use http::Method;
use serde_json::{Value, json};

/// A call without the token, or with headers that a browser adds.
async fn answered(
    relay: &Relay<'_>,
    (method, path): (Method, &str),
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> (u16, String) {
    let mut call = client().request(method, relay.url(path));
    for (name, value) in headers {
        call = call.header(*name, *value);
    }
    if let Some(body) = body {
        call = call.body(body.to_owned());
    }
    let answer = call.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// A relay with dead letters: reading or replaying them would be a success for an attacker.
async fn with_letters<'s>(receiver: &Receiver, setup: &'s Setup) -> Relay<'s> {
    receiver.refuse(|call| call.path.starts_with("/repos/").then_some(401));
    let relay = Relay::start(setup).await;
    relay.take(&recorded().0).await;
    relay.settled().await;
    assert!(!relay.dead_letters().await.is_empty());
    relay
}

const JSON: (&str, &str) = ("content-type", "application/json");
const REPLAY: (Method, &str) = (Method::POST, "/api/v1/dlq/replay");

#[tokio::test(flavor = "multi_thread")]
async fn s08a_a_page_of_another_site_changes_nothing() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = with_letters(&receiver, &setup).await;
    let letters = relay.dead_letters().await.len();
    let bearer = format!("Bearer {}", relay.token().await);
    let with_token = ("authorization", bearer.as_str());
    let calls_before = receiver.seen().refused();
    let own = relay.url("");
    for (what, headers, status) in [
        ("another origin", vec![with_token, JSON, ("origin", "https://evil.example")], 403),
        ("a sandboxed page", vec![with_token, JSON, ("origin", "null")], 403),
        ("another port", vec![with_token, JSON, ("origin", "http://127.0.0.1:1")], 403),
        ("another site", vec![with_token, JSON, ("sec-fetch-site", "cross-site")], 403),
        ("a sibling site", vec![with_token, JSON, ("sec-fetch-site", "same-site")], 403),
        ("a form", vec![with_token, ("content-type", "text/plain")], 415),
        ("no type", vec![with_token], 415),
        ("no token", vec![JSON], 401),
        ("its own page without a token", vec![JSON, ("origin", own.as_str())], 401),
    ] {
        let (code, body) = answered(&relay, REPLAY, &headers, Some("{}")).await;
        assert_eq!(code, status, "{what}: {body}");
        assert_eq!(relay.dead_letters().await.len(), letters, "{what}");
    }
    assert_eq!(receiver.seen().refused(), calls_before, "nothing was sent again");
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s08b_a_name_that_was_made_to_point_here_reads_and_changes_nothing() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = with_letters(&receiver, &setup).await;
    let letters = relay.dead_letters().await;
    let bearer = format!("Bearer {}", relay.token().await);
    for host in ["evil.example", "127.0.0.1.evil.example", "relay.svc.evil.example:8080"] {
        let rebound = [("authorization", bearer.as_str()), JSON, ("host", host)];
        for path in ["/api/v1/cluster", "/api/v1/dlq", "/api/v1/cluster/snapshot"] {
            let (code, _) = answered(&relay, (Method::GET, path), &rebound, None).await;
            assert_eq!(code, 403, "{host} {path}");
        }
        assert_eq!(answered(&relay, REPLAY, &rebound, Some("{}")).await.0, 403, "{host}");
    }
    assert_eq!(relay.dead_letters().await, letters);
    relay.kill_nine().await;
}

/// What an application sees behind a sidecar of Istio: all callers of the mesh have this address.
#[tokio::test(flavor = "multi_thread")]
async fn s08c_whoever_comes_by_a_sidecar_is_no_operator() {
    let setup = Setup::empty();
    let relay = Relay::start(&setup).await;
    let sidecar = std::net::IpAddr::from([127, 0, 0, 6]);
    for from in [sidecar, std::net::IpAddr::from([127, 0, 0, 1])] {
        let caller = crate::shared::client_builder().local_address(from).build().unwrap();
        let replay = caller.post(relay.url(REPLAY.1)).header(JSON.0, JSON.1).body("{}");
        assert_eq!(replay.send().await.unwrap().status(), 401, "{from}");
        let list = caller.get(relay.url("/api/v1/dlq"));
        assert_eq!(list.send().await.unwrap().status(), 401, "{from}");
    }
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s13_loopback_is_no_proof_and_reads_need_a_token_too() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = with_letters(&receiver, &setup).await;
    let letter = relay.dead_letters().await.swap_remove(0);
    let uid = letter["envelope"]["Report"]["run_id"].as_str().unwrap().to_owned();
    let own = relay.get("/api/v1/cluster").await["self"].as_str().unwrap().to_owned();
    let (run_path, member) =
        (format!("/api/v1/runs/{uid}"), format!("/api/v1/cluster/members/{own}"));
    let reads = ["/api/v1/dlq", "/api/v1/dlq/analytics", "/api/v1/cluster/digest", &run_path];
    let orders = [
        (Method::POST, "/api/v1/dlq/replay"),
        (Method::POST, "/api/v1/dlq/delete"),
        (Method::POST, "/api/v1/cluster/transfer"),
        (Method::POST, "/api/v1/cluster/finalize"),
        (Method::DELETE, member.as_str()),
        (Method::GET, "/api/v1/cluster/snapshot"),
    ];
    let calls = reads.map(|path| (Method::GET, path)).into_iter().chain(orders);
    for (method, path) in calls {
        let forwarded = ("x-forwarded-for", "127.0.0.1");
        for wrong in [vec![], vec![("authorization", "Bearer wrong")], vec![forwarded]] {
            let call = client().request(method.clone(), relay.url(path));
            let call = wrong.iter().fold(call, |call, (name, value)| call.header(*name, *value));
            let answer = call.send().await.unwrap();
            assert_eq!(answer.status(), 401, "{method} {path}");
            assert_eq!(answer.headers()["www-authenticate"], "Bearer", "{method} {path}");
            let text = answer.text().await.unwrap();
            assert!(!text.contains("acme") && !text.contains(&uid), "{text}");
        }
    }
    for open in ["/api/v1/cluster", "/api/v1/cluster/slots", "/metrics", "/healthz", "/readyz"] {
        let (code, body) = answered(&relay, (Method::GET, open), &[], None).await;
        assert_eq!(code, 200, "{open}");
        assert!(!body.contains(&uid), "{open} names a run: {body}");
    }
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s13_a_read_token_reads_and_changes_nothing() {
    let setup = Setup::empty();
    setup.write("change", "change-token\n");
    setup.write("read", "read-token\n");
    let admin = "{ change_token_file: ./change, read_token_file: ./read }";
    setup.write("relay.yaml", &format!("server: {{ admin: {admin} }}\n"));
    let relay = Relay::start(&setup).await;
    let read = [("authorization", "Bearer read-token")];
    let list = (Method::GET, "/api/v1/dlq");
    assert_eq!(answered(&relay, list, &read, None).await.0, 200);
    let snapshot = (Method::GET, "/api/v1/cluster/snapshot");
    for order in [REPLAY, (Method::POST, "/api/v1/dlq/delete"), snapshot] {
        let (code, body) = answered(&relay, order, &read, None).await;
        assert_eq!(code, 403, "{body}");
        assert!(body.contains("the call needs the change token"), "{body}");
    }
    // A new token in the file works at once; an absent file admits no one.
    setup.write("read", "other\n");
    assert_eq!(answered(&relay, (Method::GET, "/api/v1/dlq"), &read, None).await.0, 401);
    std::fs::remove_file(setup.path("change")).unwrap();
    let change = [("authorization", "Bearer change-token")];
    assert_eq!(answered(&relay, REPLAY, &change, None).await.0, 503);
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s09_an_unknown_key_of_a_replay_filter_is_refused() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = with_letters(&receiver, &setup).await;
    let letters = relay.dead_letters().await;
    let bearer = format!("Bearer {}", relay.token().await);
    let headers = [("authorization", bearer.as_str()), JSON];
    for (body, told) in [
        (r#"{"filter":{"id":["1"]}}"#, "did you mean \\\"ids\\\"?"),
        (r#"{"filter":{"ids":"1"}}"#, "filter.ids"),
        (r#"{"filter":{"ids":["999999"]}}"#, "there is no such dead letter"),
        (r#"{"filter":{"provider":"githib"}}"#, "did you mean \\\"github\\\"?"),
        (r#"{"filter":{"ids":["1"]},"filter":null}"#, "there twice"),
        (r#"{"filter":{"ids":null}}"#, "filter.ids is null"),
        (r#"{"filter":null}"#, "filter is null"),
        (r#"{"dry_run":null}"#, "dry_run is null"),
        (r#"{"filers":{}}"#, "did you mean \\\"filter\\\"?"),
    ] {
        let (code, answer) = answered(&relay, REPLAY, &headers, Some(body)).await;
        assert_eq!(code, 400, "{body}: {answer}");
        assert!(answer.contains(told), "{body}: {answer}");
        assert_eq!(relay.dead_letters().await, letters, "{body}");
    }
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_of_a_replay_shows_the_letters_and_leaves_them() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = with_letters(&receiver, &setup).await;
    let letters = relay.dead_letters().await;
    let id = letters[0]["id"].as_str().unwrap();
    let url = relay.url("");
    let line = ["dlq", "replay", "--id", id, "--dry-run", "--url", &url];
    let shown = run(setup.folder(), &[&line[..], &["--config", "relay.yaml"]].concat()).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.stdout.ends_with("1 would be queued again\n"), "{shown:?}");
    assert_eq!(shown.stdout.lines().count(), 2);
    let body = json!({"filter": {"state": "failure"}, "dry_run": true});
    let answer = relay.post("/api/v1/dlq/replay", &body).await;
    assert_eq!((&answer["replayed"], &answer["dry_run"]), (&json!(0), &Value::Bool(true)));
    assert_eq!(relay.dead_letters().await, letters);
    let line = ["dlq", "replay", "--id", id, "--url", &url];
    let ended = run(setup.folder(), &line).await;
    assert_eq!(ended.stdout, "1 queued again\n", "{ended:?}");
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_deleted_by_id_or_all_at_once_and_never_by_a_slip() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = with_letters(&receiver, &setup).await;
    let letters = relay.dead_letters().await;
    let (id, url) = (letters[0]["id"].as_str().unwrap(), relay.url(""));
    let delete = async |flags: &[&str]| {
        run(setup.folder(), &[&["dlq", "delete", "--url", &url][..], flags].concat()).await
    };
    let slip = delete(&[]).await;
    assert_eq!(slip.code, Some(1));
    assert!(slip.stderr.contains("neither filter nor all"), "{slip:?}");
    let shown = delete(&["--id", id, "--dry-run"]).await;
    assert!(shown.stdout.ends_with("1 would be deleted\n"), "{shown:?}");
    assert_eq!(relay.dead_letters().await, letters);
    assert_eq!(delete(&["--id", id]).await.stdout, "1 deleted\n");
    assert_eq!(relay.dead_letters().await, letters[1..]);
    let rest = format!("{} deleted\n", letters.len() - 1);
    assert_eq!(delete(&["--all"]).await.stdout, rest);
    assert_eq!(relay.dead_letters().await, [] as [Value; 0]);
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_moves_to_a_listener_of_its_own() {
    let setup = Setup::empty();
    let own = crate::shared::free_address();
    setup.write("relay.yaml", &format!("server: {{ admin: {{ addr: \"{own}\" }} }}\n"));
    let relay = Relay::start(&setup).await;
    for (method, path) in [(Method::GET, "/api/v1/cluster"), REPLAY] {
        let (code, body) = answered(&relay, (method, path), &[], None).await;
        assert_eq!(code, 404, "{path}");
        assert!(body.contains("server.admin.addr"), "{body}");
    }
    // The command line takes the address from the configuration, and the token from the data
    // directory.
    let status = run(setup.folder(), &["cluster", "status", "--config", "relay.yaml"]).await;
    assert!(status.stdout.contains("quorum yes"), "{status:?}");
    let list = run(setup.folder(), &["dlq", "list", "--config", "relay.yaml"]).await;
    assert_eq!(list.stdout, "0 of 0 dead letters\n", "{list:?}");
    let ingest = client().post(format!("http://{own}/")).send().await.unwrap();
    assert_eq!(ingest.status(), 404, "no events are taken there");
    relay.stop().await;
}
