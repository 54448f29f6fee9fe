//! Finds the process that opened a connection. All processes connect from 127.0.0.1, so the address
//! says nothing; `/proc` knows which process holds the other end (proc_pid_net(5), proc_pid_fd(5)).

use super::Member;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Finds the member whose connection came from the first address to the second.
pub type Identify = Arc<dyn Fn(SocketAddr, SocketAddr) -> Option<Member> + Send + Sync>;

/// The running process of each member.
#[derive(Clone, Default)]
pub struct Processes(Arc<Mutex<BTreeMap<Member, u32>>>);

impl Processes {
    /// Records that `member` runs as `pid` from now on.
    pub fn started(&self, member: Member, pid: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(member, pid);
    }

    /// Identifies members by the process that holds the connection.
    pub fn identify(&self) -> Identify {
        let known = self.clone();
        Arc::new(move |client, front| {
            let inode = inode_of(&std::fs::read_to_string("/proc/net/tcp").ok()?, client, front)?;
            let processes = known.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let holds = |pid: u32| holds_socket(&Path::new("/proc").join(pid.to_string()), inode);
            processes.into_iter().find(|(_, pid)| holds(*pid)).map(|(member, _)| member)
        })
    }
}

/// The inode of the socket that is connected from `local` to `remote`, in the text of
/// `/proc/net/tcp`.
pub fn inode_of(table: &str, local: SocketAddr, remote: SocketAddr) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (from, to, inode) = (fields.get(1)?, fields.get(2)?, fields.get(9)?);
        let is_it = parse_address(from)? == local && parse_address(to)? == remote;
        // A socket that its process has closed has inode 0.
        inode.parse().ok().filter(|inode| is_it && *inode != 0)
    })
}

/// `0100007F:0CF8` is 127.0.0.1:3320: the address as the processor stores it, the port as read.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let address = u32::from_str_radix(address, 16).ok()?.to_ne_bytes();
    let port = u16::from_str_radix(port, 16).ok()?;
    Some((Ipv4Addr::from(address), port).into())
}

fn holds_socket(process: &Path, inode: u64) -> bool {
    let name = format!("socket:[{inode}]");
    let Ok(open) = std::fs::read_dir(process.join("fd")) else { return false };
    let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.into_iter().any(|link| link.as_os_str() == name.as_str())
}
