//! A relay whose configuration is replaced while it runs.

use super::*;
use crate::config::{NoFiles, SecretCheck, load};
use crate::event::{RunEvent, recorded_run};
use std::path::Path;

/// What has not happened by then never will.
const WITHIN: Duration = Duration::from_secs(20);

/// A relay in memory whose events go to the log, by an instance of this name.
fn config(folder: &Path, instance: &str, runs_max: u64) -> Config {
    let folder = folder.display();
    let text = format!(
        "server: {{ addr: \"127.0.0.1:0\" }}\n\
         store: {{ backend: memory, runs_max: {runs_max} }}\n\
         cluster: {{ data_dir: \"{folder}\" }}\n\
         notifiers: {{ log: [{{ name: {instance} }}] }}\n"
    );
    let loaded = load(&text, "relay.yaml", &NoFiles, SecretCheck::Skipped);
    loaded.unwrap_or_else(|errors| panic!("{errors}")).config
}

/// The instance to which the end of a new run was delivered.
async fn delivered_by(app: &App, uid: &str) -> String {
    let event = RunEvent { uid: uid.to_owned(), ce_id: format!("ce-{uid}"), ..recorded_run(38) };
    app.cluster().accept(vec![event]).await.unwrap();
    let mut applied = app.cluster().applied();
    let settled = || {
        app.cluster().read(|state| {
            let settled = &state.run(uid).unwrap().run.settled;
            settled.front().map(|settled| settled.route.instance.clone())
        })
    };
    let waiting = applied.wait_for(|_| settled().is_some());
    tokio::time::timeout(WITHIN, waiting).await.unwrap().unwrap();
    settled().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_counts_for_the_next_event_its_metrics_and_the_settings_of_the_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let first = config(folder.path(), "first", 1000);
    let app = App::start(first).await.unwrap();
    assert_eq!(delivered_by(&app, "a").await, "first");
    let second = config(folder.path(), "second", 2000);
    app.swap(&second).await.unwrap();
    let ruleset = Arc::clone(&app.rulesets.borrow());
    assert_eq!((ruleset.generation, ruleset.hash), (2, second.hash()));
    assert_eq!(app.cluster().read(|state| state.settings().runs_max), 2000);
    let scraped = app.cluster().read(|state| app.metrics.scrape(state));
    let scraped = String::from_utf8(scraped).unwrap();
    assert!(scraped.contains("instance=\"second\""), "{scraped}");
    assert_eq!(delivered_by(&app, "b").await, "second");
    let stop = CancellationToken::new();
    stop.cancel();
    app.run(stop).await.unwrap();
}
