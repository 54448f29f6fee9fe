//! Logs, metrics, and the randomness that jitter takes.

mod logs;
mod metrics;
mod random;

pub use logs::{chain, start_logs};
pub use metrics::{Metrics, MetricsError};
pub use random::Random;
