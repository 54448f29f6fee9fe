//! Small pieces of text that several integrations write: words, marks, durations, keys of
//! targets, and rendering with its failure. No vendor's limits or syntax belong here.

use crate::clock::Timestamp;
use crate::effect::TargetKey;
use crate::event::RunState;

/// The key of a remote object from its parts, readable and without ambiguity: `/` and `%` within
/// a part are percent-encoded.
pub(super) fn target_key(parts: &[&str]) -> TargetKey {
    let parts = parts.iter().map(|part| part.replace('%', "%25").replace('/', "%2F"));
    TargetKey(parts.collect::<Vec<_>>().join("/"))
}

/// What a reader sees as the state of a run.
pub(super) fn state_word(state: RunState) -> &'static str {
    match state {
        RunState::Pending => "pending",
        RunState::Running => "running",
        RunState::Success => "succeeded",
        RunState::Failure => "failed",
        RunState::Error => "could not run",
        RunState::Canceled => "cancelled",
    }
}

/// Time between two known moments as people write it: `1h 2m 3s`. `None` when either is unknown.
pub(super) fn duration_between(start: Timestamp, end: Timestamp) -> Option<String> {
    if !start.is_known() || !end.is_known() {
        return None;
    }
    let seconds = end.since(start).as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    Some(match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m {seconds}s"),
        (_, _) => format!("{hours}h {minutes}m {seconds}s"),
    })
}

/// One line: runs of white space become one space.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_within_a_part_cannot_imitate_a_border() {
        assert_ne!(target_key(&["a/b", "c"]), target_key(&["a", "b/c"]));
        assert_ne!(target_key(&["a%2Fb"]), target_key(&["a/b"]));
        assert_eq!(target_key(&["github", "main", "tekton/ci"]).0, "github/main/tekton%2Fci");
    }

    #[test]
    fn durations_start_at_the_largest_unit() {
        let from_zero = |seconds: u64| {
            duration_between(Timestamp(1), Timestamp(1 + seconds * 1000)).expect("both known")
        };
        assert_eq!(from_zero(59), "59s");
        assert_eq!(from_zero(60), "1m 0s");
        assert_eq!(from_zero(3723), "1h 2m 3s");
        assert_eq!(duration_between(Timestamp::UNKNOWN, Timestamp(1)), None);
        assert_eq!(duration_between(Timestamp(1), Timestamp::UNKNOWN), None);
    }

    #[test]
    fn one_line_has_no_line_breaks() {
        assert_eq!(one_line(" a\r\n\tb  c "), "a b c");
    }
}
