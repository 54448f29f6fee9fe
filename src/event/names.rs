//! Which names Kubernetes, Tekton and forges give, and which characters text may have. A name that
//! none of them would give has another origin; the relay refuses it and does not repair it.

use std::borrow::Cow;
use std::fmt::Write as _;

const LABEL_CHARS_MAX: usize = 63;
const SUBDOMAIN_CHARS_MAX: usize = 253;
/// The longest part of an owner's or repository's name at any forge (GitLab's).
const FORGE_NAME_CHARS_MAX: usize = 255;

/// The kinds of names, each with its accepted form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameKind {
    /// An object: an RFC 1123 subdomain.
    Subdomain,
    /// A namespace: an RFC 1123 label.
    Label,
    /// The value of a label.
    LabelValue,
    /// A definition that a run refers to; other kinds of objects may have its name.
    Reference,
    /// `metadata.uid`, or the stand-in of another sender.
    Uid,
}

impl NameKind {
    /// The accepted form, for the answer to the sender.
    pub(super) fn accepted(self) -> &'static str {
        match self {
            Self::Subdomain => {
                "1 to 253 of a-z, 0-9, '-' and '.', a letter or digit at both ends of each part"
            }
            Self::Label => "1 to 63 of a-z, 0-9 and '-', a letter or digit at both ends",
            Self::LabelValue => {
                "1 to 63 of A-Z, a-z, 0-9, '-', '_' and '.', a letter or digit at both ends"
            }
            Self::Reference => "1 to 253 of A-Z, a-z, 0-9, '-', '_', '.' and ':'",
            Self::Uid => "1 to 253 of A-Z, a-z, 0-9, '-', '_' and '.'",
        }
    }

    pub(super) fn accepts(self, text: &str) -> bool {
        match self {
            Self::Subdomain => {
                text.len() <= SUBDOMAIN_CHARS_MAX && text.split('.').all(is_lower_label)
            }
            Self::Label => text.len() <= LABEL_CHARS_MAX && is_lower_label(text),
            Self::LabelValue => {
                text.len() <= LABEL_CHARS_MAX
                    && has_alphanumeric_ends(text)
                    && consists_of(text, "-_.")
            }
            Self::Reference => text.len() <= SUBDOMAIN_CHARS_MAX && consists_of(text, "-_.:"),
            Self::Uid => text.len() <= SUBDOMAIN_CHARS_MAX && consists_of(text, "-_."),
        }
    }
}

fn is_lower_label(text: &str) -> bool {
    let is_lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    has_alphanumeric_ends(text) && text.bytes().all(is_lower)
}

fn has_alphanumeric_ends(text: &str) -> bool {
    let (first, last) = (text.bytes().next(), text.bytes().next_back());
    [first, last].into_iter().all(|end| end.is_some_and(|byte| byte.is_ascii_alphanumeric()))
}

