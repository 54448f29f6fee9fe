//! Summaries of runs that did not end well are complete, include stragglers, and can be corrected.

use crate::harness::{Receiver, Relay, Setup, eventually, named, recorded};
use serde_json::json;
use std::time::Duration;

const SHOWN_WITHIN: Duration = Duration::from_secs(20);

/// Waits until the only comment on the pull request contains `part`, and returns it.
async fn comment(receiver: &Receiver, pr: u64, part: &str) -> String {
    let what = format!("a comment on {pr} with {part:?}");
    eventually(&what, SHOWN_WITHIN, async || {
        let threads = receiver.seen().threads();
        let comments = threads.get(&pr)?;
        assert_eq!(comments.len(), 1, "one comment a run: {comments:?}");
        comments.first().filter(|text| text.contains(part)).cloned()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_and_timed_out_runs_have_complete_summaries() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = Relay::start(&setup).await;
    let (requests, _) = recorded();
    relay.take(&named(&requests, "cancelme")).await;
    relay.take(&named(&requests, "timeme")).await;
    let row = "| build | 🚫 cancelled | 5s | TaskRunCancelled |";
    for (pr, start, title) in [
        (9, "cancelme: canceled", "### 🚫 cancelme: cancelled"),
        (10, "timeme: failure", "### ❌ timeme: failed"),
    ] {
        let text = comment(&receiver, pr, row).await;
        assert!(text.contains(start) && text.contains(title), "{text}");
        assert!(!text.contains("Not every task"), "{text}");
    }
    assert_eq!(relay.gauge("summaries_incomplete_total").await, 0);
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_straggler_after_the_summary_updates_the_same_comment() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = Relay::start(&setup).await;
    let mut requests = named(&recorded().0, "cancelme");
    let straggler = requests.pop().unwrap();
    assert_eq!(straggler.run_name().as_deref(), Some("cancelme-build"));
    relay.take(&requests).await;
    let early = comment(&receiver, 9, "### 🚫 cancelme: cancelled").await;
    assert!(early.contains("| build | ⏳ running |"), "{early}");

    // The data survives a restart in between.
    relay.stop().await;
    let relay = Relay::start(&setup).await;
    relay.take(&[straggler]).await;
    let late = comment(&receiver, 9, "| build | 🚫 cancelled | 5s |").await;
    assert!(late.contains("### 🚫 cancelme: cancelled"), "{late}");
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_was_mended_helps_what_it_failed() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let good = "{{ .RunName }}: {{ .State }}";
    let failing = "{{ index (splitList \\\"-\\\" .RunName) 5 }}";
    setup.change_config(good, failing);
    let relay = Relay::start(&setup).await;
    relay.take(&named(&recorded().0, "ok")).await;
    let letters = eventually("a dead letter", SHOWN_WITHIN, async || {
        relay.settled().await;
        Some(relay.dead_letters().await).filter(|letters| !letters.is_empty())
    })
    .await;
    for letter in &letters {
        assert_eq!(letter["effect"]["cause"], "render", "{letter}");
        assert_eq!(letter["effect"]["action"], "summary", "{letter}");
    }
    assert_eq!(receiver.seen().comments.len(), 0);
    assert_eq!(receiver.seen().checks().len(), 3, "statuses are not held up");
    relay.stop().await;

    setup.change_config(failing, good);
    let relay = Relay::start(&setup).await;
    let answer = relay.post("/api/v1/dlq/replay", &json!({})).await;
    assert_eq!(answer["replayed"], letters.len());
    let text = comment(&receiver, 7, "| cleanup (finally) | ✅ succeeded | 3s | Succeeded |").await;
    assert!(text.contains("ok: success"), "{text}");
    relay.settled().await;
    assert_eq!(relay.dead_letters().await.len(), 0);
    relay.kill_nine().await;
}
