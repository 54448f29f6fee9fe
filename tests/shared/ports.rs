//! Free ports.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

/// Ports for outgoing connections start above these on Linux (32768), so none of those can take a
/// relay's port while it restarts.
pub const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// This many successive ports, free on every address for TCP and UDP. Tests of one process never
/// get the same, and processes start at different places.
pub fn free_ports(count: u16) -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    let span = u32::from(PORTS.end - PORTS.start - count);
    let first = std::process::id() % span;
    loop {
        let tried = TRIED.fetch_add(u32::from(count), Ordering::Relaxed);
        let port = PORTS.start + u16::try_from((first + tried) % span).unwrap();
        if (port..port + count).all(is_free) {
            return port;
        }
    }
}

/// A loopback address with such a port.
pub fn free_address() -> String {
    format!("127.0.0.1:{}", free_ports(1))
}

fn is_free(port: u16) -> bool {
    let address = (Ipv4Addr::UNSPECIFIED, port);
    TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
}
