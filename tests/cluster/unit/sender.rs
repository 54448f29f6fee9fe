//! The process of a connection is found by its socket.

use crate::harness::network::Processes;
use crate::harness::network::sender::inode_of;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::{TcpListener, TcpStream};

const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1000
   1: 0100007F:D431 0302007F:0CF8 01 00000000:00000000 02:00000000 00000000     0        0 4711
   2: 0100007F:D432 0302007F:0CF8 06 00000000:00000000 03:00000000 00000000     0        0 0
";

fn address(octets: [u8; 4], port: u16) -> SocketAddr {
    (Ipv4Addr::from(octets), port).into()
}

#[test]
fn a_connection_is_found_by_both_addresses() {
    let front = address([127, 0, 2, 3], 3320);
    let inode = |port| inode_of(TABLE, address([127, 0, 0, 1], port), front);
    assert_eq!(inode(0xd431), Some(4711));
    assert_eq!(inode(0xd433), None);
    assert_eq!(inode(0xd432), None, "nobody holds it any more");
    let other = inode_of(TABLE, address([127, 0, 0, 1], 0xd431), address([127, 0, 2, 3], 3321));
    assert_eq!(other, None);
}

#[tokio::test]
async fn a_member_is_known_by_its_process() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = listener.local_addr().unwrap();
    let open = TcpStream::connect(front).await.unwrap();
    let client = open.local_addr().unwrap();
    let processes = Processes::default();
    assert_eq!(processes.identify()(client, front), None);
    processes.started(4, std::process::id());
    assert_eq!(processes.identify()(client, front), Some(4));
}
