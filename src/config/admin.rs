//! `server.admin`: the API, its tokens and its listener.

use crate::secret::SecretRef;
use crate::settings::address;
use crate::settings::error::Problem;
use crate::settings::fields::Fields;
use crate::settings::secret_file::{self, SecretKeys};

/// Access to the API, and its listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admin {
    /// `addr`: a listener for `/api` alone. `None`: `server.addr` serves it.
    pub addr: Option<String>,
    /// `change_token_file`: bearer tokens for all calls, one a line. `None`: derived from
    /// `cluster.secret_file`, else generated in the data directory.
    pub change_token_file: Option<SecretRef>,
    /// `read_token_file`: bearer tokens for calls that change nothing, one a line. `None`: derived
    /// from the change token.
    pub read_token_file: Option<SecretRef>,
    /// `hosts`: names that operators use for this relay, in addition to addresses and the cluster's
    /// names.
    pub hosts: Vec<String>,
}

/// Reads `server.admin`.
pub(super) fn read(mut fields: Fields<'_>) -> Admin {
    let former = secret_file::read_named(&mut fields, &SecretKeys::TOKEN);
    let change = secret_file::read_named(&mut fields, &SecretKeys::CHANGE_TOKEN);
    match (&former, &change) {
        (Some(_), Some(_)) => {
            let rule = "is the former name of `change_token_file`: remove one of the two";
            fields.fail("token_file", Problem::Conflict { rule });
        }
        (Some(_), None) => fields.notice(
            &["token_file"],
            "is now called `change_token_file`; reads need it too, or a `read_token_file`",
        ),
        (None, _) => {}
    }
    let admin = Admin {
        addr: address::read(&mut fields, "addr"),
        change_token_file: change.or(former),
        read_token_file: secret_file::read_named(&mut fields, &SecretKeys::READ_TOKEN),
        hosts: hosts(&mut fields),
    };
    fields.finish();
    admin
}

fn hosts(fields: &mut Fields<'_>) -> Vec<String> {
    let mut hosts = Vec::new();
    for setting in fields.list("hosts") {
        let Some(text) = setting.text() else { continue };
        match address::parse_host(text) {
            Ok(host) => hosts.push(host.to_ascii_lowercase()),
            Err(problem) => setting.fail(problem),
        }
    }
    hosts
}
