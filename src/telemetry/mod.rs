//! Logs, metrics, and the randomness that jitter takes.

mod logs;
pub(crate) mod metric_table;
mod metrics;
mod random;

pub use logs::{chain, start_logs};
pub use metrics::{Metrics, MetricsError};
pub use random::Random;
