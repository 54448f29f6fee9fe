//! Turns Tekton CloudEvents into commit statuses, comments, labels and messages.
//!
//! The flow, one module a step:
//! 1. ingest: `api` reads CloudEvents over HTTP;
//! 2. decode: [`event`] turns them into facts about one run;
//! 3. accept: `cluster` commits them to the replicated log, then the sender gets 202;
//! 4. own: `state_machine` says which node works on which run;
//! 5. plan: `plan` decides the effects of an event;
//! 6. deliver: `delivery` carries out the exchanges of [`integration`];
//! 7. record: the outcome goes back into the log.

pub mod clock;
pub(crate) mod secret;
pub(crate) mod spelling;

pub mod effect;
pub mod event;
pub mod failure;
pub(crate) mod jq;
pub mod retry;
pub mod route;
pub(crate) mod settings;
pub mod template;

pub mod config;
pub mod integration;
pub mod plan;
pub mod state_machine;
pub mod wire;

pub mod api;
pub(crate) mod app;
pub mod cli;
pub mod cluster;
pub mod config_file;
pub(crate) mod delivery;
pub mod demo;
pub(crate) mod telemetry;

#[cfg(test)]
mod deploy_test;
#[cfg(test)]
#[path = "golden_test.rs"]
mod golden;
#[cfg(test)]
mod metrics_test;
#[cfg(test)]
mod operations_test;
#[cfg(test)]
mod security_test;
#[cfg(test)]
mod tidy;
