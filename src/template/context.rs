//! Where in a text the next piece of data goes: within code, within the address of a link, in a
//! table. The text so far decides. In doubt the place is plain text, whose escapes are safe
//! everywhere.

use super::escape::{DATA_END, DATA_START};
use super::html::ends_in_code;

/// Longest line that is examined, in bytes: a line of many pieces is examined once for each of
/// them.
const LINE_BYTES_MAX: usize = 4096;

/// How far to look for the end of a code span, in characters.
const SPAN_CHARS_MAX: usize = 1024;

/// Backticks or tildes that start a code block.
const FENCE_CHARS_MIN: usize = 3;

/// The place of data in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextContext {
    /// Within a line of text.
    Text,
    /// At the start of a line of text.
    LineStart,
    /// In a row of a table, or in a line that starts a code block: a line break would end it.
    OneLine,
    /// In the address of a link.
    Address,
    /// In an HTML tag.
    Attribute,
    CodeSpan,
    CodeBlock,
}

/// An open fence: its character and its length.
type Fence = (char, usize);

/// The text written so far.
#[derive(Debug, Default)]
pub(super) struct WrittenText {
    text: String,
    /// Where the last line starts, in bytes.
    line_start: usize,
    fence: Option<Fence>,
    /// It ends in a style or a script of HTML.
    is_in_code: bool,
}

impl WrittenText {
    /// Appends text.
    pub(super) fn push(&mut self, more: &str) {
        for part in more.split_inclusive('\n') {
            self.text.push_str(part);
            self.is_in_code = ends_in_code(part, self.is_in_code);
            if part.ends_with('\n') {
                self.fence = after_line(self.fence, self.line().trim_end());
                self.line_start = self.text.len();
            }
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn as_text(&self) -> &str {
        &self.text
    }

    pub(super) fn is_in_code(&self) -> bool {
        self.is_in_code
    }

    fn line(&self) -> &str {
        self.text.get(self.line_start..).unwrap_or_default()
    }

    /// The place of data before `after`, in which data is marked.
    pub(super) fn place_in_markdown(&self, after: &str) -> TextContext {
        let line = self.line();
        if self.fence.is_some() {
            return TextContext::CodeBlock;
        }
        if line.trim().is_empty() {
            return TextContext::LineStart;
        }
        let start = line.trim_start();
        if line.len() > LINE_BYTES_MAX {
            return TextContext::OneLine;
        }
        if fence_of(start).is_some() {
            return TextContext::OneLine;
        }
        if let Some(backticks) = open_span(line).filter(|run| ends_span(after, *run)) {
            return match backticks {
                1 => TextContext::CodeSpan,
                _ => TextContext::OneLine,
            };
        }
        if is_in_address(line) {
            return TextContext::Address;
        }
        if is_in_tag(line) {
            return TextContext::Attribute;
        }
        if start.starts_with('|') { TextContext::OneLine } else { TextContext::Text }
    }

    /// The place of data in Slack's mrkdwn: `<address|text>`.
    pub(super) fn place_in_slack(&self) -> TextContext {
        let line = self.line();
        let link = line.rfind('<').and_then(|start| line.get(start + 1..));
        match link {
            Some(link) if line.len() <= LINE_BYTES_MAX && !link.contains(['>', '|', ' ']) => {
                TextContext::Address
            }
            Some(_) | None => TextContext::Text,
        }
    }
}

/// The open fence after a line.
fn after_line(open: Option<Fence>, line: &str) -> Option<Fence> {
    let start = line.trim_start_matches(' ');
    // With a deeper indent it is text, or code by its indent.
    let found = (line.len() - start.len() <= 3).then(|| fence_of(start)).flatten();
    match (open, found) {
        (None, found) => found,
        (Some((mark, len)), Some((found, found_len)))
            if mark == found && found_len >= len && start.trim_end_matches(mark).is_empty() =>
        {
            None
        }
        (Some(_), _) => open,
    }
}

/// The fence that a line starts with.
fn fence_of(line: &str) -> Option<Fence> {
    let mark = line.chars().next().filter(|mark| ['`', '~'].contains(mark))?;
    let len = line.chars().take_while(|next| *next == mark).count();
    let is_fence =
        len >= FENCE_CHARS_MIN && (mark == '~' || !line.trim_start_matches('`').contains('`'));
    is_fence.then_some((mark, len))
}

/// How many backticks started the code span that is open at the end of a line.
fn open_span(line: &str) -> Option<usize> {
    let mut open = None;
    let mut characters = line.chars().peekable();
    while let Some(next) = characters.next() {
        if next == '\\' && open.is_none() {
            characters.next();
        }
        if next != '`' {
            continue;
        }
        let mut run = 1;
        while characters.next_if_eq(&'`').is_some() {
            run += 1;
        }
        open = match open {
            None => Some(run),
            Some(opened) if opened == run => None,
            Some(opened) => Some(opened),
        };
    }
    open
}

/// Whether the line that continues with `after` closes a span of so many backticks. Without a
/// closing run the backticks are text.
fn ends_span(after: &str, backticks: usize) -> bool {
    let mut is_data = false;
    let mut run = 0;
    for next in after.chars().take(SPAN_CHARS_MAX) {
        match next {
            DATA_START => is_data = true,
            DATA_END => is_data = false,
            '`' if !is_data => run += 1,
            _ if run == backticks => return true,
            '\n' => return false,
            _ => run = 0,
        }
    }
    run == backticks
}

/// Whether a line ends within `[text](address`.
fn is_in_address(line: &str) -> bool {
    let address = line.rfind("](").and_then(|at| line.get(at + 2..));
    address.is_some_and(|address| !address.contains([')', ' ', '\t', '<', '"']))
}

/// Whether a line ends within the quotes of an HTML tag.
fn is_in_tag(line: &str) -> bool {
    let tag = line.rfind('<').and_then(|at| line.get(at + 1..)).unwrap_or_default();
    let is_tag = tag.starts_with(|next: char| next.is_ascii_alphabetic()) && !tag.contains('>');
    is_tag && (tag.matches('"').count() % 2 == 1 || tag.matches('\'').count() % 2 == 1)
}
