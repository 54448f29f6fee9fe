//! `cluster`: where a replica keeps the replicated state, and how replicas find each other. With
//! neither `service` nor `seeds` a replica is a cluster of one. One place checks the rules across
//! keys, for the file and the flags of `serve` together.

use super::overrides::Overrides;
use super::store::StoreBackend;
use crate::secret::SecretRef;
use crate::settings::address::{self, host_of, is_every_address};
use crate::settings::error::Problem;
use crate::settings::fields::Fields;
use crate::settings::secret_file;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// At most five replicas vote, and 256 slots among more than 99 owners leave two or three each:
/// more replicas add nothing.
const REPLICAS: RangeInclusive<i64> = 1..=99;

/// Where replicas talk to each other, as the shipped manifests expose it.
const PEER_ADDR: &str = "0.0.0.0:3320";

/// Where replicas gossip (UDP), as the shipped manifests expose it.
const GOSSIP_ADDR: &str = "0.0.0.0:3322";

/// The highest number of a replica that becomes a member without being named.
pub const ORDINAL_MAX: u32 = 99;

/// Digits of a cluster id in hexadecimal, as the API shows it.
const ID_DIGITS: usize = 16;

/// Whether peers must authenticate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PeerTlsPolicy {
    /// Peers need a certificate.
    #[default]
    Required,
    /// Peers without TLS are accepted, too: for the one roll from a version without TLS.
    Migrate,
}

/// What `cluster.peer_tls` may say.
const PEER_TLS: [(&str, PeerTlsPolicy); 2] =
    [("required", PeerTlsPolicy::Required), ("migrate", PeerTlsPolicy::Migrate)];

/// Files in the layout of cert-manager, read again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// `cert_file`: `tls.crt`.
    pub cert: PathBuf,
    /// `key_file`: `tls.key`.
    pub key: PathBuf,
    /// `ca_file`: `ca.crt`.
    pub ca: PathBuf,
}

/// Parses what `--peer-tls` says.
///
/// # Errors
/// Another word.
pub fn parse_peer_tls(text: &str) -> Result<PeerTlsPolicy, Problem> {
    let known = PEER_TLS.into_iter().find(|(word, _)| *word == text);
    let expected = "`required` or `migrate`";
    known.map(|(_, policy)| policy).ok_or(Problem::Malformed { expected })
}

/// How this replica takes part in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSettings {
    /// `data_dir`: the directory of the log, the snapshots and the identity. Default `./data`.
    pub data_dir: PathBuf,
    /// `replicas`: how many replicas the cluster is formed of, 1 to 99. Default 1. It counts for
    /// the first formation only; later replicas join when they start, and leave when they are gone.
    pub replicas: u16,
    /// Whether the file or a flag gave `replicas`: the replica that forms the cluster must not
    /// guess it (rule 24).
    pub is_replicas_given: bool,
    /// `service`: DNS name of the headless Service whose records are the replicas. Excludes `seeds`.
    pub service: Option<String>,
    /// `seeds`: gossip addresses `HOST:PORT` of some replicas, from which this replica learns the
    /// others; its own may be among them. Excludes `service`.
    pub seeds: Vec<String>,
    /// `pod_name`: the name in `/api/v1/cluster`; its trailing number decides which replica forms
    /// the cluster. `None` until the shell sets the host name.
    pub pod_name: Option<String>,
    /// `peer_addr`: where other replicas connect over TCP. Default `0.0.0.0:3320`.
    pub peer_addr: String,
    /// `gossip_addr`: where gossip arrives over UDP. Default `0.0.0.0:3322`.
    pub gossip_addr: String,
    /// `advertise_host`: the host announced to other replicas, together with the ports of the two
    /// addresses. `None`: see [`Self::host_for_others`].
    pub advertise_host: Option<String>,
    /// `election_timeout`: the shortest silence of the leader before an election, 300ms to 10s; the
    /// longest is twice that. Default 500ms. Raise it for slow disks or a slow network; a failover
    /// then takes that much longer.
    pub election_timeout: Duration,
    /// `removal_grace`: how long a dead member without DNS record keeps its place, 30s to 168h.
    /// Default 5m, longer than scheduling a pod on another node takes.
    pub removal_grace: Duration,
    /// `secret_file`: a secret that the replicas share to authenticate to each other. `None`: a
    /// single replica generates its own.
    pub secret_file: Option<SecretRef>,
    /// `peer_tls`. Default `required`.
    pub peer_tls: PeerTlsPolicy,
    /// `tls`: the certificate for peers. `None`: issued under the secret.
    pub tls: Option<PeerCertificate>,
    /// `admit`: names of replicas that become members although they are not of this replica's set.
    pub admit: Vec<String>,
    /// `expected_cluster_id`: the only cluster that this replica joins, 16 hexadecimal digits. With
    /// it the replica forms no cluster. `None`: any.
    pub expected_cluster_id: Option<u64>,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./data"),
            replicas: 1,
            is_replicas_given: false,
            service: None,
            seeds: Vec::new(),
            pod_name: None,
            peer_addr: PEER_ADDR.to_owned(),
            gossip_addr: GOSSIP_ADDR.to_owned(),
            advertise_host: None,
            election_timeout: Duration::from_millis(500),
            removal_grace: Duration::from_mins(5),
            secret_file: None,
            peer_tls: PeerTlsPolicy::Required,
            tls: None,
            admit: Vec::new(),
            expected_cluster_id: None,
        }
    }
}

