//! Common parts of the scenarios: processes, a breakable network, senders that keep a history, and
//! observers.

mod cluster;
mod deadline;
pub mod evidence;
mod folder;
pub mod history;
mod lab;
pub mod load;
pub mod network;
mod node;
pub mod observer;
mod place;
pub mod pods;
mod site;
mod timed_receiver;
pub mod view;

pub use cluster::{Cluster, SECRET, Shape};
pub use deadline::{DRAINED_MAX, FORMED_MAX, SCENARIO_MAX};
pub use evidence::{Evidence, Moment};
pub use folder::copy_folder;
pub use history::Sent;
pub use lab::{Counts, Lab};
pub use load::{To, Traffic};
pub use node::{CHANGE_UNDER_WAY, Node, error_lines};
pub use timed_receiver::Received;
pub use view::View;
