//! Replicas whose commit statuses go to the forge and link to their runs, and which take events from
//! Tekton alone.

use super::forge::Forge;
use super::front::{PASSWORD, PATH_TOKEN, USER};
use crate::harness::{Cluster, Lab, Shape};
use std::path::Path;

/// Starts this many, and waits until they are a cluster. `binary` starts another build.
pub async fn formed(lab: &Lab, replicas: usize, binary: Option<&Path>, forge: &Forge) -> Cluster {
    let mut cluster = Cluster::new(lab, Shape::of(replicas)).await;
    if let Some(binary) = binary {
        // A node runs in its own folder, where a relative path would not work.
        cluster.serve.binary = std::path::absolute(binary).unwrap();
    }
    // An older build may not support credentials of senders.
    let has_auth = binary.is_none();
    let receiver = cluster.receiver.untimed().url();
    let (old, new) =
        (format!("base_url: \"{receiver}\""), format!("base_url: \"{}\"", forge.url()));
    for (number, node) in cluster.nodes.iter().enumerate() {
        let auth = if has_auth { sender_auth(lab, number) } else { String::new() };
        node.configure(|text| {
            assert!(text.contains(&old), "{text}");
            text.replace(&old, &new) + "dashboard_url: http://dashboard.example\n" + &auth
        });
    }
    for node in 0..replicas {
        cluster.start(node);
    }
    cluster.agreed(replicas).await;
    cluster.spread().await;
    cluster
}

/// The credentials that Tekton needs for this replica. The sink's URL holds them in two places;
/// different replicas check different ones.
fn sender_auth(lab: &Lab, number: usize) -> String {
    let file = |name: &str, content: &str| {
        let path = lab.folder.join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    if number.is_multiple_of(2) {
        let (user, password) = (file("sink-user", USER), file("sink-password", PASSWORD));
        let files = format!("username_file: \"{user}\", password_file: \"{password}\"");
        return format!("server: {{ auth: {{ type: basic, {files} }} }}\n");
    }
    let token = file("sink-token", PATH_TOKEN);
    format!("server: {{ auth: {{ type: path_token, secret_file: \"{token}\" }} }}\n")
}
