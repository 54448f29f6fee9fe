//! How a generic webhook proves who we are: its `auth` and `headers`.

use crate::integration::Credential;
use crate::secret::SecretRef;
use crate::settings::error::Problem;
use crate::settings::fields::Fields;
use crate::settings::secret_file::{self, SecretKeys, SecretOwner};

/// The header that carries the signature of a body, as the Go relay sends it.
const SIGNATURE_HEADER: &str = "X-Webhook-Signature";

/// The key of the signature.
const SIGNATURE: SecretKeys =
    SecretKeys { file: "secret_file", key: "secret_key", default: "secret" };

/// What `auth.type` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AuthType {
    Bearer,
    Basic,
    ApiKey,
    Hmac,
    OAuth2,
}

const AUTH_TYPES: [(&str, AuthType); 5] = [
    ("bearer", AuthType::Bearer),
    ("basic", AuthType::Basic),
    ("apikey", AuthType::ApiKey),
    ("hmac", AuthType::Hmac),
    ("oauth2", AuthType::OAuth2),
];

/// Reads `auth`; without keys there is no credential. `None` after a mistake.
pub(super) fn read(mut fields: Fields<'_>, owner: &SecretOwner<'_>) -> Option<Credential> {
    if fields.is_empty() {
        return Some(Credential::None);
    }
    let setting = fields.required("type", "bearer, basic, apikey or hmac")?;
    let mut secret = |keys: &SecretKeys| secret_file::read(&mut fields, keys, owner);
    let credential = match setting.word(&AUTH_TYPES)? {
        AuthType::Bearer => secret(&SecretKeys::TOKEN).map(Credential::Bearer),
        AuthType::Basic => {
            let (username, password) =
                (secret(&SecretKeys::USERNAME), secret(&SecretKeys::PASSWORD));
            username
                .zip(password)
                .map(|(username, password)| Credential::Basic { username, password })
        }
        AuthType::ApiKey => {
            let secret = secret(&SecretKeys::TOKEN);
            api_key(&mut fields, secret)
        }
        AuthType::Hmac => secret(&SIGNATURE)
            .map(|secret| Credential::HmacSha256 { name: SIGNATURE_HEADER.to_owned(), secret }),
        AuthType::OAuth2 => {
            setting.fail(Problem::NotSupported { what: "`oauth2`".to_owned() });
            // Its own keys say nothing that this mistake does not.
            return None;
        }
    };
    fields.finish();
    credential
}

fn api_key(fields: &mut Fields<'_>, secret: Option<SecretRef>) -> Option<Credential> {
    let setting = fields.required("header", "it carries the key")?;
    let name = setting.text()?;
    if !is_header_name(name) {
        setting.fail(Problem::Malformed { expected: "the name of an HTTP header" });
        return None;
    }
    Some(Credential::Header { name: name.to_owned(), secret: secret? })
}

/// Reads `headers`, a mapping from names to values.
pub(super) fn read_headers(fields: &mut Fields<'_>) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    let Some(setting) = fields.take("headers") else { return headers };
    for (name, value_setting) in setting.entries() {
        let Some(value) = value_setting.written() else { continue };
        if is_header_name(name) && !value.contains(|c: char| c.is_control()) {
            headers.push((name.to_owned(), value.to_owned()));
        } else {
            let expected =
                "an HTTP header: a name of letters, digits and `-`, and a value on one line";
            value_setting.fail(Problem::Malformed { expected });
        }
    }
    headers
}

/// The characters of RFC 9110, "Tokens".
fn is_header_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::diagnostics::{Diagnostics, NoFiles, SecretCheck};
    use crate::settings::setting::Setting;
    use crate::settings::yaml;

    fn credential(auth: &str) -> Option<Credential> {
        let root = yaml::parse(auth).unwrap();
        let diagnostics = Diagnostics::new(&NoFiles, SecretCheck::Skipped);
        let setting = Setting { node: &root, path: String::new(), diagnostics: &diagnostics };
        let owner = SecretOwner { provider: "webhook", instance: "w" };
        read(setting.fields().unwrap(), &owner)
    }

    fn inferred(key: &str) -> SecretRef {
        SecretRef::file(format!("/etc/secrets/webhook/w/{key}"))
    }

    #[test]
    fn each_type_is_its_credential() {
        assert_eq!(credential("{}"), Some(Credential::None));
        assert_eq!(credential("{type: bearer}"), Some(Credential::Bearer(inferred("token"))));
        assert_eq!(
            credential("{type: basic, username_file: /u}"),
            Some(Credential::Basic {
                username: SecretRef::file("/u"),
                password: inferred("password"),
            })
        );
        assert_eq!(
            credential("{type: apikey, header: X-Key, token_key: key}"),
            Some(Credential::Header { name: "X-Key".to_owned(), secret: inferred("key") })
        );
        assert_eq!(
            credential("{type: hmac}"),
            Some(Credential::HmacSha256 {
                name: "X-Webhook-Signature".to_owned(),
                secret: inferred("secret"),
            })
        );
    }

    #[test]
    fn a_mistake_leaves_no_credential() {
        for wrong in ["{token_file: /x}", "{type: digest}", "{type: apikey}", "{type: oauth2}"] {
            assert_eq!(credential(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn header_names_are_tokens() {
        assert!(is_header_name("X-Team_1"));
        for wrong in ["", "X Team", "X:Team", "X\nTeam", "Ä"] {
            assert!(!is_header_name(wrong), "{wrong:?}");
        }
    }
}
