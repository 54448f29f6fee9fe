//! Network namespaces, joined by a bridge with its own namespace, and a link into it for the test.
//! `ip` (iproute2) makes and removes them; names contain the process id, so that parallel test runs
//! do not collide.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

/// Where `ip netns` keeps a file for each namespace.
const NAMESPACES: &str = "/run/netns";
/// Files in a directory here replace those in `/etc` for `ip netns exec` (ip-netns(8)).
const FILES: &str = "/etc/netns";
/// A locally administered address.
const BRIDGE_MAC: &str = "02:00:00:00:00:01";
/// The bridge's host number: the DNS server, and the gateway as in a real pod.
const BRIDGE: u8 = 1;
/// The test's host number.
const OUTSIDE: u8 = 2;
/// The first pod's host number.
const FIRST_POD: u8 = 10;
/// First host number of addresses that pods move to.
const FIRST_FRESH: u8 = 100;
const DNS_PORT: u16 = 53;

/// What this machine lacks to make namespaces; `None` if nothing.
pub fn missing() -> Option<&'static str> {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return Some("needs root, for network namespaces");
    }
    let probe = format!("relay-{}-probe", std::process::id());
    let Ok(made) = Command::new("ip").args(["netns", "add", &probe]).output() else {
        return Some("needs ip, of iproute2, for network namespaces");
    };
    if !made.status.success() {
        return Some("needs the right to make network namespaces");
    }
    ip(&["netns", "del", &probe]);
    None
}

/// Namespaces and links of one cluster; removed when dropped.
pub struct Links {
    /// Prefix of every namespace's name.
    prefix: String,
    /// The test's end of its link. Names of links have 15 bytes at most.
    link: String,
    /// The addresses are 10.99.`subnet`.x.
    subnet: u8,
    pods: usize,
    fresh: AtomicU8,
}

impl Links {
    /// Makes all of it. Pods have no address yet.
    pub fn new(pods: usize) -> Self {
        static MADE: AtomicU8 = AtomicU8::new(0);
        static MAKING: Mutex<()> = Mutex::new(());
        // Until its link is up, other processes do not see that a subnet is in use.
        let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        let (pid, number) = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let links = Self {
            prefix: format!("relay-{pid}-{number}"),
            link: format!("rl{pid}-{number}"),
            subnet: free_subnet(pid),
            pods,
            fresh: AtomicU8::new(FIRST_FRESH),
        };
        // From here on a failure drops `links`, which removes what exists.
        links.join_the_outside();
        (0..pods).for_each(|pod| links.join_pod(pod));
        links
    }

    fn bridge(&self) -> String {
        format!("{}-bridge", self.prefix)
    }

    /// The namespace of a pod.
    pub fn namespace(&self, pod: usize) -> String {
        format!("{}-{pod}", self.prefix)
    }

