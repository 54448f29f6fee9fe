//! What one node keeps in its data directory apart from log, snapshots and spool: its identity, the
//! replacement of one node by the next, and the space on its disk.

pub(super) mod ballast;
pub(super) mod directory;
pub mod durable;
pub(super) mod files;
pub(super) mod free_space;
pub mod identity;
pub(super) mod place;
pub(super) mod plan_marker;
pub(super) mod replace;
