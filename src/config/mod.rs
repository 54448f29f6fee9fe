//! The configuration file: text to a [`Config`] that cannot be invalid, or every mistake at once
//! with its line and column. The YAML names are those of the Go relay where it has them. Pure:
//! the files that a configuration names are read through [`Files`], which the shell implements.

mod accumulator;
mod address;
mod cluster;
mod code;
mod duration;
mod error;
mod fields;
mod filter;
mod instance;
mod logging;
mod notifiers;
mod overrides;
mod place;
mod report;
mod retry;
mod routes;
mod scm;
mod secret_file;
mod server;
mod store;
mod webhook_auth;
mod yaml;

pub use accumulator::Accumulator;
pub use address::{parse_host, parse_listen, parse_name, parse_seed};
pub use cluster::{ClusterSettings, ordinal, parse_replicas};
pub use error::{ClusterConflict, ConfigError, ConfigErrors, FileError, Notice, Problem};
pub use logging::{LogFormat, LogLevel, Logging};
pub use overrides::Overrides;
pub use report::{Files, SecretCheck};
pub use server::Server;
pub use store::{DeadLetters, OnQuorumLoss, Store, StoreBackend};
pub use yaml::{Position, SyntaxError};

use crate::event::{Keep, Key};
use crate::plan::Rules;
use crate::retry::RetryPolicy;
use crate::template::Template;
use error::ROOT_PATH;
use fields::Fields;
use overrides::set;
use place::Place;
use report::{Findings, Report};
use routes::Routes;
use std::collections::BTreeSet;
use std::time::Duration;

/// Outside calls at the same time, by default: enough for a burst of a hundred runs, few enough
/// for any target's limit on connections.
const CALLS_MAX: usize = 100;

/// The longest a call may take. A replica that takes over a dead one's calls waits 11 s for them
/// to be over (rule 2), so none may take longer than this.
const CALL_TIMEOUT_MAX: Duration = Duration::from_secs(10);

/// Below this even a healthy target across the internet would be given up.
const CALL_TIMEOUT_MIN: Duration = Duration::from_millis(100);

/// Keeps the hash of a file apart from other keys.
const HASH_PREFIX: &str = "config";

/// What the relay does: one file, read and checked. Nothing in it can be invalid.
#[derive(Clone, Debug)]
pub struct Config {
    pub server: Server,
    /// `max_concurrency`: outside calls of one replica at the same time, 1 to 500. Default 100,
    /// also for 0. Lower values spare targets, higher ones shorten the queue after an outage.
    pub max_concurrency: usize,
    /// `handler_timeout`: time for one outside call, 100ms to 10s. Default 10s. Lower values give
    /// up on slow targets and leave in doubt whether the call happened.
    pub handler_timeout: Duration,
    pub retry: RetryPolicy,
    pub store: Store,
    pub dlq: DeadLetters,
    pub accumulator: Accumulator,
    pub logging: Logging,
    pub cluster: ClusterSettings,
    /// `scm`, `notifiers`, `filter`, `dashboard_url`: what is done with an event.
    pub rules: Rules,
    /// The params and results that rules, templates and transforms name; no other is kept.
    pub keep: Keep,
    /// Equal for replicas that were given the same file and templates.
    hash: Key,
}

/// Everything at its default, and nothing to do.
impl Default for Config {
    fn default() -> Self {
        Self {
            server: Server::default(),
            max_concurrency: CALLS_MAX,
            handler_timeout: CALL_TIMEOUT_MAX,
            retry: RetryPolicy::default(),
            store: Store::default(),
            dlq: DeadLetters::default(),
            accumulator: Accumulator::default(),
            logging: Logging::default(),
            cluster: ClusterSettings::default(),
            rules: Rules::default(),
            keep: Keep::Named(BTreeSet::new()),
            hash: Key::of(&[HASH_PREFIX]),
        }
    }
}

/// A configuration that can be used, and what of its file has no effect.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    /// In the order of the file.
    pub notices: Vec<Notice>,
}

impl Config {
    /// What a relay without a file does: a cluster of one in `./data`, unless flags say
    /// otherwise, that writes each event to its log.
    #[must_use]
    pub fn without_file(overrides: &Overrides) -> Self {
        let routes = vec![notifiers::log_route(notifiers::LOG_WITHOUT_FILE)];
        let rules = Rules { routes, ..Rules::default() };
        let mut config = Self { rules, ..Self::default() };
        set(&mut config.server.addr, overrides.server_addr.as_ref());
        overrides.apply(&mut config.cluster);
        config
    }

