//! Why an event or command was not confirmed.

/// Why an event or command was not confirmed. A retry is always safe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// The log did not answer in time. It may or may not be stored.
    #[error("no confirmation within {waited_ms} ms")]
    Unanswered { waited_ms: u64 },
    /// Leadership was lost on the way. It may or may not be stored.
    #[error("leadership was lost before the confirmation")]
    Unconfirmed,
    /// This replica cannot write to the log now. Nothing was stored.
    #[error("no leader to write to the log")]
    NoLeader,
    /// Too much is waiting already. Nothing was stored.
    #[error("too many requests are waiting for the log")]
    Overloaded,
    /// Larger than one entry may be. Nothing was stored; smaller parts may be.
    #[error("request of {bytes} bytes, an entry of the log holds {bytes_max}")]
    TooLarge { bytes: usize, bytes_max: usize },
    /// The disk is nearly full. Nothing was stored.
    #[error("the disk is nearly full")]
    DiskLow,
    /// Everything in the state is still needed. That event was not stored.
    #[error("no room for a new run, see store.memory and store.runs_max")]
    Full,
    /// The relay is stopping, or its disk has failed. It may or may not be stored.
    #[error("the log is closed")]
    Stopped,
}

impl AcceptError {
    /// Whether the leader refuses only new events with this, and still accepts work.
    pub(in crate::cluster) fn is_about_events(&self) -> bool {
        match self {
            Self::Overloaded | Self::DiskLow => true,
            Self::Unanswered { .. }
            | Self::Unconfirmed
            | Self::NoLeader
            | Self::TooLarge { .. }
            | Self::Full
            | Self::Stopped => false,
        }
    }

    /// Whether another path, or the next leader, may confirm it.
    pub(in crate::cluster) fn is_passing(&self) -> bool {
        match self {
            Self::NoLeader | Self::Unconfirmed => true,
            Self::Unanswered { .. }
            | Self::Overloaded
            | Self::TooLarge { .. }
            | Self::DiskLow
            | Self::Full
            | Self::Stopped => false,
        }
    }
}
