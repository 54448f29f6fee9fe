//! A DNS server as pods have one: the name of a headless Service resolves to all of its pods, ready
//! or not, and each pod has its own name below it.

use super::dns::Question;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::UdpSocket;

/// The longest message over UDP without an extension.
const MESSAGE_BYTES_MAX: usize = 512;

/// The records, and the queries.
#[derive(Clone, Debug)]
pub struct Zone {
    service: String,
    /// By the pod's full name.
    pods: BTreeMap<String, IpAddr>,
    /// Answers that the Service's name does not exist, by the asking address.
    denied: BTreeMap<IpAddr, usize>,
    is_silent: bool,
}

impl Zone {
    /// A Service without pods: as in Kubernetes' DNS, its name does not exist.
    pub fn new(service: &str) -> Self {
        Self {
            service: service.to_owned(),
            pods: BTreeMap::new(),
            denied: BTreeMap::new(),
            is_silent: false,
        }
    }

    /// Makes `pod` resolve to this address only.
    pub fn publish(&mut self, pod: &str, address: IpAddr) {
        self.pods.insert(format!("{pod}.{}", self.service), address);
    }

    /// Leaves queries unanswered, or answers them again.
    pub fn silence(&mut self, is_silent: bool) {
        self.is_silent = is_silent;
    }

    /// Removes `pod`.
    pub fn withdraw(&mut self, pod: &str) {
        self.pods.remove(&format!("{pod}.{}", self.service));
    }

    /// Addresses of a name; `None` if there is no such name.
    pub fn look_up(&self, name: &str) -> Option<Vec<IpAddr>> {
        if name == self.service {
            let all: Vec<IpAddr> = self.pods.values().copied().collect();
            return (!all.is_empty()).then_some(all);
        }
        self.pods.get(name).map(|address| vec![*address])
    }

    /// How often `asker` got the answer that the Service's name does not exist.
    pub fn denied(&self, asker: IpAddr) -> usize {
        self.denied.get(&asker).copied().unwrap_or_default()
    }

    /// The answer to a message, if it is a question.
    pub fn answer(&mut self, message: &[u8], asker: IpAddr) -> Option<Vec<u8>> {
        let question = Question::parse(message).filter(|_| !self.is_silent)?;
        let found = self.look_up(&question.name);
        if found.is_none() && question.name == self.service {
            *self.denied.entry(asker).or_default() += 1;
        }
        Some(question.answer(found.as_deref()))
    }
}

/// A running server; ends when dropped.
pub struct Resolver {
    zone: Arc<Mutex<Zone>>,
    task: tokio::task::JoinHandle<()>,
}

impl Resolver {
    /// Answers on `socket`.
    pub fn start(socket: std::net::UdpSocket, zone: Zone) -> Self {
        socket.set_nonblocking(true).unwrap();
        let socket = UdpSocket::from_std(socket).unwrap();
        let zone = Arc::new(Mutex::new(zone));
        let task = tokio::spawn(serve(socket, Arc::clone(&zone)));
        Self { zone, task }
    }

    /// Changes or reads the zone.
    pub fn change<T>(&self, change: impl FnOnce(&mut Zone) -> T) -> T {
        change(&mut self.zone.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: UdpSocket, zone: Arc<Mutex<Zone>>) {
    let mut message = [0; MESSAGE_BYTES_MAX];
    loop {
        // The error of an earlier answer to a client that is gone.
        let Ok((length, asker)) = socket.recv_from(&mut message).await else { continue };
        let answer = {
            let mut zone = zone.lock().unwrap_or_else(PoisonError::into_inner);
            zone.answer(&message[..length], asker.ip())
        };
        if let Some(answer) = answer {
            let _ = socket.send_to(&answer, asker).await;
        }
    }
}
