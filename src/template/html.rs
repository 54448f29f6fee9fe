//! Run data in HTML. Where it stands is judged by what was written so far. In text it cannot start a
//! tag, in an attribute it cannot leave it, an address leads to the web or nowhere, and within styles
//! and scripts nothing but words is left of it.

/// How far back the start of a tag is looked for, in bytes.
const TAG_BYTES_MAX: usize = 4096;

/// Attributes whose value is an address.
const ADDRESSES: [&str; 7] =
    ["href", "src", "action", "formaction", "background", "cite", "poster"];

/// How addresses begin that may come from a run.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

/// Stands for an address that may not.
const NOWHERE: &str = "#";

/// Elements whose content is code.
const CODE_ELEMENTS: [&str; 2] = ["style", "script"];

/// Where data stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HtmlPlace {
    Text,
    /// Within a tag: in the value of an attribute, or around it.
    Tag,
    /// At the start of an address.
    Address,
    /// In a style or a script.
    Code,
}

/// Escapes text for HTML, between tags or in a quoted value.
#[must_use]
pub fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for next in text.chars() {
        match next {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Data behind the text `before`, which `is_in_code` where it ends in a style or a script.
pub(super) fn for_html(data: &str, before: &str, is_in_code: bool) -> String {
    match place(before, is_in_code) {
        HtmlPlace::Text => escape_html(data),
        HtmlPlace::Tag => entities(data),
        HtmlPlace::Address if SCHEMES.iter().any(|scheme| data.starts_with(scheme)) => {
            entities(data)
        }
        HtmlPlace::Address => NOWHERE.to_owned(),
        HtmlPlace::Code => data.chars().filter(|next| is_word(*next) || *next == ' ').collect(),
    }
}

/// Whether a text that began in code, or not, ends in it.
pub(super) fn ends_in_code(part: &str, began_in_code: bool) -> bool {
    if !part.contains('<') {
        return began_in_code;
    }
    let part = part.to_ascii_lowercase();
    let last = |end: &str| {
        CODE_ELEMENTS.iter().filter_map(|element| part.rfind(&format!("<{end}{element}"))).max()
    };
    match (last(""), last("/")) {
        (None, None) => began_in_code,
        (start, end) => start > end,
    }
}

fn place(before: &str, is_in_code: bool) -> HtmlPlace {
    if is_in_code {
        return HtmlPlace::Code;
    }
    let from = (before.len().saturating_sub(TAG_BYTES_MAX)..=before.len())
        .find(|from| before.is_char_boundary(*from));
    let tail = from.and_then(|from| before.get(from..)).unwrap_or_default();
    let Some(start) = tail.rfind('<').filter(|start| Some(*start) > tail.rfind('>')) else {
        return HtmlPlace::Text;
    };
    match open_attribute(tail.get(start..).unwrap_or_default()) {
        Some((name, _)) if name == "style" || name.starts_with("on") => HtmlPlace::Code,
        Some((name, "")) if ADDRESSES.contains(&name.as_str()) => HtmlPlace::Address,
        Some(_) | None => HtmlPlace::Tag,
    }
}

/// The attribute whose value a tag ends in: its name in lower case, and the value so far.
fn open_attribute(tag: &str) -> Option<(String, &str)> {
    let (_, mut rest) = tag.split_once(char::is_whitespace)?;
    loop {
        let (names, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|next| ['"', '\''].contains(next));
        let value = quote.and_then(|quote| after.strip_prefix(quote)).unwrap_or(after);
        let end = match quote {
            Some(quote) => value.find(quote),
            None => value.find(char::is_whitespace),
        };
        let Some(end) = end else {
            let name = names.split_whitespace().last().unwrap_or_default();
            return Some((name.to_ascii_lowercase(), value));
        };
        rest = value.get(end + 1..)?;
    }
}

/// Everything but words as entities: also a value without quotes cannot be left.
fn entities(data: &str) -> String {
    data.chars().fold(String::with_capacity(data.len()), |escaped, next| match is_word(next) {
        true => escaped + next.encode_utf8(&mut [0; 4]),
        false => format!("{escaped}&#{};", u32::from(next)),
    })
}

/// Letters and digits of any script, and what joins them in names.
fn is_word(next: char) -> bool {
    next.is_alphanumeric() || ['-', '_', '.'].contains(&next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(before: &str) -> HtmlPlace {
        place(before, ends_in_code(before, false))
    }

    #[test]
    fn the_place_of_data_is_seen_by_what_stands_before_it() {
        use HtmlPlace::{Address, Code, Tag, Text};
        let rows = [
            ("", Text),
            ("<p>", Text),
            ("a < b > ", Text),
            ("<p ", Tag),
            ("<p", Tag),
            ("<p title=", Tag),
            ("<p title=\"a ", Tag),
            ("<p title='a' ", Tag),
            ("<p title=\"a=b\" id='", Tag),
            ("<a href=", Address),
            ("<a href=\"", Address),
            ("<a class=x HREF = '", Address),
            ("<img\nsrc=\"", Address),
            ("<a href=\"https://x/?q=", Tag),
            ("<a href=\"x\" title=\"", Tag),
            ("<p style=\"color: ", Code),
            ("<p style=\"color: red\" title=\"", Tag),
            ("<p onclick='", Code),
            ("<style>p { color: ", Code),
            ("<STYLE type=x>p {} ", Code),
            ("<style>p {}</style> ", Text),
            ("<style>p {}</style><script>", Code),
        ];
        for (before, expected) in rows {
            assert_eq!(at(before), expected, "{before:?}");
        }
    }

    #[test]
    fn data_leaves_no_place() {
        let escaped =
            |before: &str, data: &str| for_html(data, before, ends_in_code(before, false));
        let rows = [
            ("<p>", "<b>\"it's\" & so</b>", "&lt;b&gt;&quot;it&#39;s&quot; &amp; so&lt;/b&gt;"),
            ("<p title=\"", "a\"><img", "a&#34;&#62;&#60;img"),
            ("<p title=", "a onclick=b", "a&#32;onclick&#61;b"),
            (
                "<a href=\"",
                "https://x/?a=1&b=ä",
                "https&#58;&#47;&#47;x&#47;&#63;a&#61;1&#38;b&#61;ä",
            ),
            ("<a href=\"", "javascript:alert(1)", "#"),
            ("<a href=\"", " https://x", "#"),
            ("<a href=\"", "//evil.example", "#"),
            ("<p style=\"color:", "red;background:url(//evil)", "redbackgroundurlevil"),
            ("<style>", "} p { a: url(x) </style><b>", " p  a urlx styleb"),
        ];
        for (before, data, expected) in rows {
            assert_eq!(escaped(before, data), expected, "{before}{data}");
        }
    }

    #[test]
    fn a_long_text_is_looked_at_from_its_end() {
        let long = "ä".repeat(TAG_BYTES_MAX);
        assert_eq!(at(&format!("<p title=\"{long}")), HtmlPlace::Text);
        assert_eq!(at(&format!("{long}<a href=\"")), HtmlPlace::Address);
        assert!(ends_in_code(&long, true) && !ends_in_code(&long, false));
    }
}
