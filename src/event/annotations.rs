//! The annotation contract: what pipeline authors write on a run, one constant per key.

use super::bounds::Bounds;
use super::object::Pairs;
use super::run::{Repository, Scm};

const PROVIDER: &str = "tekton.dev/tekton-events-relay.scm.provider";
const REPO_OWNER: &str = "tekton.dev/tekton-events-relay.scm.repo-owner";
const REPO_NAME: &str = "tekton.dev/tekton-events-relay.scm.repo-name";
const REPO_ID: &str = "tekton.dev/tekton-events-relay.scm.repo-id";
const REPO_WORKSPACE: &str = "tekton.dev/tekton-events-relay.scm.repo-workspace";
const REPO_PROJECT: &str = "tekton.dev/tekton-events-relay.scm.repo-project";
const REPO_ORG: &str = "tekton.dev/tekton-events-relay.scm.repo-org";
const COMMIT_SHA: &str = "tekton.dev/tekton-events-relay.scm.commit-sha";
const API_BASE_URL: &str = "tekton.dev/tekton-events-relay.scm.api-base-url";
const CONTEXT: &str = "tekton.dev/tekton-events-relay.scm.context";
const REF: &str = "tekton.dev/tekton-events-relay.scm.ref";
const PR_NUMBER: &str = "tekton.dev/tekton-events-relay.scm.pr-number";
const ISSUE_NUMBER: &str = "tekton.dev/tekton-events-relay.scm.issue-number";
const DISCUSSION_NUMBER: &str = "tekton.dev/tekton-events-relay.scm.discussion-number";
const JIRA_ISSUE_KEY: &str = "tekton.dev/tekton-events-relay.jira.issue-key";
const GROUP_ID: &str = "tekton.dev/tekton-events-relay.accumulator.group-id";

/// All keys of the contract.
const CONTRACT: [&str; 16] = [
    PROVIDER,
    REPO_OWNER,
    REPO_NAME,
    REPO_ID,
    REPO_WORKSPACE,
    REPO_PROJECT,
    REPO_ORG,
    COMMIT_SHA,
    API_BASE_URL,
    CONTEXT,
    REF,
    PR_NUMBER,
    ISSUE_NUMBER,
    DISCUSSION_NUMBER,
    JIRA_ISSUE_KEY,
    GROUP_ID,
];

/// Whether `name` is a key of the contract. None of them holds a secret, though one is called
/// `issue-key`.
pub(super) fn is_contract(name: &str) -> bool {
    CONTRACT.contains(&name)
}

/// What the annotations of a run say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contract {
    pub scm: Scm,
    pub jira_issue_key: String,
    pub group_id: String,
}

/// Reads the contract. A value that is not a number counts as absent and is noted.
pub(super) fn read(annotations: &Pairs<'_>, bounds: &mut Bounds<'_>) -> Contract {
    let mut text = |key: &str| bounds.contract(key, annotations.get(key));
    let repository = Repository {
        owner: text(REPO_OWNER),
        name: text(REPO_NAME),
        id: text(REPO_ID),
        workspace: text(REPO_WORKSPACE),
        project: text(REPO_PROJECT),
        org: text(REPO_ORG),
    };
    let scm = Scm {
        provider: text(PROVIDER),
        api_base_url: without_fragment(text(API_BASE_URL)),
        commit_sha: text(COMMIT_SHA),
        context: text(CONTEXT),
        ref_name: text(REF),
        repository,
        issue_number: number(ISSUE_NUMBER, annotations, bounds),
        pr_number: number(PR_NUMBER, annotations, bounds),
        discussion_number: number(DISCUSSION_NUMBER, annotations, bounds),
    };
    let mut text = |key: &str| bounds.contract(key, annotations.get(key));
    Contract { scm, jira_issue_key: text(JIRA_ISSUE_KEY), group_id: text(GROUP_ID) }
}

/// A positive decimal number, which every forge counts from 1.
fn number(key: &str, annotations: &Pairs<'_>, bounds: &mut Bounds<'_>) -> Option<u64> {
    let text = annotations.get(key).trim();
    // `parse` alone would take "+7".
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = text.parse::<u64>().ok().filter(|number| is_decimal && *number > 0);
    if parsed.is_none() && !text.is_empty() {
        bounds.note(key);
    }
    parsed
}

