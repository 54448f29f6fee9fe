//! The rows of the keys outside integrations, section by section.

use crate::settings::{KeyRow, ValueType};

pub(super) const TOP_LEVEL: &[KeyRow] = &[
    KeyRow::text(
        "dashboard_url",
        "none",
        "Address of the Tekton dashboard; statuses and messages link to it",
    ),
    KeyRow::integer(
        "max_concurrency",
        (0, 500),
        "`256`",
        "Outside calls of one replica at the same time, over all instances, 1 to 500; `0` means \
         256. An instance has `max_in_flight` of its own",
    ),
    KeyRow::duration(
        "handler_timeout",
        "`10s`",
        "Time for one outside call, 100ms to 10s. Not longer, because a replica that takes \
         over waits 11s for the calls of the dead one. Shorter gives up on slow targets and \
         leaves in doubt whether the call happened",
    ),
];

pub(super) const SERVER: &[KeyRow] = &[
    KeyRow::text(
        "addr",
        "`0.0.0.0:8080`",
        "Where events, health, metrics and the API are served; `:8080` means every IPv4 \
         address",
    ),
    KeyRow::integer(
        "max_body_size",
        (1024, 67108864),
        "`4194304`",
        "Bytes of a request, 1024 to 67108864. Larger events get 413 and are lost, so keep it \
         over the largest one",
    ),
    KeyRow::integer(
        "shutdown_timeout_sec",
        (1, 600),
        "`30`",
        "Seconds for the calls under way to end after SIGTERM, 1 to 600. Handing the work \
         over and closing the log take 20 s more at most: keep the grace period of the pod \
         over the sum",
    ),
    KeyRow {
        path: "auth",
        value: ValueType::OneOrMore,
        default: "none",
        meaning: "What senders have to show, [one of a list](#who-may-send); a single mapping, as the \
         Go relay has it, is a list of one. Without it whoever reaches `server.addr` may send \
         events, and so write statuses: a warning at the start, `/readyz` and `cluster \
         status` say so",
    },
    KeyRow::flag("auth[].enabled", "`true`", "Whether this one is taken"),
    KeyRow::words(
        "auth[].type",
        &["basic", "path_token", "bearer", "hmac-sha256"],
        "required",
        "`basic`, `path_token`, `bearer` or `hmac-sha256`",
    ),
    KeyRow::text(
        "auth[].secret_file",
        "required",
        "`path_token`, `bearer`, `hmac-sha256`: file with the secrets, one a line, of 16 \
         bytes or more",
    ),
    KeyRow::text("auth[].username_file", "required", "`basic`: file with the name of the user"),
    KeyRow::text(
        "auth[].password_file",
        "required",
        "`basic`: file with the passwords, one a line, of 16 bytes or more",
    ),
    KeyRow::words(
        "auth[].covers",
        &["event", "body"],
        "`event`",
        "`hmac-sha256`: what is signed: `event` or `body`. A signature of the body alone can \
         be sent again by whoever saw it, with another id and type",
    ),
    KeyRow::duration(
        "auth[].timestamp_tolerance",
        "`5m`",
        "`hmac-sha256` that covers the event: how far its time may be from this replica's, 1s \
         to 1h",
    ),
    KeyRow::text(
        "tls.cert_file",
        "none",
        "Certificate of the listeners in PEM, with those between it and its authority. \
         Without it they speak no TLS. A change of the files is used within seconds",
    ),
    KeyRow::text("tls.key_file", "none", "Its private key"),
    KeyRow::text(
        "tls.client_ca_file",
        "none",
        "Authority whose certificates senders have to show, beside what `server.auth` asks \
         for. Health, metrics and the API ask for none: Kubernetes' probes have none",
    ),
    KeyRow::text(
        "admin.addr",
        "none",
        "A listener for `/api` alone. Without it the API is served on `server.addr`. On a \
         loopback address it speaks no TLS",
    ),
    KeyRow::text(
        "admin.change_token_file",
        "none",
        "File with the bearer tokens for all calls of the [API](API.md#who-may-call), one a \
         line. Without it the token is derived from `cluster.secret_file`; without that it is \
         drawn into the data directory",
    ),
    KeyRow::text(
        "admin.read_token_file",
        "none",
        "File with the bearer tokens for calls that change nothing, one a line. Without it \
         the read token is derived from the change token",
    ),
    KeyRow::text(
        "admin.token_file",
        "none",
        "The former name of `server.admin.change_token_file`; a notice says so",
    ),
    KeyRow::texts(
        "admin.hosts",
        "none",
        "Names, without port, by which operators call this relay, such as that of an Ingress. \
         Addresses, `*.svc` and `*.cluster.local` need no mention",
    ),
];

