//! The flags as they are typed. Every flag of `serve` is also an environment variable
//! `RELAY_<NAME>`, and wins over the configuration file.

use crate::config::{
    Overrides, PeerTlsPolicy, parse_host, parse_listen, parse_name, parse_peer_tls, parse_replicas,
    parse_seed,
};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Turns Tekton CloudEvents into commit statuses, comments and messages, without losing one.
#[derive(Debug, Parser)]
#[command(name = "tekton-events-relay", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: CliCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// Runs a replica. Without any flag or file: a cluster of one in ./data that logs each effect.
    Serve(ServeFlags),
    /// Plays recorded Tekton events against replicas of its own, kills and rolls some of them
    /// meanwhile, and checks what arrives.
    Demo(DemoFlags),
    /// Checks a configuration file and lists every mistake in it.
    Validate(ValidateFlags),
    /// Prints the JSON Schema of the configuration file, by which editors complete and check it.
    Schema,
    /// Shows what a configuration does with events, and the exact requests. Sends nothing.
    Plan(PlanFlags),
    /// Asks a running relay about its cluster, and changes, saves or recovers it.
    Cluster(ClusterFlags),
    /// Lists and replays dead letters of a running relay.
    Dlq(DlqFlags),
    /// Runs jq programs that another relay sends; no person starts it.
    #[command(hide = true)]
    Transform,
}

#[derive(Debug, Args)]
pub struct ServeFlags {
    /// Configuration file.
    #[arg(long, env = "RELAY_CONFIG")]
    pub config: Option<PathBuf>,
    /// Name of this replica. Where a cluster begins with several, it ends in a number, and the
    /// one with number 0 forms it. Default: the host name.
    #[arg(long, env = "RELAY_POD_NAME", value_parser = parse_name)]
    pub pod_name: Option<String>,
    /// Address that events are accepted on. Default: 0.0.0.0:8080.
    #[arg(long, env = "RELAY_SERVER_ADDR", value_parser = parse_listen)]
    pub server_addr: Option<String>,
    /// Address that the other replicas connect to (TCP). Default: 0.0.0.0:3320.
    #[arg(long, env = "RELAY_PEER_ADDR", value_parser = parse_listen)]
    pub peer_addr: Option<String>,
    /// Address that gossip arrives on (UDP). Default: 0.0.0.0:3322.
    #[arg(long, env = "RELAY_GOSSIP_ADDR", value_parser = parse_listen)]
    pub gossip_addr: Option<String>,
    /// Host that the others reach this replica by. Default: POD_NAME.SERVICE, without a service
    /// the host of the peer address.
    #[arg(long, env = "RELAY_ADVERTISE_HOST", value_parser = parse_host)]
    pub advertise_host: Option<String>,
    /// Directory of the log. One process at a time. Default: ./data.
    #[arg(long, env = "RELAY_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// How many replicas the cluster begins with. Default: 1.
    #[arg(long, env = "RELAY_REPLICAS", value_parser = parse_replicas)]
    pub replicas: Option<u16>,
    /// DNS name of the headless Service whose records are the replicas.
    #[arg(long, env = "RELAY_SERVICE", value_parser = parse_name)]
    pub service: Option<String>,
    /// Gossip address of some replica, instead of a service. Repeatable.
    #[arg(
        long = "seed",
        value_name = "HOST:PORT",
        env = "RELAY_SEED",
        value_delimiter = ',',
        value_parser = parse_seed
    )]
    pub seeds: Vec<String>,
    /// File with a secret that all replicas share: `openssl rand -hex 32 > cluster-secret`.
    #[arg(long, env = "RELAY_SECRET_FILE")]
    pub secret_file: Option<PathBuf>,
    /// Whether the others have to prove themselves: required, or migrate for the one roll from a
    /// version without TLS. Default: required.
    #[arg(long, env = "RELAY_PEER_TLS", value_parser = parse_peer_tls)]
    pub peer_tls: Option<PeerTlsPolicy>,
}

impl ServeFlags {
    /// What these flags put in the place of what the file says.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            server_addr: self.server_addr.clone(),
            data_dir: self.data_dir.clone(),
            replicas: self.replicas,
            service: self.service.clone(),
            seeds: self.seeds.clone(),
            pod_name: self.pod_name.clone(),
            peer_addr: self.peer_addr.clone(),
            gossip_addr: self.gossip_addr.clone(),
            advertise_host: self.advertise_host.clone(),
            secret_file: self.secret_file.clone(),
            peer_tls: self.peer_tls,
        }
    }
}

#[derive(Debug, Args)]
pub struct DemoFlags {
    /// Replicas to start. Of several, the leader is killed and another one rolled in mid-play.
    #[arg(
        long,
        default_value = "3",
        value_parser = PossibleValuesParser::new(["1", "3", "5"]).try_map(|text| text.parse::<usize>())
    )]
    pub replicas: usize,
    /// Show how each event was answered.
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
    /// Refuse a file with warnings too.
    #[arg(long)]
    pub strict: bool,
}

