//! Whether DNS still has the names of members. Without the Kubernetes API, an absent name is the
//! only sign that a pod was scaled away and is not just restarting.

use crate::cluster::gossip::Discovery;
use crate::cluster::membership::Dns;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

/// Between two rounds of queries.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// A slower resolver counts as no answer.
const ASK_WITHIN: Duration = Duration::from_secs(2);

/// How glibc and musl say that there is no such name, or no address under it (`gai_strerror`): the
/// standard library passes on only their text. Any other failure is the resolver's own.
const ABSENT: [&str; 3] =
    ["Name or service not known", "No address associated with hostname", "Name does not resolve"];

/// The last answer of DNS, by pod name.
#[derive(Debug, Default)]
pub(super) struct DnsNames {
    asked_at: Option<Duration>,
    absent_since: BTreeMap<String, Duration>,
    present: BTreeMap<String, bool>,
}

impl DnsNames {
    /// What is known about a pod's name.
    pub fn of(&self, name: &str, now: Duration) -> Dns {
        match (self.present.get(name), self.absent_since.get(name)) {
            (Some(true), _) => Dns::Present,
            (Some(false), Some(since)) => Dns::Absent(now.saturating_sub(*since)),
            (Some(false) | None, _) => Dns::Unknown,
        }
    }

    /// Queries the names of pods, if it is time.
    pub async fn ask(&mut self, discovery: &Discovery, pods: &[String], now: Duration) {
        let Discovery::Service { name: service, .. } = discovery else { return };
        if self.asked_at.is_some_and(|asked_at| now.saturating_sub(asked_at) < ASK_EVERY) {
            return;
        }
        self.asked_at = Some(now);
        // A resolver that does not know the Service says nothing about its pods.
        let is_answered = has_record(service).await;
        let mut present = BTreeMap::new();
        for pod in pods.iter().filter(|_| is_answered == Some(true)) {
            // No answer about one name says nothing about its pod.
            if let Some(is_present) = has_record(&format!("{pod}.{service}")).await {
                present.insert(pod.clone(), is_present);
            }
        }
        self.take(present, now);
    }

    fn take(&mut self, present: BTreeMap<String, bool>, now: Duration) {
        let absent = present.iter().filter(|(_, is_present)| !**is_present);
        let absent = absent
            .map(|(pod, _)| (pod.clone(), self.absent_since.get(pod).copied().unwrap_or(now)));
        self.absent_since = absent.collect();
        self.present = present;
    }
}

/// `None` if the resolver did not answer in time, or failed.
async fn has_record(name: &str) -> Option<bool> {
    let asked = tokio::time::timeout(ASK_WITHIN, tokio::net::lookup_host((name, 0))).await;
    match asked.ok()? {
        Ok(mut addresses) => Some(addresses.next().is_some()),
        Err(error) => says_absent(&error).then_some(false),
    }
}

/// Whether the resolver knows that there is no such name. A failing server knows nothing. Unknown
/// text counts as such a failure, so that no member is removed by it.
fn says_absent(error: &io::Error) -> bool {
    let text = error.to_string();
    ABSENT.iter().any(|known| text.contains(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn round(pods: &[(&str, bool)]) -> BTreeMap<String, bool> {
        pods.iter().map(|(pod, is_present)| ((*pod).to_owned(), *is_present)).collect()
    }

    #[test]
    fn absence_counts_from_the_first_answer_without_the_name() {
        let mut names = DnsNames::default();
        assert_eq!(names.of("relay-2", SECOND), Dns::Unknown);
        names.take(round(&[("relay-2", false), ("relay-1", true)]), SECOND);
        names.take(round(&[("relay-2", false), ("relay-1", true)]), 6 * SECOND);
        assert_eq!(names.of("relay-2", 9 * SECOND), Dns::Absent(8 * SECOND));
        assert_eq!(names.of("relay-1", 9 * SECOND), Dns::Present);
    }

    #[tokio::test]
    async fn a_name_that_cannot_be_is_absent_and_not_unknown() {
        // Too long for a label of a name: refused without a query.
        assert_eq!(has_record(&"x".repeat(64)).await, Some(false));
        assert_eq!(has_record("127.0.0.1").await, Some(true));
    }

    #[test]
    fn a_resolver_that_fails_has_not_said_that_a_name_is_absent() {
        let lookup =
            |text| io::Error::other(format!("failed to lookup address information: {text}"));
        for text in ["Temporary failure in name resolution", "Try again", "System error"] {
            assert!(!says_absent(&lookup(text)), "{text}");
        }
        for text in ABSENT {
            assert!(says_absent(&lookup(text)), "{text}");
        }
    }

    #[test]
    fn silence_about_one_name_starts_only_its_absence_anew() {
        let mut names = DnsNames::default();
        names.take(round(&[("relay-1", false), ("relay-2", false)]), SECOND);
        names.take(round(&[("relay-1", false)]), 6 * SECOND);
        assert_eq!(names.of("relay-2", 6 * SECOND), Dns::Unknown);
        names.take(round(&[("relay-1", false), ("relay-2", false)]), 11 * SECOND);
        assert_eq!(names.of("relay-1", 12 * SECOND), Dns::Absent(11 * SECOND));
        assert_eq!(names.of("relay-2", 12 * SECOND), Dns::Absent(SECOND));
    }

    #[test]
    fn a_round_without_an_answer_makes_absence_unknown_and_starts_it_anew() {
        let mut names = DnsNames::default();
        names.take(round(&[("relay-2", false)]), SECOND);
        names.take(BTreeMap::new(), 6 * SECOND);
        assert_eq!(names.of("relay-2", 6 * SECOND), Dns::Unknown);
        names.take(round(&[("relay-2", false)]), 11 * SECOND);
        assert_eq!(names.of("relay-2", 12 * SECOND), Dns::Absent(SECOND));
    }
}
