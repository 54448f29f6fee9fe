//! Which relay a command asks, and by which token: what is typed, else what the configuration and
//! the data directory of a relay on this machine say.

use super::complain;
use super::flags::Endpoint;
use crate::api::tokens::{ChangeToken, TokenError};
use crate::config::{Config, Overrides, SecretCheck, ServerSettings};
use crate::config_file;
use crate::delivery::credentials;
use crate::secret::{Secret, SecretRef};
use anyhow::Context as _;
use std::io;

/// The address of a relay, and a token that it may take.
pub(super) struct Whom {
    pub url: String,
    pub token: Option<Secret>,
}

impl Endpoint {
    /// Reads what there is to find the relay and its token by.
    pub(super) async fn whom(&self) -> anyhow::Result<Whom> {
        let config = self.configuration();
        let url = match &self.url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => url_of(&config.server),
        };
        Ok(Whom { url, token: self.token(&config).await? })
    }

    /// A file that has mistakes is no reason to ask nothing: the relay runs on with what it read.
    fn configuration(&self) -> Config {
        let overrides = Overrides {
            data_dir: self.data_dir.clone(),
            secret_file: self.secret_file.clone(),
            ..Overrides::default()
        };
        let Some(file) = &self.config else { return Config::without_file(&overrides) };
        match config_file::check_under(file, SecretCheck::Skipped, &overrides) {
            Ok(Ok(loaded)) => return loaded.config,
            Ok(Err(errors)) => complain(errors),
            Err(error) => complain(format_args!("{error:#}")),
        }
        Config::without_file(&overrides)
    }

    async fn token(&self, config: &Config) -> anyhow::Result<Option<Secret>> {
        if let Some(file) = &self.token_file {
            let token = credentials::read_lines(&SecretRef::file(file)).await;
            let token = token.with_context(|| file.display().to_string())?;
            return Ok(token.into_iter().next());
        }
        match ChangeToken::of(config).read().await {
            Ok(tokens) => Ok(tokens.into_iter().next()),
            // The relay may be on another machine, and some calls need no token.
            Err(TokenError::Kept { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => {
                complain(crate::telemetry::chain(&error));
                Ok(None)
            }
        }
    }
}

/// Where a relay with this configuration is reached on its own machine.
fn url_of(server: &ServerSettings) -> String {
    let address = server.admin.addr.as_ref().unwrap_or(&server.addr);
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "8080"));
    let is_local = host.starts_with("127.") || matches!(host, "localhost" | "[::1]");
    let is_plain = server.tls.is_none() || (server.admin.addr.is_some() && is_local);
    let scheme = if is_plain { "http" } else { "https" };
    let host = if matches!(host, "" | "0.0.0.0" | "[::]") { "127.0.0.1" } else { host };
    format!("{scheme}://{host}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn endpoint(folder: &Path, config: Option<&str>) -> Endpoint {
        let config = config.map(|text| {
            std::fs::write(folder.join("relay.yaml"), text).unwrap();
            folder.join("relay.yaml")
        });
        Endpoint {
            url: None,
            token_file: None,
            ca_file: None,
            config,
            data_dir: Some(folder.to_owned()),
            secret_file: None,
        }
    }

    async fn found(endpoint: &Endpoint) -> (String, Option<String>) {
        let Whom { url, token } = endpoint.whom().await.unwrap();
        (url, token.map(|token| token.expose().to_owned()))
    }

    #[tokio::test]
    async fn the_token_of_the_data_directory_is_found_and_none_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = endpoint(folder.path(), None);
        assert_eq!(found(&endpoint).await, ("http://127.0.0.1:8080".to_owned(), None));
        ChangeToken::in_directory(folder.path()).ensure().unwrap();
        assert_eq!(found(&endpoint).await.1.unwrap().len(), 64);
    }

    #[tokio::test]
    async fn the_configuration_tells_the_listener_and_the_token_and_what_is_typed_wins() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("change"), "of the file\nformer\n").unwrap();
        let file = folder.path().join("change").display().to_string();
        let text = format!(
            "server: {{addr: ':8081', admin: {{addr: '0.0.0.0:9', change_token_file: {file}}}}}\n"
        );
        let mut endpoint = endpoint(folder.path(), Some(&text));
        let told = ("http://127.0.0.1:9".to_owned(), Some("of the file".to_owned()));
        assert_eq!(found(&endpoint).await, told);
        std::fs::write(folder.path().join("typed"), "typed\n").unwrap();
        endpoint.token_file = Some(folder.path().join("typed"));
        endpoint.url = Some("http://relay:1/".to_owned());
        assert_eq!(found(&endpoint).await, ("http://relay:1".to_owned(), Some("typed".to_owned())));
    }

    #[tokio::test]
    async fn the_secret_of_the_cluster_is_enough_to_find_the_token() {
        let folder = tempfile::tempdir().unwrap();
        ChangeToken::in_directory(folder.path()).ensure().unwrap();
        let kept = found(&endpoint(folder.path(), None)).await.1.unwrap();
        let secret_file = folder.path().join("cluster-secret");
        std::fs::write(&secret_file, "what all replicas know").unwrap();
        let by_secret =
            Endpoint { secret_file: Some(secret_file), ..endpoint(folder.path(), None) };
        assert_ne!(found(&by_secret).await.1.unwrap(), kept);
    }

    #[tokio::test]
    async fn a_configuration_with_mistakes_keeps_nobody_from_asking() {
        let folder = tempfile::tempdir().unwrap();
        ChangeToken::in_directory(folder.path()).ensure().unwrap();
        let endpoint = endpoint(folder.path(), Some("server: {adr: x}\n"));
        let (url, token) = found(&endpoint).await;
        assert_eq!(url, "http://127.0.0.1:8080");
        assert!(token.is_some());
    }

    #[test]
    fn every_address_is_reached_by_loopback() {
        let of = |addr: &str| {
            url_of(&ServerSettings { addr: addr.to_owned(), ..ServerSettings::default() })
        };
        assert_eq!(of(":8080"), "http://127.0.0.1:8080");
        assert_eq!(of("[::]:1"), "http://127.0.0.1:1");
        assert_eq!(of("10.0.0.7:1"), "http://10.0.0.7:1");
    }
}