pub(super) const FILTER: &[KeyRow] = &[
    KeyRow::flag("allow_taskrun", "see above", "Route TaskRuns"),
    KeyRow::flag("allow_pipelinerun", "see above", "Route PipelineRuns"),
    KeyRow::flag("allow_customrun", "see above", "Route CustomRuns"),
    KeyRow::flag("allow_eventlistener", "see above", "Route EventListener events"),
    KeyRow::flag(
        "ignore_unknown",
        "`false`",
        "Do not route the `unknown` events that Tekton sends beside `running`",
    ),
    KeyRow::texts(
        "allow_namespaces",
        "all",
        "Globs (`*`, `?`, `[a-z]`, `!` in front takes out again); the last one that matches \
         decides",
    ),
    KeyRow::texts("deny_namespaces", "none", "Globs; wins over `allow_namespaces`"),
];

pub(super) const POLICY: &[KeyRow] = &[
    KeyRow::texts(
        "namespaces",
        "required",
        "Globs over namespaces; the last one that matches decides",
    ),
    KeyRow::texts("providers", "all", "Kinds of integrations: {kinds}"),
    KeyRow::texts("instances", "all", "Globs over names of instances"),
    KeyRow::texts(
        "repositories",
        "all",
        "Globs over `owner/name`, whatever its case, for runs that name a repository. `*` \
         does not cross a slash: a group within a group needs `group/subgroup/*`",
    ),
    KeyRow::texts(
        "channels",
        "all",
        "Globs over channels of Slack instances. An instance without `channel` posts where \
         its webhook chooses, and is in no list",
    ),
];

pub(super) const RETRY: &[KeyRow] = &[
    KeyRow::integer("max_attempts", (0, 100000), "no limit", "Attempts in all; `0` means no limit"),
    KeyRow::duration(
        "initial_backoff",
        "`1s`",
        "Wait before the second attempt; doubles each time. 10ms to 24h",
    ),
    KeyRow::duration(
        "max_backoff",
        "`5m`",
        "Longest wait, 10ms to 24h. A target may ask for more with `Retry-After`",
    ),
    KeyRow::duration(
        "max_age",
        "`24h`",
        "Age of an event after which it becomes a dead letter, 1s to 168h",
    ),
];

pub(super) const STORE: &[KeyRow] = &[
    KeyRow::words(
        "backend",
        &["cluster", "memory"],
        "`cluster`",
        "`cluster`: on the disks of the replicas. `memory`: without disk, for one replica, \
         gone with the process",
    ),
    KeyRow::duration("ttl", "`1h`", "How long one delivery of an event is recognised, 1m to 24h"),
    KeyRow::duration(
        "transition_ttl",
        "`168h`",
        "How long a run is remembered after its last event, 1h to 8760h. Shorter may send \
         again what a restarted Tekton controller emits again",
    ),
    KeyRow::integer(
        "memory",
        (16777216, 68719476736),
        "`268435456`",
        "Bytes that the state may take in memory, 16777216 to 68719476736. The limit of the \
         pod is to be twice that: a snapshot in the making takes about as much again. At the \
         bound gives way what is over, oldest first, then what is silent in the namespace \
         that holds most ([sizes](OPERATIONS.md#memory))",
    ),
    KeyRow::integer(
        "runs_max",
        (1000, 10000000),
        "`500000`",
        "Runs remembered at most, 1000 to 10000000, those that are over among them. With the \
         default of `store.memory` it is the bytes that bind",
    ),
    KeyRow::integer(
        "free_bytes_min",
        (0, 1099511627776),
        "`536870912`",
        "Free disk under which events are answered with 503; what is accepted is still \
         delivered",
    ),
    KeyRow::duration(
        "spool_after",
        "`3s`",
        "How long a lost quorum is waited for before `on_quorum_loss` holds, 500ms to 1m. \
         Shorter keeps on one disk what the log would have had a moment later, longer has \
         senders give up: Tekton repeats for 20 s",
    ),
    KeyRow::words(
        "on_quorum_loss",
        &["spool", "reject"],
        "`spool`",
        "`spool`: events are kept on the disk of the replica that got them, answered 202 with \
         fate `spooled`, and fed to the log when the quorum is back. At most 256 MiB and a \
         quarter of the free disk, then 503. `reject`: 503",
    ),
];

pub(super) const DLQ: &[KeyRow] = &[
    KeyRow::integer(
        "retention_days",
        (0, 365),
        "`7`",
        "Days a dead letter is kept, 1 to 365; `0` means 7",
    ),
    KeyRow::integer(
        "max_entries",
        (1, 1000000),
        "`10000`",
        "Dead letters kept, 1 to 1000000; the oldest leaves first",
    ),
];

