//! [`NamePattern`]: the glob of filters and policies. It reads patterns like Go's `path.Match`,
//! because existing filter lists use that syntax, and it refuses a broken pattern and does not
//! ignore it.

use std::str::Chars;

/// Longest pattern, in bytes: four times a namespace name (63), with room for classes and escapes.
pub const PATTERN_BYTES_MAX: usize = 256;

/// Why a text is not a valid pattern. Nothing was built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The text is empty.
    #[error("pattern is empty")]
    Empty,
    /// The text is longer than [`PATTERN_BYTES_MAX`].
    #[error("pattern is longer than {PATTERN_BYTES_MAX} bytes")]
    TooLong,
    /// A `[` has no matching `]`.
    #[error("character class of pattern {0:?} is not closed")]
    OpenClass(String),
    /// A class is empty, or a range in it has no end or runs backwards.
    #[error("character class of pattern {0:?} is malformed")]
    BadClass(String),
    /// The text ends after a `\`.
    #[error("pattern {0:?} ends in a backslash")]
    DanglingEscape(String),
}

/// A parsed glob over names of namespaces, tasks, repositories and similar: `*`, `?`, `[a-z]`,
/// `[^a-z]`. `\` escapes the next character. A leading `!` excludes names that an earlier pattern
/// admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    is_negated: bool,
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// Any number of characters except `/`, also zero.
    AnyRun,
    /// One character except `/`.
    AnyOne,
    Exactly(char),
    Class {
        is_negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::AnyRun | Self::AnyOne => c != '/',
            Self::Exactly(wanted) => *wanted == c,
            Self::Class { is_negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *is_negated
            }
        }
    }
}

impl NamePattern {
    /// Parses a pattern, with its `!` if it has one.
    ///
    /// # Errors
    /// The text is empty, too long, or not a glob.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong);
        }
        let (is_negated, glob) = match text.strip_prefix('!') {
            Some(glob) => (true, glob),
            None => (false, text),
        };
        if glob.is_empty() {
            return Err(PatternError::Empty);
        }
        Ok(Self { is_negated, tokens: tokens(glob)? })
    }

    /// Whether the pattern excludes names.
    #[must_use]
    pub fn is_negated(&self) -> bool {
        self.is_negated
    }

    /// The same pattern for names without regard to ASCII case; such names must be in lower case.
    #[must_use]
    pub fn in_lower_case(self) -> Self {
        let lower = |token| match token {
            Token::Exactly(c) => Token::Exactly(c.to_ascii_lowercase()),
            other @ (Token::AnyRun | Token::AnyOne | Token::Class { .. }) => other,
        };
        Self { tokens: self.tokens.into_iter().map(lower).collect(), ..self }
    }

    /// Whether a list of patterns admits `namespace`: the last match decides, and without a match
    /// the answer is no.
    #[must_use]
    pub fn any_admits(patterns: &[Self], namespace: &str) -> bool {
        let name: Vec<char> = namespace.chars().collect();
        patterns
            .iter()
            .rfind(|pattern| pattern.glob_matches(&name))
            .is_some_and(|pattern| !pattern.is_negated)
    }

    /// Greedy matching that goes back to the last `*` only: at most (pattern length x name length)
    /// steps.
    fn glob_matches(&self, name: &[char]) -> bool {
        let (mut at_token, mut at_char) = (0, 0);
        let mut last_run: Option<(usize, usize)> = None;
        while at_char < name.len() {
            match self.tokens.get(at_token) {
                Some(Token::AnyRun) => {
                    last_run = Some((at_token, at_char));
                    at_token += 1;
                    continue;
                }
                Some(token) if token.takes(name[at_char]) => {
                    at_token += 1;
                    at_char += 1;
                    continue;
                }
                Some(_) | None => {}
            }
            let Some((run, taken_to)) = last_run else { return false };
            if !Token::AnyRun.takes(name[taken_to]) {
                return false;
            }
            last_run = Some((run, taken_to + 1));
            at_token = run + 1;
            at_char = taken_to + 1;
        }
        self.tokens[at_token..].iter().all(|token| *token == Token::AnyRun)
    }
}

fn tokens(glob: &str) -> Result<Vec<Token>, PatternError> {
    let mut rest = glob.chars();
    let mut tokens = Vec::new();
    while let Some(c) = rest.next() {
        let token = match c {
            '*' => Token::AnyRun,
            '?' => Token::AnyOne,
            '[' => class(glob, &mut rest)?,
            '\\' => Token::Exactly(escaped(glob, &mut rest)?),
            other => Token::Exactly(other),
        };
        // Two in a row match the same as one.
        if token != Token::AnyRun || tokens.last() != Some(&Token::AnyRun) {
            tokens.push(token);
        }
    }
    Ok(tokens)
}

fn escaped(glob: &str, rest: &mut Chars<'_>) -> Result<char, PatternError> {
    rest.next().ok_or_else(|| PatternError::DanglingEscape(glob.to_owned()))
}

