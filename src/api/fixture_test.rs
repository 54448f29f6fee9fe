//! Routes of tests, over a cluster of one in memory, or over a replica whose cluster is gone.

use super::tokens::ChangeToken;
use super::{Access, Api, BodyBudget, Senders, router};
use crate::clock::{Clock, SystemClock};
use crate::cluster::{
    Backend, Cluster, ClusterId, DataDirectory, Discovery, Options, PeerOptions, QuorumLossPolicy,
    Security,
};
use crate::config::OnQuorumLoss;
use crate::event::{Keep, Key};
use crate::plan::{Rules, Ruleset};
use crate::secret::SecretRef;
use crate::telemetry::Metrics;
use axum::body::Body;
use http::{HeaderValue, Request, StatusCode};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// Any length that a body of tests has.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The change token.
const TOKEN: &str = "right";

/// A ruleset without routes that keeps this of events.
pub(crate) fn ruleset(keep: Keep) -> Ruleset {
    Ruleset::first(Rules::default(), keep, Key::of(&[]))
}

/// What the routes of one replica need, and what tests do with them.
pub(crate) struct Bench {
    pub api: Api,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub async fn start(options: Options) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let cluster = Cluster::start(options, Arc::clone(&clock)).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let token = SecretRef::file(folder.path().join("token"));
        std::fs::write(token.path(), TOKEN).unwrap();
        let api = Api {
            cluster: Arc::new(cluster),
            metrics: Arc::new(Metrics::new().unwrap()),
            clock: Arc::clone(&clock),
            rulesets: watch::channel(Arc::new(ruleset(Keep::all()))).1,
            body_bytes_max: BODY_BYTES_MAX,
            bodies: BodyBudget::default(),
            senders: Arc::new(Senders::new(&[], false, clock)),
            warnings: Arc::from([]),
            access: Arc::new(Access {
                change: ChangeToken::Configured(token),
                read: None,
                hosts: Vec::new(),
            }),
            digest: Arc::default(),
            drain: CancellationToken::new(),
        };
        Self { api, _folder: folder }
    }

    /// A cluster of one in memory: everything works.
    pub async fn alone() -> Self {
        Self::start(Options::default()).await
    }

    /// A replica that finds nobody. As a member it has lost its quorum since it was started.
    pub async fn left(folder: &Path, is_member: bool, on_quorum_loss: OnQuorumLoss) -> Self {
        if is_member {
            DataDirectory::open(folder).unwrap().join(ClusterId(0xc)).unwrap();
            redb::Database::create(folder.join("log.redb")).unwrap();
        }
        let peer_options = PeerOptions {
            name: "relay-1".to_owned(),
            replicas: Some(3),
            peer_addr: "127.0.0.1:0".to_owned(),
            gossip_addr: "127.0.0.1:0".to_owned(),
            advertise_host: None,
            http_address: String::new(),
            discovery: Discovery::Seeds(Vec::new()),
            security: Security::of_test(),
            election_timeout: Duration::from_millis(500),
            removal_grace: Duration::from_mins(5),
            admit: Vec::new(),
            degrade: QuorumLossPolicy { spool_after: Duration::ZERO, on_quorum_loss },
            config_hash: 0,
        };
        let backend = Backend::Disk(folder.to_owned());
        let peer_options = Some(peer_options);
        Self::start(Options { backend, free_bytes_min: 0, peer_options, ..Options::default() })
            .await
    }

    /// The answer to a GET of an operator.
    pub async fn get(&self, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).header("authorization", format!("Bearer {TOKEN}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// The answer to a request.
    pub async fn send(&self, mut request: Request<Body>) -> (StatusCode, String) {
        request.headers_mut().insert("host", HeaderValue::from_static("relay"));
        let answer = router(self.api.clone(), true).oneshot(request).await.unwrap();
        let (status, body) = (answer.status(), answer.into_body());
        let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.unwrap();
        (status, String::from_utf8(body.into()).unwrap())
    }
}
