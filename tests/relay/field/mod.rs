//! Cases from public bug reports and from Tekton's sources, played against the relay from outside.
//! The data, and the right outcomes, are in `tests/field/README.md`.

mod checks;
mod claims;
mod rules;
mod sender;
mod targets;
