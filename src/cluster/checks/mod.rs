//! What every node asks its leader twice a second: whether there is a quorum, what time it is, and
//! whether its state equals that of the others.

pub(super) mod quorum_check;
pub(super) mod state_check;
