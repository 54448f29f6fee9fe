//! Every link of a document leads to a file, and to an existing heading if it names one.

use super::sources::{Source, files};
use std::path::{Component, Path, PathBuf};

/// Documents of the repository, including its top-level pages.
fn documents() -> Vec<Source> {
    let mut documents: Vec<Source> =
        ["docs", "tests"].into_iter().flat_map(|folder| files(folder, &["md"])).collect();
    for name in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        let text = std::fs::read_to_string(root().join(name)).unwrap();
        documents.push(Source { path: PathBuf::from(name), text, is_test: false });
    }
    documents
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Targets of the links within the repository: `path`, `path#heading` or `#heading`. Code is left out.
fn links(text: &str) -> Vec<&str> {
    let fences = text.split("\n```").step_by(2);
    let prose = fences.flat_map(|part| part.split('`').step_by(2));
    let targets = prose.flat_map(|part| part.split("](").skip(1));
    let targets = targets.filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).collect()
}

/// The anchor of a heading in GitHub's form.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || ['-', '_', ' '].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn has_heading(text: &str, wanted: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#'))).any(|anchor| anchor == wanted)
}

/// `folder` joined with a relative path, without its steps upwards.
fn joined(folder: &Path, path: &str) -> PathBuf {
    let mut whole = PathBuf::new();
    for step in folder.join(path).components() {
        if step == Component::ParentDir {
            whole.pop();
        } else {
            whole.push(step);
        }
    }
    whole
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let mut dead = Vec::new();
    for document in documents() {
        let folder = document.path.parent().unwrap_or(Path::new(""));
        for link in links(&document.text) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let file = if path.is_empty() { document.path.clone() } else { joined(folder, path) };
            let exists = root().join(&file).exists();
            let text = std::fs::read_to_string(root().join(&file)).unwrap_or_default();
            if !exists || (!heading.is_empty() && !has_heading(&text, heading)) {
                dead.push(format!("{}: {link}", document.path.display()));
            }
        }
    }
    assert!(dead.is_empty(), "links that lead nowhere:\n{}", dead.join("\n"));
}

#[test]
fn a_link_is_found_outside_of_code_and_its_heading_by_its_anchor() {
    let text = "[a](b.md#c-d) and [e](https://f) `[g](h)`\n```sh\n[i](j)\n```\n[k](#l)\n";
    assert_eq!(links(text), ["b.md#c-d", "#l"]);
    assert!(has_heading("## Who may send, and why\n", "who-may-send-and-why"));
    assert!(!has_heading("Who may send\n", "who-may-send"));
    assert_eq!(joined(Path::new("docs/adr"), "../RULES.md"), Path::new("docs/RULES.md"));
}