    fn host(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 99, self.subnet, host)
    }

    /// The test's address.
    pub fn outside(&self) -> Ipv4Addr {
        self.host(OUTSIDE)
    }

    /// The first address of a pod.
    pub fn address(&self, pod: usize) -> Ipv4Addr {
        self.host(FIRST_POD + u8::try_from(pod).unwrap())
    }

    /// An address that was not used so far.
    pub fn fresh_address(&self) -> Ipv4Addr {
        self.host(self.fresh.fetch_add(1, Ordering::Relaxed))
    }

    fn join_the_outside(&self) {
        let (bridge, link) = (self.bridge(), &self.link);
        ip(&["netns", "add", &bridge]);
        ip(&["-n", &bridge, "link", "set", "lo", "up"]);
        // Otherwise it has the lowest address of its ports, and another one when that port is
        // unplugged: hosts with a cached address could not reach the DNS server for half a minute.
        let own = ["address", BRIDGE_MAC, "type", "bridge"];
        ip(&[&["-n", &bridge, "link", "add", "bridge"], own.as_slice()].concat());
        ip(&["-n", &bridge, "address", "add", &self.network(BRIDGE), "dev", "bridge"]);
        ip(&["-n", &bridge, "link", "set", "bridge", "up"]);
        ip(&["link", "add", link, "type", "veth", "peer", "name", "outside", "netns", &bridge]);
        ip(&["-n", &bridge, "link", "set", "outside", "master", "bridge", "up"]);
        ip(&["address", "add", &self.network(OUTSIDE), "dev", link]);
        ip(&["link", "set", link, "up"]);
    }

    fn join_pod(&self, pod: usize) {
        let (bridge, namespace, port) = (self.bridge(), self.namespace(pod), format!("pod-{pod}"));
        ip(&["netns", "add", &namespace]);
        ip(&["-n", &namespace, "link", "set", "lo", "up"]);
        let eth0 = ["type", "veth", "peer", "name", "eth0", "netns", &namespace];
        ip(&[&["-n", &bridge, "link", "add", &port], eth0.as_slice()].concat());
        let files = self.files(pod);
        std::fs::create_dir_all(&files).unwrap();
        let text = format!("nameserver {}\noptions timeout:1 attempts:2\n", self.host(BRIDGE));
        std::fs::write(files.join("resolv.conf"), text).unwrap();
    }

    fn files(&self, pod: usize) -> PathBuf {
        Path::new(FILES).join(self.namespace(pod))
    }

    fn network(&self, host: u8) -> String {
        format!("{}/24", self.host(host))
    }

    /// Gives a pod only this address, and plugs it in.
    pub fn set_address(&self, pod: usize, address: Ipv4Addr) {
        let (namespace, gateway) = (self.namespace(pod), self.host(BRIDGE).to_string());
        ip(&["-n", &namespace, "address", "flush", "dev", "eth0"]);
        ip(&["-n", &namespace, "address", "add", &format!("{address}/24"), "dev", "eth0"]);
        ip(&["-n", &namespace, "link", "set", "eth0", "up"]);
        ip(&["-n", &namespace, "route", "replace", "default", "via", &gateway]);
        let port = format!("pod-{pod}");
        ip(&["-n", &self.bridge(), "link", "set", &port, "master", "bridge", "up"]);
    }

    /// Unplugs the cable: neither end is notified.
    pub fn unplug(&self, pod: usize) {
        ip(&["-n", &self.bridge(), "link", "set", &format!("pod-{pod}"), "nomaster"]);
    }

    /// A socket for the DNS server, at the bridge.
    pub fn dns_socket(&self) -> UdpSocket {
        let namespace = Path::new(NAMESPACES).join(self.bridge());
        let address = SocketAddr::from((self.host(BRIDGE), DNS_PORT));
        // In a separate thread, since it never returns to its namespace; the socket stays where it
        // was opened.
        let opened = std::thread::spawn(move || {
            let namespace = std::fs::File::open(namespace)?;
            rustix::thread::move_into_link_name_space(
                namespace.as_fd(),
                Some(rustix::thread::LinkNameSpaceType::Network),
            )?;
            UdpSocket::bind(address)
        });
        opened.join().unwrap().unwrap()
    }
}

/// Removes everything that exists. The nodes kill their processes in a namespace.
impl Drop for Links {
    fn drop(&mut self) {
        let _ = run(&["link", "del", &self.link]);
        let pods = (0..self.pods).map(|pod| self.namespace(pod));
        for namespace in pods.chain([self.bridge()]) {
            let _ = run(&["netns", "del", &namespace]);
        }
        for pod in 0..self.pods {
            let _ = std::fs::remove_dir_all(self.files(pod));
        }
        // Fails if it is not empty, and then it existed before.
        let _ = std::fs::remove_dir(FILES);
    }
}

/// A subnet without a route on this machine, including routes of other test runs.
fn free_subnet(pid: u32) -> u8 {
    let first = u8::try_from(pid % 256).unwrap();
    let all = (0..=u8::MAX).map(|by| first.wrapping_add(by));
    let is_free = |subnet: &u8| {
        let range = format!("10.99.{subnet}.0/24");
        ip(&["-4", "route", "show", "root", &range]).is_empty()
    };
    all.into_iter().find(is_free).expect("a subnet is free")
}

/// Runs `ip`, which must succeed; returns its output.
fn ip(arguments: &[&str]) -> String {
    let output = run(arguments).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {said}", arguments.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

fn run(arguments: &[&str]) -> std::io::Result<Output> {
    Command::new("ip").args(arguments).output()
}
