//! What runs of one group share.

/// A group: (namespace, group id).
pub type GroupKey = (String, String);
