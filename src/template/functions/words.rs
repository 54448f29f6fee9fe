//! Letter case and word forms of sprig, and the JSON names of fields.

use super::{Function, FunctionError, text};
use gotmpl::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    text("title", 1..=1, |args| Ok(Value::from(first_letters(&args.text(0)?, true)))),
    text("untitle", 1..=1, |args| Ok(Value::from(first_letters(&args.text(0)?, false)))),
    text("swapcase", 1..=1, |args| Ok(Value::from(swapped(&args.text(0)?)))),
    text("initials", 1..=1, |args| {
        let text = args.text(0)?;
        let letters = text.split_whitespace().filter_map(|word| word.chars().next());
        Ok(Value::from(letters.collect::<String>()))
    }),
    text("snakecase", 1..=1, |args| lower_words(&args.text(0)?, "_")),
    text("kebabcase", 1..=1, |args| lower_words(&args.text(0)?, "-")),
    text("camelcase", 1..=1, |args| {
        let words = words(&args.text(0)?);
        let words = words.iter().map(|word| first_letters(&word.to_lowercase(), true));
        Ok(Value::from(words.collect::<String>()))
    }),
];

/// The name of a field in JSON: `APIBaseURL` is `api_base_url`.
pub(super) fn json_name(field: &str) -> String {
    words(field).join("_").to_lowercase()
}

fn lower_words(text: &str, separator: &str) -> Result<Value, FunctionError> {
    Ok(Value::from(words(text).join(separator).to_lowercase()))
}

/// The words of a name. It splits at separators, before a capital after a small letter or digit,
/// and before the last capital of a run if a small letter follows.
fn words(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (index, character) in characters.iter().copied().enumerate() {
        let before = index.checked_sub(1).and_then(|index| characters.get(index)).copied();
        let after = characters.get(index + 1).copied();
        let is_separator = matches!(character, '_' | '-' | '.') || character.is_whitespace();
        if (is_separator || starts_word(before, character, after)) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if !is_separator {
            word.push(character);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn starts_word(before: Option<char>, character: char, after: Option<char>) -> bool {
    let Some(before) = before else { return false };
    let ends_run = before.is_uppercase() && after.is_some_and(char::is_lowercase);
    character.is_uppercase() && (before.is_lowercase() || before.is_numeric() || ends_run)
}

/// The text with the first letter of every word in upper or lower case.
fn first_letters(text: &str, is_upper: bool) -> String {
    let mut changed = String::with_capacity(text.len());
    let mut in_word = false;
    for character in text.chars() {
        match (in_word, is_upper) {
            (false, true) => changed.extend(character.to_uppercase()),
            (false, false) => changed.extend(character.to_lowercase()),
            (true, _) => changed.push(character),
        }
        in_word = character.is_alphanumeric() || character == '_' || character == '\'';
    }
    changed
}

fn swapped(text: &str) -> String {
    let mut changed = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_uppercase() {
            changed.extend(character.to_lowercase());
        } else {
            changed.extend(character.to_uppercase());
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_names_become_the_json_names_of_events() {
        for (field, name) in [
            ("APIBaseURL", "api_base_url"),
            ("RunID", "run_id"),
            ("SCMEventType", "scm_event_type"),
            ("IsFinallyTask", "is_finally_task"),
            ("PRNumber", "pr_number"),
            ("CommitSHA", "commit_sha"),
            ("ID", "id"),
        ] {
            assert_eq!(json_name(field), name);
        }
    }

    #[test]
    fn names_split_into_words() {
        assert_eq!(
            words("some-name_of HTTPServer2Go"),
            ["some", "name", "of", "HTTP", "Server2", "Go"]
        );
        assert!(words("--").is_empty());
    }
}
