//! `server`: the HTTP listener for events, health, metrics and the API.

use super::admin::{self, Admin};
use super::auth::{self, SenderAuth};
use super::tls::{self, Tls};
use crate::settings::address;
use crate::settings::fields::Fields;
use std::time::Duration;

/// The Go relay's address; senders and Services are configured for it.
const ADDR: &str = "0.0.0.0:8080";

/// An event of a large PipelineRun with its specs and child references stays under 1.5 MiB, the
/// size limit of an object in etcd; a batch may hold several.
const BODY_BYTES_MAX: usize = 4 << 20;

/// A body is in memory, and several are read at the same time.
const BODY_BYTES_LIMIT: i64 = 64 << 20;

/// Half of the 60 s that the shipped StatefulSet gives a pod to stop.
const SHUTDOWN_TIMEOUT_SECS: u32 = 30;

/// How the relay listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// `addr`: where events, health, metrics and the API are served. `:PORT` means all IPv4
    /// addresses. Default `0.0.0.0:8080`.
    pub addr: String,
    /// `max_body_size`: bytes of a request body, 1 KiB to 64 MiB. Default 4 MiB: over the largest
    /// event. Lower values refuse large events with 413, which loses them; higher ones cost memory.
    pub max_body_bytes: usize,
    /// `admin`: access to the API, and its listener.
    pub admin: Admin,
    /// `auth`: what senders have to show, one of these. Empty: nothing, and anyone who reaches
    /// `addr` may send events.
    pub auth: Vec<SenderAuth>,
    /// `tls`: the certificate of the listeners. `None`: they use no TLS.
    pub tls: Option<Tls>,
    /// `shutdown_timeout_sec`: seconds for calls in progress to end after SIGTERM, 1 to 600.
    /// Default 30. Keep it 20 s under the grace period of the pod; the rest of a stop needs that
    /// time.
    pub shutdown_timeout: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            addr: ADDR.to_owned(),
            max_body_bytes: BODY_BYTES_MAX,
            admin: Admin::default(),
            auth: Vec::new(),
            tls: None,
            shutdown_timeout: Duration::from_secs(SHUTDOWN_TIMEOUT_SECS.into()),
        }
    }
}

/// Reads `server`.
pub(super) fn read(mut fields: Fields<'_>) -> ServerSettings {
    let default = ServerSettings::default();
    let shutdown_secs = fields.count("shutdown_timeout_sec", 1..=600);
    let server = ServerSettings {
        addr: address::read(&mut fields, "addr").unwrap_or(default.addr),
        max_body_bytes: fields
            .size("max_body_size", 1 << 10..=BODY_BYTES_LIMIT)
            .unwrap_or(default.max_body_bytes),
        auth: auth::read(&mut fields),
        tls: tls::read(&mut fields),
        admin: admin::read(fields.section("admin")),
        shutdown_timeout: shutdown_secs
            .map_or(default.shutdown_timeout, |secs| Duration::from_secs(secs.into())),
    };
    fields.notice(
        &["read_timeout_sec", "write_timeout_sec"],
        "has no effect: requests are closed by deadlines that the sender's retries rely on",
    );
    fields.not_supported(&["metrics_addr", "rate_limit"]);
    fields.finish();
    server
}
