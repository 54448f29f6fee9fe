//! Cases that people met in public bug reports and in Tekton's sources, played against the relay
//! from outside. The data, and what is right, stand in `tests/field/README.md`.

mod checks;
mod claims;
mod rules;
mod sender;
mod targets;
