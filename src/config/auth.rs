//! `server.auth`: what a sender has to show, one of the list. It has the types and keys of the Go
//! relay, and the form that Tekton can send: credentials in the URL of its sink.

use crate::secret::SecretRef;
use crate::settings::error::Problem;
use crate::settings::fields::Fields;
use crate::settings::secret_file::{self, SecretKeys};
use crate::settings::setting::{Setting, is_off};
use crate::settings::yaml::Value;
use std::time::Duration;

/// The Go relay's tolerance.
const TIMESTAMP_TOLERANCE: Duration = Duration::from_mins(5);

/// One way for a sender to authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderAuth {
    /// `basic`: a user and a password, which Tekton sends for `http://USER:PASSWORD@HOST/`.
    Basic { username: SecretRef, password: SecretRef },
    /// `path_token`: the last segment of the path.
    PathToken { secret: SecretRef },
    /// `bearer`: the token of `Authorization`.
    Bearer { secret: SecretRef },
    /// `hmac-sha256`: a signature in `X-Hub-Signature-256`.
    HmacSha256 { secret: SecretRef, covers: Covers, tolerance: Duration },
}

/// What a signature covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covers {
    /// The timestamp, the headers of the CloudEvent and the body.
    Event,
    /// The body alone, as in the Go relay. Anyone who has seen one request can send it again with
    /// another id and another type.
    Body,
}

#[derive(Clone, Copy)]
enum AuthType {
    Basic,
    PathToken,
    Bearer,
    HmacSha256,
}

const TYPES: [(&str, AuthType); 4] = [
    ("basic", AuthType::Basic),
    ("path_token", AuthType::PathToken),
    ("bearer", AuthType::Bearer),
    ("hmac-sha256", AuthType::HmacSha256),
];

/// Reads a list, or the single mapping of the Go relay. An unreadable entry is reported and admits
/// no sender.
pub(super) fn read(fields: &mut Fields<'_>) -> Vec<SenderAuth> {
    // Without an entry every sender would be admitted, which is never meant by a file with this
    // key.
    let Some(setting) = fields.narrowing("auth") else { return Vec::new() };
    let is_empty = match &setting.node.value {
        Value::Mapping(entries) => entries.is_empty(),
        Value::Sequence(items) => items.is_empty(),
        Value::Null | Value::Scalar(_) => false,
    };
    if is_empty {
        setting.fail(Problem::NoValue { comment: None });
        return Vec::new();
    }
    let all = match setting.node.value {
        Value::Mapping(_) if is_off(setting.node) => {
            setting.diagnostics.notice(setting.node.at, &setting.path, "is off, and not needed");
            return Vec::new();
        }
        Value::Mapping(_) => vec![setting],
        Value::Null | Value::Scalar(_) | Value::Sequence(_) => setting.items(),
    };
    all.iter().filter_map(read_one).collect()
}

fn read_one(setting: &Setting<'_>) -> Option<SenderAuth> {
    let mut fields = setting.fields()?;
    let is_enabled = fields.flag("enabled").unwrap_or(true);
    let hint = "basic, path_token, bearer or hmac-sha256";
    let auth_type = fields.required("type", hint)?.word(&TYPES)?;
    fields.notice(
        &["validate_timestamp"],
        "has no effect: a signature that covers the event covers its time, and no other can",
    );
    let auth = match auth_type {
        AuthType::Basic => {
            let username = required(&mut fields, "username_file", &SecretKeys::USERNAME);
            let password = required(&mut fields, "password_file", &SecretKeys::PASSWORD);
            let pair = username.zip(password);
            pair.map(|(username, password)| SenderAuth::Basic { username, password })
        }
        AuthType::PathToken => secret(&mut fields).map(|secret| SenderAuth::PathToken { secret }),
        AuthType::Bearer => secret(&mut fields).map(|secret| SenderAuth::Bearer { secret }),
        AuthType::HmacSha256 => {
            let covers = fields.word("covers", &[("event", Covers::Event), ("body", Covers::Body)]);
            let tolerances = Duration::from_secs(1)..=Duration::from_hours(1);
            let tolerance = fields.duration("timestamp_tolerance", tolerances);
            secret(&mut fields).map(|secret| SenderAuth::HmacSha256 {
                secret,
                covers: covers.unwrap_or(Covers::Event),
                tolerance: tolerance.unwrap_or(TIMESTAMP_TOLERANCE),
            })
        }
    };
    fields.finish();
    auth.filter(|_| is_enabled)
}

