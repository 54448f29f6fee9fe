//! What benchmarks of relay processes have in common: the recorded request, a load generator,
//! child processes, and the printed table. Measures nothing by itself.
#![allow(dead_code, reason = "each benchmark takes what it needs")]

pub mod load;
pub mod process;
pub mod recorded;
pub mod round;
pub mod table;
pub mod wait;
