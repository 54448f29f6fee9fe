//! Where the nodes of one cluster are: on loopback addresses with seeds, or in pods with DNS.

use super::place::Street;
use super::pods::Pods;
use crate::shared::client;
use std::path::Path;
use std::sync::Arc;
use tokio::process::Command;

/// One of the two. Clones are the same site.
#[derive(Clone)]
pub enum Site {
    Street(Street),
    Pods(Arc<Pods>),
}

impl Site {
    /// The URL of a node for the test, with [`Site::client`]; a path can follow.
    pub fn url(&self, node: usize) -> String {
        match self {
            Self::Street(street) => format!("http://{}", street.server(node)),
            Self::Pods(pods) => pods.url(node),
        }
    }

    /// The test's client.
    pub fn client(&self) -> reqwest::Client {
        match self {
            Self::Street(_) => client(),
            Self::Pods(pods) => pods.client(),
        }
    }

    /// Runs `binary` where the node is.
    pub fn command(&self, node: usize, binary: &Path) -> Command {
        match self {
            Self::Street(_) => Command::new(binary),
            Self::Pods(pods) => pods.command(node, binary),
        }
    }

    /// The flags for a node's addresses and discovery.
    pub fn flags(&self, node: usize, seeds: &[usize]) -> Vec<(&'static str, String)> {
        match self {
            Self::Street(street) => street.flags(node, seeds),
            Self::Pods(pods) => pods.flags(),
        }
    }
}
