//! What the log can say: commands, the entry that carries them, and what applying them answers.
//! Every command is keyed or conditional: applied twice it changes nothing (rule 17).

use super::dead_letter::Cause;
use super::level::FeatureLevel;
use super::node::NodeId;
use super::settings::Settings;
use super::slot::{SlotId, SlotMove};
use crate::clock::Timestamp;
use crate::effect::{EffectId, PlannedEffect, Receipt, RouteName, SkipReason, Skipped};
use crate::event::{Key, RunEvent};

/// One log entry: commands and the time at which they happened, stamped by the leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub at: Timestamp,
    pub commands: Vec<Command>,
}

/// One replicated operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Replaces the values that apply uses (rule 20).
    Settings(Settings),
    /// A process of `node` has started. Its older open Begins are over.
    Boot(Boot),
    /// Gives slots to nodes.
    Assign(Vec<SlotMove>),
    /// Takes an event, or says why not. Applied again, as when its first answer was lost, it is a
    /// duplicate: the event is kept all the same, and a sender is told so by either fate.
    Accept(Box<RunEvent>),
    /// Keeps the memory of runs whose known transitions were sent again (rule 8).
    Touch(Vec<Key>),
    /// Plans an event, asks for the right to send effects, or both (rule 1).
    Begin(Begin),
    /// Outcomes of attempts.
    Record(Vec<AttemptOutcome>),
    /// Effects whose route the owner's configuration lacks (rule 6).
    Park { owner: Owner, effects: Vec<EffectId> },
    /// Puts dead letters back to work.
    Replay(Vec<ReplayItem>),
    /// Takes dead letters out for good. Since [`FeatureLevel::SECOND`]: older members cannot read it.
    DeleteLetters(Vec<u64>),
    /// `node` left for good: its id never comes back, and its open Begins are over as by a newer
    /// boot. Refused while it owns a slot or may be making a call.
    Retire { node: NodeId },
    /// A target asked that an instance be left alone until a moment in replicated time: nothing is
    /// begun for it before, on any node. `instance` is its
    /// [`pause_key`](super::StateMachine::pause_key). Holds for [`PAUSE_MAX`](super::PAUSE_MAX) at most.
    Pause { instance: String, until: Timestamp },
    /// All members speak `level`: commands and records of it may be written from now on. A lower
    /// one changes nothing (rule 22).
    RaiseLevel { level: FeatureLevel },
    /// Carries time to timers that are due.
    Tick,
    /// Marks a place in the log at which replicas compare their states (rule 21): each keeps, for
    /// itself, the digest of its state after the entry that holds the mark. It names no digest,
    /// so that nobody's state, the leader's least of all, is taken for the right one.
    Checkpoint,
}

/// A start of a node's process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    pub node: NodeId,
    /// Rises with every start of the data directory.
    pub number: u64,
    /// The event the previous process was planning when it ended, if it was (rule 7).
    pub ended_while_planning: Option<(Key, u64)>,
}

/// Who asks: a node in one life, and the slot in the epoch it believes to own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    pub node: NodeId,
    pub boot: u64,
    pub slot: SlotId,
    pub epoch: u64,
}

/// A request for the right to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begin {
    pub owner: Owner,
    /// The plan of the event at the head of a run's queue; carried by its first Begin.
    pub planned: Option<Planned>,
    /// Asked for by number, so that a Begin that comes again after its call was recorded begins
    /// nothing: see [`EffectRecord::next_grant`](super::EffectRecord::next_grant).
    pub asked: Vec<Grant>,
}

/// What planning one queued event decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub run: Key,
    /// Sequence number of the queued event.
    pub sequence: u64,
    pub effects: Vec<PlannedEffect>,
    pub skipped: Vec<Skipped>,
    /// Routes whose rule failed: each becomes a dead letter of its own.
    pub failed: Vec<FailedRoute>,
}

/// A route that could not be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRoute {
    pub route: RouteName,
    pub cause: Cause,
}

/// The result of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptOutcome {
    pub effect: EffectId,
    /// Number of the Begin this answers.
    pub attempt: u32,
    pub result: AttemptResult,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    Delivered(Receipt),
    /// Failed; to be begun again after `wait_ms`.
    RetryIn {
        wait_ms: u64,
        cause: Cause,
    },
    /// Given up.
    Dead(Cause),
    /// Found to owe nothing when it was rendered.
    Skipped(SkipReason),
    /// Never left this process. Its number is spent all the same, so that this record, however
    /// often it is applied, cannot end a later Begin.
    Unsent,
}

/// A dead letter to be delivered again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayItem {
    pub letter: u64,
    /// The event to use instead of the recorded one.
    pub event: Option<Box<RunEvent>>,
}

/// What became of an event. Closed set; each is counted in apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// On disk on a quorum; leads to every configured effect or a dead letter.
    Accepted,
    /// Known already: the same delivery, or the same transition under another id.
    Duplicate,
    /// Older than what is known of its run.
    Superseded,
    /// Not about a run we follow.
    Ignored,
    /// On this replica's disk alone, until there is a quorum again.
    Spooled,
}

impl Fate {
    /// All fates, in declaration order.
    pub const ALL: [Self; 5] =
        [Self::Accepted, Self::Duplicate, Self::Superseded, Self::Ignored, Self::Spooled];

    /// The word used in answers and metric labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Superseded => "superseded",
            Self::Ignored => "ignored",
            Self::Spooled => "spooled",
        }
    }
}

/// What applying one command answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    Done,
    Accepted(Accepted),
    Begun(Vec<Grant>),
    Refused(Refusal),
    /// How many letters were queued again.
    Replayed(u64),
    /// How many letters were deleted.
    Deleted(u64),
}

impl Applied {
    /// What was granted; nothing where the command was none that asks.
    #[must_use]
    pub fn granted(self) -> Vec<Grant> {
        match self {
            Self::Begun(grants) => grants,
            Self::Done
            | Self::Accepted(_)
            | Self::Refused(_)
            | Self::Replayed(_)
            | Self::Deleted(_) => Vec::new(),
        }
    }

    /// How many letters left the list; none where the command was about no letters.
    #[must_use]
    pub fn letters(&self) -> u64 {
        match self {
            Self::Replayed(count) | Self::Deleted(count) => *count,
            Self::Done | Self::Accepted(_) | Self::Begun(_) | Self::Refused(_) => 0,
        }
    }
}

/// The answer to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub fate: Fate,
    pub slot: SlotId,
    /// A hint: who owned the slot when the event was applied.
    pub owner: Option<NodeId>,
}

/// The right to make one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    pub effect: EffectId,
    pub attempt: u32,
}

impl Grant {
    /// The first call of an effect: what the Begin that carries its plan asks for.
    #[must_use]
    pub fn first(effect: EffectId) -> Self {
        Self { effect, attempt: 1 }
    }
}

/// Why a command changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The slot belongs to another node, epoch or boot.
    NotOwner,
    /// A boot number that is not above the known one: a copied or restored data directory.
    StaleBoot,
    /// Every run record is in use (`store.runs_max`).
    Full,
    /// The node was retired: its data directory is set aside, and it takes a new id.
    Retired,
    /// The node to be retired owns a slot, or began a call less than 11 s ago.
    InUse,
}

impl Refusal {
    /// All refusals, in declaration order.
    pub const ALL: [Self; 5] =
        [Self::NotOwner, Self::StaleBoot, Self::Full, Self::Retired, Self::InUse];
}