/// The base of an API has no fragment; paths are appended to it.
fn without_fragment(mut url: String) -> String {
    url.truncate(url.find('#').unwrap_or(url.len()));
    url
}

#[cfg(test)]
mod tests {
    use super::super::keep::Keep;
    use super::*;
    use std::collections::BTreeMap;

    fn annotated(pairs: &[(&str, &str)]) -> (Contract, Vec<String>) {
        let pairs: BTreeMap<_, _> = pairs.iter().copied().collect();
        let json = serde_json::to_string(&pairs).unwrap();
        let keep = Keep::all();
        let mut bounds = Bounds::new(&keep);
        let contract = read(&serde_json::from_str(&json).unwrap(), &mut bounds);
        (contract, bounds.into_cut())
    }

    #[test]
    fn numbers_are_positive_decimals_or_absent_and_named() {
        for (text, expected) in [("7", Some(7)), (" 12 ", Some(12)), ("", None)] {
            let (contract, cut) = annotated(&[(PR_NUMBER, text)]);
            assert_eq!((contract.scm.pr_number, cut.len()), (expected, 0), "{text:?}");
        }
        for text in ["0", "-1", "+7", "x", "7x", "0x7", "1.0", "99999999999999999999"] {
            let (contract, cut) = annotated(&[(ISSUE_NUMBER, text), (DISCUSSION_NUMBER, "3")]);
            assert_eq!(contract.scm.issue_number, None, "{text:?}");
            assert_eq!(contract.scm.discussion_number, Some(3));
            assert_eq!(cut, [ISSUE_NUMBER], "{text:?}");
        }
    }

    #[test]
    fn urls_lose_userinfo_query_and_fragment() {
        for (url, base) in [
            ("https://me:pw@git.example/api/v3?token=t#x", "https://git.example/api/v3"),
            ("https://git.example/api#token", "https://git.example/api"),
        ] {
            assert_eq!(annotated(&[(API_BASE_URL, url)]).0.scm.api_base_url, base);
        }
    }

    #[test]
    fn every_key_reaches_its_field() {
        let texts = CONTRACT.map(|key| {
            let is_number = key.ends_with("-number");
            let text = if is_number { key.len().to_string() } else { key.to_owned() };
            (key, text)
        });
        let pairs: Vec<_> = texts.iter().map(|(key, text)| (*key, text.as_str())).collect();
        let expected = Contract {
            scm: Scm {
                provider: PROVIDER.to_owned(),
                api_base_url: API_BASE_URL.to_owned(),
                commit_sha: COMMIT_SHA.to_owned(),
                context: CONTEXT.to_owned(),
                ref_name: REF.to_owned(),
                repository: Repository {
                    owner: REPO_OWNER.to_owned(),
                    name: REPO_NAME.to_owned(),
                    id: REPO_ID.to_owned(),
                    workspace: REPO_WORKSPACE.to_owned(),
                    project: REPO_PROJECT.to_owned(),
                    org: REPO_ORG.to_owned(),
                },
                issue_number: Some(ISSUE_NUMBER.len() as u64),
                pr_number: Some(PR_NUMBER.len() as u64),
                discussion_number: Some(DISCUSSION_NUMBER.len() as u64),
            },
            jira_issue_key: JIRA_ISSUE_KEY.to_owned(),
            group_id: GROUP_ID.to_owned(),
        };
        assert_eq!(annotated(&pairs), (expected, vec![]));
    }

    #[test]
    fn values_are_trimmed_bounded_and_otherwise_opaque() {
        let long = "f".repeat(5000);
        let (contract, cut) = annotated(&[(COMMIT_SHA, " not a sha "), (REF, &long)]);
        assert_eq!(contract.scm.commit_sha, "not a sha");
        assert_eq!((contract.scm.ref_name.len(), cut), (1024, vec![REF.to_owned()]));
    }

    #[test]
    fn only_the_keys_of_the_contract_are_the_contract() {
        assert!(is_contract(JIRA_ISSUE_KEY));
        assert!(!is_contract("tekton.dev/tekton-events-relay.scm.token"));
    }
}
