//! How instances of GitHub and their actions are configured.

use super::{GithubInstance, KIND, app, rest_root};
use crate::integration::forge::{COMMIT_STATUS, PR_COMMENT, read_actions};
use crate::integration::registry::{
    ActionSettings, InstanceSettings, IntegrationRow, ReadInstance,
};
use crate::integration::{Credential, Integration};
use crate::settings::fields::Fields;
use crate::settings::secret_file::{self, SecretKeys, SecretOwner};
use crate::settings::{KeyRow, address};
use std::sync::Arc;

/// GitHub in the table of integrations.
pub const ROW: IntegrationRow = IntegrationRow {
    kind: KIND,
    doc: "Commit statuses and pull request comments on GitHub and GitHub Enterprise Server",
    keys: &[
        KeyRow::text(
            "base_url",
            "`https://api.github.com`",
            "Root of the REST API. The bare `https` address of an Enterprise Server gets `/api/v3` \
             added",
        ),
        KeyRow::text("auth.secret_file", "inferred, key `token`", "File with an access token"),
        KeyRow::text("auth.secret_key", "`token`", "Last part of the inferred file"),
        app::APP_ID,
        app::INSTALLATION_ID,
        app::PRIVATE_KEY_FILE,
    ],
    is_http: true,
    // GitHub allows 100 at once to all that act for one account.
    in_flight_max: 32,
    actions: &[COMMIT_STATUS, PR_COMMENT],
    read: ReadInstance::Forge(read),
};

fn read(
    instance: InstanceSettings<'_, '_>,
    actions: &mut [ActionSettings<'_>],
) -> Vec<Option<Arc<dyn Integration>>> {
    let owner = instance.owner();
    let InstanceSettings { name, fields, summary, .. } = instance;
    let base_url = address::read_url(fields, "base_url").unwrap_or_default();
    let credential = read_credential(fields.section("auth"), &owner, &rest_root(&base_url));
    fields.not_supported(&["rate_limit"]);
    let github = Arc::new(GithubInstance::new(name, &base_url, credential));
    read_actions(&github, actions, summary)
}

fn read_credential(mut fields: Fields<'_>, owner: &SecretOwner<'_>, rest_root: &str) -> Credential {
    let credential = app::read(&mut fields, rest_root).unwrap_or_else(|| {
        let token = secret_file::read(&mut fields, &SecretKeys::SECRET, owner);
        token.map_or(Credential::None, Credential::Bearer)
    });
    fields.finish();
    credential
}
