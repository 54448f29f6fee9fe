//! The bytes by which a call is accepted or refused (rule 22).

use super::hello::Hello;
use super::refusal::{RefusalKind, Rejection};
use crate::cluster::data_dir::identity::ClusterId;
use crate::golden::{Case, kind_of};
use crate::state_machine::{FeatureLevel, NodeId};

pub(in crate::cluster) fn cases() -> Vec<Case> {
    let full = Hello {
        cluster: Some(ClusterId(0xc1)),
        from: NodeId(0xa1),
        to: Some(NodeId(0xb2)),
        boot: 4,
        life: 0x11fe,
        wire_version: 3,
        wire_version_min: 2,
        feature_level: FeatureLevel(5),
        is_proven: false,
    };
    let nobodys = Hello { cluster: None, to: None, ..full };
    let hello = |name: &str, hello: Hello| {
        let read = |header: &[u8]| Hello::decode(header).ok_or("no hello");
        Case::new(name, hello, hello.encode().into_bytes(), read)
    };
    let mut cases = vec![hello("peer/hello", full), hello("peer/hello-to-anyone", nobodys)];
    for (kind, detail) in [
        (RefusalKind::WrongCluster, "why"),
        (RefusalKind::WrongNode, "why"),
        (RefusalKind::StaleBoot, "why"),
        (RefusalKind::Retired, ""),
        (RefusalKind::WireVersion, "why"),
        (RefusalKind::Malformed, "why"),
        (RefusalKind::Stopped, ""),
        (RefusalKind::FeatureLevel, "why"),
    ] {
        let refused = Rejection { kind, detail: detail.to_owned() };
        let (name, bytes) = (format!("peer/refused-{}", kind_of(&kind)), refused.encode());
        let read = |bytes: &[u8]| Ok::<_, ()>(Rejection::decode(bytes));
        cases.push(Case::new(name, refused, bytes, read));
    }
    cases
}
