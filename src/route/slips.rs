//! Slips in rules: operators of other languages where CEL has its own. It looks only at texts that
//! the parser refuses, so a guess can never refuse a valid rule.

/// Words that other languages use for operators, with the CEL form.
const WORDS: [(&str, &str); 9] = [
    ("and", "&&"),
    ("or", "||"),
    ("not", "!"),
    ("is", "=="),
    ("eq", "=="),
    ("ne", "!="),
    ("then", "?"),
    ("else", ":"),
    ("elif", "? :"),
];

/// Signs that CEL does not have, longest first.
const SIGNS: [(&str, &str); 6] =
    [("===", "=="), ("!==", "!="), ("<>", "!="), ("=>", ">="), ("=<", "<="), ("=~", ".matches()")];

/// CEL signs with the same first character as a wrong one.
const RIGHT_SIGNS: [&str; 7] = ["==", "!=", "<=", ">=", "&&", "||", "!"];

/// Signs that are wrong on their own.
const SINGLE_SIGNS: [(char, &str); 3] = [('=', "=="), ('&', "&&"), ('|', "||")];

/// The quotes that word processors write for straight ones.
const CURLY_QUOTES: [char; 4] = ['\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}'];

/// The first slip in `text`: its offset in bytes, and what to write instead.
pub(super) fn first_slip(text: &str) -> Option<(usize, String)> {
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if matches!(c, '\'' | '"') {
            at += quoted_len(rest, c);
        } else if is_word_start(c) {
            let length = rest.find(|c| !is_word_part(c)).unwrap_or(rest.len());
            let is_field = text[..at].trim_end().ends_with('.');
            if let (false, Some(hint)) = (is_field, word_hint(&rest[..length])) {
                return Some((at, hint));
            }
            at += length;
        } else {
            match sign(rest, c) {
                Sign::Wrong(hint) => return Some((at, hint)),
                Sign::Right(length) => at += length,
            }
        }
    }
    None
}

fn is_word_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn is_word_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Length of the quoted text at the start of `rest`; it ends with the text if the quote is not
/// closed.
fn quoted_len(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn word_hint(word: &str) -> Option<String> {
    let (_, right) = WORDS.iter().find(|(wrong, _)| wrong.eq_ignore_ascii_case(word))?;
    Some(format!("write {right} for {word:?}"))
}

/// The kind of sign at a place.
enum Sign {
    /// What to write instead.
    Wrong(String),
    /// Not wrong; its length in bytes.
    Right(usize),
}

fn sign(rest: &str, c: char) -> Sign {
    if CURLY_QUOTES.contains(&c) {
        return Sign::Wrong(format!("write straight quotes for {c}"));
    }
    if let Some((wrong, right)) = SIGNS.iter().find(|(wrong, _)| rest.starts_with(wrong)) {
        return Sign::Wrong(format!("write {right} for {wrong}"));
    }
    if let Some(right) = RIGHT_SIGNS.iter().find(|right| rest.starts_with(*right)) {
        return Sign::Right(right.len());
    }
    match SINGLE_SIGNS.iter().find(|(single, _)| *single == c) {
        Some((single, right)) => Sign::Wrong(format!("write {right} for {single}")),
        None => Sign::Right(c.len_utf8()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_of_other_languages_are_told_with_their_place() {
        let rows = [
            ("event.State = 'x'", 12, "write == for ="),
            ("isPR() and isTaskRun()", 7, "write && for \"and\""),
            ("isPR() OR isTaskRun()", 7, "write || for \"OR\""),
            ("not isPR()", 0, "write ! for \"not\""),
            ("event.State is 'x'", 12, "write == for \"is\""),
            ("event.State === 'x'", 12, "write == for ==="),
            ("event.State <> 'x'", 12, "write != for <>"),
            ("isPR() & isTaskRun()", 7, "write && for &"),
            ("isPR() | isTaskRun()", 7, "write || for |"),
            ("event.Ref =~ 'x'", 10, "write .matches() for =~"),
            ("event.Ref == \u{201c}x\u{201d}", 13, "write straight quotes for \u{201c}"),
        ];
        for (text, at, hint) in rows {
            assert_eq!(first_slip(text), Some((at, hint.to_owned())), "{text}");
        }
    }

    #[test]
    fn quoted_text_fields_and_right_signs_are_no_slips() {
        let rows = [
            "event.Ref == 'a = b and \\' | c'",
            "event.Labels.and != \"x & y\"",
            "a <= b && c >= d || !e",
            "android != orb",
            "'open",
        ];
        for text in rows {
            assert_eq!(first_slip(text), None, "{text}");
        }
    }
}
