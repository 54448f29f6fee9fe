//! The only outbound I/O: one transport per kind of [`Outbound`].

mod cause;
mod clients;
mod exposed;
mod http;
mod jq;
mod mail;
mod names;
mod recently_used;
mod redirect;
mod token_cache;

pub use clients::BuildError;
pub(super) use exposed::Exposed;
pub use http::HttpTransport;
pub use jq::JqProcesses;

use crate::clock::Clock;
use crate::failure::DeliveryFailure;
use crate::integration::{Outbound, Reply};
use mail::MailTransport;
use std::sync::Arc;
use tracing::info;

/// All transports.
#[derive(Clone)]
pub struct Transports {
    http: HttpTransport,
    mail: MailTransport,
    jq: JqProcesses,
}

impl Transports {
    /// Transports that read the time of answers from `clock`.
    ///
    /// # Errors
    /// The TLS stack cannot be set up.
    pub fn new(clock: Arc<dyn Clock>) -> Result<Self, BuildError> {
        let http = HttpTransport::new(clock)?;
        Ok(Self { http, mail: MailTransport::default(), jq: JqProcesses::default() })
    }

    /// Sends one request and waits for its answer; the caller sets the deadline. The secrets that
    /// left with the request are noted in `exposed`.
    ///
    /// # Errors
    /// The request needs a token, and there is none to be had: nothing was sent.
    pub(super) async fn send(
        &self,
        outbound: Outbound,
        exposed: &mut Exposed,
    ) -> Result<Reply, DeliveryFailure> {
        Ok(match outbound {
            Outbound::Http(request) => self.http.send(&request, exposed).await?,
            Outbound::Mail(mail) => self.mail.send(&mail, exposed).await,
            Outbound::Log(line) => {
                info!(target: "notifier", "{line}");
                Reply::Accepted { remote_id: None, code: 0 }
            }
            Outbound::Transform(transform) => self.jq.run(&transform).await,
        })
    }
}
