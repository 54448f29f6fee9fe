//! Bounds of templates, and cutting of text to the bounds of targets. An administrator writes a
//! template; its data comes from anyone who can start a run.

use super::functions::FunctionError;

/// Longest template text: four times the largest seen in use. It also bounds compile time.
pub(super) const TEMPLATE_BYTES_MAX: usize = 64 * 1024;

/// Longest output, and longest text that a function may make. The longest comment of a supported
/// provider has 1,000,000 characters (GitLab).
pub(super) const OUTPUT_BYTES_MAX: usize = 1024 * 1024;

/// Iterations of all `range` loops of one rendering: a PipelineRun has at most a few hundred tasks.
pub(super) const RANGE_ITERATIONS_MAX: u64 = 10_000;

/// Total number of elements in a list or map that a function makes.
pub(super) const ITEMS_MAX: usize = 10_000;

/// Nesting depth of lists and maps that functions make.
pub(super) const VALUE_DEPTH_MAX: usize = 16;

/// Nesting depth of blocks, calls and parentheses, including `template` calls. Both the parser and
/// the engine recurse, and the stack of a worker thread is 2 MiB.
pub(super) const NESTING_MAX: usize = 48;

/// `else` branches of one template: the parser recurses once for each `else if` of a chain.
pub(super) const ELSE_MAX: usize = 128;

/// Nodes of a template after each `template` call is replaced by its body. Templates that call
/// another one twice double at each level, so this also bounds a rendering without output.
pub(super) const NODES_MAX: usize = 20_000;

/// Largest width or precision in a `printf` format: a format of a few bytes must not make output
/// of megabytes.
pub(super) const PRINTF_WIDTH_MAX: usize = 999;

/// Directives of one `printf` format, and arguments after it: each can repeat an argument of up to
/// [`OUTPUT_BYTES_MAX`] before the result is measured.
pub(super) const PRINTF_DIRECTIVES_MAX: usize = 64;

/// Compiled size of a regular expression.
pub(super) const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// Replaces the part that was cut off.
const ELLIPSIS: &str = "...";

/// Cuts `text` to at most `chars_max` characters; the last three are `...` where they fit.
#[must_use]
pub fn truncate_chars(text: &str, chars_max: usize) -> String {
    truncate_by(text, chars_max, |_| 1)
}

/// Cuts `text` to at most `units_max` UTF-16 units, as Telegram and Microsoft services count.
#[must_use]
pub fn truncate_utf16(text: &str, units_max: usize) -> String {
    truncate_by(text, units_max, char::len_utf16)
}

/// Cuts `text` to at most `bytes_max` bytes of UTF-8, never within a character.
#[must_use]
pub fn truncate_bytes(text: &str, bytes_max: usize) -> String {
    truncate_by(text, bytes_max, char::len_utf8)
}

fn truncate_by(text: &str, max: usize, size: fn(char) -> usize) -> String {
    if prefix_bytes(text, max, size) == text.len() {
        return text.to_owned();
    }
    let (room, end) = match max.checked_sub(ELLIPSIS.len()) {
        Some(room) => (room, ELLIPSIS),
        None => (max, ""),
    };
    let kept = text.get(..prefix_bytes(text, room, size)).unwrap_or_default();
    format!("{kept}{end}")
}

/// Length in bytes of the longest prefix whose characters have at most `max` in total.
fn prefix_bytes(text: &str, max: usize, size: fn(char) -> usize) -> usize {
    let mut used = 0;
    for (offset, character) in text.char_indices() {
        used += size(character);
        if used > max {
            return offset;
        }
    }
    text.len()
}

/// Text that refuses to grow past [`OUTPUT_BYTES_MAX`].
#[derive(Debug, Default)]
pub(super) struct BoundedText(String);

impl BoundedText {
    /// Appends `part`. On an error the text is unchanged.
    pub(super) fn push(&mut self, part: &str) -> Result<(), FunctionError> {
        if self.0.len() + part.len() > OUTPUT_BYTES_MAX {
            return Err(FunctionError::TextTooLong);
        }
        self.0.push_str(part);
        Ok(())
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// The engine prints into it and gets a write error at the bound.
impl std::fmt::Write for BoundedText {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        self.push(part).map_err(|_| std::fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_within_the_bound_is_kept_whole() {
        assert_eq!(truncate_chars("héllo", 5), "héllo");
        assert_eq!(truncate_bytes("héllo", 6), "héllo");
        assert_eq!(truncate_utf16("a😀", 3), "a😀");
        assert_eq!(truncate_chars("", 0), "");
    }

    #[test]
    fn cut_text_ends_in_dots_and_fills_the_bound() {
        assert_eq!(truncate_chars("héllo wörld", 8), "héllo...");
        assert_eq!(truncate_chars("abcd", 3), "...");
    }

    #[test]
    fn a_bound_below_three_leaves_no_dots() {
        assert_eq!(truncate_chars("abcd", 2), "ab");
        assert_eq!(truncate_bytes("é", 1), "");
        assert_eq!(truncate_chars("abcd", 0), "");
    }

    #[test]
    fn a_character_is_never_split() {
        assert_eq!(truncate_bytes("ééé", 5), "é...");
        assert_eq!(truncate_bytes("éééé", 6), "é...");
        assert_eq!(truncate_utf16("😀😀😀", 5), "😀...");
        assert_eq!(truncate_utf16("😀😀😀", 4), "...");
    }

    #[test]
    fn bounded_text_refuses_what_does_not_fit_and_keeps_the_rest() {
        let mut text = BoundedText::default();
        assert!(text.push("ok").is_ok());
        assert!(text.push(&"x".repeat(OUTPUT_BYTES_MAX)).is_err());
        assert_eq!(text.into_string(), "ok");
    }
}
