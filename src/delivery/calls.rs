//! Calls of this process that are under way, each known as an attempt of an effect: the slot of an
//! effect may have gone and come back while the task of an earlier attempt still records.

use super::send::Ended;
use crate::state_machine::Grant;
use crate::telemetry::chain;
use std::collections::{BTreeSet, HashMap};
use tokio::task::{Id, JoinError, JoinSet};
use tracing::error;

/// A call that was granted, and the instance, by kind and name, that it took a place at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub grant: Grant,
    pub instance: String,
}

/// How a task came back: with what it saw of its call, or broken, which says no more than whose it was.
pub(super) type Returned = Result<Ended, Option<Call>>;

/// The tasks of calls, and which call each of them makes.
#[derive(Debug, Default)]
pub(super) struct Calls {
    tasks: JoinSet<Ended>,
    under_way: HashMap<Id, Call>,
    /// What the calls under way were granted.
    grants: BTreeSet<Grant>,
}

impl Calls {
    /// Starts the task of a call.
    pub fn start(&mut self, call: Call, task: impl Future<Output = Ended> + Send + 'static) {
        let id = self.tasks.spawn(task).id();
        self.grants.insert(call.grant);
        self.under_way.insert(id, call);
    }

    /// Whether the task of this very attempt has not come back yet.
    pub fn is_under_way(&self, grant: Grant) -> bool {
        self.grants.contains(&grant)
    }

    /// Whether no call is under way.
    pub fn are_back(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The next task that comes back; `None` when there is none.
    pub async fn next(&mut self) -> Option<Returned> {
        let joined = self.tasks.join_next_with_id().await?;
        Some(self.take_back(joined))
    }

    /// As [`Calls::next`], without waiting.
    pub fn try_next(&mut self) -> Option<Returned> {
        let joined = self.tasks.try_join_next_with_id()?;
        Some(self.take_back(joined))
    }

    fn take_back(&mut self, joined: Result<(Id, Ended), JoinError>) -> Returned {
        match joined {
            Ok((id, ended)) => {
                self.forget(id);
                Ok(ended)
            }
            Err(error) => {
                error!(error = chain(&error), "delivery task ended abnormally");
                Err(self.forget(error.id()))
            }
        }
    }

    fn forget(&mut self, task: Id) -> Option<Call> {
        let call = self.under_way.remove(&task)?;
        self.grants.remove(&call.grant);
        Some(call)
    }
}
