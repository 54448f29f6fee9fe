//! Looks at all nodes again and again while a scenario runs, and keeps every different thing that
//! it saw: what no node may ever say is not only looked for at the end.

use super::view::View;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Between two looks: often beside the life of an epoch, rarely beside the work of a node.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A frozen node does not hold up looks at the others for longer.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// Everything that was seen, by what has to be unique for it.
#[derive(Clone, Debug, Default)]
pub struct Sightings {
    /// Cluster ids, with who named them.
    pub cluster_ids: BTreeMap<String, BTreeSet<String>>,
    /// Leaders, by term.
    pub leaders: BTreeMap<u64, BTreeSet<String>>,
    /// Owners, by slot and epoch.
    pub owners: BTreeMap<(usize, u64), BTreeSet<String>>,
    /// Digests, by applied index, with who had them.
    pub digests: BTreeMap<u64, BTreeMap<String, BTreeSet<String>>>,
    /// Node ids, by pod name.
    pub ids: BTreeMap<String, BTreeSet<String>>,
}

/// `GET /api/v1/cluster/digest`: what a node has applied itself.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Applied {
    pub applied_index: u64,
    pub digest: String,
    /// All slots, by number.
    #[serde(default)]
    pub slots: Vec<Ownership>,
}

/// One slot, as one node has applied it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Ownership {
    pub owner: Option<String>,
    pub epoch: u64,
}

impl Sightings {
    /// Keeps what `pod` said of the cluster.
    pub fn saw_view(&mut self, pod: &str, view: &View) {
        self.ids.entry(pod.to_owned()).or_default().insert(view.node.clone());
        if let Some(id) = &view.cluster_id {
            self.cluster_ids.entry(id.clone()).or_default().insert(pod.to_owned());
        }
        if let (Some(term), Some(leader)) = (view.term, &view.leader) {
            self.leaders.entry(term).or_default().insert(leader.clone());
        }
    }

    /// Keeps what `pod` has applied.
    pub fn saw_applied(&mut self, pod: &str, applied: &Applied) {
        let digests = self.digests.entry(applied.applied_index).or_default();
        digests.entry(applied.digest.clone()).or_default().insert(pod.to_owned());
        for (slot, ownership) in applied.slots.iter().enumerate() {
            if let Some(owner) = &ownership.owner {
                let owners = self.owners.entry((slot, ownership.epoch)).or_default();
                owners.insert(owner.clone());
            }
        }
    }
}

/// A running observer; ends with the runtime of its scenario.
#[derive(Clone)]
pub struct Observer {
    sightings: Arc<Mutex<Sightings>>,
    client: reqwest::Client,
}

impl Observer {
    /// Looks at these nodes, (pod name, address), whether they run or not.
    pub fn start(nodes: Vec<(String, String)>, client: reqwest::Client) -> Self {
        let observer = Self { sightings: Arc::default(), client };
        for (pod, url) in nodes {
            let observer = observer.clone();
            tokio::spawn(async move {
                let mut looks = tokio::time::interval(LOOK_EVERY);
                loop {
                    looks.tick().await;
                    observer.look(&pod, &url).await;
                }
            });
        }
        observer
    }

    /// What has been seen so far.
    pub fn sightings(&self) -> Sightings {
        self.sightings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn look(&self, pod: &str, url: &str) {
        if let Some(view) = self.ask::<View>(&format!("{url}/api/v1/cluster")).await {
            self.keep(|sightings| sightings.saw_view(pod, &view));
        }
        if let Some(applied) = self.ask::<Applied>(&format!("{url}/api/v1/cluster/digest")).await {
            self.keep(|sightings| sightings.saw_applied(pod, &applied));
        }
    }

    fn keep(&self, seen: impl FnOnce(&mut Sightings)) {
        seen(&mut self.sightings.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn ask<T: serde::de::DeserializeOwned>(&self, url: &str) -> Option<T> {
        let answer = self.client.get(url).timeout(LOOK_MAX).send().await.ok()?;
        let text = answer.error_for_status().ok()?.text().await.ok()?;
        serde_json::from_str(&text).ok()
    }
}
