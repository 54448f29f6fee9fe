//! The HTTP client of the tests.

use std::time::Duration;

/// A client without proxies and with a deadline.
pub fn client() -> reqwest::Client {
    client_builder().build().unwrap()
}

/// The same, before it is built.
pub fn client_builder() -> reqwest::ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10))
}