/// Reads a class after its `[`.
fn class(glob: &str, rest: &mut Chars<'_>) -> Result<Token, PatternError> {
    let is_negated = rest.as_str().starts_with('^');
    if is_negated {
        rest.next();
    }
    let mut ranges = Vec::new();
    loop {
        // A `]` closes only a class with content: as the first character it is malformed, as in Go.
        if rest.as_str().starts_with(']') && !ranges.is_empty() {
            rest.next();
            return Ok(Token::Class { is_negated, ranges });
        }
        let low = class_bound(glob, rest)?;
        let high = if rest.as_str().starts_with('-') {
            rest.next();
            class_bound(glob, rest)?
        } else {
            low
        };
        if high < low {
            return Err(PatternError::BadClass(glob.to_owned()));
        }
        ranges.push((low, high));
    }
}

fn class_bound(glob: &str, rest: &mut Chars<'_>) -> Result<char, PatternError> {
    match rest.next() {
        None => Err(PatternError::OpenClass(glob.to_owned())),
        Some('-' | ']') => Err(PatternError::BadClass(glob.to_owned())),
        Some('\\') => escaped(glob, rest),
        Some(c) => Ok(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(patterns: &[&str], namespace: &str) -> bool {
        let patterns: Vec<_> =
            patterns.iter().map(|text| NamePattern::parse(text).unwrap()).collect();
        NamePattern::any_admits(&patterns, namespace)
    }

    #[test]
    fn globs_match_as_go_path_match_does() {
        let rows = [
            ("prod", "prod", true),
            ("prod", "prod-eu", false),
            ("prod-*", "prod-eu", true),
            ("prod-*", "prod", false),
            ("*", "", true),
            ("*", "a/b", false),
            ("*/b", "a/b", true),
            ("**", "anything", true),
            ("*-ci-*", "team-ci-ci-x", true),
            ("*a*b*c", "xaxbxbxc", true),
            ("*a*b*c", "xaxbxbx", false),
            ("team-?", "team-a", true),
            ("team-?", "team-", false),
            ("?", "ü", true),
            ("?", "/", false),
            ("team-[a-c]", "team-b", true),
            ("team-[a-c]", "team-d", false),
            ("team-[^a-c]", "team-d", true),
            ("team-[^a-c]", "team-a", false),
            ("[a\\-z]", "-", true),
            ("[a\\-z]", "m", false),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("a]", "a]", true),
            ("*[0-9]", "ns-7", true),
        ];
        for (glob, name, expected) in rows {
            assert_eq!(admits(&[glob], name), expected, "{glob} against {name}");
        }
    }

    #[test]
    fn broken_patterns_are_refused_by_name() {
        let rows = [
            ("", PatternError::Empty),
            ("!", PatternError::Empty),
            ("[a", PatternError::OpenClass("[a".into())),
            ("[", PatternError::OpenClass("[".into())),
            ("[]a]", PatternError::BadClass("[]a]".into())),
            ("[^]", PatternError::BadClass("[^]".into())),
            ("[-z]", PatternError::BadClass("[-z]".into())),
            ("[a-]", PatternError::BadClass("[a-]".into())),
            ("[z-a]", PatternError::BadClass("[z-a]".into())),
            ("a\\", PatternError::DanglingEscape("a\\".into())),
        ];
        for (text, expected) in rows {
            assert_eq!(NamePattern::parse(text), Err(expected), "{text}");
        }
        let longest = "a".repeat(PATTERN_BYTES_MAX);
        assert!(NamePattern::parse(&longest).is_ok());
        assert_eq!(NamePattern::parse(&(longest + "a")), Err(PatternError::TooLong));
    }

    #[test]
    fn the_last_matching_pattern_decides() {
        assert!(!admits(&["team-*", "!team-x"], "team-x"));
        assert!(admits(&["!team-x", "team-*"], "team-x"));
        assert!(admits(&["team-*", "!team-x", "team-x"], "team-x"));
    }

    #[test]
    fn a_list_of_negations_admits_nothing() {
        assert!(!admits(&["!team-x"], "team-y"));
        assert!(!admits(&[], "team-y"));
    }

    /// The definition of a glob, without regard to time.
    fn reference(tokens: &[Token], name: &[char]) -> bool {
        match (tokens, name) {
            ([], _) => name.is_empty(),
            ([Token::AnyRun, rest @ ..], _) => {
                reference(rest, name)
                    || name
                        .split_first()
                        .is_some_and(|(c, after)| *c != '/' && reference(tokens, after))
            }
            ([token, rest @ ..], [c, after @ ..]) => token.takes(*c) && reference(rest, after),
            (_, []) => false,
        }
    }

    proptest::proptest! {
        #[test]
        fn matching_agrees_with_the_definition(glob in "[ab*?/]{1,7}", name in "[ab/]{0,7}") {
            let pattern = NamePattern::parse(&glob).unwrap();
            let name: Vec<char> = name.chars().collect();
            assert_eq!(pattern.glob_matches(&name), reference(&pattern.tokens, &name));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,20}", name in ".{0,20}") {
            if let Ok(pattern) = NamePattern::parse(&text) {
                let _admitted = NamePattern::any_admits(&[pattern], &name);
            }
        }
    }

    #[test]
    fn matching_takes_no_exponential_time() {
        let glob = "a*".repeat(PATTERN_BYTES_MAX / 2);
        assert!(!admits(&[&format!("{}b", &glob[..PATTERN_BYTES_MAX - 2])], &"a".repeat(10_000)));
    }
}
