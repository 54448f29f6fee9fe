//! Loopback addresses that replicas keep across restarts.

use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;

/// Below the ports for outgoing connections (Linux: from 32768), so that no connection takes a
/// replica's port while it restarts.
const PORTS: Range<u16> = 20_000..32_000;
/// Distance between the ports of two processes with neighbouring ids: more ports than a demo uses.
const STRIDE: u32 = 101;

/// Addresses that were free when checked, each given out once.
#[derive(Debug)]
pub struct Ports {
    tried: u16,
    first: u16,
}

impl Ports {
    /// Addresses that parallel processes are unlikely to share.
    #[must_use]
    pub fn of_process(id: u32) -> Self {
        let span = u32::from(PORTS.end - PORTS.start);
        let first = id.wrapping_mul(STRIDE) % span;
        Self { tried: 0, first: u16::try_from(first).unwrap_or_default() }
    }

    /// The next `127.0.0.1:PORT` that is free for TCP and for UDP.
    ///
    /// # Errors
    /// Every port of the range was tried.
    pub fn next(&mut self) -> io::Result<String> {
        let span = PORTS.end - PORTS.start;
        while self.tried < span {
            let port = PORTS.start + (self.first + self.tried) % span;
            self.tried += 1;
            let address = (Ipv4Addr::LOCALHOST, port);
            if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
                return Ok(format!("127.0.0.1:{port}"));
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_passed_over_and_none_is_given_twice() {
        let first = Ports::of_process(7).next().unwrap();
        let _taken = UdpSocket::bind(&first).unwrap();
        let mut ports = Ports::of_process(7);
        let (second, third) = (ports.next().unwrap(), ports.next().unwrap());
        assert!(second != first && third != first && second != third, "{second} {third}");
    }

    #[test]
    fn neighbouring_processes_begin_apart() {
        let first = |id| Ports::of_process(id).first;
        assert_eq!(first(7).abs_diff(first(8)), 101);
        assert!(PORTS.contains(&(PORTS.start + first(u32::MAX))));
    }
}
