//! Which names may become members: replicas of the own set, and those that an operator has named.
//! Pure.

use crate::config::{ORDINAL_MAX, ordinal};

/// The admitted names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdmittedNames {
    /// The part before the number in the names of the own set; `None` for a name without a number.
    set: Option<String>,
    /// `cluster.admit`.
    named: Vec<String>,
}

impl AdmittedNames {
    /// The rule of a replica with this name.
    #[must_use]
    pub fn new(own_name: &str, named: &[String]) -> Self {
        let set = ordinal(own_name).map(|_| set_of(own_name).to_owned());
        Self { set, named: named.to_vec() }
    }

    /// Whether a replica of this name may become a member.
    #[must_use]
    pub fn admits(&self, name: &str) -> bool {
        let is_of_set = self.set.as_deref() == Some(set_of(name))
            && ordinal(name).is_some_and(|ordinal| ordinal <= ORDINAL_MAX);
        is_of_set || self.named.iter().any(|named| named == name)
    }
}

fn set_of(name: &str) -> &str {
    name.trim_end_matches(|letter: char| letter.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_own_set_below_the_bound_are_admitted() {
        let admission = AdmittedNames::new("relay-2", &[]);
        for name in ["relay-0", "relay-2", "relay-99"] {
            assert!(admission.admits(name), "{name}");
        }
        for name in ["relay-100", "relay-", "relay", "other-0", "relay-blue-0", "xrelay-0", ""] {
            assert!(!admission.admits(name), "{name}");
        }
    }

    #[test]
    fn beside_them_only_names_that_an_operator_gave_are_admitted() {
        let admission = AdmittedNames::new("laptop", &["desk".to_owned()]);
        assert!(admission.admits("desk"));
        assert!(!admission.admits("laptop-0") && !admission.admits("laptop"));
    }
}