fn consists_of(text: &str, others: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// Whether `text` may be the hash of a commit: 7 to 64 hexadecimal digits.
#[must_use]
pub fn is_commit_sha(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether `text` may be the name of a repository, or of an owner without groups below it.
#[must_use]
pub fn is_forge_name(text: &str) -> bool {
    text.len() <= FORGE_NAME_CHARS_MAX
        && consists_of(text, "-_.")
        && !text.trim_matches('.').is_empty()
}

/// Whether `text` may be an owner: a user or organisation, or a group and its subgroups with `/`
/// between them.
#[must_use]
pub fn is_forge_owner(text: &str) -> bool {
    text.len() <= 4 * FORGE_NAME_CHARS_MAX && text.split('/').all(is_forge_name)
}

/// Characters that move a cursor, end a line, change the direction of a text, or are meant for
/// programs alone: the deprecated format characters, byte order marks and tags.
fn is_unseen(c: char) -> bool {
    let turns = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
    );
    c.is_control() || turns || matches!(c, '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` as people may see it. A space replaces each line end and tab; U+FFFD replaces each other
/// control character.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let shown = |c| match c {
        '\n' | '\r' | '\t' => ' ',
        c if is_unseen(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// Like [`visible`], for values with several lines: line ends and tabs stay.
pub(super) fn visible_lines(text: &str) -> Cow<'_, str> {
    let is_unseen = |c| is_unseen(c) && !matches!(c, '\n' | '\r' | '\t');
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let shown = |c| if is_unseen(c) { char::REPLACEMENT_CHARACTER } else { c };
    Cow::Owned(text.chars().map(shown).collect())
}

/// `text` for a terminal. Characters that would control it become `\u001b` escapes, which JSON
/// reads back unchanged. Line ends and tabs stay.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    spelt_out(text, |c| is_unseen(c) && !matches!(c, '\n' | '\t'))
}

/// As [`escaped`], for one line: ends of lines and tabs are written as `\u000a` and `\u0009`.
#[must_use]
pub fn escaped_line(text: &str) -> Cow<'_, str> {
    spelt_out(text, is_unseen)
}

fn spelt_out(text: &str, acts: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&acts) {
        return Cow::Borrowed(text);
    }
    let mut spelt = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(spelt, "\\u{unit:04x}");
            }
        } else {
            spelt.push(c);
        }
    }
    Cow::Owned(spelt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_kubernetes_are_accepted_and_others_are_not() {
        let label = "a".repeat(63);
        let long = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        for (kind, good) in [
            (NameKind::Subdomain, vec!["a", "ci-1-prepare", "a.b-c.d", "0", &long]),
            (NameKind::Label, vec!["ci", "team-a", "0", &label]),
            (NameKind::LabelValue, vec!["build", "Build_1.x", "a", &label]),
            (NameKind::Reference, vec!["git-clone", "Approval:v1", "_x"]),
            (NameKind::Uid, vec!["22222222-0000-4000-8000-000000000001", "no-uid-00ff", "u.1_a"]),
        ] {
            for name in good {
                assert!(kind.accepts(name), "{kind:?} {name:?}");
            }
            let bad =
                ["", "a b", "a/b", "a\nb", "<!channel>", "a\u{202e}b", "ä", "a\u{0}", "@team"];
            for name in bad {
                assert!(!kind.accepts(name), "{kind:?} {name:?}");
            }
            assert!(!kind.accepts(&"a".repeat(254)), "{kind:?}");
        }
        for name in ["-a", "a-", "a..b", ".a", "A", "a_b", "a.-b"] {
            assert!(!NameKind::Subdomain.accepts(name), "{name:?}");
        }
        for name in ["a.b", "A", "-a", &"a".repeat(64)] {
            assert!(!NameKind::Label.accepts(name), "{name:?}");
        }
        for name in ["-a", "a.", &"a".repeat(64)] {
            assert!(!NameKind::LabelValue.accepts(name), "{name:?}");
        }
    }

    #[test]
    fn what_no_forge_would_take_is_known() {
        for sha in ["0123abc", "6dcb09b5b57875f334f61aebed695e2e4193db5e", &"a".repeat(64)] {
            assert!(is_commit_sha(sha), "{sha:?}");
        }
        for sha in ["", "abc", "HEAD", "main", "0123abg", "..", &"a".repeat(65), "0123abc\n"] {
            assert!(!is_commit_sha(sha), "{sha:?}");
        }
        for name in ["app", "a.b", ".github", "A_b-1"] {
            assert!(is_forge_name(name), "{name:?}");
        }
        for name in ["", ".", "..", "a/b", "a b", "a?b", "a%2fb", "ä", "a\u{202e}", "a#b"] {
            assert!(!is_forge_name(name), "{name:?}");
        }
        assert!(is_forge_owner("group/sub/team") && is_forge_owner("acme"));
        for owner in ["/a", "a/", "a//b", "a/../b", "..", ""] {
            assert!(!is_forge_owner(owner), "{owner:?}");
        }
    }

    #[test]
    fn characters_that_act_are_replaced_where_they_can_be_seen() {
        assert_eq!(visible("plain ü 🎉"), "plain ü 🎉");
        assert_eq!(visible("a\r\nb\tc"), "a  b c");
        assert_eq!(visible("\u{1b}[31mred\u{7}\u{9b}\u{202e}x\u{2066}"), {
            "\u{fffd}[31mred\u{fffd}\u{fffd}\u{fffd}x\u{fffd}"
        });
        assert_eq!(visible_lines("a\n\tb\u{1b}"), "a\n\tb\u{fffd}");
        for acts in
            ['\u{61c}', '\u{206a}', '\u{206f}', '\u{feff}', '\u{e0000}', '\u{e0041}', '\u{e007f}']
        {
            assert_eq!(visible(&format!("a{acts}b")), "a\u{fffd}b", "{acts:?}");
            assert_eq!(visible_lines(&format!("a{acts}b")), "a\u{fffd}b", "{acts:?}");
        }
    }

    #[test]
    fn s16_a_terminal_is_shown_what_would_act_on_it() {
        assert_eq!(escaped("one\ntwo\t3"), "one\ntwo\t3");
        assert_eq!(escaped("\u{1b}]0;x\u{7}\r\u{202e}"), "\\u001b]0;x\\u0007\\u000d\\u202e");
        let acts = "\u{202e}\u{9b}\u{e0041}";
        let json = serde_json::Value::String(acts.to_owned()).to_string();
        let shown = escaped(&json);
        assert_eq!(shown, r#""\u202e\u009b\udb40\udc41""#);
        let read: String = serde_json::from_str(&shown).unwrap();
        assert_eq!(read, acts);
    }
}
