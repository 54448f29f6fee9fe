//! Takes over what a newer configuration says of the cluster while the node runs.

use super::handle::Cluster;
use super::member::Configured;
use super::proposal::error::AcceptError;
use crate::state_machine::{Command, Settings, StateMachine};

impl Cluster {
    /// Takes over the settings that apply is to use, and the hash that other members compare. In a
    /// cluster with peers the settings count once this node leads: the leader proposes its own (rule
    /// 20). A single node proposes them at once.
    ///
    /// # Errors
    /// The settings of a single node were not confirmed. The old ones may still count; the call may
    /// be made again.
    pub async fn configure(&self, settings: Settings, config_hash: u64) -> Result<(), AcceptError> {
        if let Some(member) = &self.member {
            member.configured.send_replace(Configured { settings, config_hash });
            member.duties.notify_one();
            return Ok(());
        }
        let settings = settings.at_level(self.read(StateMachine::feature_level));
        if self.read(|state| *state.settings() == settings) {
            return Ok(());
        }
        self.propose(vec![Command::Settings(settings)]).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::cluster::Options;
    use std::sync::Arc;

    #[tokio::test]
    async fn rule_20_settings_of_a_newer_configuration_count_once_they_are_applied() {
        let cluster = Cluster::start(Options::default(), Arc::new(SystemClock::default())).await;
        let cluster = cluster.unwrap();
        let newer = Settings { runs_max: 77, ..Settings::default() };
        cluster.configure(newer.clone(), 0).await.unwrap();
        assert_eq!(cluster.read(|state| state.settings().clone()), newer);
        let index = *cluster.applied().borrow();
        cluster.configure(newer, 0).await.unwrap();
        assert_eq!(*cluster.applied().borrow(), index, "equal settings were written again");
        cluster.shutdown().await;
    }
}
