//! The line of a rule, template or program with a mistake, and a caret under the mistake. It comes
//! from the value alone: the rest of its line in the file may hold a secret.

use std::fmt;

/// Characters shown of a line.
const SHOWN_CHARS_MAX: usize = 100;

/// Characters shown before the mistake in a cut line.
const BEFORE_CHARS_MAX: usize = 60;

/// A line and a place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// The shown part of the line, without control characters.
    line: String,
    /// Characters before the mistake.
    before: usize,
}

impl Snippet {
    /// Line number `line` of `text`, with a caret under `column`; both count from 1. `None` if
    /// there is no such line.
    #[must_use]
    pub fn of(text: &str, line: usize, column: usize) -> Option<Self> {
        let whole = text.lines().nth(line.checked_sub(1)?)?;
        let before = column.saturating_sub(1).min(whole.chars().count());
        let left_out = before.saturating_sub(BEFORE_CHARS_MAX);
        let shown = whole.chars().skip(left_out).take(SHOWN_CHARS_MAX);
        // A tab or an escape sequence would move the caret, or worse.
        let shown = shown.map(|c| if c.is_control() { ' ' } else { c });
        Some(Self { line: shown.collect(), before: before - left_out })
    }
}

impl fmt::Display for Snippet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  | {}\n  | {}^", self.line, " ".repeat(self.before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stands_under_the_mistake() {
        let shown = |text, line, column| Snippet::of(text, line, column).unwrap().to_string();
        assert_eq!(shown("isPR() and", 1, 8), "  | isPR() and\n  |        ^");
        assert_eq!(shown("a\n\tbc\u{1b}[1m", 2, 3), "  |  bc [1m\n  |   ^");
        assert_eq!(shown("ab", 1, 99), "  | ab\n  |   ^");
        assert_eq!(Snippet::of("ab", 2, 1), None);
    }

    #[test]
    fn a_long_line_is_cut_around_its_mistake() {
        let text = format!("{}!{}", "x".repeat(500), "y".repeat(500));
        let shown = Snippet::of(&text, 1, 501).unwrap().to_string();
        let (line, caret) = shown.split_once('\n').unwrap();
        assert_eq!(line.find('!').unwrap(), caret.find('^').unwrap());
        assert!(line.chars().count() <= SHOWN_CHARS_MAX + 4);
    }
}
