//! Attacks on a running replica, none of which gets through. One test for each row of the table in
//! `docs/SECURITY.md`, by its number.

mod claims;
mod floods;
mod operators;
mod peers;
mod rules;
mod senders;
mod state_floods;
mod targets;
