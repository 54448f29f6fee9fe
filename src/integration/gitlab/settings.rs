//! How instances of GitLab are configured.

use super::{GitlabInstance, KIND};
use crate::integration::forge::{COMMIT_STATUS, PR_COMMENT, read_actions};
use crate::integration::registry::{
    ActionSettings, InstanceSettings, IntegrationRow, ReadInstance,
};
use crate::integration::{Credential, Integration};
use crate::settings::error::Problem;
use crate::settings::fields::Fields;
use crate::settings::secret_file::{self, SecretKeys, SecretOwner};
use crate::settings::{KeyRow, address};
use std::sync::Arc;

/// The header of access tokens: personal ones, and those of projects and groups.
const TOKEN_HEADER: &str = "private-token";

/// GitLab in the table of integrations.
pub const ROW: IntegrationRow = IntegrationRow {
    kind: KIND,
    doc: "Commit statuses and merge request notes on gitlab.com and self-managed GitLab",
    is_http: true,
    keys: &[
        KeyRow::text(
            "base_url",
            "`https://gitlab.com`",
            "Address of the GitLab, with its path if it has one. `/api/v4` is added where it is missing",
        ),
        KeyRow::words(
            "variant",
            &["saas", "self-managed"],
            "",
            "As in files of the Go relay: `self-managed` needs a `base_url`",
        ),
        KeyRow::text("auth.secret_file", "inferred, key `token`", "File with an access token"),
        KeyRow::text("auth.secret_key", "`token`", "Last part of the inferred file"),
    ],
    in_flight_max: 32,
    actions: &[COMMIT_STATUS, PR_COMMENT],
    read: ReadInstance::Forge(read),
};

const VARIANTS: [(&str, Variant); 2] =
    [("saas", Variant::Saas), ("self-managed", Variant::SelfManaged)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    Saas,
    SelfManaged,
}

fn read(
    instance: InstanceSettings<'_, '_>,
    actions: &mut [ActionSettings<'_>],
) -> Vec<Option<Arc<dyn Integration>>> {
    let owner = instance.owner();
    let InstanceSettings { name, fields, summary, .. } = instance;
    let base_url = address::read_url(fields, "base_url");
    let variant = fields.word("variant", &VARIANTS);
    if variant == Some(Variant::SelfManaged) && !fields.has("base_url") {
        let hint = "it says where the self-managed GitLab is";
        fields.fail("base_url", Problem::Missing { hint: hint.into() });
    }
    let credential = read_credential(fields.section("auth"), &owner);
    fields.not_supported(&["rate_limit"]);
    let gitlab = GitlabInstance::new(name, &base_url.unwrap_or_default(), credential);
    read_actions(&Arc::new(gitlab), actions, summary)
}

fn read_credential(mut fields: Fields<'_>, owner: &SecretOwner<'_>) -> Credential {
    fields.not_supported(&["oauth2"]);
    let token = secret_file::read(&mut fields, &SecretKeys::SECRET, owner);
    fields.finish();
    token.map_or(Credential::None, |secret| Credential::Header {
        name: TOKEN_HEADER.to_owned(),
        secret,
    })
}