/// A broken rule across keys of `cluster` and flags of `serve`. Nothing was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cluster.{key}: {rule}")]
pub struct ClusterConflict {
    /// The key to correct; the flag has its name, with dashes.
    pub key: &'static str,
    pub rule: &'static str,
}

impl ClusterSettings {
    /// Whether this replica looks for others. If not, it is a cluster of one and does not listen
    /// for peers.
    #[must_use]
    pub fn seeks_others(&self) -> bool {
        self.service.is_some() || !self.seeds.is_empty()
    }

    /// The host that other replicas connect to: `advertise_host`, else `<pod name>.<service>`, else
    /// that of `peer_addr`.
    #[must_use]
    pub fn host_for_others(&self) -> String {
        let by_service = || Some(format!("{}.{}", self.pod_name.as_ref()?, self.service.as_ref()?));
        let host = self.advertise_host.clone().or_else(by_service);
        host.unwrap_or_else(|| host_of(&self.peer_addr).to_owned())
    }

    /// The rules across keys that these settings break, each with the key to correct.
    #[must_use]
    pub fn conflicts(&self, store: StoreBackend) -> Vec<ClusterConflict> {
        let rules = [
            self.two_ways_to_the_others(),
            self.others_beside_memory(store),
            self.no_way_to_the_others(),
            self.no_host_for_others(),
            self.no_ordinal(),
            self.guessed_formation(),
            self.no_secret(),
        ];
        rules.into_iter().flatten().collect()
    }

    fn two_ways_to_the_others(&self) -> Option<ClusterConflict> {
        let rule = "excludes `service`: replicas find each other one way";
        let has_both = self.service.is_some() && !self.seeds.is_empty();
        has_both.then_some(ClusterConflict { key: "seeds", rule })
    }

    fn others_beside_memory(&self, store: StoreBackend) -> Option<ClusterConflict> {
        let key = match store {
            StoreBackend::Cluster => return None,
            StoreBackend::Memory if self.service.is_some() => "service",
            StoreBackend::Memory if !self.seeds.is_empty() => "seeds",
            StoreBackend::Memory if self.replicas > 1 => "replicas",
            StoreBackend::Memory => return None,
        };
        let rule = "needs disks: `store.backend: memory` ends with its process, so a member that \
                    restarts would forget what it had confirmed; write `store.backend: cluster`";
        Some(ClusterConflict { key, rule })
    }

    fn no_way_to_the_others(&self) -> Option<ClusterConflict> {
        let rule = "above 1 needs a way to the others: write `service` (--service), the DNS name \
                    of a headless Service, or `seeds` (--seed), gossip addresses such as \
                    10.0.0.7:3322";
        let is_lost = self.replicas > 1 && !self.seeks_others();
        is_lost.then_some(ClusterConflict { key: "replicas", rule })
    }

    fn no_host_for_others(&self) -> Option<ClusterConflict> {
        let rule = "is required with `seeds` while `peer_addr` is every address of the machine: \
                    write the host that others reach this replica by (--advertise-host), or \
                    listen on it (--peer-addr)";
        let is_missing = !self.seeds.is_empty()
            && self.advertise_host.is_none()
            && is_every_address(host_of(&self.peer_addr));
        is_missing.then_some(ClusterConflict { key: "advertise_host", rule })
    }

    /// A single replica needs no given secret: no other has to know it.
    fn no_secret(&self) -> Option<ClusterConflict> {
        let rule = "is required for several replicas, which prove themselves to each other by it: \
                    make one for all of them with `openssl rand -hex 32 > cluster-secret`, and \
                    write where it is (--secret-file)";
        let is_further = self.pod_name.as_deref().and_then(ordinal).is_some_and(|at| at > 0);
        let is_missing = self.seeks_others()
            && (self.replicas > 1 || is_further)
            && self.peer_tls == PeerTlsPolicy::Required
            && self.secret_file.is_none();
        is_missing.then_some(ClusterConflict { key: "secret_file", rule })
    }

    fn no_ordinal(&self) -> Option<ClusterConflict> {
        let rule = "has to end in a number where `replicas` is above 1, such as relay-0 \
                    (--pod-name): the replica with number 0 forms the cluster";
        let is_missing = self.replicas > 1 && ordinal(self.pod_name.as_ref()?).is_none();
        is_missing.then_some(ClusterConflict { key: "pod_name", rule })
    }

    fn guessed_formation(&self) -> Option<ClusterConflict> {
        let rule = "is required on the replica with number 0, which forms the cluster: write how \
                    many replicas it begins with (--replicas)";
        let is_first = ordinal(self.pod_name.as_ref()?) == Some(0);
        let is_guessed = is_first && self.seeks_others() && !self.is_replicas_given;
        is_guessed.then_some(ClusterConflict { key: "replicas", rule })
    }
}

