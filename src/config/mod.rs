//! The configuration file. A text becomes a [`Config`] that is always valid, or every mistake at
//! once with its line and column. The YAML names are those of the Go relay if it has them. Pure:
//! [`Files`] reads the files that a configuration names, and the shell implements it.

mod accumulator;
mod admin;
mod auth;
mod cluster;
mod integrations;
mod key_rows;
mod keys;
mod logging;
mod overrides;
mod policy;
mod retry;
mod routes;
mod schema;
mod server;
mod store;
mod tls;

pub use accumulator::AccumulatorSettings;
pub use admin::Admin;
pub use auth::{Covers, SenderAuth};
pub use cluster::{
    ClusterConflict, ClusterSettings, ORDINAL_MAX, PeerCertificate, PeerTlsPolicy, ordinal,
    parse_peer_tls, parse_replicas,
};
pub use logging::{LogFormat, LogLevel, Logging};
pub use overrides::Overrides;
pub use schema::schema;
pub use server::ServerSettings;
pub use store::{DeadLetters, OnQuorumLoss, Store, StoreBackend};
pub use tls::Tls;

pub use crate::settings::{
    ConfigError, ConfigErrors, FileError, Files, NoFiles, Notice, Problem, SecretCheck, Severity,
    Snippet, SyntaxError, TextPosition, parse_host, parse_listen, parse_name, parse_seed,
};

use crate::event::{Keep, Key};
use crate::integration::registry::Section;
use crate::plan::Rules;
use crate::retry::RetryPolicy;
use crate::settings::diagnostics::{Diagnostics, Findings};
use crate::settings::error::ROOT_PATH;
use crate::settings::fields::Fields;
use crate::settings::setting::Setting;
use crate::settings::{address, filter, yaml};
use crate::template::Template;
use overrides::set;
use routes::Routes;
use std::time::Duration;

/// Outside calls at the same time, by default: the shares of several instances at their own default.
const CALLS_MAX: usize = 256;

/// The longest a call may take. A replica that takes over the calls of a dead one waits 11 s until
/// they are over (rule 2), so none may take longer.
const CALL_TIMEOUT_MAX: Duration = Duration::from_secs(10);

/// A shorter limit would abandon even a healthy target across the internet.
const CALL_TIMEOUT_MIN: Duration = Duration::from_millis(100);

/// Separates the hash of a file from other keys.
const HASH_PREFIX: &str = "config";

/// What the relay does: one file, read and checked. It is always valid.
#[derive(Clone, Debug)]
pub struct Config {
    pub server: ServerSettings,
    /// `max_concurrency`: outside calls of one replica at the same time, 1 to 500. Default 256,
    /// also for 0. It bounds the sum over all instances, which have `max_in_flight` of their own.
    pub max_concurrency: usize,
    /// `handler_timeout`: time for one outside call, 100ms to 10s. Default 10s. Lower values give
    /// up on slow targets and leave in doubt whether the call happened.
    pub handler_timeout: Duration,
    pub retry: RetryPolicy,
    pub store: Store,
    pub dlq: DeadLetters,
    pub accumulator: AccumulatorSettings,
    pub logging: Logging,
    pub cluster: ClusterSettings,
    /// `scm`, `notifiers`, `filter`, `dashboard_url`: what is done with an event.
    pub rules: Rules,
    /// What rules, templates and transforms read of params, results, labels and annotations; no
    /// other entry is kept.
    pub keep: Keep,
    /// Equal for replicas with the same file and templates.
    hash: Key,
}

/// All defaults, and nothing to do.
impl Default for Config {
    fn default() -> Self {
        Self {
            server: ServerSettings::default(),
            max_concurrency: CALLS_MAX,
            handler_timeout: CALL_TIMEOUT_MAX,
            retry: RetryPolicy::default(),
            store: Store::default(),
            dlq: DeadLetters::default(),
            accumulator: AccumulatorSettings::default(),
            logging: Logging::default(),
            cluster: ClusterSettings::default(),
            rules: Rules::default(),
            keep: Keep::default(),
            hash: Key::of(&[HASH_PREFIX]),
        }
    }
}

/// A valid configuration, and the parts of its file that have no effect.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    /// In the order of the file.
    pub notices: Vec<Notice>,
}

impl Config {
    /// The configuration of a relay without a file: a cluster of one in `./data`, unless flags say
    /// otherwise, that writes each event to its log.
    #[must_use]
    pub fn without_file(overrides: &Overrides) -> Self {
        let routes = vec![integrations::log_route()];
        let rules = Rules { routes, ..Rules::default() };
        let mut config = Self { rules, ..Self::default() };
        set(&mut config.server.addr, overrides.server_addr.as_ref());
        overrides.apply(&mut config.cluster);
        config
    }

