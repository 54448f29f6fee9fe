//! Pods behind a headless Service: a network namespace and an address for each, a DNS server that
//! names them, and access for the test. Needs root, `ip` and the right to make namespaces.

pub mod dns;
mod links;
mod resolver;

use crate::shared::client_builder;
use links::Links;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use resolver::Resolver;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::process::Command;

pub use links::missing;
pub use resolver::Zone;

/// The Service's DNS name. `test` is reserved (RFC 6761), so no real server is ever asked.
pub const SERVICE: &str = "relay.test";
/// The port of the default of `--server-addr`; every pod has all ports to itself.
const SERVER_PORT: u16 = 8080;

/// Network namespaces of one cluster, removed when dropped.
pub struct Pods {
    links: Links,
    resolver: Resolver,
    addresses: Addresses,
}

/// The actual address of each pod, by host name, whatever DNS says.
type Addresses = Arc<Mutex<BTreeMap<String, Ipv4Addr>>>;

impl Pods {
    /// This many pods, each with a first address. DNS knows none of them yet.
    pub async fn new(count: usize) -> Self {
        let links = Links::new(count);
        let resolver = Resolver::start(links.dns_socket(), Zone::new(SERVICE));
        let pods = Self { links, resolver, addresses: Addresses::default() };
        for pod in 0..count {
            pods.move_to(pod, pods.links.address(pod));
        }
        pods
    }

    /// The test's own address, as pods reach it.
    pub fn outside(&self) -> Ipv4Addr {
        self.links.outside()
    }

    /// The address of a pod.
    pub fn address(&self, pod: usize) -> Ipv4Addr {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)[&host(pod)]
    }

    /// An address that no pod has used so far.
    pub fn fresh_address(&self) -> Ipv4Addr {
        self.links.fresh_address()
    }

    /// Gives a pod another address instead of the old one, without a change in DNS.
    pub fn move_to(&self, pod: usize, address: Ipv4Addr) {
        self.links.set_address(pod, address);
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.insert(host(pod), address);
    }

    /// Unplugs a pod: no packet from it or to it arrives, without notice.
    pub fn unplug(&self, pod: usize) {
        self.links.unplug(pod);
    }

    /// Makes DNS name a pod by its current address.
    pub fn publish(&self, pod: usize) {
        let address = self.address(pod).into();
        self.resolver.change(|zone| zone.publish(&name(pod), address));
    }

    /// Stops all answers of DNS, or starts them again.
    pub fn silence_dns(&self, is_silent: bool) {
        self.resolver.change(|zone| zone.silence(is_silent));
    }

    /// Removes a pod from DNS.
    pub fn withdraw(&self, pod: usize) {
        self.resolver.change(|zone| zone.withdraw(&name(pod)));
    }

    /// How often a pod asked for the Service and got the answer that there is no such name.
    pub fn denied(&self, pod: usize) -> usize {
        let asker = IpAddr::from(self.address(pod));
        self.resolver.change(|zone| zone.denied(asker))
    }

    /// Runs `binary` in a pod.
    pub fn command(&self, pod: usize, binary: &Path) -> Command {
        let mut command = Command::new("ip");
        // The process becomes the binary, so that signals reach it.
        command.args(["netns", "exec", &self.links.namespace(pod)]).arg(binary);
        command
    }

    /// The flags of `serve` that differ from one place to another.
    pub fn flags(&self) -> Vec<(&'static str, String)> {
        let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, SERVER_PORT));
        vec![("--service", SERVICE.to_owned()), ("--server-addr", listen.to_string())]
    }

    /// The URL of a pod for the test, with [`Pods::client`] only.
    pub fn url(&self, pod: usize) -> String {
        format!("http://{}:{SERVER_PORT}", host(pod))
    }

    /// A client that reaches every pod at its current address.
    pub fn client(&self) -> reqwest::Client {
        let directory = Directory(Arc::clone(&self.addresses));
        client_builder().dns_resolver(Arc::new(directory)).build().unwrap()
    }
}

/// The pod's name; its number is the ordinal.
fn name(pod: usize) -> String {
    format!("relay-{pod}")
}

fn host(pod: usize) -> String {
    format!("{}.{SERVICE}", name(pod))
}

/// Finds pods for the test.
struct Directory(Addresses);

impl Resolve for Directory {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The URL's port replaces 0.
        let found = addresses.get(name.as_str()).map(|address| SocketAddr::from((*address, 0)));
        let found = found.ok_or_else(|| format!("no pod {}", name.as_str()).into());
        Box::pin(std::future::ready(found.map(|at| Box::new(std::iter::once(at)) as Addrs)))
    }
}
