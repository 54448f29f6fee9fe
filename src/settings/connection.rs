//! How the targets of an instance are reached: whom its TLS believes, what it shows, and the proxy
//! before it. Keys of every instance whose kind speaks HTTP.

use super::error::Problem;
use super::fields::Fields;
use super::key_row::KeyRow;
use super::pem::{self, PemError};
use super::secret_file;
use super::setting::Setting;
use crate::secret::SecretRef;
use std::path::PathBuf;
use std::sync::Arc;

/// Keys of every instance that is reached over HTTP.
pub(crate) const KEYS: &[KeyRow] = &[
    KeyRow::text(
        "tls.ca_file",
        "none",
        "File with certificates of authorities in PEM, which are trusted beside those of the system",
    ),
    KeyRow::text(
        "tls.client_cert_file",
        "none",
        "File with the certificate that the relay shows, and those between it and its authority, in PEM",
    ),
    KeyRow::text(
        "tls.client_key_file",
        "required with `client_cert_file`",
        "File with its private key in PEM",
    ),
    KeyRow::flag(
        "tls.insecure_skip_verify",
        "`false`",
        "Believes every certificate: whoever is on the way can read and change all, secrets too",
    ),
    KeyRow::flag("insecure_skip_verify", "`false`", "The same, at the place of the Go relay"),
    KeyRow::text(
        "proxy.url",
        "that of the environment",
        "Proxy of all calls of the instance: `http://`, `https://`, `socks5://` or `socks5h://`, host and port",
    ),
    KeyRow::text("proxy.username_file", "none", "File with the user that the proxy asks for"),
    KeyRow::text(
        "proxy.password_file",
        "required with `username_file`",
        "File with the password of that user",
    ),
];

/// What a proxy may speak. With `socks5` the relay resolves the name of a target, else the proxy does.
const PROXY_SCHEMES: [&str; 4] = ["http", "https", "socks5", "socks5h"];

/// How the targets of an instance are reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionProfile {
    pub tls: TlsProfile,
    /// `None` leaves the choice to the environment.
    pub proxy: Option<ProxyServer>,
}

/// Whom TLS believes, and what it shows. Holds also on the way to an `https` proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsProfile {
    /// Authorities that are trusted beside those of the system, in PEM.
    pub ca: Option<PathBuf>,
    pub client: Option<ClientCertificate>,
    /// Every certificate is believed.
    pub is_unverified: bool,
}

/// The certificate that the relay shows, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate and those between it and its authority, in PEM.
    pub chain: PathBuf,
    pub key: SecretRef,
}

/// A proxy that all calls go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyServer {
    /// Scheme, host and port; no user.
    pub url: String,
    pub user: Option<ProxyUser>,
}

/// What the proxy asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyUser {
    pub name: SecretRef,
    pub password: SecretRef,
}

/// Reads the keys of an instance. `None` where none of them is set: the system's authorities, and
/// the proxy of the environment. What is wrong in the files is a mistake at the key that names them.
pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Arc<ConnectionProfile>> {
    let is_unverified = read_unverified(fields, "insecure_skip_verify");
    let tls = read_tls(fields.section("tls"), is_unverified);
    let proxy = read_proxy(fields.section("proxy"));
    let profile = ConnectionProfile { tls, proxy };
    (profile != ConnectionProfile::default()).then(|| Arc::new(profile))
}

fn read_unverified(fields: &mut Fields<'_>, key: &'static str) -> bool {
    let is_unverified = fields.flag(key).unwrap_or(false);
    if is_unverified {
        let message = "believes every certificate: whoever is on the way can read and change all, \
                       secrets too; name the authority in `tls.ca_file` instead";
        fields.warn(key, message);
    }
    is_unverified
}

fn read_tls(mut fields: Fields<'_>, is_unverified: bool) -> TlsProfile {
    let is_unverified = read_unverified(&mut fields, "insecure_skip_verify") || is_unverified;
    let ca = fields.text_setting("ca_file");
    if ca.is_some() && is_unverified {
        fields.warn("ca_file", "decides nothing beside `insecure_skip_verify`");
    }
    let ca = ca.and_then(|ca| named(&ca, |content| pem::authorities(content).map(|_| ())));
    let (chain, key) =
        (fields.text_setting("client_cert_file"), fields.text_setting("client_key_file"));
    let hint = "a client certificate has a key: both files are needed";
    let client =
        match both(&mut fields, ("client_cert_file", chain), ("client_key_file", key), hint) {
            Some((chain, key)) => read_client(&chain, &key),
            None => None,
        };
    fields.finish();
    TlsProfile { ca: ca.map(|ca| ca.path().to_owned()), client, is_unverified }
}

fn read_client(
    chain: &(&str, Setting<'_>),
    key: &(&str, Setting<'_>),
) -> Option<ClientCertificate> {
    let mut certificates = None;
    let chain = named(chain, |content| {
        certificates = Some(pem::certificates(content)?);
        Ok(())
    });
    let key = named(key, |content| {
        let key = pem::private_key(content)?;
        certificates.map_or(Ok(()), |chain| pem::check_pair(chain, key))
    });
    let (chain, key) = chain.zip(key)?;
    Some(ClientCertificate { chain: chain.path().to_owned(), key })
}

fn named(
    file: &(&str, Setting<'_>),
    check: impl FnOnce(&[u8]) -> Result<(), PemError>,
) -> Option<SecretRef> {
    secret_file::named_with(file, |content| {
        check(content.as_bytes()).map_err(|error| error.to_string())
    })
}

fn read_proxy(mut fields: Fields<'_>) -> Option<ProxyServer> {
    let url = fields.text_setting("url");
    let (name, password) =
        (fields.text_setting("username_file"), fields.text_setting("password_file"));
    let is_named = name.is_some() || password.is_some();
    let hint = "a user of a proxy has a password: both files are needed";
    let user = both(&mut fields, ("username_file", name), ("password_file", password), hint);
    let user = user.and_then(|(name, password)| {
        let (name, password) = (secret_file::named(&name), secret_file::named(&password));
        name.zip(password).map(|(name, password)| ProxyUser { name, password })
    });
    if url.is_none() && is_named {
        fields.fail("url", Problem::Missing { hint: "it names the proxy of the user".into() });
    }
    fields.finish();
    let (text, setting) = url?;
    let Some(url) = proxy_url(text) else {
        let expected = "the address of a proxy, such as http://proxy.example:3128; accepted are http, \
                        https, socks5 and socks5h, without user, password and path";
        setting.fail(Problem::Malformed { expected });
        return None;
    };
    Some(ProxyServer { url, user })
}

type Named<'n> = (&'n str, Setting<'n>);

/// Two keys that need each other.
fn both<'n>(
    fields: &mut Fields<'n>,
    (first_key, first): (&'static str, Option<Named<'n>>),
    (second_key, second): (&'static str, Option<Named<'n>>),
    hint: &'static str,
) -> Option<(Named<'n>, Named<'n>)> {
    let missing = match (&first, &second) {
        (Some(_), None) => second_key,
        (None, Some(_)) => first_key,
        (Some(_), Some(_)) | (None, None) => return first.zip(second),
    };
    fields.fail(missing, Problem::Missing { hint: hint.into() });
    None
}

/// Scheme, host and port without what a proxy has no use for; credentials belong into files.
fn proxy_url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let address = rest.strip_suffix('/').unwrap_or(rest);
    let is_address = super::address::is_host_with_port(address);
    (PROXY_SCHEMES.contains(&scheme) && is_address).then(|| format!("{scheme}://{address}"))
}

#[cfg(test)]
#[path = "connection_test.rs"]
mod tests;
