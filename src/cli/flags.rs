//! The flags as they are typed. Every flag of `serve` is also an environment variable
//! `RELAY_<NAME>`, and wins over the configuration file.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Turns Tekton CloudEvents into commit statuses, comments and messages, without losing one.
#[derive(Debug, Parser)]
#[command(name = "tekton-events-relay", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs a relay. Without a configuration file: one node in ./data that logs each effect.
    Serve(ServeFlags),
    /// Plays recorded Tekton events against a relay of its own and checks what arrives.
    Demo(DemoFlags),
    /// Checks a configuration file and lists every mistake in it.
    Validate(ValidateFlags),
    /// Shows what a configuration does with events, and the exact requests. Sends nothing.
    Plan(PlanFlags),
    /// Asks a running relay about its cluster.
    Cluster(ClusterFlags),
    /// Lists and replays dead letters of a running relay.
    Dlq(DlqFlags),
}

#[derive(Debug, Args)]
pub struct ServeFlags {
    /// Configuration file.
    #[arg(long, env = "RELAY_CONFIG")]
    pub config: Option<PathBuf>,
    /// Address that events are accepted on, for example 0.0.0.0:8080.
    #[arg(long, env = "RELAY_SERVER_ADDR")]
    pub server_addr: Option<String>,
    /// Directory of the log. One process at a time.
    #[arg(long, env = "RELAY_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct DemoFlags {
    /// Show each event and effect as it happens.
    #[arg(long)]
    pub verbose: bool,
}

#[derive(Debug, Args)]
pub struct ValidateFlags {
    /// Configuration file.
    pub file: PathBuf,
    /// Do not look whether secret files exist.
    #[arg(long)]
    pub no_secrets: bool,
}

#[derive(Debug, Args)]
pub struct PlanFlags {
    /// Configuration file.
    #[arg(long)]
    pub config: PathBuf,
    /// Events: a structured CloudEvent in JSON, or .jsonl with one {headers, body} a line.
    #[arg(required = true)]
    pub events: Vec<PathBuf>,
}

/// How answers are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// The relay's own answer.
    Json,
}

#[derive(Debug, Args)]
pub struct Remote {
    /// A relay to ask.
    #[arg(long, default_value = "http://127.0.0.1:8080", env = "RELAY_URL")]
    pub url: String,
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// File with the admin token, for calls that change something.
    #[arg(long, env = "RELAY_ADMIN_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ClusterFlags {
    #[command(subcommand)]
    pub command: ClusterCommand,
}

#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Shows leader, members and slots.
    Status(Remote),
}

#[derive(Debug, Args)]
pub struct DlqFlags {
    #[command(subcommand)]
    pub command: DlqCommand,
}

#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// Lists dead letters, oldest first.
    List {
        #[command(flatten)]
        remote: Remote,
        /// Letters to show, at most 100.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Letters to pass over.
        #[arg(long, default_value_t = 0)]
        offset: u32,
    },
    /// Queues dead letters again, all of them or those that match.
    Replay {
        #[command(flatten)]
        remote: Remote,
        /// Only letters of this SCM provider.
        #[arg(long)]
        provider: Option<String>,
        /// Only letters of runs in this state.
        #[arg(long)]
        state: Option<String>,
        /// Only letters that failed after this RFC 3339 time.
        #[arg(long)]
        after: Option<String>,
    },
}