fn secret(fields: &mut Fields<'_>) -> Option<SecretRef> {
    required(fields, "secret_file", &SecretKeys::SECRET)
}

fn required(fields: &mut Fields<'_>, key: &'static str, keys: &SecretKeys) -> Option<SecretRef> {
    fields.required(key, "a file with one secret a line")?;
    let found = secret_file::read_named(fields, keys);
    if found.is_none() {
        fields.fail(key, Problem::Missing { hint: "a file with one secret a line".into() });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SecretCheck, load, tests::Disk};

    fn loaded(auth: &str) -> Result<Vec<SenderAuth>, String> {
        let text = format!("server: {{auth: {auth}}}\n");
        let loaded = load(&text, "f", &Disk::default(), SecretCheck::Skipped);
        loaded.map(|loaded| loaded.config.server.auth).map_err(|errors| errors.to_string())
    }

    fn file(path: &str) -> SecretRef {
        SecretRef::file(path)
    }

    #[test]
    fn a_list_has_every_type_with_its_secrets() {
        let all = loaded(
            "[{type: basic, username_file: /u, password_file: /p}, \
              {type: path_token, secret_file: /t}, {type: bearer, secret_file: /b}, \
              {type: hmac-sha256, secret_file: /h, covers: body, timestamp_tolerance: 1m}]",
        );
        let hmac = SenderAuth::HmacSha256 {
            secret: file("/h"),
            covers: Covers::Body,
            tolerance: Duration::from_mins(1),
        };
        let expected = vec![
            SenderAuth::Basic { username: file("/u"), password: file("/p") },
            SenderAuth::PathToken { secret: file("/t") },
            SenderAuth::Bearer { secret: file("/b") },
            hmac,
        ];
        assert_eq!(all.unwrap(), expected);
    }

    #[test]
    fn the_mapping_of_the_go_relay_is_one_way_and_its_signature_covers_the_event() {
        let go = "{enabled: true, type: hmac-sha256, secret_file: /s, validate_timestamp: true, \
                   timestamp_tolerance: 5m}";
        let hmac = SenderAuth::HmacSha256 {
            secret: file("/s"),
            covers: Covers::Event,
            tolerance: TIMESTAMP_TOLERANCE,
        };
        assert_eq!(loaded(go).unwrap(), [hmac]);
        assert_eq!(loaded("{enabled: false}").unwrap(), []);
    }

    #[test]
    fn what_would_admit_nobody_or_everybody_is_refused_by_name() {
        for (auth, told) in [
            ("[{type: bearer}]", "secret_file"),
            ("[{type: basic, username_file: /u}]", "password_file"),
            ("[{secret_file: /s}]", "type"),
            ("[{type: digest, secret_file: /s}]", "digest"),
            ("[{type: bearer, secret_file: s3cr3t}]", "a path"),
            ("[{type: bearer, secret_file: /s, covers: body}]", "covers"),
            ("bearer", "server.auth"),
            ("", "server.auth: has no value"),
            ("[]", "server.auth: has no value"),
            ("{}", "server.auth: has no value"),
        ] {
            let errors = loaded(auth).unwrap_err();
            assert!(errors.contains(told) && !errors.contains("s3cr3t"), "{auth}: {errors}");
        }
    }
}
