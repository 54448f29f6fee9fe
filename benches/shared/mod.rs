//! Common parts of benchmarks of relay processes: the recorded request, a load generator, child
//! processes, and the printed table. It measures nothing itself.
#![allow(dead_code, reason = "each benchmark takes what it needs")]

pub mod load;
pub mod process;
pub mod recorded;
pub mod round;
pub mod table;
pub mod wait;
