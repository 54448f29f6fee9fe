//! Who calls whom, and why a call is turned away.

use super::proto;
use crate::cluster::data_dir::identity::ClusterId;
use crate::state_machine::{FEATURE_LEVEL, FeatureLevel, NodeId};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use prost::Message as _;

/// Version of the protocol between members that this build speaks.
pub(in crate::cluster) const WIRE_VERSION: u32 = 1;
/// Oldest version that this build still speaks.
const WIRE_VERSION_MIN: u32 = 1;

/// What a caller says about itself and whom it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) struct Hello {
    pub cluster: Option<ClusterId>,
    pub from: NodeId,
    /// `None`: whoever listens there.
    pub to: Option<NodeId>,
    pub boot: u64,
    /// Random number of the process: tells a copied directory from a restart.
    pub life: u64,
    pub wire_version: u32,
    pub wire_version_min: u32,
    /// Newest feature level that the caller's build can apply.
    pub feature_level: FeatureLevel,
    /// Whether it came by a channel on which the caller has proven to be a peer. Never sent.
    pub is_proven: bool,
}

impl Hello {
    /// A Hello of this build.
    pub fn new(cluster: Option<ClusterId>, from: NodeId, boot: u64, life: u64) -> Self {
        Self {
            cluster,
            from,
            to: None,
            boot,
            life,
            wire_version: WIRE_VERSION,
            wire_version_min: WIRE_VERSION_MIN,
            feature_level: FEATURE_LEVEL,
            is_proven: true,
        }
    }

    pub(super) fn encode(&self) -> String {
        let message = proto::Hello {
            cluster: self.cluster.map_or(0, |id| id.0),
            from: self.from.0,
            to: self.to.map_or(0, |id| id.0),
            boot: self.boot,
            life: self.life,
            wire_version: self.wire_version,
            wire_version_min: self.wire_version_min,
            feature_level: self.feature_level.0,
        };
        STANDARD_NO_PAD.encode(message.encode_to_vec())
    }

    pub(super) fn decode(header: &[u8]) -> Option<Self> {
        let bytes = STANDARD_NO_PAD.decode(header).ok()?;
        let message = proto::Hello::decode(bytes.as_slice()).ok()?;
        Some(Self {
            cluster: (message.cluster != 0).then_some(ClusterId(message.cluster)),
            from: NodeId(message.from),
            to: (message.to != 0).then_some(NodeId(message.to)),
            boot: message.boot,
            life: message.life,
            wire_version: message.wire_version,
            wire_version_min: message.wire_version_min,
            feature_level: FeatureLevel(message.feature_level).max(FeatureLevel::FIRST),
            is_proven: false,
        })
    }

    /// Checks that the caller speaks a version that this build speaks.
    pub(super) fn check_version(&self) -> Result<(), Refused> {
        self.check_common(WIRE_VERSION_MIN, WIRE_VERSION)
    }

    fn check_common(&self, callee_min: u32, callee: u32) -> Result<(), Refused> {
        let (caller_min, caller) = (self.wire_version_min, self.wire_version);
        let older = if caller < callee_min {
            "caller"
        } else if caller_min > callee {
            "callee"
        } else {
            return Ok(());
        };
        Err(Refused::WireVersion(format!(
            "the caller speaks {caller_min} to {caller}, the callee {callee_min} to {callee}: \
             start a newer version of the {older}"
        )))
    }
}

/// Why a call was turned away. The callee changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::cluster) enum Refused {
    #[error("the node belongs to another cluster: {0}")]
    WrongCluster(String),
    #[error("another node listens there: {0}")]
    WrongNode(String),
    #[error("a later start of this node is known: {0}")]
    StaleBoot(String),
    #[error("this node was removed from its cluster")]
    Retired,
    #[error("no common version: {0}")]
    WireVersion(String),
    #[error("not understood: {0}")]
    Malformed(String),
    #[error("the node is stopping")]
    Stopped,
    #[error("{0}")]
    FeatureLevel(String),
}

impl Refused {
    /// Whether the process that was told so has to end: no call will be heard again.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::StaleBoot(_) | Self::Retired | Self::FeatureLevel(_) => true,
            Self::WrongCluster(_)
            | Self::WrongNode(_)
            | Self::WireVersion(_)
            | Self::Malformed(_)
            | Self::Stopped => false,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        use proto::refused::Kind;
        let (kind, detail) = match self {
            Self::WrongCluster(detail) => (Kind::WrongCluster, detail.as_str()),
            Self::WrongNode(detail) => (Kind::WrongNode, detail.as_str()),
            Self::StaleBoot(detail) => (Kind::StaleBoot, detail.as_str()),
            Self::Retired => (Kind::Retired, ""),
            Self::WireVersion(detail) => (Kind::WireVersion, detail.as_str()),
            Self::Malformed(detail) => (Kind::Malformed, detail.as_str()),
            Self::Stopped => (Kind::Stopped, ""),
            Self::FeatureLevel(detail) => (Kind::FeatureLevel, detail.as_str()),
        };
        proto::Refused { kind: kind.into(), detail: detail.to_owned() }.encode_to_vec()
    }

    pub(super) fn decode(bytes: &[u8]) -> Self {
        use proto::refused::Kind;
        let Ok(message) = proto::Refused::decode(bytes) else {
            return Self::Malformed("the refusal itself".to_owned());
        };
        match message.kind() {
            Kind::WrongCluster => Self::WrongCluster(message.detail),
            Kind::WrongNode => Self::WrongNode(message.detail),
            Kind::StaleBoot => Self::StaleBoot(message.detail),
            Kind::Retired => Self::Retired,
            Kind::WireVersion => Self::WireVersion(message.detail),
            Kind::Stopped => Self::Stopped,
            Kind::FeatureLevel => Self::FeatureLevel(message.detail),
            Kind::Malformed | Kind::Unknown => Self::Malformed(message.detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaking(wire_version_min: u32, wire_version: u32) -> Hello {
        Hello { wire_version_min, wire_version, ..Hello::new(None, NodeId(1), 1, 1) }
    }

    #[test]
    fn a_refused_version_tells_both_sides_and_which_of_them_is_too_old() {
        let told = |caller: Hello| caller.check_common(3, 5).unwrap_err().to_string();
        let start = "no common version: the caller speaks";
        let older = "1 to 2, the callee 3 to 5: start a newer version of the caller";
        assert_eq!(told(speaking(1, 2)), format!("{start} {older}"));
        let newer = "6 to 7, the callee 3 to 5: start a newer version of the callee";
        assert_eq!(told(speaking(6, 7)), format!("{start} {newer}"));
    }

    #[test]
    fn one_version_in_common_is_enough() {
        for caller in [speaking(1, 3), speaking(4, 4), speaking(5, 9), speaking(1, 9)] {
            assert_eq!(caller.check_common(3, 5), Ok(()));
        }
    }
}
