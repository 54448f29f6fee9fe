//! What happens to what one member sends to another.

use super::Member;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;

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
    /// At most so many bytes pass in a second.
    Throttle { bytes_per_s: u64 },
}

/// A connection that a rule has ended.
#[derive(Debug)]
pub struct Closed;

/// The rules of all pairs, (from, to). A pair without one passes everything.
pub struct Rules(watch::Sender<BTreeMap<(Member, Member), Rule>>);

impl Default for Rules {
    fn default() -> Self {
        Self(watch::Sender::new(BTreeMap::new()))
    }
}

impl Rules {
    /// Sets one rule for some pairs, at once.
    pub fn set(&self, pairs: &[(Member, Member)], rule: Rule) {
        self.0.send_modify(|rules| rules.extend(pairs.iter().map(|pair| (*pair, rule))));
    }

    /// Lets everything pass.
    pub fn clear(&self) {
        self.0.send_modify(BTreeMap::clear);
    }

    /// The rule of a pair.
    pub fn of(&self, pair: (Member, Member)) -> Rule {
        self.0.borrow().get(&pair).copied().unwrap_or_default()
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

    /// Waits until the rule of a pair is one of those asked for.
    pub async fn until(&self, pair: (Member, Member), is_met: impl Fn(Rule) -> bool) {
        let mut rules = self.0.subscribe();
        let met = rules.wait_for(|all| is_met(all.get(&pair).copied().unwrap_or_default()));
        // The sender lives as long as `self`.
        let _ = met.await;
    }
}