    /// A hash of the file and the templates it names. Replicas compare it to show a roll that is
    /// under way; it is stable across restarts and releases.
    #[must_use]
    pub fn hash(&self) -> Key {
        self.hash
    }
}

/// Reads the configuration in `text`. `file` is how errors name it.
///
/// # Errors
/// Every mistake, in the order of the file; nothing takes effect.
pub fn load(
    text: &str,
    file: &str,
    files: &dyn Files,
    secrets: SecretCheck,
) -> Result<Loaded, ConfigErrors> {
    load_under(text, file, files, secrets, &Overrides::default())
}

/// Like [`load`], with `overrides` in the place of what the file says: a rule across keys holds
/// for the two together.
///
/// # Errors
/// Every mistake, in the order of the file; nothing takes effect.
pub fn load_under(
    text: &str,
    file: &str,
    files: &dyn Files,
    secrets: SecretCheck,
    overrides: &Overrides,
) -> Result<Loaded, ConfigErrors> {
    let root = yaml::parse(text).map_err(|(at, syntax)| ConfigErrors {
        file: file.to_owned(),
        errors: vec![ConfigError { at, path: ROOT_PATH.to_owned(), problem: syntax.into() }],
    })?;
    let report = Report::new(files, secrets);
    let mut config = read_root(&root, &report, overrides);
    set(&mut config.server.addr, overrides.server_addr.as_ref());
    let Findings { notices, texts, keep } = report.finish(file)?;
    let mut parts = vec![HASH_PREFIX, text];
    parts.extend(texts.iter().map(String::as_str));
    Ok(Loaded { config: Config { keep, hash: Key::of(&parts), ..config }, notices })
}

/// Reads every section. What is wrong in one is reported and replaced by its default, so that the
/// others are read too.
fn read_root<'n>(root: &'n yaml::Node, report: &'n Report<'n>, overrides: &Overrides) -> Config {
    let place = Place { node: root, path: ROOT_PATH.to_owned(), report };
    let empty = Fields::new(root.at, ROOT_PATH.to_owned(), &[], report);
    let mut fields = match root.value {
        yaml::Value::Null => empty,
        yaml::Value::Scalar(_) | yaml::Value::Sequence(_) | yaml::Value::Mapping(_) => {
            place.fields().unwrap_or(empty)
        }
    };
    let call_timeouts = CALL_TIMEOUT_MIN..=CALL_TIMEOUT_MAX;
    let (accumulator, summary) = accumulator::read(fields.section("accumulator"));
    let store = store::read(fields.section("store"));
    let config = Config {
        server: server::read(fields.section("server")),
        max_concurrency: fields
            .size("max_concurrency", 0..=500)
            .filter(|calls| *calls > 0)
            .unwrap_or(CALLS_MAX),
        handler_timeout: fields
            .duration("handler_timeout", call_timeouts)
            .unwrap_or(CALL_TIMEOUT_MAX),
        retry: retry::read(fields.section("retry")),
        dlq: store::read_dead_letters(fields.section("dlq")),
        logging: logging::read(fields.section("logging")),
        cluster: cluster::read(fields.section("cluster"), store.backend, overrides),
        rules: read_rules(&mut fields, accumulator.template.as_ref(), summary.as_ref()),
        store,
        accumulator,
        ..Config::default()
    };
    fields.notice(&["dedupe_size"], "has no effect: what is remembered is bounded by `store`");
    fields.not_supported(&["jira", "tracing"]);
    fields.finish();
    config
}

fn read_rules(
    fields: &mut Fields<'_>,
    template: Option<&Template>,
    summary: Option<&Place<'_>>,
) -> Rules {
    let mut routes = Routes::default();
    scm::read(fields.section("scm"), template, &mut routes);
    notifiers::read(fields.section("notifiers"), &mut routes);
    Rules {
        filter: filter::read(fields.section("filter")),
        summary_route: summary.and_then(|place| routes.find_summary_route(place)),
        routes: routes.all,
        dashboard_url: address::read_url(fields, "dashboard_url").unwrap_or_default(),
    }
}

#[cfg(test)]
#[path = "config_test.rs"]
mod tests;

#[cfg(test)]
#[path = "routes_test.rs"]
mod routes_tests;

#[cfg(test)]
#[path = "go_relay_test.rs"]
mod go_relay_tests;

#[cfg(test)]
#[path = "limits_test.rs"]
mod limits_tests;

#[cfg(test)]
#[path = "docs_test.rs"]
mod docs_tests;
