//! Who calls whom.

use super::proto;
use super::refusal::{Refused, WireVersions};
use crate::cluster::data_dir::identity::ClusterId;
use crate::state_machine::{FEATURE_LEVEL, FeatureLevel, NodeId};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use prost::Message as _;

/// Version of the protocol between members that this build speaks.
pub(in crate::cluster) const WIRE_VERSION: u32 = 1;
/// Oldest version that this build still speaks.
const WIRE_VERSION_MIN: u32 = 1;

/// What a caller says about itself and its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) struct Hello {
    pub cluster: Option<ClusterId>,
    pub from: NodeId,
    /// `None`: any node that listens there.
    pub to: Option<NodeId>,
    pub boot: u64,
    /// Random number of the process: distinguishes a copied directory from a restart.
    pub life: u64,
    pub wire_version: u32,
    pub wire_version_min: u32,
    /// Newest feature level that the caller's build can apply.
    pub feature_level: FeatureLevel,
    /// Whether it came over a channel on which the caller is authenticated. Never sent.
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
        let caller = WireVersions { oldest: self.wire_version_min, newest: self.wire_version };
        let callee = WireVersions { oldest: callee_min, newest: callee };
        let is_common = caller.newest >= callee.oldest && caller.oldest <= callee.newest;
        if is_common { Ok(()) } else { Err(Refused::WireVersion { caller, callee }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaking(wire_version_min: u32, wire_version: u32) -> Hello {
        Hello { wire_version_min, wire_version, ..Hello::new(None, NodeId(1), 1, 1) }
    }

    #[test]
    fn a_call_without_a_common_version_is_refused_with_what_both_sides_speak() {
        let callee = WireVersions { oldest: 3, newest: 5 };
        for (oldest, newest) in [(1, 2), (6, 7)] {
            let caller = WireVersions { oldest, newest };
            let refused = Err(Refused::WireVersion { caller, callee });
            assert_eq!(speaking(oldest, newest).check_common(3, 5), refused);
        }
    }

    #[test]
    fn one_version_in_common_is_enough() {
        for caller in [speaking(1, 3), speaking(4, 4), speaking(5, 9), speaking(1, 9)] {
            assert_eq!(caller.check_common(3, 5), Ok(()));
        }
    }
}
