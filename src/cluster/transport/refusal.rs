//! Why a call is turned away: what the callee found, and what the caller is told of it.

use super::proto;
use crate::cluster::data_dir::identity::ClusterId;
use crate::state_machine::{FeatureLevel, NodeId};
use prost::Message as _;
use std::fmt;

/// What this node found wrong with a call. The node changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cluster) enum Refused {
    /// The caller is of another cluster than this node, which may be of none.
    WrongCluster { own: Option<ClusterId> },
    /// `cluster.expected_cluster_id` names another cluster than the caller's.
    UnexpectedCluster { expected: ClusterId },
    /// The call is for another node than the one that listens here.
    WrongNode { own: NodeId },
    /// The cluster knows start `known` of the caller's node, and the call is of start `boot`.
    StaleBoot { known: u64, boot: u64 },
    /// The caller was removed from this cluster.
    Retired,
    /// No version of the protocol is spoken by both sides.
    WireVersion { caller: WireVersions, callee: WireVersions },
    /// A part of the call cannot be read.
    Malformed { part: String },
    /// The node is stopping.
    Stopped,
    /// The caller's build cannot apply what the cluster writes (rule 22).
    FeatureLevel { cluster: FeatureLevel, caller: FeatureLevel },
}

/// The oldest and the newest version that a build speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) struct WireVersions {
    pub oldest: u32,
    pub newest: u32,
}

/// What a peer may say is wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    WrongCluster,
    WrongNode,
    StaleBoot,
    Retired,
    WireVersion,
    /// Also what this build does not know.
    Malformed,
    Stopped,
    FeatureLevel,
}

/// A refusal as it goes over the wire: a kind to act on, and the callee's words for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Rejection {
    pub kind: RefusalKind,
    /// Empty where the kind says it all.
    pub detail: String,
}

impl Refused {
    /// A call of which this part cannot be read.
    pub fn malformed(part: impl fmt::Display) -> Self {
        Self::Malformed { part: part.to_string() }
    }

    fn kind(&self) -> RefusalKind {
        match self {
            Self::WrongCluster { .. } | Self::UnexpectedCluster { .. } => RefusalKind::WrongCluster,
            Self::WrongNode { .. } => RefusalKind::WrongNode,
            Self::StaleBoot { .. } => RefusalKind::StaleBoot,
            Self::Retired => RefusalKind::Retired,
            Self::WireVersion { .. } => RefusalKind::WireVersion,
            Self::Malformed { .. } => RefusalKind::Malformed,
            Self::Stopped => RefusalKind::Stopped,
            Self::FeatureLevel { .. } => RefusalKind::FeatureLevel,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::WrongCluster { own: Some(own) } => own.to_string(),
            Self::WrongCluster { own: None } => "none yet".to_owned(),
            Self::UnexpectedCluster { expected } => format!("{expected} is expected"),
            Self::WrongNode { own } => own.to_string(),
            Self::StaleBoot { known, boot } => {
                format!("start {known} is known, this is start {boot}")
            }
            Self::Retired | Self::Stopped => String::new(),
            Self::WireVersion { caller, callee } => {
                let older = if caller.newest < callee.oldest { "caller" } else { "callee" };
                format!(
                    "the caller speaks {caller}, the callee {callee}: start a newer version of the \
                     {older}"
                )
            }
            Self::Malformed { part } => part.clone(),
            Self::FeatureLevel { cluster, caller } => format!(
                "the cluster is at feature level {cluster}, the caller's version knows none above \
                 {caller}: start a newer version"
            ),
        }
    }
}

impl fmt::Display for WireVersions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.oldest, self.newest)
    }
}

impl RefusalKind {
    /// Whether the process that was told so has to end: no call will be heard again.
    pub(super) fn is_final(self) -> bool {
        match self {
            Self::StaleBoot | Self::Retired | Self::FeatureLevel => true,
            Self::WrongCluster
            | Self::WrongNode
            | Self::WireVersion
            | Self::Malformed
            | Self::Stopped => false,
        }
    }

    fn encode(self) -> proto::refused::Kind {
        use proto::refused::Kind;
        match self {
            Self::WrongCluster => Kind::WrongCluster,
            Self::WrongNode => Kind::WrongNode,
            Self::StaleBoot => Kind::StaleBoot,
            Self::Retired => Kind::Retired,
            Self::WireVersion => Kind::WireVersion,
            Self::Malformed => Kind::Malformed,
            Self::Stopped => Kind::Stopped,
            Self::FeatureLevel => Kind::FeatureLevel,
        }
    }

