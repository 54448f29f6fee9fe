//! The addresses of the nodes of one cluster: each has its own loopback address, with the same
//! ports everywhere, and another one for its front if the network is breakable.

use super::network::Attachment;
use crate::shared::free_ports;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};

/// The addresses of one cluster.
#[derive(Clone, Copy, Debug)]
pub struct Street {
    /// 127.`block.0`.`block.1`.x are real addresses, 127.`block.0`.`block.1 + 1`.x fronts.
    block: (u8, u8),
    server_port: u16,
    peer_port: u16,
    gossip_port: u16,
    is_fronted: bool,
}

impl Street {
    /// Unused addresses. With fronts, nodes announce the fronts.
    pub fn new(is_fronted: bool) -> Self {
        static USED: AtomicU8 = AtomicU8::new(0);
        let process = u8::try_from(std::process::id() % 200).unwrap();
        let number = USED.fetch_add(1, Ordering::Relaxed) % 120;
        let first = free_ports(3);
        Self {
            block: (10 + process, 2 * number),
            server_port: first,
            peer_port: first + 1,
            gossip_port: first + 2,
            is_fronted,
        }
    }

    fn real(&self, node: usize, port: u16) -> SocketAddr {
        let (high, low) = self.block;
        (Ipv4Addr::new(127, high, low, host(node)), port).into()
    }

    fn front(&self, node: usize, port: u16) -> SocketAddr {
        let (high, low) = self.block;
        (Ipv4Addr::new(127, high, low + 1, host(node)), port).into()
    }

    /// Where users reach a node.
    pub fn server(&self, node: usize) -> SocketAddr {
        self.real(node, self.server_port)
    }

    /// Where a node listens for members.
    pub fn peer(&self, node: usize) -> SocketAddr {
        self.real(node, self.peer_port)
    }

    /// Where a node listens for gossip.
    pub fn gossip(&self, node: usize) -> SocketAddr {
        self.real(node, self.gossip_port)
    }

    /// The gossip address of a node for others.
    pub fn seed(&self, node: usize) -> SocketAddr {
        if self.is_fronted { self.front(node, self.gossip_port) } else { self.gossip(node) }
    }

    /// The host that a node announces.
    pub fn advertised(&self, node: usize) -> String {
        self.seed(node).ip().to_string()
    }

    /// The flags of `serve` for a node, and for those whose gossip addresses are seeds.
    pub fn flags(&self, node: usize, seeds: &[usize]) -> Vec<(&'static str, String)> {
        let mut flags = vec![
            ("--server-addr", self.server(node).to_string()),
            ("--peer-addr", self.peer(node).to_string()),
            ("--gossip-addr", self.gossip(node).to_string()),
            ("--advertise-host", self.advertised(node)),
        ];
        flags.extend(seeds.iter().map(|seed| ("--seed", self.seed(*seed).to_string())));
        flags
    }

    /// How the network attaches a node.
    pub fn attachment(&self, node: usize) -> Attachment {
        Attachment {
            real_tcp: self.peer(node),
            real_udp: self.gossip(node),
            front_tcp: self.front(node, self.peer_port),
            front_udp: self.front(node, self.gossip_port),
        }
    }
}

/// Hosts count from 1: 127.x.y.0 is also an address, but looks like a network.
fn host(node: usize) -> u8 {
    u8::try_from(node + 1).unwrap()
}
