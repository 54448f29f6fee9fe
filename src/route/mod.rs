//! Which integration actions see an event: CEL rules, filters by name, kind and namespace. Pure: it
//! says why a route owes nothing, and the planner decides what is owed.

mod check;
mod constants;
mod event_vars;
mod expression;
mod filter;
mod glob;
mod operators;
mod pattern;
mod policy;
mod possible;
mod rewrite;
mod slips;
mod text_map;
mod texts;
mod vocabulary;
mod words;

pub use event_vars::EventVars;
pub use expression::{CelError, Condition, EvaluateError, RULE_BYTES_MAX, TextExpression};
pub use filter::{AllowDeny, EventFilter, NameFilter};
pub use glob::{NamePattern, PATTERN_BYTES_MAX, PatternError};
pub use policy::{Policy, PolicyRule};

#[cfg(test)]
#[path = "fixture_test.rs"]
pub(crate) mod fixture;

#[cfg(test)]
#[path = "agreement_test.rs"]
mod agreement;
