//! How long to wait for conditions. Generous: a deadline finds what hangs, not what is slow.

use std::time::Duration;

/// A cluster forms, or forms again after faults: elections of a second, joins, catching up, on a
/// machine that also runs other things.
pub const FORMED_MAX: Duration = Duration::from_secs(90);

/// Effects of a dead or frozen owner are repeated after 11 s, a broken receiver is probed after at
/// most 30 s.
pub const SETTLED_MAX: Duration = Duration::from_secs(120);

/// A process ends after SIGTERM: the grace period of a pod is 60 s.
pub const STOPPED_MAX: Duration = Duration::from_secs(60);

/// A healthy process drains: its calls end within 10 s (rule 1), and a voter whose exit would cost
/// the quorum stays at most 15 s (rule 25). Half the grace period of a pod.
pub const DRAINED_MAX: Duration = Duration::from_secs(30);

/// A scenario as a whole.
pub const SCENARIO_MAX: Duration = Duration::from_secs(600);
