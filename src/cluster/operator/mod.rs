//! What operators order: members removed, leadership moved, the feature level raised, a new cluster
//! made of one directory or a backup.

pub(super) mod finalize;
pub(super) mod membership;
pub(super) mod recover;
