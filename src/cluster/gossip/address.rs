//! The address that this node binds for gossip, and the one it announces. A gossip identity holds
//! an IP address for a whole life, so the pod's name counts only if it resolves to this machine:
//! right after a restart its record can still be that of the previous pod.

use super::GossipError;
use super::socket::sendable;
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::time::timeout;

/// A resolver tries for up to half a minute. One round of discovery does not wait that long; the
/// abandoned attempt ends by itself.
pub(super) const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);
/// Documentation addresses: no packet is sent. They only select the outgoing route.
const OUTSIDE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// All addresses, of both families, of `host`.
///
/// # Errors
/// The lookup failed. This does not mean that there is no address.
pub(super) async fn resolve(host: &str, port: u16) -> io::Result<BTreeSet<SocketAddr>> {
    let found = timeout(RESOLVE_TIMEOUT, lookup_host((host, port))).await??;
    let found: BTreeSet<SocketAddr> = found.collect();
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no records"));
    }
    Ok(found)
}

/// Splits `HOST:PORT`, with brackets around an IPv6 host.
pub(super) fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_sound = bare.is_some() || !host.contains([':', '[', ']']);
    let host = bare.unwrap_or(host);
    let port = port.parse().ok()?;
    (is_sound && !host.is_empty()).then_some((host, port))
}

/// The address of this node for other nodes.
///
/// An IP address in `advertise` is used as it is; a name is used if it resolves to this machine.
/// Otherwise it is the bound address. If that means every address of this machine, it is the source
/// address towards the seeds, or towards the outside if no seed is known.
///
/// # Errors
/// The system has no route to the seeds or to the outside.
pub(super) async fn advertised(
    bound: SocketAddr,
    advertise: Option<&str>,
    seeds: &BTreeSet<SocketAddr>,
) -> Result<SocketAddr, GossipError> {
    if let Some(host) = advertise {
        if let Some(address) = named(host, bound).await {
            return Ok(address);
        }
        tracing::debug!(host, "the advertised host leads elsewhere, or nowhere yet");
    }
    if !bound.ip().is_unspecified() {
        return Ok(bound);
    }
    let ip = routed(seeds, bound.is_ipv6()).ok_or(GossipError::NoAddress)?;
    Ok(SocketAddr::new(ip, bound.port()))
}

async fn named(host: &str, bound: SocketAddr) -> Option<SocketAddr> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, bound.port()));
    }
    let found = resolve(host, bound.port()).await.ok()?;
    let mut usable = found.into_iter().filter(|found| {
        sendable(*found, bound.is_ipv6()).is_some() && is_on_this_machine(found.ip())
    });
    usable.next()
}

/// The address of this machine on the route to the seeds; another machine's route comes before
/// loopback.
fn routed(seeds: &BTreeSet<SocketAddr>, is_v6: bool) -> Option<IpAddr> {
    let ways = |targets: Vec<IpAddr>| -> Vec<IpAddr> {
        let usable = targets.into_iter().filter(|ip| is_v6 || ip.is_ipv4());
        usable.filter_map(source_towards).collect()
    };
    let towards_seeds = ways(seeds.iter().map(|seed| seed.ip().to_canonical()).collect());
    let found = towards_seeds.iter().find(|ip| !ip.is_loopback()).or(towards_seeds.first());
    found.copied().or_else(|| ways(OUTSIDE.to_vec()).first().copied())
}

/// The source address of packets to `target`. A UDP connect sends nothing.
fn source_towards(target: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match target {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    // Any port except 0, which cannot be connected to.
    socket.connect((target, 9)).ok()?;
    let source = socket.local_addr().ok()?.ip();
    (!source.is_unspecified()).then_some(source)
}

/// The addresses of this node: others may use any address of this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnAddress {
    /// The bound address of the socket.
    pub bound: SocketAddr,
    /// The announced address.
    pub advertised: SocketAddr,
}

