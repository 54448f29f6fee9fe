//! Why a function of a template fails while rendering.

use crate::template::limits::{
    ITEMS_MAX, OUTPUT_BYTES_MAX, PRINTF_DIRECTIVES_MAX, PRINTF_WIDTH_MAX, VALUE_DEPTH_MAX,
};
use std::ops::RangeInclusive;

/// A call that cannot give a result.
#[derive(Debug, thiserror::Error)]
pub(in crate::template) enum FunctionError {
    #[error("takes {}, not {got}", argument_words(wanted))]
    ArgumentCount { wanted: RangeInclusive<usize>, got: usize },
    /// `position` counts arguments from 1; a piped value is the last.
    #[error("argument {position} must be {wanted}, not {got}")]
    WrongKind { position: usize, wanted: &'static str, got: &'static str },
    #[error("{owner} has no field or method `{name}`")]
    NoMember { owner: &'static str, name: String },
    #[error("cannot range over {got}")]
    NotIterable { got: &'static str },
    #[error("cannot compare {left} with {right}")]
    Incomparable { left: &'static str, right: &'static str },
    #[error("index {index} is out of range for length {length}")]
    OutOfRange { index: i64, length: usize },
    #[error("division by zero")]
    DivisionByZero,
    #[error(
        "the time zone `{name}` is not known: write UTC, a name such as Europe/Berlin, or an offset \
         such as +02:00"
    )]
    UnknownZone { name: String },
    #[error("{text:?} is no duration: write for example 90s or 1h30m")]
    BadDuration { text: String },
    #[error(
        "the layout {layout:?} has no part of Go's reference time in it: write for example \
         \"2006-01-02 15:04:05 MST\""
    )]
    NoLayout { layout: String },
    #[error("the text is not base64 of UTF-8 text")]
    NotBase64,
    #[error("bad regular expression: {0}")]
    Pattern(#[from] Box<regex::Error>),
    #[error("a printf width or precision is at most {PRINTF_WIDTH_MAX}")]
    WidthTooLarge,
    #[error("a printf format has at most {PRINTF_DIRECTIVES_MAX} directives")]
    TooManyDirectives,
    #[error("the text would be longer than {OUTPUT_BYTES_MAX} bytes")]
    TextTooLong,
    #[error("the value would have more than {ITEMS_MAX} elements")]
    TooManyItems,
    #[error("lists and maps nest at most {VALUE_DEPTH_MAX} deep")]
    TooDeep,
    /// The template called `fail`.
    #[error("{message}")]
    Failed { message: String },
}

/// The words for a number of arguments: `2 arguments`, `1 to 4 arguments`, `at least 1 argument`.
pub(in crate::template) fn argument_words(range: &RangeInclusive<usize>) -> String {
    let noun = |count| if count == 1 { "argument" } else { "arguments" };
    match (*range.start(), *range.end()) {
        (start, end) if start == end => format!("{start} {}", noun(start)),
        (start, usize::MAX) => format!("at least {start} {}", noun(start)),
        (start, end) => format!("{start} to {end} arguments"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argument_counts_read_as_words() {
        assert_eq!(argument_words(&(2..=2)), "2 arguments");
        assert_eq!(argument_words(&(1..=4)), "1 to 4 arguments");
        assert_eq!(argument_words(&(1..=usize::MAX)), "at least 1 argument");
    }
}
