//! Names that Tekton gives to the runs of a PipelineRun. They derive from the parent's name alone,
//! so that one child shows its combination of a matrix without its siblings.

use md5::{Digest, Md5};

/// Longest name of a child: that of a label's value.
const NAME_BYTES_MAX: usize = 63;
/// What remains of a parent's name next to the 32 digits of a hash.
const HEAD_BYTES: usize = NAME_BYTES_MAX - 32;
/// Tekton's own default bound on the combinations of one matrix is 256.
const COMBINATIONS_MAX: u32 = 256;

/// Which of a pipeline task's runs a child is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChildPlace {
    /// The only one.
    Only,
    /// A combination of a matrix, from 0.
    Combination(u32),
    /// Tekton does not give this name.
    Foreign,
}

/// The place of the child `name` among the runs of `task` in the PipelineRun `parent`.
pub(super) fn place(parent: &str, task: &str, name: &str) -> ChildPlace {
    if parent.is_empty() || task.is_empty() {
        return ChildPlace::Foreign;
    }
    let of_task = format!("-{task}");
    if name == child_name(parent, &of_task) {
        return ChildPlace::Only;
    }
    let is_index = |index: &u32| name == child_name(parent, &format!("{of_task}-{index}"));
    // Only hashed names need to be tried one by one.
    let index = match name.strip_prefix(parent).and_then(|rest| rest.strip_prefix(&of_task)) {
        Some(rest) => rest.strip_prefix('-').and_then(|index| index.parse().ok()).filter(is_index),
        None if name.len() > HEAD_BYTES => (0..COMBINATIONS_MAX).find(is_index),
        None => None,
    };
    index
        .filter(|index| *index < COMBINATIONS_MAX)
        .map_or(ChildPlace::Foreign, ChildPlace::Combination)
}

/// `kmeta.ChildName` of knative.dev/pkg: parent and suffix, with a hash in place of the part that
/// is too long. <https://github.com/knative/pkg/blob/main/kmeta/names.go>
pub(crate) fn child_name(parent: &str, suffix: &str) -> String {
    if parent.len() + suffix.len() <= NAME_BYTES_MAX {
        return format!("{parent}{suffix}");
    }
    if suffix.len() < HEAD_BYTES {
        let head = start(parent, HEAD_BYTES - suffix.len());
        return format!("{head}{}{suffix}", hash(parent));
    }
    let head = start(parent, HEAD_BYTES);
    let hashed = format!("{head}{}", hash(&format!("{parent}{suffix}")));
    let tail = start(suffix, NAME_BYTES_MAX.saturating_sub(hashed.len()));
    let whole = format!("{hashed}{tail}");
    whole.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

fn start(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

fn hash(text: &str) -> String {
    let digest = Md5::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "a-run-whose-name-is-as-long-as-kubernetes-lets-a-label-be-63xx";

    #[test]
    fn a_short_name_is_parent_task_and_index() {
        assert_eq!(place("ci-1", "test", "ci-1-test"), ChildPlace::Only);
        assert_eq!(place("ci-1", "test", "ci-1-test-0"), ChildPlace::Combination(0));
        assert_eq!(place("ci-1", "test", "ci-1-test-255"), ChildPlace::Combination(255));
        for foreign in ["ci-1-test-256", "ci-1-test-00", "ci-1-test-x", "ci-1-test-", "ci-2-test"] {
            assert_eq!(place("ci-1", "test", foreign), ChildPlace::Foreign, "{foreign}");
        }
        assert_eq!(place("", "test", "-test"), ChildPlace::Foreign);
        assert_eq!(place("ci-1", "", "ci-1-"), ChildPlace::Foreign);
    }

    #[test]
    fn a_task_whose_name_ends_in_a_number_is_no_combination() {
        assert_eq!(place("ci", "test-0", "ci-test-0"), ChildPlace::Only);
        assert_eq!(place("ci", "test-0", "ci-test-0-1"), ChildPlace::Combination(1));
    }

    #[test]
    fn a_long_task_hashes_parent_and_task_together() {
        // The name that Tekton 1.12 gave.
        let task = "a-task-whose-name-is-long-as-well-so-that-tekton-hashes-it";
        let name = "a-run-whose-name-is-as-long-as-a729720b869c38ccab7065e9e9c0e48d";
        assert_eq!(child_name(LONG, &format!("-{task}")), name);
        assert_eq!(place(LONG, task, name), ChildPlace::Only);
    }

    #[test]
    fn hashed_combinations_are_found_whatever_was_hashed() {
        let long_task = "a-task-whose-name-is-long-as-well-so-that-tekton-hashes-it";
        for (parent, task) in [(LONG, "test"), (LONG, long_task), ("ci", long_task)] {
            for index in [0, 1, 17, 255] {
                let name = child_name(parent, &format!("-{task}-{index}"));
                assert!(name.len() <= NAME_BYTES_MAX, "{name}");
                assert_eq!(place(parent, task, &name), ChildPlace::Combination(index), "{name}");
            }
        }
    }

    #[test]
    fn a_hashed_name_ends_in_a_letter_or_digit() {
        // The cut leaves the first 6 bytes of the suffix, the last of them a dash.
        let name = child_name(&"p".repeat(25), &format!("-task-name-{}", "x".repeat(30)));
        assert!(name.ends_with("-task"), "{name}");
    }
}
