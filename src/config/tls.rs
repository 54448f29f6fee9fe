//! `server.tls`: the certificate of the listeners.

use crate::settings::error::Problem;
use crate::settings::fields::Fields;
use crate::settings::secret_file::{self, SecretKeys};
use crate::settings::setting::is_off;
use crate::settings::yaml::{Node, Value};
use std::path::PathBuf;

/// Files in PEM, read again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// `cert_file`: the certificate and its intermediates.
    pub cert: PathBuf,
    /// `key_file`: its private key.
    pub key: PathBuf,
    /// `client_ca_file`: senders have to show a certificate of this authority. `None`: no
    /// certificate needed.
    pub client_ca: Option<PathBuf>,
}

/// Reads `tls` of `server`.
pub(super) fn read(server: &mut Fields<'_>) -> Option<Tls> {
    let setting = server.take("tls")?;
    if is_switched_off(setting.node) {
        setting.diagnostics.notice(setting.node.at, &setting.path, "is off, and not needed");
        return None;
    }
    let mut fields = setting.fields()?;
    let mut file = |keys: &SecretKeys| {
        secret_file::read_named(&mut fields, keys).map(|file| file.path().to_owned())
    };
    let (cert, key) = (file(&SecretKeys::CERTIFICATE), file(&SecretKeys::PRIVATE_KEY));
    let client_ca = file(&SecretKeys::CLIENT_CA);
    let hint = "a certificate has a key: both files are needed";
    for (name, is_there) in [("cert_file", cert.is_some()), ("key_file", key.is_some())] {
        if !is_there {
            fields.fail(name, Problem::Missing { hint: hint.into() });
        }
    }
    fields.finish();
    Some(Tls { cert: cert?, key: key?, client_ca })
}

/// Go writes empty texts for unset keys. A key without any value is a mistake: the listeners would
/// have no TLS.
fn is_switched_off(node: &Node) -> bool {
    let has_no_value = match &node.value {
        Value::Mapping(entries) => entries.iter().any(|entry| entry.node.value == Value::Null),
        Value::Null | Value::Scalar(_) | Value::Sequence(_) => false,
    };
    !has_no_value && is_off(node)
}