/// The number at the end of a pod's name, which a StatefulSet counts; `None` for a name without a
/// number.
#[must_use]
pub fn ordinal(pod_name: &str) -> Option<u32> {
    let name = pod_name.trim_end_matches(|c: char| c.is_ascii_digit());
    pod_name[name.len()..].parse().ok()
}

/// Parses the number of replicas of a cluster.
///
/// # Errors
/// The text is not a number, or is beyond the range.
pub fn parse_replicas(text: &str) -> Result<u16, Problem> {
    let expected = "an integer";
    let found: i64 =
        text.parse().map_err(|_| Problem::WrongType { expected, found: format!("{text:?}") })?;
    let (min, max) = (*REPLICAS.start(), *REPLICAS.end());
    let replicas = REPLICAS.contains(&found).then(|| u16::try_from(found).ok()).flatten();
    replicas.ok_or(Problem::OutOfRange { found, min, max })
}

/// Reads `cluster`, applies the flags, and checks the result.
pub(super) fn read(
    mut fields: Fields<'_>,
    store: StoreBackend,
    overrides: &Overrides,
) -> ClusterSettings {
    let default = ClusterSettings::default();
    let second = Duration::from_secs(1);
    let replicas = fields.count("replicas", REPLICAS).and_then(|count| u16::try_from(count).ok());
    let mut settings = ClusterSettings {
        data_dir: fields.text("data_dir").map_or(default.data_dir, PathBuf::from),
        replicas: replicas.unwrap_or(default.replicas),
        is_replicas_given: replicas.is_some(),
        service: address::read_by(&mut fields, "service", address::parse_name),
        seeds: read_seeds(&mut fields),
        pod_name: address::read_by(&mut fields, "pod_name", address::parse_name),
        peer_addr: address::read(&mut fields, "peer_addr").unwrap_or(default.peer_addr),
        gossip_addr: address::read(&mut fields, "gossip_addr").unwrap_or(default.gossip_addr),
        advertise_host: address::read_by(&mut fields, "advertise_host", address::parse_host),
        election_timeout: fields
            .duration("election_timeout", Duration::from_millis(300)..=10 * second)
            .unwrap_or(default.election_timeout),
        removal_grace: fields
            .duration("removal_grace", 30 * second..=Duration::from_hours(168))
            .unwrap_or(default.removal_grace),
        secret_file: read_secret(&mut fields),
        peer_tls: fields.word("peer_tls", &PEER_TLS).unwrap_or(default.peer_tls),
        tls: read_certificate(fields.section("tls")),
        admit: read_names(&mut fields, "admit"),
        expected_cluster_id: read_cluster_id(&mut fields),
    };
    overrides.apply(&mut settings);
    for ClusterConflict { key, rule } in settings.conflicts(store) {
        fields.fail(key, Problem::Conflict { rule });
    }
    fields.finish();
    settings
}

/// Keeps a wrong seed: the file is refused anyway, and must not also be refused for absent seeds.
fn read_seeds(fields: &mut Fields<'_>) -> Vec<String> {
    let seed = |setting: crate::settings::setting::Setting<'_>| {
        let text = setting.text()?;
        let parsed = address::parse_seed(text).map_err(|problem| setting.fail(problem));
        Some(parsed.unwrap_or_else(|()| text.to_owned()))
    };
    fields.list("seeds").into_iter().filter_map(seed).collect()
}

/// Keeps a wrong path: the file is refused anyway, and must not also be refused for an absent
/// secret.
fn read_secret(fields: &mut Fields<'_>) -> Option<SecretRef> {
    let given = fields.text_setting("secret_file")?;
    Some(secret_file::named(&given).unwrap_or_else(|| SecretRef::file("./")))
}

/// A certificate needs all its keys or none.
fn read_certificate(mut fields: Fields<'_>) -> Option<PeerCertificate> {
    if fields.is_empty() {
        return None;
    }
    let mut file = |key| {
        let setting =
            fields.required(key, "the layout of cert-manager: tls.crt, tls.key, ca.crt")?;
        setting.text().map(PathBuf::from)
    };
    let (cert, key, ca) = (file("cert_file"), file("key_file"), file("ca_file"));
    fields.finish();
    Some(PeerCertificate { cert: cert?, key: key?, ca: ca? })
}

fn read_names(fields: &mut Fields<'_>, key: &'static str) -> Vec<String> {
    let name = |setting: crate::settings::setting::Setting<'_>| {
        address::parse_name(setting.text()?).map_err(|problem| setting.fail(problem)).ok()
    };
    fields.list(key).into_iter().filter_map(name).collect()
}

fn read_cluster_id(fields: &mut Fields<'_>) -> Option<u64> {
    let (text, setting) = fields.text_setting("expected_cluster_id")?;
    let has_form = text.len() == ID_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = u64::from_str_radix(text, 16).ok().filter(|_| has_form);
    if id.is_none() {
        let expected = "a cluster id of 16 hexadecimal digits, as /api/v1/cluster shows it";
        setting.fail(Problem::Malformed { expected });
    }
    id
}

#[cfg(test)]
#[path = "cluster_test.rs"]
mod tests;
