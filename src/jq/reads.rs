//! What a program reads of an event's maps, judged from its text. It errs on the side of too much:
//! entries that no program reads are not stored.

use crate::event::Keep;
use std::iter::Peekable;
use std::str::CharIndices;

/// Words of the language that take no input.
const PLAIN_WORDS: [&str; 11] =
    ["if", "then", "elif", "else", "end", "and", "or", "null", "true", "false", "as"];

/// The maps that a program may read: those that its text names. Labels and annotations both count
/// as read if the whole input may be used, as in `del(.message)`.
#[must_use]
pub fn reads(text: &str) -> Keep {
    let mut keep = Keep::default();
    if text.contains("params") || text.contains("results") {
        keep.values.add_all();
    }
    let is_whole = may_use_whole_input(text);
    if is_whole || text.contains("labels") {
        keep.labels.add_all();
    }
    if is_whole || text.contains("annotations") {
        keep.annotations.add_all();
    }
    keep
}

/// Whether the program may use more than single fields of the input: a dot without a name after it,
/// or a filter without a pipe before it.
fn may_use_whole_input(text: &str) -> bool {
    let mut chars = text.char_indices().peekable();
    let mut before = ' ';
    while let Some((start, character)) = chars.next() {
        match character {
            '.' => {
                let starts_name = |c: &char| c.is_alphabetic() || matches!(c, '_' | '"');
                // After a digit it is a number; after a closed term it continues a chain of names.
                let is_number = before.is_ascii_digit();
                let next = chars.peek().map(|(_, next)| *next);
                if !is_number && !next.as_ref().is_some_and(starts_name) {
                    return true;
                }
                skip_word(&mut chars);
            }
            '$' => skip_word(&mut chars),
            // An interpolation in a text is code.
            '"' if skip_text(&mut chars) => return true,
            '"' => {}
            '#' => return true,
            _ if character.is_alphabetic() || character == '_' => {
                skip_word(&mut chars);
                let end = chars.peek().map_or(text.len(), |(end, _)| *end);
                let word = &text[start..end];
                let is_key = text[end..].trim_start().starts_with(':');
                if before != '|' && !is_key && !PLAIN_WORDS.contains(&word) {
                    return true;
                }
            }
            _ => {}
        }
        if !character.is_whitespace() {
            before = character;
        }
    }
    false
}

fn skip_word(chars: &mut Peekable<CharIndices<'_>>) {
    while chars.next_if(|(_, c)| c.is_alphanumeric() || *c == '_').is_some() {}
}

/// Skips a text. Returns true if it has an interpolation or does not end.
fn skip_text(chars: &mut Peekable<CharIndices<'_>>) -> bool {
    while let Some((_, character)) = chars.next() {
        match character {
            '"' => return false,
            '\\' if chars.next().is_none_or(|(_, escaped)| escaped == '(') => return true,
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_single_fields_reads_no_map_that_it_does_not_name() {
        for text in [
            "{a: .state}",
            "{a: .state, \"b c\": .repo.name, d: 1.5}",
            "{text: (.run_name + \" is \" + .state)}",
            "if .state == \"failure\" then {a: .reason} else {a: null} end",
            "{a: (.state | ascii_upcase), b: ((.attempt // 0) | tostring)}",
            ".state as $s | {s: $s}",
        ] {
            assert_eq!(reads(text), Keep::default(), "{text}");
        }
    }

    #[test]
    fn a_program_that_may_hand_the_whole_event_on_reads_labels_and_annotations() {
        for text in [
            ".",
            "{event: .}",
            "del(.message)",
            "tojson",
            "{a: tojson}",
            "to_entries",
            ".[\"labels\"]",
            ". | tojson",
            "{a: \"\\(.)\"}",
            "map(.)",
            "..",
            "# a\n.",
        ] {
            let keep = reads(text);
            assert!(keep.labels.is_all() && keep.annotations.is_all(), "{text}");
        }
    }

    #[test]
    fn a_map_that_is_named_is_read() {
        assert!(reads("{a: .labels.team}").labels.is_all());
        assert!(reads("{labels}").labels.is_all());
        assert!(reads("{a: .annotations[\"x\"]}").annotations.is_all());
        assert!(reads("{a: .params.x}").values.is_all());
        assert!(reads("{a: .results[0].name}").values.is_all());
    }
}
