//! Orders of operators: remove members, transfer the leadership, raise the feature level, make a
//! new cluster from one directory or a backup.

pub(super) mod finalize;
pub(super) mod membership;
pub(super) mod recover;
