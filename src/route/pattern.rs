//! [`Pattern`]: a literal regular expression of a rule. It is compiled once, at load, where a
//! mistake in it can still be reported; the evaluator alone would compile it at every call.

use cel::common::types::Type;
use cel::common::value::{CowVal, StaticVal, Val};
use cel::context::VariableResolver;
use std::any::Any;

/// Largest compiled form of one pattern. Ordinary ones take some 10 KiB; counted repetitions of
/// repetitions can ask for gigabytes.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// Prefix of the names under which rules refer to their patterns. Users cannot write an `@`.
const NAME_PREFIX: &str = "@pattern";

/// The CEL type of a [`Pattern`].
pub(super) const PATTERN_TYPE: Type = Type::new_unspecified_type("@pattern");

static TYPE: Type = PATTERN_TYPE;

/// A compiled pattern, as a value that a rule can pass on.
#[derive(Clone, Debug)]
pub(super) struct Pattern(regex::Regex);

impl Pattern {
    /// Compiles a pattern. RE2 syntax, linear time.
    pub(super) fn compile(text: &str) -> Result<Self, regex::Error> {
        regex::RegexBuilder::new(text).size_limit(COMPILED_BYTES_MAX).build().map(Self)
    }

    /// Whether the pattern occurs in `text`.
    pub(super) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        &TYPE
    }

    fn cel_type() -> &'static Type {
        &TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}

/// The patterns of one rule, each under the name that [`Self::add`] gave it.
#[derive(Debug, Default)]
pub(super) struct Patterns(Vec<Pattern>);

impl Patterns {
    /// Keeps a pattern and names it.
    pub(super) fn add(&mut self, pattern: Pattern) -> String {
        self.0.push(pattern);
        format!("{NAME_PREFIX}{}", self.0.len() - 1)
    }
}

impl VariableResolver for Patterns {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let place: usize = variable.strip_prefix(NAME_PREFIX)?.parse().ok()?;
        self.0.get(place).map(|pattern| CowVal::Borrowed(pattern as &dyn Val))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_found_under_the_name_it_got() {
        let mut patterns = Patterns::default();
        let first = patterns.add(Pattern::compile("^a").unwrap());
        let second = patterns.add(Pattern::compile("b$").unwrap());
        let found = |name: &str, text: &str| {
            let value = patterns.resolve(name).unwrap();
            value.downcast_ref::<Pattern>().unwrap().is_match(text)
        };
        assert!(found(&first, "ab") && !found(&first, "ba"));
        assert!(found(&second, "ab") && !found(&second, "ba"));
        assert!(patterns.resolve("@pattern2").is_none());
        assert!(patterns.resolve("event").is_none());
    }

    #[test]
    fn a_pattern_that_grows_out_of_bounds_is_refused() {
        assert!(Pattern::compile("(a{100}){100}").is_ok());
        let error = Pattern::compile("((a{100}){100}){100}").unwrap_err();
        assert_eq!(error, regex::Error::CompiledTooBig(COMPILED_BYTES_MAX));
    }
}
