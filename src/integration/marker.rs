//! Markers: HTML comments at the start of a comment by which the relay finds its own again. A
//! marker anywhere else is quoted text and is not trusted.

use crate::effect::EffectId;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a part may hold: nothing that could end the HTML comment or pass for a border of parts.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// The first line of a comment of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marker(String);

impl Marker {
    /// Marks the one comment that `action` keeps for a run.
    pub(super) fn of_run(run_uid: &str, action_type: &str, action: &str) -> Self {
        Self::of_parts(&[run_uid, action_type, action])
    }

    /// Marks the comment of one effect.
    pub(super) fn of_effect(run_uid: &str, action_type: &str, action: &str, id: EffectId) -> Self {
        Self::of_parts(&[run_uid, action_type, action, &id.to_string()])
    }

    /// The form of the Go relay, which names no action.
    pub(super) fn of_go_relay(run_uid: &str, action_type: &str) -> Self {
        Self::of_parts(&[run_uid, action_type])
    }

    fn of_parts(parts: &[&str]) -> Self {
        let parts = parts.iter().map(|part| utf8_percent_encode(part, PART).to_string());
        Self(format!("<!-- tekton-events-relay:{} -->", parts.collect::<Vec<_>>().join(":")))
    }

    /// `text` under this marker.
    pub(super) fn mark(&self, text: &str) -> String {
        format!("{}\n{text}", self.0)
    }

    /// Whether `body` starts with this marker.
    pub(super) fn is_at_start_of(&self, body: &str) -> bool {
        body.starts_with(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Key;

    #[test]
    fn markers_have_the_documented_forms() {
        let text = |marker: Marker| marker.0;
        assert_eq!(
            text(Marker::of_run("u-1", "pr_comment", "notes")),
            "<!-- tekton-events-relay:u-1:pr_comment:notes -->"
        );
        assert_eq!(
            text(Marker::of_go_relay("u-1", "pr_comment")),
            "<!-- tekton-events-relay:u-1:pr_comment -->"
        );
        assert_eq!(
            text(Marker::of_effect("u-1", "pr_comment", "notes", EffectId(Key(1)))),
            "<!-- tekton-events-relay:u-1:pr_comment:notes:00000000000000000000000000000001 -->"
        );
    }

    #[test]
    fn no_part_can_end_the_comment_or_move_a_border() {
        let marker = Marker::of_run("u", "pr_comment", "a --> b:c");
        assert_eq!(marker.0, "<!-- tekton-events-relay:u:pr_comment:a%20--%3E%20b%3Ac -->");
    }

    #[test]
    fn only_the_start_of_a_body_counts() {
        let marker = Marker::of_run("u", "pr_comment", "notes");
        assert!(marker.is_at_start_of(&marker.mark("text")));
        assert!(!marker.is_at_start_of(&format!("> {}", marker.mark("quoted"))));
        assert!(!marker.is_at_start_of(&Marker::of_go_relay("u", "pr_comment").mark("text")));
    }
}
