//! What instances may say, and what of it is refused, by name and place.

use super::*;
use crate::settings::diagnostics::{Diagnostics, Files, SecretCheck};
use crate::settings::error::FileError;
use crate::settings::yaml;
use std::path::Path;

struct Unread;

impl Files for Unread {
    fn read(&self, _path: &Path) -> Result<String, FileError> {
        Err(FileError::NotFound)
    }
}

/// An instance with these keys beside the required ones, and its mistakes.
fn read_with(keys: &str) -> (Option<String>, Vec<String>) {
    let required =
        [("host", "smtp.acme.example"), ("from", "ci@acme.example"), ("to", "[a@b.example]")];
    let missing = required.iter().filter(|(key, _)| !keys.starts_with(&format!("{key}:")));
    let missing: String = missing.map(|(key, value)| format!("{key}: {value}\n")).collect();
    read_text(&format!("{missing}{keys}\n"))
}

/// What is read of an instance, as its `Debug` shows it, and its mistakes.
fn read_text(text: &str) -> (Option<String>, Vec<String>) {
    let root = yaml::parse(text).unwrap();
    let diagnostics = Diagnostics::new(&Unread, SecretCheck::Skipped);
    let setting = Setting { node: &root, path: String::new(), diagnostics: &diagnostics };
    let mut fields = setting.fields().unwrap();
    let instance =
        InstanceSettings { kind: "email", name: "team", fields: &mut fields, summary: None };
    let read = read(instance).map(|email| format!("{email:?}"));
    fields.finish();
    let errors = diagnostics.finish("f").err().map_or_else(Vec::new, |errors| errors.errors);
    let told = errors.iter().map(|error| format!("{}: {}", error.path, error.problem));
    (read, told.collect())
}

fn server(keys: &str) -> MailServer {
    let root = yaml::parse(&format!("host: smtp.acme.example\n{keys}")).unwrap();
    let diagnostics = Diagnostics::new(&Unread, SecretCheck::Skipped);
    let setting = Setting { node: &root, path: String::new(), diagnostics: &diagnostics };
    let owner = SecretOwner { provider: "email", instance: "team" };
    read_server(&mut setting.fields().unwrap(), &owner).unwrap()
}

#[test]
fn encryption_is_asked_for_unless_the_file_says_none() {
    use MailEncryption::{Implicit, None as Plain, StartTls};
    let rows = [
        ("", StartTls, 587),
        ("encryption: starttls", StartTls, 587),
        ("encryption: tls", Implicit, 465),
        ("encryption: none", Plain, 25),
        ("{encryption: tls, port: 2465}", Implicit, 2465),
    ];
    for (keys, encryption, port) in rows {
        let keys = keys.trim_matches(['{', '}']).replace(", ", "\n");
        let server = server(&keys);
        assert_eq!((server.encryption, server.port, server.login), (encryption, port, None));
    }
}

#[test]
fn a_login_has_a_user_and_the_place_of_one_secret() {
    let inferred =
        |key: &str| crate::secret::SecretRef::file(format!("/etc/secrets/email/team/{key}"));
    let username = || "ci".to_owned();
    let by_password = |password| Some(MailLogin::Password { username: username(), password });
    let by_token = |token| Some(MailLogin::OAuth { username: username(), token });
    let rows = [
        ("{username: ci}", by_password(inferred("password"))),
        ("{username: ci, password_key: pw}", by_password(inferred("pw"))),
        ("{username: ci, password_file: /p}", by_password(crate::secret::SecretRef::file("/p"))),
        ("{username: ci, xoauth2: true}", by_token(inferred("token"))),
        (
            "{username: ci, xoauth2: true, token_file: /t}",
            by_token(crate::secret::SecretRef::file("/t")),
        ),
    ];
    for (auth, login) in rows {
        assert_eq!(server(&format!("auth: {auth}")).login, login, "{auth}");
    }
}

#[test]
fn the_least_instance_has_a_server_a_sender_and_a_recipient() {
    let (read, mistakes) = read_with("");
    assert!(read.is_some() && mistakes.is_empty(), "{mistakes:?}");
    let (read, mistakes) = read_text("{}");
    assert!(read.is_none());
    let expected = [
        "from: is required: it sends the mails",
        "host: is required: it takes the mails",
        "to: is required: somebody has to get the mails",
    ];
    assert_eq!(mistakes, expected);
}

#[test]
fn every_mistake_is_named_and_leaves_no_instance() {
    let address = "expected an address in ASCII, such as ci@example.com or CI <ci@example.com>";
    let many = format!("bcc: [{}]", vec!["a@b.example"; RECIPIENTS_MAX + 1].join(", "));
    let rows = [
        ("host: smtp.acme.example:587", "host: expected a host without port, such as relay-0.relay, 10.0.0.7 or [fd00::7]".to_owned()),
        ("port: 0", "port: 0 is out of range; accepted: 1 to 65535".to_owned()),
        ("encryption: ssl", "encryption: \"ssl\" is not one of starttls, tls, none".to_owned()),
        ("from: ci", format!("from: {address}")),
        ("from: cï@acme.example", format!("from: {address}")),
        ("from: \"ci@acme.example\\r\\nBcc: e@z.example\"", format!("from: {address}")),
        ("to: [a@b.example, \"<e@z.example>\\nX\"]", format!("to[1]: {address}")),
        ("reply_to: nobody", format!("reply_to: {address}")),
        (many.as_str(), "bcc: expected 30 addresses at most".to_owned()),
        ("auth: {password_file: /p}", "auth.username: is required: it says who logs in".to_owned()),
        ("auth: {username: ci, token_file: /t}", "auth.token_file: belongs to `xoauth2: true`".to_owned()),
        ("auth: {username: ci, xoauth2: true, password_file: /p}", "auth.password_file: belongs to a login by password".to_owned()),
        ("encryption: none\nauth: {username: ci}", "auth.username: a login needs `encryption: starttls` or `tls`: without it anybody on the way reads the password".to_owned()),
        ("insecure_skip_verify: true", "insecure_skip_verify: `insecure_skip_verify` is not supported yet; remove it".to_owned()),
    ];
    for (keys, expected) in rows {
        let (_, mistakes) = read_with(keys);
        assert_eq!(mistakes, [expected], "{keys}");
    }
}
