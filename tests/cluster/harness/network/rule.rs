//! What happens to traffic from one member to another.

use super::Member;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::watch;

/// Bytes that are recorded: more than a scenario that inspects them sends.
const SEEN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The state of one direction between two members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// Everything passes at once.
    #[default]
    Pass,
    /// A silent cut: bytes of connections wait until it ends, as TCP repeats them; new
    /// connections stay unanswered; datagrams are lost.
    Hold,
    /// Connections are closed, new ones too; datagrams are lost.
    Reset,
    /// Every piece arrives this much later, one after the other.
    Delay(Duration),
    /// At most this many bytes pass in a second.
    Throttle { bytes_per_s: u64 },
}

/// A connection closed by a rule.
#[derive(Debug)]
pub struct Closed;

/// The rules of all pairs, (from, to). Without a rule everything passes.
pub struct Rules {
    all: watch::Sender<BTreeMap<(Member, Member), Rule>>,
    /// The bytes that have passed, up to the bound.
    seen: Mutex<Vec<u8>>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { all: watch::Sender::new(BTreeMap::new()), seen: Mutex::default() }
    }
}

impl Rules {
    /// Sets one rule for some pairs, at once.
    pub fn set(&self, pairs: &[(Member, Member)], rule: Rule) {
        self.all.send_modify(|rules| rules.extend(pairs.iter().map(|pair| (*pair, rule))));
    }

    /// Records passing bytes, for a test that listens on the line.
    pub fn note(&self, passing: &[u8]) {
        let mut seen = self.seen.lock().unwrap();
        let room = SEEN_BYTES_MAX.saturating_sub(seen.len());
        seen.extend_from_slice(&passing[..passing.len().min(room)]);
    }

    /// All recorded bytes.
    pub fn seen(&self) -> Vec<u8> {
        self.seen.lock().unwrap().clone()
    }

    /// Lets everything pass.
    pub fn clear(&self) {
        self.all.send_modify(BTreeMap::clear);
    }

    /// The rule of a pair.
    pub fn of(&self, pair: (Member, Member)) -> Rule {
        self.all.borrow().get(&pair).copied().unwrap_or_default()
    }

    /// Waits until `bytes` may pass.
    ///
    /// # Errors
    /// The connection is reset.
    pub async fn pass(&self, pair: (Member, Member), bytes: usize) -> Result<(), Closed> {
        self.until(pair, |rule| rule != Rule::Hold).await;
        match self.of(pair) {
            Rule::Pass | Rule::Hold => Ok(()),
            Rule::Reset => Err(Closed),
            Rule::Delay(by) => {
                tokio::time::sleep(by).await;
                Ok(())
            }
            Rule::Throttle { bytes_per_s } => {
                let micros = bytes as u64 * 1_000_000 / bytes_per_s.max(1);
                tokio::time::sleep(Duration::from_micros(micros)).await;
                Ok(())
            }
        }
    }

    /// Waits until the rule of a pair meets the condition.
    pub async fn until(&self, pair: (Member, Member), is_met: impl Fn(Rule) -> bool) {
        let mut rules = self.all.subscribe();
        let met = rules.wait_for(|all| is_met(all.get(&pair).copied().unwrap_or_default()));
        // The sender lives as long as `self`.
        let _ = met.await;
    }
}
