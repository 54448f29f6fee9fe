//! Resolves a peer's name. A name server can be lost with its machine, just when a new leader must
//! be elected: if it does not answer in time, gossip provides the address.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::task::JoinHandle;

/// A name server in the same cluster answers in a few milliseconds. This leaves two thirds of the
/// deadline of a vote, the shortest one that a cluster waits for, to the call.
const ANSWERED_WITHIN: Duration = Duration::from_millis(150);

type Found = io::Result<Vec<SocketAddr>>;

/// The look-up of one name in progress. The system's resolver blocks a thread for up to half a
/// minute when no server answers, so there is never a second one.
#[derive(Debug, Default)]
pub(super) struct Lookup(Option<JoinHandle<Found>>);

impl Lookup {
    /// The addresses to try for `address` (`HOST:PORT`). `heard` is the peer's address in gossip.
    ///
    /// # Errors
    /// The name does not resolve, or no answer came in time, and gossip has no address either.
    pub async fn addresses(&mut self, address: &str, heard: Option<IpAddr>) -> Found {
        if let Ok(address) = address.parse() {
            return Ok(vec![address]);
        }
        let name = address.to_owned();
        let ask = async move { Ok(tokio::net::lookup_host(name).await?.collect()) };
        let found = self.asked(ask).await;
        let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        match (found, heard.zip(port)) {
            (Ok(found), _) if !found.is_empty() => Ok(found),
            (_, Some((ip, port))) => Ok(vec![SocketAddr::new(ip, port)]),
            (found, None) => found,
        }
    }

    /// Forgets the look-up in progress: a late answer may be old when it is needed.
    pub fn clear(&mut self) {
        self.0 = None;
    }

    /// The answer to the look-up in progress, or else to this one.
    async fn asked(&mut self, ask: impl Future<Output = Found> + Send + 'static) -> Found {
        let asking = self.0.get_or_insert_with(|| tokio::spawn(ask));
        let Ok(answered) = tokio::time::timeout(ANSWERED_WITHIN, asking).await else {
            return Err(io::ErrorKind::TimedOut.into());
        };
        self.0 = None;
        answered.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const HEARD: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));
    /// Never has an address (RFC 6761).
    const NOWHERE: &str = "relay-0.invalid:3320";

    #[tokio::test]
    async fn rule_30_a_name_that_leads_somewhere_leads_there_whatever_gossip_hears() {
        for address in ["127.0.0.1:3320", "localhost:3320"] {
            let found = Lookup::default().addresses(address, Some(HEARD)).await.unwrap();
            let is_here = |found: &SocketAddr| found.ip().is_loopback() && found.port() == 3320;
            assert!(!found.is_empty() && found.iter().all(is_here), "{address}: {found:?}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_nowhere_leads_to_where_gossip_hears_the_peer() {
        let found = Lookup::default().addresses(NOWHERE, Some(HEARD)).await.unwrap();
        assert_eq!(found, [SocketAddr::new(HEARD, 3320)]);
        assert!(Lookup::default().addresses(NOWHERE, None).await.is_err());
    }

    #[tokio::test]
    async fn a_name_server_that_is_silent_is_asked_once_and_not_waited_for() {
        let (mut lookup, asked) = (Lookup::default(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..3 {
            let asked = Arc::clone(&asked);
            let silent = async move {
                asked.fetch_add(1, Ordering::Relaxed);
                std::future::pending().await
            };
            let error = lookup.asked(silent).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        lookup.clear();
        let found = vec![SocketAddr::new(HEARD, 1)];
        let answer = found.clone();
        assert_eq!(lookup.asked(async move { Ok(answer) }).await.unwrap(), found);
    }
}
