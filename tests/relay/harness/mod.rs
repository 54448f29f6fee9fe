//! What the scenarios share: a relay process and its commands, and what the tests of a cluster
//! use too.

mod relay;
mod setup;

pub use crate::shared::{
    Call, Expected, Finished, Receiver, Scripted, Seeded, Seen, client, copy_of_the_recording,
    eventually, named, recorded, run, run_events,
};
pub use relay::Relay;
pub use setup::Setup;
