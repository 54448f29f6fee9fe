//! Refusals by peers that an operator must know: a call without a common version fails until one
//! side has a newer build, and the process keeps trying.

use super::refusal::{RefusalKind, Rejection};
use std::collections::BTreeSet;

/// Refusals logged in one life of a process. A cluster has fewer members, each with one reason; the
/// bound keeps a peer from filling the log.
const TOLD_MAX: usize = 256;

/// Logged refusals, by the address of the peer and the reason.
#[derive(Debug, Default)]
pub(super) struct RefusalLog {
    told: BTreeSet<(String, String)>,
}

impl RefusalLog {
    /// Whether to log this refusal now: only those that a newer build ends, and each once.
    pub fn is_due(&mut self, address: &str, refused: &Rejection) -> bool {
        if refused.kind != RefusalKind::WireVersion {
            return false;
        }
        let complaint = (address.to_owned(), refused.detail.clone());
        self.told.len() < TOLD_MAX && self.told.insert(complaint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(reason: &str) -> Rejection {
        Rejection { kind: RefusalKind::WireVersion, detail: reason.to_owned() }
    }

    #[test]
    fn a_peer_without_a_common_version_is_told_once_for_each_reason() {
        let mut refusal_log = RefusalLog::default();
        assert!(refusal_log.is_due("a:1", &version("too old")));
        assert!(!refusal_log.is_due("a:1", &version("too old")));
        assert!(refusal_log.is_due("b:1", &version("too old")));
        assert!(refusal_log.is_due("a:1", &version("too new")));
    }

    #[test]
    fn refusals_that_end_by_themselves_or_end_the_process_are_not_told() {
        let mut refusal_log = RefusalLog::default();
        for kind in [
            RefusalKind::WrongCluster,
            RefusalKind::WrongNode,
            RefusalKind::StaleBoot,
            RefusalKind::Retired,
            RefusalKind::Malformed,
            RefusalKind::Stopped,
            RefusalKind::FeatureLevel,
        ] {
            let refused = Rejection { kind, detail: String::new() };
            assert!(!refusal_log.is_due("a:1", &refused), "{refused:?}");
        }
    }

    #[test]
    fn complaints_are_bounded() {
        let mut refusal_log = RefusalLog::default();
        let reasons = 0..2 * TOLD_MAX;
        let told = reasons.filter(|n| refusal_log.is_due("a:1", &version(&n.to_string()))).count();
        assert_eq!(told, TOLD_MAX);
    }
}