impl OwnAddress {
    /// Whether `address` leads to this process.
    pub(super) fn is(&self, address: SocketAddr) -> bool {
        if address == self.advertised || address == self.bound {
            return true;
        }
        let is_any = self.bound.ip().is_unspecified();
        is_any && address.port() == self.bound.port() && is_on_this_machine(address.ip())
    }
}

/// Whether `ip` belongs to this machine: only then do its packets come from `ip`. (Binding it
/// proves less: a system may allow binding foreign addresses.)
fn is_on_this_machine(ip: IpAddr) -> bool {
    ip.is_loopback() || source_towards(ip) == Some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn seeds(texts: &[&str]) -> BTreeSet<SocketAddr> {
        texts.iter().map(|text| address(text)).collect()
    }

    async fn advertise(bound: &str, host: Option<&str>, towards: &[&str]) -> String {
        let found = advertised(address(bound), host, &seeds(towards)).await;
        found.unwrap().to_string()
    }

    #[test]
    fn hosts_and_ports_are_split() {
        let cases = [
            ("relay-0.relay:3322", Some(("relay-0.relay", 3322))),
            ("10.0.0.1:1", Some(("10.0.0.1", 1))),
            ("[fd00::1]:3322", Some(("fd00::1", 3322))),
            ("fd00::1:3322", None),
            ("[fd00::1:3322", None),
            ("relay", None),
            (":3322", None),
            ("[]:3322", None),
            ("relay:", None),
            ("relay:65536", None),
        ];
        for (text, expected) in cases {
            assert_eq!(host_and_port(text), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn an_advertised_ip_address_is_taken_as_it_is() {
        assert_eq!(advertise("127.0.0.1:7", Some("10.9.8.7"), &[]).await, "10.9.8.7:7");
        assert_eq!(advertise("0.0.0.0:7", Some("fd00::1"), &[]).await, "[fd00::1]:7");
    }

    #[tokio::test]
    async fn a_name_counts_where_it_leads_to_this_machine() {
        assert_eq!(advertise("0.0.0.0:7", Some("localhost"), &[]).await, "127.0.0.1:7");
    }

    #[tokio::test]
    async fn a_name_that_leads_nowhere_gives_way_to_the_bound_address() {
        // Too long for a label of a name: refused without a query.
        let nowhere = "x".repeat(64);
        assert_eq!(advertise("127.0.0.1:7", Some(&nowhere), &[]).await, "127.0.0.1:7");
    }

    #[tokio::test]
    async fn a_node_bound_to_every_address_names_the_one_towards_its_seeds() {
        assert_eq!(advertise("0.0.0.0:7", None, &["127.0.0.1:1"]).await, "127.0.0.1:7");
    }

    #[test]
    fn a_node_bound_to_every_address_is_behind_each_of_them_and_its_port_only() {
        let own = OwnAddress { bound: address("0.0.0.0:7"), advertised: address("10.9.8.7:7") };
        assert!(own.is(address("10.9.8.7:7")));
        assert!(own.is(address("127.0.0.1:7")));
        assert!(!own.is(address("127.0.0.1:8")));
        assert!(!own.is(address("192.0.2.1:7")));
    }

    #[test]
    fn a_node_bound_to_one_address_is_not_behind_the_others_of_its_machine() {
        let own = OwnAddress { bound: address("127.0.0.2:7"), advertised: address("127.0.0.2:7") };
        assert!(own.is(address("127.0.0.2:7")));
        assert!(!own.is(address("127.0.0.1:7")));
    }

    #[test]
    fn only_addresses_of_this_machine_are_on_it() {
        assert!(is_on_this_machine(Ipv4Addr::LOCALHOST.into()));
        if let Some(own) = source_towards(OUTSIDE[0]) {
            assert!(is_on_this_machine(own), "{own}");
        }
        // Reserved for documentation: no machine has it.
        assert!(!is_on_this_machine(OUTSIDE[0]));
    }
}
