//! Polls all nodes while a scenario runs, and keeps every different observation: a false statement
//! of a node is also found if it is gone at the end.

use super::node::SECRET_FILE;
use super::view::View;
use crate::shared::admin_token;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two polls: often compared with the life of an epoch, rarely compared with the work of a
/// node.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// One of this many polls asks for a digest, which is a pass over the whole state of the node.
const LOOKS_PER_DIGEST: u64 = 10;
/// A frozen node delays polls of the others by at most this.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// A new leader is seen within this time: a poll that has just begun asks twice, then comes the
/// next one. Doubled, for a busy machine.
pub const NOTICED_MAX: Duration = Duration::from_secs(5);

/// When a node was asked and when it answered, since the start of the history. Its answer was true
/// at some moment between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    pub asked: Duration,
    pub answered: Duration,
}

/// Consecutive polls of one pod that found the same owner of a slot in the same epoch. Epochs only
/// rise, so it was true all the time between the first and the last.
#[derive(Clone, Debug)]
pub struct Stretch {
    pub owner: Option<String>,
    pub epoch: u64,
    pub first: Look,
    pub last: Look,
}

/// All observations, by the key that must be unique.
#[derive(Clone, Debug, Default)]
pub struct Sightings {
    /// Cluster ids, with the pods that named them.
    pub cluster_ids: BTreeMap<String, BTreeSet<String>>,
    /// Leaders, by term.
    pub leaders: BTreeMap<u64, BTreeSet<String>>,
    /// When a leader of each term was first seen.
    pub elected: BTreeMap<u64, Duration>,
    /// Owners, by slot and epoch.
    pub owners: BTreeMap<(usize, u64), BTreeSet<String>>,
    /// Digests, by applied index, with their pods.
    pub digests: BTreeMap<u64, BTreeMap<String, BTreeSet<String>>>,
    /// Node ids, by pod name.
    pub ids: BTreeMap<String, BTreeSet<String>>,
    /// What each pod had applied for each slot, over time.
    pub stretches: BTreeMap<String, BTreeMap<usize, Vec<Stretch>>>,
}

/// `GET /api/v1/cluster/digest`: the digest of a node's state.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Digest {
    pub applied_index: u64,
    pub digest: String,
}

/// `GET /api/v1/cluster/slots`: all slots, by number.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Slots {
    pub slots: Vec<Ownership>,
}

/// One slot, as one node has applied it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Ownership {
    pub owner: Option<String>,
    pub epoch: u64,
}

impl Sightings {
    /// Keeps the view of the cluster by `pod`.
    pub fn saw_view(&mut self, pod: &str, view: &View, look: Look) {
        self.ids.entry(pod.to_owned()).or_default().insert(view.node.clone());
        if let Some(id) = &view.cluster_id {
            self.cluster_ids.entry(id.clone()).or_default().insert(pod.to_owned());
        }
        if let (Some(term), Some(leader)) = (view.term, &view.leader) {
            self.leaders.entry(term).or_default().insert(leader.clone());
            let elected = self.elected.entry(term).or_insert(look.answered);
            *elected = look.answered.min(*elected);
        }
    }

    /// Keeps the owners of slots, as `pod` had applied them.
    pub fn saw_slots(&mut self, pod: &str, seen: &Slots, look: Look) {
        let slots = self.stretches.entry(pod.to_owned()).or_default();
        for (slot, ownership) in seen.slots.iter().enumerate() {
            let Ownership { owner, epoch } = ownership.clone();
            let stretches = slots.entry(slot).or_default();
            match stretches.last_mut() {
                Some(last) if (&last.owner, last.epoch) == (&owner, epoch) => last.last = look,
                Some(_) | None => {
                    stretches.push(Stretch { owner, epoch, first: look, last: look });
                }
            }
            if let Some(owner) = &ownership.owner {
                let owners = self.owners.entry((slot, ownership.epoch)).or_default();
                owners.insert(owner.clone());
            }
        }
    }

    /// Keeps the digest of what `pod` has applied.
    pub fn saw_digest(&mut self, pod: &str, seen: &Digest) {
        let digests = self.digests.entry(seen.applied_index).or_default();
        digests.entry(seen.digest.clone()).or_default().insert(pod.to_owned());
    }

    /// Whether the leadership may have changed between two moments: a leader other than the first
    /// one was first seen in that time, or soon after it.
    pub fn may_have_changed(&self, from: Duration, to: Duration) -> bool {
        let mut later = self.elected.values().skip(1);
        later.any(|heard| from <= *heard && heard.saturating_sub(NOTICED_MAX) <= to)
    }
}

/// A node to observe.
pub struct Observed {
    pub pod: String,
    pub url: String,
    /// Holds its configuration and its data directory.
    pub folder: PathBuf,
}

/// A running observer; ends with the runtime of its scenario.
#[derive(Clone)]
pub struct Observer {
    sightings: Arc<Mutex<Sightings>>,
    client: reqwest::Client,
    started: Instant,
}

impl Observer {
    /// Observes these nodes, whether they run or not. Times count from `started`.
    pub fn start(nodes: Vec<Observed>, client: reqwest::Client, started: Instant) -> Self {
        let observer = Self { sightings: Arc::default(), client, started };
        for Observed { pod, url, folder } in nodes {
            let observer = observer.clone();
            tokio::spawn(async move {
                let mut looks = tokio::time::interval(LOOK_EVERY);
                for look in 1_u64.. {
                    looks.tick().await;
                    observer.look(&pod, &url).await;
                    if look.is_multiple_of(LOOKS_PER_DIGEST) {
                        observer.compare(&pod, &url, &folder).await;
                    }
                }
            });
        }
        observer
    }

    /// Keeps the digest of what `pod` has applied, from a request of another part.
    pub fn keep_digest(&self, pod: &str, digest: &Digest) {
        self.keep(|sightings| sightings.saw_digest(pod, digest));
    }

    /// All observations so far.
    pub fn sightings(&self) -> Sightings {
        self.sightings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn look(&self, pod: &str, url: &str) {
        let get = |path: &str| self.client.get(format!("{url}{path}"));
        if let Some((view, look)) = self.ask::<View>(get("/api/v1/cluster")).await {
            self.keep(|sightings| sightings.saw_view(pod, &view, look));
        }
        if let Some((slots, look)) = self.ask::<Slots>(get("/api/v1/cluster/slots")).await {
            self.keep(|sightings| sightings.saw_slots(pod, &slots, look));
        }
    }

    async fn compare(&self, pod: &str, url: &str, folder: &Path) {
        let (config, secret) = (folder.join("relay.yaml"), folder.join(SECRET_FILE));
        let token = admin_token(Some(&config), &folder.join("data"), Some(&secret)).await;
        let get = self.client.get(format!("{url}/api/v1/cluster/digest")).bearer_auth(token);
        if let Some((digest, _)) = self.ask(get).await {
            self.keep_digest(pod, &digest);
        }
    }

    fn keep(&self, seen: impl FnOnce(&mut Sightings)) {
        seen(&mut self.sightings.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        get: reqwest::RequestBuilder,
    ) -> Option<(T, Look)> {
        let asked = self.started.elapsed();
        let answer = get.timeout(LOOK_MAX).send().await.ok()?;
        let text = answer.error_for_status().ok()?.text().await.ok()?;
        let look = Look { asked, answered: self.started.elapsed() };
        Some((serde_json::from_str(&text).ok()?, look))
    }
}
