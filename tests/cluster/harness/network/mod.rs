//! A breakable network between processes on loopback, without root. Traffic to a member goes to its
//! front, an address of this process, which forwards it to the real address by the rule for this
//! pair of members. Linux only: it finds the sender of a connection in `/proc`, and uses all of
//! 127.0.0.0/8.

mod datagrams;
mod rule;
pub mod sender;
mod streams;

pub use rule::{Rule, Rules};
pub use sender::{Identify, Processes};

use datagrams::Front;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Number of a member, from 0.
pub type Member = usize;

/// Where a member listens, and the address announced to others.
#[derive(Clone, Copy, Debug)]
pub struct Attachment {
    pub real_tcp: SocketAddr,
    pub real_udp: SocketAddr,
    pub front_tcp: SocketAddr,
    pub front_udp: SocketAddr,
}

/// A running network; it ends with the runtime of its scenario.
pub struct Network {
    rules: Arc<Rules>,
    members: usize,
    /// From the first rule to the last time that everything passed again.
    disturbed: Mutex<Option<(Instant, Option<Instant>)>>,
}

impl Network {
    /// Listens on all fronts and lets everything pass. Members are numbered in the order given.
    pub async fn start(attachments: &[Attachment], identify: Identify) -> Self {
        let rules = Arc::new(Rules::default());
        for (member, attachment) in attachments.iter().enumerate() {
            let lane = (Arc::clone(&rules), Arc::clone(&identify));
            streams::listen(member, *attachment, lane).await;
        }
        let mut fronts = Vec::new();
        for attachment in attachments {
            fronts.push(Front::bind(*attachment).await);
        }
        datagrams::forward(fronts, &rules);
        Self { rules, members: attachments.len(), disturbed: Mutex::default() }
    }

    /// Sets the rule for traffic from `from` to `to`.
    pub fn set(&self, from: Member, to: Member, rule: Rule) {
        self.change(&[(from, to)], rule);
    }

    /// Sets the rule for traffic from `member` to all others.
    pub fn set_outbound(&self, member: Member, rule: Rule) {
        let pairs: Vec<_> = self.others(member).map(|other| (member, other)).collect();
        self.change(&pairs, rule);
    }

    /// Sets the rule for traffic from all others to `member`.
    pub fn set_inbound(&self, member: Member, rule: Rule) {
        let pairs: Vec<_> = self.others(member).map(|other| (other, member)).collect();
        self.change(&pairs, rule);
    }

    /// Nothing passes between `member` and all others, in either direction.
    pub fn isolate(&self, member: Member) {
        self.set_outbound(member, Rule::Hold);
        self.set_inbound(member, Rule::Hold);
    }

    /// All bytes that have passed between members, in order.
    pub fn seen(&self) -> Vec<u8> {
        self.rules.seen()
    }

    /// Everything passes again.
    pub fn heal(&self) {
        self.rules.clear();
        if let Some((_, until)) = self.disturbed.lock().unwrap().as_mut() {
            *until = Some(Instant::now());
        }
    }

    /// The widest time span in which not everything passed; it may not have ended yet.
    pub fn disturbed(&self) -> Option<(Instant, Option<Instant>)> {
        *self.disturbed.lock().unwrap()
    }

    fn change(&self, pairs: &[(Member, Member)], rule: Rule) {
        let mut disturbed = self.disturbed.lock().unwrap();
        let (from, _) = disturbed.unwrap_or((Instant::now(), None));
        *disturbed = Some((from, None));
        self.rules.set(pairs, rule);
    }

    fn others(&self, member: Member) -> impl Iterator<Item = Member> {
        (0..self.members).filter(move |other| *other != member)
    }
}
