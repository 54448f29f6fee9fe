//! The HTTP client of the tests.

use std::path::Path;
use std::time::Duration;
use tekton_events_relay::api::tokens::ChangeToken;
use tekton_events_relay::config::{Config, Overrides, SecretCheck};
use tekton_events_relay::config_file;

/// A client without proxies and with a deadline.
pub fn client() -> reqwest::Client {
    client_builder().build().unwrap()
}

/// The same, before it is built.
pub fn client_builder() -> reqwest::ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10))
}

/// The change token of a relay with this configuration, data directory and secret of a cluster, if
/// there is such a file; empty if it has none yet.
pub async fn admin_token(config: Option<&Path>, data: &Path, secret: Option<&Path>) -> String {
    let secret_file = secret.filter(|file| file.exists()).map(Path::to_owned);
    let data_dir = Some(data.to_owned());
    let overrides = Overrides { data_dir, secret_file, ..Overrides::default() };
    let config = match config {
        Some(file) => config_file::load_under(file, SecretCheck::Skipped, &overrides).unwrap(),
        None => Config::without_file(&overrides),
    };
    let tokens = ChangeToken::of(&config).read().await.unwrap_or_default();
    tokens.first().map(|token| token.expose().to_owned()).unwrap_or_default()
}
