//! Escaping of run data for the place where it appears, so that a message from a run does not turn
//! into markup. Templates mark what they print ([`marked`]). Once a text is rendered,
//! [`escape_marked`] escapes each mark for its place: the text of the template is trusted, the data
//! is not.

use super::context::{TextContext, WrittenText};
use super::html::for_html;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Borders of data in a rendered text: noncharacters, which no text may hold.
pub(super) const DATA_START: char = '\u{fdd0}';
pub(super) const DATA_END: char = '\u{fdd1}';

/// Invisible. Keeps the following character from starting markup.
const ZERO_WIDTH_SPACE: char = '\u{200b}';

/// ASCII characters that start markup in the Markdown of GitHub, GitLab and Gitea. CommonMark takes
/// each of them literally after a backslash.
const MARKDOWN_SPECIAL: &str = "\\`*_[]|~#!";

/// Characters that an address keeps: the reserved and unreserved characters of RFC 3986 and `%`,
/// except parentheses, which may end a link, and `@`, which may mention a user.
const ADDRESS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'/')
    .remove(b'?')
    .remove(b'#')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b'%');

/// How the target reads a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Markup {
    /// Unchanged.
    Plain,
    /// Markdown with HTML in it, as forges show it.
    Markdown,
    /// Slack's mrkdwn.
    Slack,
    /// HTML, as mail programs show it.
    Html,
}

/// `text` as data, for [`escape_marked`].
pub(super) fn marked(text: &str) -> String {
    format!("{DATA_START}{}{DATA_END}", unmarked(text))
}

/// `text` without the border characters of data.
pub(super) fn unmarked(text: &str) -> String {
    text.replace([DATA_START, DATA_END], "")
}

/// A rendered text with its data escaped, each piece for its place.
pub(super) fn escape_marked(rendered: &str, markup: Markup) -> String {
    let mut written = WrittenText::default();
    let mut rest = rendered;
    while let Some((literal, after)) = rest.split_once(DATA_START) {
        let (data, after) = after.split_once(DATA_END).unwrap_or((after, ""));
        written.push(literal);
        let escaped = match markup {
            Markup::Plain => data.to_owned(),
            Markup::Markdown => for_markdown(data, written.place_in_markdown(after)),
            Markup::Slack => for_slack(data, written.place_in_slack()),
            Markup::Html => for_html(data, written.as_text(), written.is_in_code()),
        };
        written.push(&escaped);
        rest = after;
    }
    written.push(rest);
    written.into_text()
}

fn for_markdown(data: &str, place: TextContext) -> String {
    match place {
        TextContext::LineStart => escape_block(data, true),
        TextContext::Text => escape_block(data, false),
        TextContext::OneLine => escape_markdown(&one_line(data)),
        TextContext::Address => escape_address(data),
        TextContext::Attribute => escape_attribute(data),
        TextContext::CodeSpan => code(&one_line(data)).replace('`', "'"),
        TextContext::CodeBlock => code_block(data),
    }
}

fn for_slack(data: &str, place: TextContext) -> String {
    match place {
        TextContext::Address => escape_address(data).replace('&', "&amp;"),
        TextContext::Text
        | TextContext::LineStart
        | TextContext::OneLine
        | TextContext::Attribute
        | TextContext::CodeSpan
        | TextContext::CodeBlock => escape_slack(data),
    }
}

/// Escapes text for use within a line of Markdown, or of the HTML in it. `@name` stays readable and
/// mentions no user. An address stays an address, since forges turn it into a link as it is.
#[must_use]
pub fn escape_markdown(text: &str) -> String {
    let words = text.split_inclusive(char::is_whitespace);
    words.fold(String::with_capacity(text.len()), |mut escaped, word| {
        let end = if is_address(word) { address_end(word) } else { 0 };
        let (address, rest) = word.split_at(end);
        escaped.push_str(&escape_address(address));
        escape_word(&mut escaped, address.chars().last(), rest);
        escaped
    })
}

fn is_address(word: &str) -> bool {
    word.starts_with("https://") || word.starts_with("http://")
}

