//! Words that are nearly right. A message that refuses an unknown word suggests the closest known
//! one. Pure.

use strsim::levenshtein;

/// The known word closest to `found`, if it is close enough for a slip. Case does not count.
#[must_use]
pub fn closest<'w>(found: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    // A third of the letters wrong is a slip; more is another word.
    let distance_max = found.chars().count().div_ceil(3);
    let found = found.to_ascii_lowercase();
    known
        .into_iter()
        .map(|word| (levenshtein(&found, &word.to_ascii_lowercase()), word))
        .filter(|(distance, word)| *distance <= distance_max && *distance < word.chars().count())
        .min()
        .map(|(_, word)| word)
}

/// `; did you mean "x"?`, or empty text if no known word is close.
#[must_use]
pub fn did_you_mean<'w>(found: &str, known: impl IntoIterator<Item = &'w str>) -> String {
    closest(found, known).map_or_else(String::new, |word| format!("; did you mean {word:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_suggested_and_another_word_is_not() {
        let known = ["max_attempts", "max_backoff", "max_age"];
        assert_eq!(closest("max_atempts", known), Some("max_attempts"));
        assert_eq!(closest("maxage", known), Some("max_age"));
        assert_eq!(closest("jitter", known), None);
        assert_eq!(did_you_mean("maxage", known), "; did you mean \"max_age\"?");
        assert_eq!(did_you_mean("jitter", known), "");
    }

    #[test]
    fn case_is_no_difference_and_a_word_that_shares_no_letter_is_no_suggestion() {
        assert_eq!(closest("RUNNAME", ["RunName"]), Some("RunName"));
        assert_eq!(closest("x", ["y"]), None);
        assert_eq!(closest("", ["y"]), None);
    }

    #[test]
    fn the_distance_between_words_counts_single_steps() {
        assert_eq!(levenshtein("kitten", "sitting"), 3);
        assert_eq!(levenshtein("", "abc"), 3);
        assert_eq!(levenshtein("abc", "abc"), 0);
    }
}
