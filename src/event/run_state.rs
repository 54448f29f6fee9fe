//! The state of a run as users write it in rules, and its order.

use std::fmt;

/// The closed set of run states that rules, templates and targets see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunState {
    Pending,
    Running,
    Success,
    Failure,
    Error,
    Canceled,
}

impl RunState {
    /// All states, in declaration order.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Running, Self::Success, Self::Failure, Self::Error, Self::Canceled];

    /// The word users write.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
            Self::Canceled => "canceled",
        }
    }

    /// The state written as `text`, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// How bad the state is; the worst is the highest. A run under way is worse than a success, so
    /// that no success hides it. An undecided run is worse than a failed one.
    #[must_use]
    pub fn badness(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Pending | Self::Running => 1,
            Self::Canceled => 2,
            Self::Failure => 3,
            Self::Error => 4,
        }
    }

    /// Whether a run in this state has ended.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
            Self::Success | Self::Failure | Self::Error | Self::Canceled => true,
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a run has come. Within an attempt a lower rank never overwrites a higher one (facts:
/// Tekton sends `running` after `successful` whenever it had to retry).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    Queued,
    Started,
    Running,
    Terminal,
}

impl Rank {
    /// 0 to 3, the stored form.
    #[must_use]
    pub fn as_u8(self) -> u8 {
        match self {
            Self::Queued => 0,
            Self::Started => 1,
            Self::Running => 2,
            Self::Terminal => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_parse_back_and_no_other_word_does() {
        for state in RunState::ALL {
            assert_eq!(RunState::parse(state.as_str()), Some(state));
        }
        assert_eq!(RunState::parse("cancelled"), None);
    }

    #[test]
    fn ranks_rise_from_queued_to_terminal() {
        assert!(Rank::Queued < Rank::Started && Rank::Running < Rank::Terminal);
        let ranks = [Rank::Queued, Rank::Started, Rank::Running, Rank::Terminal];
        assert_eq!(ranks.map(Rank::as_u8), [0, 1, 2, 3]);
    }
}
