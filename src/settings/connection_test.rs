use super::*;
use crate::settings::diagnostics::{Diagnostics, Files, SecretCheck};
use crate::settings::error::{FileError, Notice};
use crate::settings::yaml;
use rcgen::{CertificateParams, KeyPair};
use std::collections::BTreeMap;
use std::path::Path;

/// Files by path.
#[derive(Default)]
struct Folder(BTreeMap<&'static str, String>);

impl Files for Folder {
    fn read(&self, path: &Path) -> Result<String, FileError> {
        let found = path.to_str().and_then(|path| self.0.get(path));
        found.cloned().ok_or(FileError::NotFound)
    }
}

/// `/ca`, `/crt` and its `/key`, `/other` key, a `/user` with `/password`, and `/junk`.
fn folder() -> Folder {
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let certificate = CertificateParams::new(["relay".to_owned()]).unwrap();
    let certificate = certificate.self_signed(&key).unwrap().pem();
    let files = [
        ("/ca", certificate.clone()),
        ("/crt", certificate),
        ("/key", key.serialize_pem()),
        ("/other", other.serialize_pem()),
        ("/user", "relay".to_owned()),
        ("/password", "s3cret".to_owned()),
        ("/junk", "s3cret".to_owned()),
    ];
    Folder(files.into())
}

/// What the keys mean, or all mistakes in them, and what is told beside.
fn read_keys(text: &str) -> (Result<Option<Arc<ConnectionProfile>>, String>, Vec<String>) {
    let root = yaml::parse(text).unwrap();
    let files = folder();
    let diagnostics = Diagnostics::new(&files, SecretCheck::Required);
    let profile = {
        let setting = Setting { node: &root, path: "i".to_owned(), diagnostics: &diagnostics };
        let mut fields = setting.fields().unwrap();
        let profile = read(&mut fields);
        fields.finish();
        profile
    };
    match diagnostics.finish("f") {
        Ok(found) => (Ok(profile), found.notices.iter().map(Notice::to_string).collect()),
        Err(errors) => (Err(errors.to_string()), Vec::new()),
    }
}

#[test]
fn without_keys_and_with_those_of_the_go_relay_that_are_off_there_is_no_profile() {
    for text in ["{}", "{insecure_skip_verify: false}", "{tls: {}, proxy: {url: ''}}"] {
        assert_eq!(read_keys(text), (Ok(None), Vec::new()), "{text}");
    }
}

#[test]
fn every_key_is_read() {
    let (profile, notices) = read_keys(
        "{tls: {ca_file: /ca, client_cert_file: /crt, client_key_file: /key}, \
          proxy: {url: 'socks5h://[::1]:1080/', username_file: /user, password_file: /password}}",
    );
    let client = ClientCertificate { chain: "/crt".into(), key: SecretRef::file("/key") };
    let user = ProxyUser { name: SecretRef::file("/user"), password: SecretRef::file("/password") };
    let expected = ConnectionProfile {
        tls: TlsProfile { ca: Some("/ca".into()), client: Some(client), is_unverified: false },
        proxy: Some(ProxyServer { url: "socks5h://[::1]:1080".to_owned(), user: Some(user) }),
    };
    assert_eq!((profile, notices), (Ok(Some(Arc::new(expected))), Vec::new()));
}

#[test]
fn believing_every_certificate_is_a_warning_at_both_places() {
    for (text, place) in [
        ("{insecure_skip_verify: true}", "1:2: i.insecure_skip_verify: warning: believes every"),
        ("{tls: {insecure_skip_verify: on}}", "1:8: i.tls.insecure_skip_verify: warning: believes"),
    ] {
        let (profile, notices) = read_keys(text);
        assert!(profile.unwrap().unwrap().tls.is_unverified);
        assert!(notices.len() == 1 && notices[0].starts_with(place), "{notices:?}");
    }
    let (_, notices) = read_keys("{insecure_skip_verify: true, tls: {ca_file: /ca}}");
    assert!(notices[1].contains("i.tls.ca_file: warning: decides nothing"), "{notices:?}");
}

#[test]
fn what_is_wrong_is_told_at_its_key_without_content() {
    let rows = [
        ("{tls: {ca_file: /no}}", "f:1:17: i.tls.ca_file: secret file /no: no such file"),
        ("{tls: {ca_file: /junk}}", "secret file /junk: it holds no certificate in PEM"),
        ("{tls: {ca_file: ca.pem}}", "i.tls.ca_file: expected a path"),
        ("{tls: {client_cert_file: /crt}}", "i.tls.client_key_file: is required: a client"),
        ("{tls: {client_key_file: /key}}", "i.tls.client_cert_file: is required: a client"),
        ("{tls: {client_cert_file: /crt, client_key_file: /junk}}", "/junk: it holds no private"),
        ("{tls: {client_cert_file: /crt, client_key_file: /other}}", "/other: its key is not that"),
        ("{tls: {client_cert_file: /key, client_key_file: /key}}", "/key: it holds no certificate"),
        ("{tls: {server_name: x}}", "i.tls.server_name: unknown key"),
        ("{proxy: {url: proxy:3128}}", "i.proxy.url: expected the address of a proxy"),
        ("{proxy: {url: 'ftp://proxy:1'}}", "i.proxy.url: expected the address of a proxy"),
        ("{proxy: {url: 'http://u:s3cret@proxy:1'}}", "i.proxy.url: expected the address"),
        ("{proxy: {url: 'http://proxy:1/path'}}", "i.proxy.url: expected the address of a proxy"),
        ("{proxy: {url: 'http://proxy:99999'}}", "i.proxy.url: expected the address of a proxy"),
        ("{proxy: {url: 'http://'}}", "i.proxy.url: expected the address of a proxy"),
        ("{proxy: {url: 'http://p', username_file: /user}}", "i.proxy.password_file: is required"),
        ("{proxy: {username_file: /user, password_file: /password}}", "i.proxy.url: is required"),
        ("{proxy: 'http://proxy:1'}", "i.proxy: expected a mapping"),
    ];
    for (text, words) in rows {
        let told = read_keys(text).0.unwrap_err();
        assert!(told.contains(words) && !told.contains("s3cret"), "{text}: {told}");
    }
}
