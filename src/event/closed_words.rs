//! Fields of an event whose words are a closed set.

use super::run::RunKind;
use super::run_state::RunState;

/// The words that a field of rules and templates can hold, where that is a closed set. A key of the
/// JSON form is the field of [`closed_field`].
#[must_use]
pub fn closed_words(field: &str) -> Option<Vec<&'static str>> {
    let states = || RunState::ALL.into_iter().map(RunState::as_str);
    match field {
        "State" => Some(states().collect()),
        // Empty while there was no earlier run.
        "PreviousState" => Some(states().chain([""]).collect()),
        "Resource" => Some(RunKind::ALL.into_iter().map(RunKind::as_str).collect()),
        _ => None,
    }
}

/// The field of rules and templates that has a closed set of words and this key in the JSON form.
#[must_use]
pub fn closed_field(key: &str) -> Option<&'static str> {
    match key {
        "state" => Some("State"),
        "previous_state" => Some("PreviousState"),
        "resource" => Some("Resource"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::JSON_KEYS;

    #[test]
    fn every_key_with_closed_words_is_a_key_of_the_json_form() {
        let closed: Vec<_> = JSON_KEYS.iter().filter_map(|key| closed_field(key)).collect();
        assert_eq!(closed.len(), 3, "{closed:?}");
        assert!(closed.iter().all(|field| closed_words(field).is_some()));
        assert_eq!(closed_words("RunName"), None);
    }
}
