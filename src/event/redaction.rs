//! What is never kept, whatever a rule asks for: values under names that suggest a secret, and the
//! credentials inside URLs.

use std::borrow::Cow;

/// Parts of names, in lower case, whose values are never kept. A harmless value dropped under such
/// a name is listed in `cut`; a secret that is kept would be on every disk of the cluster.
const SECRET_WORDS: [&str; 12] = [
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "credential",
    "key",
    "private",
    "authorization",
    "cookie",
    "kubeconfig",
];

/// Endings that contain a secret word and mean something public: the key of an issue.
const PUBLIC_ENDINGS: [&str; 3] = ["issue-key", "issue_key", "issuekey"];

/// Stands between the scheme of a URL and its authority.
const AUTHORITY_MARK: &str = "://";

/// Whether a value under this name may be a secret.
pub(super) fn may_be_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let last = name.rsplit(['/', '.', '-', '_']).next().unwrap_or_default();
    if last == "auth" {
        return true;
    }
    let is_public = PUBLIC_ENDINGS.iter().any(|ending| name.ends_with(ending));
    !is_public && SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// The text without the userinfo and the query of every URL in it. Borrowed if there is nothing to
/// remove.
pub(super) fn without_url_secrets(text: &str) -> Cow<'_, str> {
    if !text.contains(AUTHORITY_MARK) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(mark) = rest.find(AUTHORITY_MARK) {
        let (before, url) = rest.split_at(mark + AUTHORITY_MARK.len());
        let (url, after) = url.split_at(url.find(ends_url).unwrap_or(url.len()));
        kept.push_str(before);
        push_public_part(url, &mut kept);
        rest = after;
    }
    kept.push_str(rest);
    if kept == text { Cow::Borrowed(text) } else { Cow::Owned(kept) }
}

/// Characters that a URL never holds unencoded and that text puts around one.
fn ends_url(character: char) -> bool {
    character.is_whitespace() || matches!(character, '"' | '\'' | '<' | '>' | '`' | '|' | '\\')
}

/// Appends host and path of a URL that begins with its authority.
fn push_public_part(url: &str, kept: &mut String) {
    let mut url = url.split('?').next().unwrap_or_default();
    // A second URL may follow without a space between: "https://a,https://u:p@b".
    while let Some(mark) = url.find(AUTHORITY_MARK) {
        push_host_and_path(&url[..mark], kept);
        kept.push_str(AUTHORITY_MARK);
        url = &url[mark + AUTHORITY_MARK.len()..];
    }
    push_host_and_path(url, kept);
}

fn push_host_and_path(url: &str, kept: &mut String) {
    let (authority, path) = url.split_at(url.find(['/', '#']).unwrap_or(url.len()));
    kept.push_str(authority.rsplit('@').next().unwrap_or_default());
    kept.push_str(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_18_names_that_promise_a_secret_are_found_in_any_case_and_place() {
        for name in [
            "git-token",
            "GITHUB_TOKEN",
            "tokenPath",
            "db-password",
            "PASSWD",
            "ssh-private",
            "api_key",
            "apiKey",
            "signing_key_b64",
            "Auth",
            "basic.auth",
            "Authorization",
            "session-cookie",
            "aws-credentials",
            "cosign.passphrase",
            "kubeconfig-dev",
            "example.com/secret-ref",
        ] {
            assert!(may_be_secret(name), "{name}");
        }
    }

    #[test]
    fn names_of_public_things_are_kept() {
        for name in
            ["team", "author", "revision", "image", "jira.issue-key", "ISSUE_KEY", "authority"]
        {
            assert!(!may_be_secret(name), "{name}");
        }
    }

    #[test]
    fn urls_lose_userinfo_and_query() {
        for (text, public) in [
            ("https://me:pw@git.example/o/r.git", "https://git.example/o/r.git"),
            ("https://tok@git.example", "https://git.example"),
            ("ssh://git@git.example:22/o", "ssh://git.example:22/o"),
            ("https://a@b@host/p", "https://host/p"),
            ("https://host/p?access_token=hush", "https://host/p"),
            ("https://host?t=hush#top", "https://host"),
            ("https://u:p@host#hush@x", "https://host#hush@x"),
        ] {
            assert_eq!(without_url_secrets(text), public, "{text}");
        }
    }

    #[test]
    fn every_url_in_a_text_is_covered() {
        for (text, public) in [
            (
                "fatal: 'https://u:p@a/x' and https://v:q@b/y?t=1 refused",
                "fatal: 'https://a/x' and https://b/y refused",
            ),
            (r#"["https://u:p@a","http://b?q"]"#, r#"["https://a","http://b"]"#),
            ("https://a/x,https://u:p@b/y", "https://a/x,https://b/y"),
            ("https://t@a,https://u:p@b", "https://a,https://b"),
            ("mirror=https://a/https://u:p@b", "mirror=https://a/https://b"),
            ("ü https://ü:ö@ä/€", "ü https://ä/€"),
        ] {
            assert_eq!(without_url_secrets(text), public, "{text}");
        }
    }

    #[test]
    fn a_text_of_nothing_but_marks_is_read_without_recursion() {
        let text = "://".repeat(500_000);
        assert_eq!(without_url_secrets(&text), text);
    }

    #[test]
    fn text_without_a_secret_is_not_copied() {
        for text in ["plain", "user@example.com", "https://host/@scope/pkg", "a://", "://", ""] {
            assert!(matches!(without_url_secrets(text), Cow::Borrowed(same) if same == text));
        }
    }
}
