//! What one node keeps in its data directory beside log, snapshots and spool: who it is, how the
//! directory passes on, and the room on its disk.

pub(super) mod ballast;
pub(super) mod directory;
pub mod durable;
pub(super) mod files;
pub(super) mod free_space;
pub mod identity;
pub(super) mod place;
pub(super) mod plan_marker;
pub(super) mod replace;