    /// A hash of the file and the templates it names. Replicas compare it to show a roll in
    /// progress; it is stable across restarts and releases.
    #[must_use]
    pub fn hash(&self) -> Key {
        self.hash
    }
}

/// Reads the configuration in `text`. `file` is its name in errors.
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

/// Like [`load`], with `overrides` in place of values of the file. Rules across keys apply to the
/// combination.
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
    let root = yaml::parse(text).map_err(|(at, syntax)| {
        // In a flow mapping the brace of a variable ends the value, so YAML reports another error.
        let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
        let is_variable = matches!(syntax, SyntaxError::Yaml { .. }) && line.contains("${");
        let problem = if is_variable { Problem::Variable } else { syntax.into() };
        let path = ROOT_PATH.to_owned();
        let errors = vec![ConfigError { at, path, problem, snippet: None }];
        ConfigErrors { file: file.to_owned(), errors }
    })?;
    let diagnostics = Diagnostics::new(files, secrets).over(text);
    let mut config = read_root(&root, &diagnostics, overrides);
    set(&mut config.server.addr, overrides.server_addr.as_ref());
    if config.rules.routes.is_empty() {
        diagnostics.warn(TextPosition::START, ROOT_PATH, "0 routes: nothing will ever be sent");
    }
    let Findings { notices, texts, keep } = diagnostics.finish(file)?;
    let mut parts = vec![HASH_PREFIX, text];
    parts.extend(texts.iter().map(String::as_str));
    Ok(Loaded { config: Config { keep, hash: Key::of(&parts), ..config }, notices })
}

/// Reads every section. A mistake in one is reported and replaced by its default, so that the
/// others are read too.
fn read_root<'n>(
    root: &'n yaml::Node,
    diagnostics: &'n Diagnostics<'n>,
    overrides: &Overrides,
) -> Config {
    let setting = Setting { node: root, path: ROOT_PATH.to_owned(), diagnostics };
    let empty = Fields::new(root.at, ROOT_PATH.to_owned(), &[], diagnostics);
    let mut fields = match root.value {
        yaml::Value::Null => empty,
        yaml::Value::Scalar(_) | yaml::Value::Sequence(_) | yaml::Value::Mapping(_) => {
            setting.fields().unwrap_or(empty)
        }
    };
    let call_timeouts = CALL_TIMEOUT_MIN..=CALL_TIMEOUT_MAX;
    let (accumulator, summary) = accumulator::read(fields.section("accumulator"));
    let store = store::read(fields.section("store"));
    let max_concurrency =
        fields.size("max_concurrency", 0..=500).filter(|calls| *calls > 0).unwrap_or(CALLS_MAX);
    let routes = Routes::new(max_concurrency);
    let config = Config {
        server: server::read(fields.section("server")),
        max_concurrency,
        handler_timeout: fields
            .duration("handler_timeout", call_timeouts)
            .unwrap_or(CALL_TIMEOUT_MAX),
        retry: retry::read(fields.section("retry")),
        dlq: store::read_dead_letters(fields.section("dlq")),
        logging: logging::read(fields.section("logging")),
        cluster: read_cluster(&mut fields, store.backend, overrides),
        rules: read_rules(&mut fields, accumulator.template.as_ref(), summary.as_ref(), routes),
        store,
        accumulator,
        ..Config::default()
    };
    fields.notice(&["dedupe_size"], "has no effect: what is remembered is bounded by `store`");
    fields.not_supported(&["jira", "tracing"]);
    fields.finish();
    config
}

fn read_cluster(
    fields: &mut Fields<'_>,
    store: StoreBackend,
    overrides: &Overrides,
) -> ClusterSettings {
    let section = fields.section("cluster");
    let at = section.at_of("replicas");
    let settings = cluster::read(section, store, overrides);
    if settings.replicas.is_multiple_of(2) {
        let message =
            "is even: one replica less bears the loss of as many; write one, three or five";
        fields.diagnostics().warn(at.unwrap_or(TextPosition::START), "cluster.replicas", message);
    }
    settings
}

fn read_rules(
    fields: &mut Fields<'_>,
    template: Option<&Template>,
    summary: Option<&Setting<'_>>,
    mut routes: Routes,
) -> Rules {
    for section in [Section::Scm, Section::Notifiers] {
        integrations::read(fields.section(section.key()), section, template, &mut routes);
    }
    let policy = policy::read(fields, &routes.all);
    Rules {
        filter: filter::read(fields.narrowing_section("filter")),
        policy,
        summary_route: summary.and_then(|setting| routes.find_summary_route(setting)),
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
