//! The manifests in `deploy`, tried on a real API server: a dry run of the server refuses unknown
//! fields, wrong types and values that it would not default.

use super::control_plane::ControlPlane;
use std::path::Path;

/// The folders that users apply, and one that adds the component.
pub async fn are_taken(plane: &ControlPlane, folder: &Path) {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let hardened = folder.join("hardened");
    std::fs::create_dir(&hardened).unwrap();
    let kustomization = format!(
        "resources: [{}]\ncomponents: [{}]\n",
        relative(&hardened, &package.join("deploy/strict")),
        relative(&hardened, &package.join("deploy/hardened")),
    );
    std::fs::write(hardened.join("kustomization.yaml"), kustomization).unwrap();
    // A dry run makes no namespace, and an absent namespace allows no dry run in it.
    let namespace = package.join("deploy/headless-service/namespace.yaml");
    taken(plane, &["apply", "--filename"], &namespace).await;
    for folder in ["deploy/headless-service", "deploy/strict"].map(|name| package.join(name)) {
        taken(plane, &["apply", "--dry-run=server", "--kustomize"], &folder).await;
    }
    taken(plane, &["apply", "--dry-run=server", "--kustomize"], &hardened).await;
}

async fn taken(plane: &ControlPlane, verb: &[&str], what: &Path) {
    let path = what.to_str().unwrap();
    let arguments: Vec<&str> = verb.iter().copied().chain([path]).collect();
    let output = plane.kubectl(&arguments).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{path} is refused: {told}");
}

/// Kustomize accepts no absolute path: up to the root, and down again.
fn relative(from: &Path, to: &Path) -> String {
    let up = "../".repeat(from.components().count() - 1);
    format!("{up}{}", to.to_str().unwrap().trim_start_matches('/'))
}
