//! Places of secrets. `<name>_file` gives the path. Without it the path is
//! `/etc/secrets/<provider>/<instance>/<key>`, and `<name>_key` may change the last part. This
//! module never uses the content of a secret.

use super::error::Problem;
use super::fields::Fields;
use super::setting::Setting;
use crate::secret::SecretRef;
use std::path::Path;

/// Where the Go relay's chart mounts secrets: one folder for each integration and instance.
const INFERRED_ROOT: &str = "/etc/secrets";

/// The YAML keys of one secret.
pub(crate) struct SecretKeys {
    /// The key that holds the path.
    pub(crate) file: &'static str,
    /// The key that holds the name of the inferred file.
    pub(crate) key: &'static str,
    /// The name of the inferred file.
    pub(crate) default: &'static str,
}

impl SecretKeys {
    pub(crate) const SECRET: Self =
        Self { file: "secret_file", key: "secret_key", default: "token" };
    pub(crate) const TOKEN: Self = Self { file: "token_file", key: "token_key", default: "token" };
    pub(crate) const CHANGE_TOKEN: Self =
        Self { file: "change_token_file", key: "change_token_key", default: "change_token" };
    pub(crate) const READ_TOKEN: Self =
        Self { file: "read_token_file", key: "read_token_key", default: "read_token" };
    pub(crate) const CERTIFICATE: Self =
        Self { file: "cert_file", key: "cert_key", default: "tls.crt" };
    pub(crate) const PRIVATE_KEY: Self =
        Self { file: "key_file", key: "key_key", default: "tls.key" };
    pub(crate) const CLIENT_CA: Self =
        Self { file: "client_ca_file", key: "client_ca_key", default: "ca.crt" };
    pub(crate) const USERNAME: Self =
        Self { file: "username_file", key: "username_key", default: "username" };
    pub(crate) const PASSWORD: Self =
        Self { file: "password_file", key: "password_key", default: "password" };
}

/// The owner of a secret: the folders of the inferred path.
pub(crate) struct SecretOwner<'o> {
    pub(crate) provider: &'static str,
    pub(crate) instance: &'o str,
}

/// Reads the place of a required secret; the path is inferred if the file gives none.
pub(crate) fn read(
    fields: &mut Fields<'_>,
    keys: &SecretKeys,
    owner: &SecretOwner<'_>,
) -> Option<SecretRef> {
    let key = fields.text_setting(keys.key);
    if let Some(secret) = fields.text_setting(keys.file) {
        return named(&secret);
    }
    let name = match &key {
        Some((name, setting)) if !is_path_part(name) => {
            setting.fail(Problem::Malformed { expected: "a file name without `/` and `..`" });
            return None;
        }
        Some((name, _)) => name,
        None => keys.default,
    };
    if !is_path_part(owner.instance) {
        return None;
    }
    let path = format!("{INFERRED_ROOT}/{}/{}/{name}", owner.provider, owner.instance);
    if let Err(problem) = fields.diagnostics().check_secret(Path::new(&path), |_| Ok(())) {
        fields.fail(keys.file, problem);
    }
    Some(SecretRef::file(path))
}

/// Reads the place of an optional secret, which is never inferred.
pub(crate) fn read_named(fields: &mut Fields<'_>, keys: &SecretKeys) -> Option<SecretRef> {
    named(&fields.text_setting(keys.file)?)
}

/// A path from the file. A text that does not look like a path is not shown: people paste the
/// secret itself.
pub(crate) fn named(secret: &(&str, Setting<'_>)) -> Option<SecretRef> {
    named_with(secret, |_| Ok(()))
}

/// Like [`named`], for a file whose content `check` knows to be wrong. Its error shows nothing of it.
pub(crate) fn named_with(
    (text, setting): &(&str, Setting<'_>),
    check: impl FnOnce(&str) -> Result<(), String>,
) -> Option<SecretRef> {
    if !text.starts_with('/') && !text.starts_with("./") && !text.starts_with("../") {
        let expected = "a path that starts with / or ./ (the secret itself does not belong here)";
        setting.fail(Problem::Malformed { expected });
        return None;
    }
    if let Err(problem) = setting.diagnostics.check_secret(Path::new(text), check) {
        setting.fail(problem);
    }
    Some(SecretRef::file(*text))
}

/// Whether a name stays inside its folder.
pub(crate) fn is_path_part(name: &str) -> bool {
    !name.is_empty() && !name.contains("..") && !name.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::diagnostics::{Diagnostics, NoFiles, SecretCheck};
    use crate::settings::yaml;

    /// The path of the token of instance `i`, by the keys in `text`.
    fn token(text: &str) -> Option<String> {
        let root = yaml::parse(text).unwrap();
        let diagnostics = Diagnostics::new(&NoFiles, SecretCheck::Skipped);
        let setting = Setting { node: &root, path: String::new(), diagnostics: &diagnostics };
        let owner = SecretOwner { provider: "p", instance: "i" };
        let secret = read(&mut setting.fields().unwrap(), &SecretKeys::TOKEN, &owner)?;
        Some(secret.path().display().to_string())
    }

    #[test]
    fn a_named_file_wins_over_the_inferred_one() {
        let path = |text| token(text).unwrap_or_default();
        assert_eq!(path("{}"), "/etc/secrets/p/i/token");
        assert_eq!(path("{token_key: pat}"), "/etc/secrets/p/i/pat");
        assert_eq!(path("{token_key: pat, token_file: /x}"), "/x");
        assert_eq!(path("{token_file: ./x}"), "./x");
    }

    #[test]
    fn nothing_leaves_the_folder_of_the_instance() {
        for wrong in ["../x", "a/b", "..", "a..b"] {
            assert_eq!(token(&format!("{{token_key: '{wrong}'}}")), None, "{wrong}");
            assert!(!is_path_part(wrong));
        }
        assert!(is_path_part("team-a.prod") && !is_path_part(""));
    }
}