pub(super) const LOGGING: &[KeyRow] = &[
    KeyRow::words(
        "level",
        &["error", "warn", "info", "debug", "trace"],
        "`info`",
        "`error`, `warn`, `info`, `debug`, `trace`",
    ),
    KeyRow::words("format", &["json", "text"], "`json`", "`json` or `text`"),
];

pub(super) const CLUSTER: &[KeyRow] = &[
    KeyRow::text(
        "data_dir",
        "`./data`",
        "Directory of the log, the snapshots and the identity of this replica",
    ),
    KeyRow::integer(
        "replicas",
        (1, 99),
        "`1`",
        "One, three or five: how many replicas the cluster begins with, 1 to 99. Counts for \
         the first formation alone. Required on the replica with number 0",
    ),
    KeyRow::text(
        "service",
        "none",
        "DNS name of the headless Service whose records are the replicas",
    ),
    KeyRow::texts(
        "seeds",
        "none",
        "Gossip addresses `HOST:PORT` of some replicas, instead of a service; the others are \
         learnt from them. Until there is a cluster all of them have to answer; name every \
         replica where you can",
    ),
    KeyRow::text(
        "pod_name",
        "host name",
        "Name of this replica. Ends in a number where `replicas` is above 1: number 0 forms \
         the cluster",
    ),
    KeyRow::text("peer_addr", "`0.0.0.0:3320`", "Where the other replicas connect to, TCP"),
    KeyRow::text("gossip_addr", "`0.0.0.0:3322`", "Where gossip arrives, UDP"),
    KeyRow::text(
        "advertise_host",
        "`<pod name>.<service>`, else the host of `peer_addr`",
        "Host that the others reach this replica by. Required with `seeds` where `peer_addr` \
         is `0.0.0.0` or `[::]`",
    ),
    KeyRow::duration(
        "election_timeout",
        "`500ms`",
        "Silence of the leader after which another is elected, 300ms to 10s; drawn between \
         this and twice this. Higher for slow disks or networks; a failover takes that much \
         longer",
    ),
    KeyRow::duration(
        "removal_grace",
        "`5m`",
        "How long a dead member without DNS record keeps its place, 30s to 168h. Shorter than \
         a pod needs to move to another machine removes members that come back",
    ),
    KeyRow::text(
        "secret_file",
        "required for several replicas",
        "File with a secret of at least 16 bytes that all replicas share: `openssl rand -hex \
         32 > cluster-secret`. Under it each replica issues itself a certificate for \
         `peer_addr` (TLS 1.3, both sides), and seals gossip. Two lines while it is \
         [changed](OPERATIONS.md#the-secret-of-the-cluster): the first is used, both are \
         accepted. Read again when it changes. A replica that begins alone (`replicas: 1`) \
         needs none: it draws one, and others come in only with a file",
    ),
    KeyRow::words(
        "peer_tls",
        &["required", "migrate"],
        "`required`",
        "`migrate` believes peers that do not speak TLS, and needs no secret of them: for the \
         one roll from a version without TLS, and warned about as long as it is set",
    ),
    KeyRow::text(
        "tls.cert_file",
        "none",
        "A certificate for peers in place of the one issued under the secret, in the layout \
         of cert-manager: `tls.crt`, with `usages: [server auth, client auth]` and a DNS name \
         that all replicas' certificates share. The three files are given together, and read \
         again when they change",
    ),
    KeyRow::text("tls.key_file", "none", "Its key: `tls.key`"),
    KeyRow::text("tls.ca_file", "none", "Who issues certificates of peers: `ca.crt`"),
    KeyRow::texts(
        "admit",
        "none",
        "Names of replicas that may become members beside those of the own set. Of the own \
         set are `<name>-0` to `<name>-99`, where this replica is called `<name>-N`",
    ),
    KeyRow::text(
        "expected_cluster_id",
        "any",
        "The only cluster to join, 16 hexadecimal digits from `/api/v1/cluster`. With it no \
         new cluster is formed, even if every disk is lost, and a data directory of another \
         one is not started on",
    ),
];

pub(super) const ACCUMULATOR: &[KeyRow] = &[
    KeyRow::flag("enabled", "`false`", "Whether there are summaries"),
    KeyRow::text(
        "provider.name",
        "required where enabled",
        "Who shows them: an instance, an action, or `instance/action`. It has to be one \
         that can show them: a comment or a message",
    ),
    KeyRow::duration(
        "ttl",
        "`1h`",
        "Age at which an unfinished group is shown as incomplete, 1s to 168h",
    ),
    KeyRow::duration(
        "straggler_window",
        "`5s`",
        "Wait for members after the end of a PipelineRun, 0 to 10m",
    ),
    KeyRow::text("template", "a table", "Text of the summary"),
];
