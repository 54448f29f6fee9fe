//! Whom a token writes as, and whether a comment is by that author. A forge is asked once for each
//! token.

use crate::integration::CredentialId;
use parking_lot::Mutex;
use serde::{Deserialize, Deserializer};
use std::sync::Arc;

/// Tokens remembered: the present one, and the one that a rotation is about to end.
const IDENTITIES_MAX: usize = 4;

/// An account as a forge shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::integration) struct Account {
    /// `None` where the forge tells none.
    pub(in crate::integration) id: Option<u64>,
    /// The unique name; empty where the forge tells none.
    pub(in crate::integration) login: String,
    /// Whether a program is behind it. A person cannot be behind one.
    pub(in crate::integration) is_bot: bool,
}

/// The author of a listed comment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::integration) enum Author {
    /// The server tells no authors: a look-alike of the forge.
    #[default]
    Untold,
    /// The forge names nobody: the account is gone.
    Nobody,
    Known(Account),
}

impl Author {
    /// The author in a field that may be absent (`None`) or null (`Some(None)`).
    pub(in crate::integration) fn of(field: Option<Option<impl Into<Account>>>) -> Self {
        match field {
            None => Self::Untold,
            Some(None) => Self::Nobody,
            Some(Some(account)) => Self::Known(account.into()),
        }
    }
}

/// Reads a field that is there, and may be null. With `serde(default)` an absent one is `None`.
pub(in crate::integration) fn told<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Whom a token writes as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::integration) enum Identity {
    User(Account),
    /// The token of an App's installation, which may not ask who it is.
    App,
}

impl Identity {
    /// Whoever wrote what we know to be ours.
    pub(super) fn of_author(author: &Author) -> Option<Self> {
        match author {
            Author::Known(account) => Some(Self::User(account.clone())),
            Author::Untold | Author::Nobody => None,
        }
    }

    /// Whether a comment by `author` is one of ours. Any App's bot may be ours where we do not know
    /// our own name; a person never is.
    pub(in crate::integration) fn wrote(&self, author: &Author) -> bool {
        let account = match author {
            Author::Untold => return true,
            Author::Nobody => return false,
            Author::Known(account) => account,
        };
        match self {
            Self::App => account.is_bot,
            Self::User(us) if us.id.is_some() && account.id.is_some() => us.id == account.id,
            Self::User(us) => !us.login.is_empty() && us.login.eq_ignore_ascii_case(&account.login),
        }
    }
}

/// What is known of the tokens seen, the latest last. It saves calls and decides nothing that the
/// forge would not say again.
#[derive(Clone, Debug, Default)]
pub(in crate::integration) struct Identities(Arc<Mutex<Vec<(CredentialId, Identity)>>>);

impl Identities {
    /// Whom the credential of an answer writes as, if the forge was asked already.
    pub(super) fn find(&self, credential: Option<CredentialId>) -> Option<Identity> {
        let credential = credential?;
        let known = self.0.lock();
        let found = known.iter().find(|(known, _)| *known == credential);
        found.map(|(_, identity)| identity.clone())
    }

    pub(super) fn learn(&self, credential: Option<CredentialId>, identity: &Identity) {
        let Some(credential) = credential else { return };
        let mut known = self.0.lock();
        known.retain(|(known, _)| *known != credential);
        if known.len() >= IDENTITIES_MAX {
            known.remove(0);
        }
        known.push((credential, identity.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_has_an_identity_of_its_own_and_few_are_remembered() {
        let identities = Identities::default();
        let id = |number| Some(CredentialId(number));
        identities.learn(None, &Identity::App);
        assert_eq!(identities.find(None), None);
        for number in 0..=IDENTITIES_MAX as u128 {
            identities.learn(id(number), &Identity::App);
        }
        assert_eq!(identities.find(id(0)), None);
        assert_eq!(identities.find(id(1)), Some(Identity::App));
        assert_eq!(format!("{:?}", CredentialId(77)), "CredentialId(...)");
    }
}
