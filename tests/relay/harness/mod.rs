//! Common parts of the scenarios: a relay process and its commands, and the parts shared with the
//! tests of a cluster.

mod relay;
mod setup;

pub use crate::shared::{
    Call, Expected, Finished, Receiver, Scripted, Seeded, Seen, client, copy_of_the_recording,
    eventually, named, recorded, run, run_events,
};
pub use relay::Relay;
pub use setup::Setup;
