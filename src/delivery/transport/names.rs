//! Host names to addresses, with an error that a caller can tell from all others.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The name is unknown, or no name server answered.
#[derive(Debug, thiserror::Error)]
#[error("the name could not be resolved")]
pub(super) struct LookupFailed(#[source] std::io::Error);

/// Asks the system, as any other program does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is set by whoever asks.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(LookupFailed)?;
            let addresses: Addrs = Box::new(found.collect::<Vec<_>>().into_iter());
            Ok(addresses)
        })
    }
}
