//! What the scenarios share: a relay process, a receiver, recorded events and a way to wait.

mod command;
mod events;
mod receiver;
mod relay;
mod seeded;
mod setup;
mod wait;

pub use command::run;
pub use events::{Expected, copy_of_the_recording, named, recorded, run_events};
pub use receiver::{Call, Receiver, Seen};
pub use relay::{Relay, client};
pub use seeded::Seeded;
pub use setup::Setup;
pub use wait::eventually;
