//! Common parts of the tests of one relay and the tests of a cluster: a receiver, recorded events,
//! a configuration, free ports, and a way to wait.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

mod client;
mod command;
mod config;
mod events;
mod ports;
mod receiver;
mod seeded;
mod signal;
mod wait;

pub use client::{admin_token, client, client_builder};
pub use command::{Finished, run};
pub use config::{POD_HEADER, write_config};
pub use events::{Expected, copy_of_the_recording, headers_of, named, recorded, run_events};
pub use ports::{PORTS, free_address, free_ports};
pub use receiver::{Call, Receiver, Scripted, Seen};
pub use seeded::Seeded;
pub use signal::signal;
pub use wait::{eventually, reached, try_reach};