    fn decode(kind: proto::refused::Kind) -> Self {
        use proto::refused::Kind;
        match kind {
            Kind::WrongCluster => Self::WrongCluster,
            Kind::WrongNode => Self::WrongNode,
            Kind::StaleBoot => Self::StaleBoot,
            Kind::Retired => Self::Retired,
            Kind::WireVersion => Self::WireVersion,
            Kind::Stopped => Self::Stopped,
            Kind::FeatureLevel => Self::FeatureLevel,
            Kind::Malformed | Kind::Unknown => Self::Malformed,
        }
    }
}

impl From<&Refused> for Rejection {
    fn from(refused: &Refused) -> Self {
        Self { kind: refused.kind(), detail: refused.detail() }
    }
}

impl Rejection {
    pub(super) fn encode(&self) -> Vec<u8> {
        let (kind, detail) = (self.kind.encode().into(), self.detail.clone());
        proto::Refused { kind, detail }.encode_to_vec()
    }

    /// A refusal is always read as some refusal.
    pub(super) fn decode(bytes: &[u8]) -> Self {
        let Ok(message) = proto::Refused::decode(bytes) else {
            let detail = "the refusal itself".to_owned();
            return Self { kind: RefusalKind::Malformed, detail };
        };
        Self { kind: RefusalKind::decode(message.kind()), detail: message.detail }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = &self.detail;
        match self.kind {
            RefusalKind::WrongCluster => write!(f, "the node belongs to another cluster: {detail}"),
            RefusalKind::WrongNode => write!(f, "another node listens there: {detail}"),
            RefusalKind::StaleBoot => write!(f, "a later start of this node is known: {detail}"),
            RefusalKind::Retired => f.write_str("this node was removed from its cluster"),
            RefusalKind::WireVersion => write!(f, "no common version: {detail}"),
            RefusalKind::Malformed => write!(f, "not understood: {detail}"),
            RefusalKind::Stopped => f.write_str("the node is stopping"),
            RefusalKind::FeatureLevel => f.write_str(detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each refusal, with what its caller is told.
    fn told() -> [(Refused, &'static str); 10] {
        let speaks = |oldest, newest| WireVersions { oldest, newest };
        let versions = |caller, callee| Refused::WireVersion { caller, callee };
        [
            (
                Refused::WrongCluster { own: Some(ClusterId(0xc)) },
                "the node belongs to another cluster: 000000000000000c",
            ),
            (Refused::WrongCluster { own: None }, "the node belongs to another cluster: none yet"),
            (
                Refused::UnexpectedCluster { expected: ClusterId(0xc) },
                "the node belongs to another cluster: 000000000000000c is expected",
            ),
            (Refused::WrongNode { own: NodeId(9) }, "another node listens there: 0000000000000009"),
            (
                Refused::StaleBoot { known: 4, boot: 3 },
                "a later start of this node is known: start 4 is known, this is start 3",
            ),
            (Refused::Retired, "this node was removed from its cluster"),
            (
                versions(speaks(1, 2), speaks(3, 5)),
                "no common version: the caller speaks 1 to 2, the callee 3 to 5: start a newer \
                 version of the caller",
            ),
            (
                versions(speaks(6, 7), speaks(3, 5)),
                "no common version: the caller speaks 6 to 7, the callee 3 to 5: start a newer \
                 version of the callee",
            ),
            (Refused::malformed("body"), "not understood: body"),
            (Refused::Stopped, "the node is stopping"),
        ]
    }

    #[test]
    fn a_caller_is_told_the_kind_and_the_facts_over_the_wire() {
        let level = Refused::FeatureLevel { cluster: FeatureLevel(3), caller: FeatureLevel(2) };
        let text = "the cluster is at feature level 3, the caller's version knows none above 2: \
                    start a newer version";
        for (refused, text) in told().into_iter().chain([(level, text)]) {
            let sent = Rejection::from(&refused);
            assert_eq!(Rejection::decode(&sent.encode()), sent);
            assert_eq!(sent.to_string(), text);
        }
    }

    #[test]
    fn a_refusal_that_cannot_be_read_is_one_that_was_not_understood() {
        let garbage = Rejection::decode(b"\xff");
        assert_eq!(
            (garbage.kind, garbage.detail.as_str()),
            (RefusalKind::Malformed, "the refusal itself")
        );
        let unknown = proto::Refused { kind: 77, detail: "x".to_owned() }.encode_to_vec();
        let unknown = Rejection::decode(&unknown);
        assert_eq!((unknown.kind, unknown.detail.as_str()), (RefusalKind::Malformed, "x"));
    }
}