#[derive(Debug, Args)]
pub struct PlanFlags {
    /// Configuration file.
    #[arg(long)]
    pub config: PathBuf,
    /// Events: a structured CloudEvent in JSON, or .jsonl with one {headers, body} a line.
    #[arg(required = true)]
    pub events: Vec<PathBuf>,
    /// How it is shown.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
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

/// Whom to ask, and by which right. Where no token is named, the one of the replica that shares
/// this configuration or data directory is used, so that in a pod nothing has to be typed.
#[derive(Debug, Args)]
pub struct Endpoint {
    /// A relay to ask. Default: the listener that the configuration names, on this machine; without
    /// one http://127.0.0.1:8080.
    #[arg(long, env = "RELAY_URL")]
    pub url: Option<String>,
    /// File with the read token, or the change token for orders.
    #[arg(long, env = "RELAY_ADMIN_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// File with the certificate, in PEM, of the authority that the relay's own is from, for https.
    #[arg(long, env = "RELAY_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// Configuration of the relay that is asked, to find its token by.
    #[arg(long, env = "RELAY_CONFIG")]
    pub config: Option<PathBuf>,
    /// Data directory of the relay that is asked, to find its token in. Default: ./data.
    #[arg(long, env = "RELAY_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// File with the secret of its cluster, to derive its token from.
    #[arg(long, env = "RELAY_SECRET_FILE")]
    pub secret_file: Option<PathBuf>,
}

/// Whom to ask, and how the answer is printed.
#[derive(Debug, Args)]
pub struct Remote {
    #[command(flatten)]
    pub endpoint: Endpoint,
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct ClusterFlags {
    #[command(subcommand)]
    pub command: ClusterCommand,
}

#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Shows leader, members and slots.
    Status {
        #[command(flatten)]
        remote: Remote,
        /// Show them again every second, until Ctrl-C.
        #[arg(long)]
        watch: bool,
    },
    /// Removes a member for good. Its process, if it runs, ends, and begins anew at its next start.
    Remove {
        #[command(flatten)]
        remote: Remote,
        /// The member: its node id, or the name of its pod if no other member has it.
        #[arg(value_name = "NODE_ID_OR_POD_NAME")]
        member: String,
    },
    /// Hands the leadership to another voter.
    Transfer {
        #[command(flatten)]
        remote: Remote,
        /// The voter. Default: the one that is furthest.
        #[arg(long, value_name = "NODE_ID_OR_POD_NAME")]
        to: Option<String>,
    },
    /// Raises the feature level now: the old binary will not return.
    Finalize {
        #[command(flatten)]
        remote: Remote,
    },
    /// Saves the state of the replica that is asked, to begin from after a loss of all disks.
    Snapshot {
        #[command(flatten)]
        endpoint: Endpoint,
        /// File to write. One that is there is replaced once the new one is whole.
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Makes a data directory that of a new cluster of one. For a majority that is lost for good:
    /// all relays of the old cluster have to be stopped.
    Recover(RecoverFlags),
}

#[derive(Debug, Args)]
pub struct RecoverFlags {
    /// Data directory, used by no relay. What it holds is put aside, not deleted.
    #[arg(long, env = "RELAY_DATA_DIR")]
    pub data_dir: PathBuf,
    /// Snapshot to begin from. Default: what the directory itself has.
    #[arg(long, value_name = "FILE")]
    pub from_snapshot: Option<PathBuf>,
    /// Give up log entries that the directory has and the snapshot lacks.
    #[arg(long, requires = "from_snapshot")]
    pub force: bool,
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
        #[command(flatten)]
        filter: LetterFilter,
        /// Show which letters would be queued, and queue none.
        #[arg(long)]
        dry_run: bool,
    },
    /// Deletes dead letters for good: those that match, or all of them.
    Delete {
        #[command(flatten)]
        remote: Remote,
        #[command(flatten)]
        filter: LetterFilter,
        /// Every letter.
        #[arg(long, conflicts_with_all = ["ids", "provider", "state", "after"])]
        all: bool,
        /// Show which letters would be deleted, and delete none.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Which dead letters a command is about.
#[derive(Debug, Args)]
pub struct LetterFilter {
    /// Only the letter with this id, as the list shows it. Repeatable.
    #[arg(long = "id", value_delimiter = ',')]
    pub ids: Vec<u64>,
    /// Only letters of this SCM provider.
    #[arg(long)]
    pub provider: Option<String>,
    /// Only letters of runs in this state.
    #[arg(long)]
    pub state: Option<String>,
    /// Only letters that failed after this RFC 3339 time.
    #[arg(long)]
    pub after: Option<String>,
}

#[cfg(test)]
#[path = "flags_test.rs"]
mod tests;