/// The end of the address at the start of a word: before the punctuation of the sentence.
fn address_end(word: &str) -> usize {
    word.trim_end_matches(|next: char| next.is_whitespace() || ".,;:!?)'\"".contains(next)).len()
}

fn escape_word(escaped: &mut String, mut before: Option<char>, word: &str) {
    for next in word.chars() {
        match next {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '@' if may_mention(before) => escaped.extend(['@', ZERO_WIDTH_SPACE]),
            special if MARKDOWN_SPECIAL.contains(special) => escaped.extend(['\\', special]),
            other => escaped.push(other),
        }
        before = Some(next);
    }
}

/// Escapes text for Slack's mrkdwn, where three characters control links and mentions, and for
/// services like Slack, where `@name` mentions a user. Emphasis (`*`, `_`) has no escape there.
#[must_use]
pub fn escape_slack(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut before = None;
    for next in text.chars() {
        match next {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '@' if may_mention(before) => escaped.extend(['@', ZERO_WIDTH_SPACE]),
            other => escaped.push(other),
        }
        before = Some(next);
    }
    escaped
}

/// Percent-encodes what could end the address of a link, in Markdown and in Slack. Encoded parts
/// stay as they are.
#[must_use]
pub fn escape_address(text: &str) -> String {
    utf8_percent_encode(text, ADDRESS).to_string()
}

/// `@` within a word mentions no user: e-mail addresses and digests (`name@sha256:`) stay whole.
fn may_mention(before: Option<char>) -> bool {
    before.is_none_or(|before| !before.is_ascii_alphanumeric() && before != '_')
}

/// Several lines of Markdown. No line may start a list, a code block or a rule; the first line only
/// counts if it `is_at_line_start`.
fn escape_block(data: &str, is_at_line_start: bool) -> String {
    let lines = data.split(['\n', '\r']).enumerate();
    let lines = lines.filter(|(index, line)| *index == 0 || !line.trim().is_empty());
    let escaped = lines.map(|(index, line)| {
        let starts_line = index > 0 || is_at_line_start;
        let line = if starts_line { line.trim_start() } else { line };
        let escaped = escape_markdown(line);
        if starts_line { escape_line_start(&escaped) } else { escaped }
    });
    escaped.collect::<Vec<_>>().join("\n")
}

/// A line that cannot start a list (`-`, `+`, `1.`), a rule or a heading (`---`, `===`).
fn escape_line_start(line: &str) -> String {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    match line.as_bytes().get(digits) {
        Some(b'-' | b'+' | b'=') if digits == 0 => format!("\\{line}"),
        Some(b'.' | b')') if digits > 0 => {
            let (number, rest) = line.split_at(digits);
            format!("{number}\\{rest}")
        }
        _ => line.to_owned(),
    }
}

/// Within the quotes of an attribute every special character becomes an entity. It reads the same,
/// and is no markup even if the attribute turns out not to be one.
fn escape_attribute(data: &str) -> String {
    let entity = |next: char| match next {
        '&' | '<' | '>' | '"' | '\'' | '@' => format!("&#{};", u32::from(next)),
        special if MARKDOWN_SPECIAL.contains(special) => format!("&#{};", u32::from(special)),
        other => other.to_string(),
    };
    one_line(data).chars().map(entity).collect()
}

/// Within code only its end is markup. A `<` is broken as well, in case the code is inside HTML.
fn code(data: &str) -> String {
    let mut kept = String::with_capacity(data.len());
    let mut characters = data.chars().peekable();
    while let Some(next) = characters.next() {
        kept.push(next);
        let starts_tag = |after: &char| after.is_ascii_alphabetic() || "/!?".contains(*after);
        if next == '<' && characters.peek().is_some_and(starts_tag) {
            kept.push(ZERO_WIDTH_SPACE);
        }
    }
    kept
}

/// No line of the data ends the code block.
fn code_block(data: &str) -> String {
    let line = |line: &str| match line.trim_start().starts_with(['`', '~']) {
        true => format!("{ZERO_WIDTH_SPACE}{line}"),
        false => line.to_owned(),
    };
    code(data).split('\n').map(line).collect::<Vec<_>>().join("\n")
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
#[path = "escape_test.rs"]
mod tests;
