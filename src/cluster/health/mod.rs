//! What a node measures and judges about itself and its peers. Decisions only: the tasks that feed
//! them are in `checks` and `leader`.

pub(super) mod delivery_health;
pub(super) mod divergence;
pub(super) mod standstill;
pub(super) mod unhealthy;
