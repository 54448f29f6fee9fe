//! The only outbound I/O: one transport per kind of [`Outbound`].

mod http;

pub use http::{BuildError, HttpTransport};

use crate::clock::Clock;
use crate::integration::{Outbound, Reply};
use std::sync::Arc;
use tracing::info;

/// All transports.
#[derive(Clone)]
pub struct Transports {
    http: HttpTransport,
}

impl Transports {
    /// Transports that read the time of answers from `clock`.
    ///
    /// # Errors
    /// The TLS stack cannot be set up.
    pub fn new(clock: Arc<dyn Clock>) -> Result<Self, BuildError> {
        Ok(Self { http: HttpTransport::new(clock)? })
    }

    /// Sends one request and waits for its answer; the caller sets the deadline.
    pub async fn send(&self, outbound: Outbound) -> Reply {
        match outbound {
            Outbound::Http(request) => self.http.send(&request).await,
            Outbound::Log(line) => {
                info!(target: "notifier", "{line}");
                Reply::Logged
            }
        }
    }
}
