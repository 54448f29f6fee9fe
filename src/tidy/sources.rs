//! The files for the other checks, and which of them are tests.

use regex::Regex;
use std::path::{Path, PathBuf};

/// A file of the repository.
pub(super) struct Source {
    /// Relative to the package.
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// Whether the file is built for tests only.
    pub(super) is_test: bool,
}

impl Source {
    /// The module under `src/` of the file.
    pub(super) fn module(&self) -> String {
        let path = self.path.strip_prefix("src").unwrap_or(&self.path);
        let first = path.iter().next().and_then(|part| part.to_str()).unwrap_or_default();
        first.trim_end_matches(".rs").to_owned()
    }

    /// The text without its inline tests.
    pub(super) fn production(&self) -> &str {
        let inline = self.text.find("#[cfg(test)]\nmod ");
        inline.map_or(&self.text, |at| &self.text[..at])
    }

    /// The files or folders of the modules that this file declares under `#[cfg(test)]`.
    fn test_modules(&self, declaration: &Regex) -> Vec<PathBuf> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let stem = self.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let is_root = ["mod", "lib", "main"].contains(&stem);
        let below = if is_root { folder.to_owned() } else { folder.join(stem) };
        let mut found = Vec::new();
        for module in declaration.captures_iter(&self.text) {
            if let Some(path) = module.name("path") {
                found.push(folder.join(path.as_str()));
            } else {
                found.push(below.join(format!("{}.rs", &module["name"])));
                found.push(below.join(&module["name"]));
            }
        }
        found
    }
}

fn read_tree(folder: &Path, extensions: &[&str], sources: &mut Vec<Source>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() {
            read_tree(&path, extensions, sources);
        } else if extension.is_some_and(|extension| extensions.contains(&extension)) {
            let text = std::fs::read_to_string(&path).unwrap();
            sources.push(Source { path, text, is_test: false });
        }
    }
}

/// Marks files that are built for tests only: those that a `#[cfg(test)] mod` declares with all
/// below them, and those with a test's path or name.
fn mark_tests(sources: &mut [Source]) {
    let declaration = Regex::new(
        r#"#\[cfg\(test\)\]\s*(?:#\[path = "(?<path>[^"]*)"\]\s*|#\[[^\]]*\]\s*)*(?:pub(?:\([^)]*\))? )?mod (?<name>\w+);"#,
    )
    .unwrap();
    let declared: Vec<PathBuf> =
        sources.iter().flat_map(|source| source.test_modules(&declaration)).collect();
    for source in sources {
        let name = source.path.to_string_lossy();
        source.is_test =
            ["/tests", "_test.rs", "/testdata/"].iter().any(|mark| name.contains(mark))
                || declared.iter().any(|module| source.path.starts_with(module));
    }
}

/// All Rust files below `folder`, a path within the package.
pub(super) fn sources(folder: &str) -> Vec<Source> {
    files(folder, &["rs"])
}

/// All files below `folder`, a path within the package, that have one of the extensions.
pub(super) fn files(folder: &str, extensions: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    if root.join(folder).exists() {
        read_tree(&root.join(folder), extensions, &mut sources);
    }
    for source in &mut sources {
        source.path = source.path.strip_prefix(root).unwrap().to_owned();
    }
    mark_tests(&mut sources);
    sources
}

#[test]
fn a_file_that_only_tests_are_built_from_is_found_however_it_is_named() {
    let source = |path: &str, text: &str| Source {
        path: PathBuf::from(path),
        text: text.to_owned(),
        is_test: false,
    };
    let declarations = "#[cfg(test)]\npub(crate) mod fixture;\n\
        #[cfg(test)]\n#[path = \"odd_tests.rs\"]\nmod tests;\nmod kept;\n";
    let mut sources = [
        source("src/part/mod.rs", declarations),
        source("src/part/fixture.rs", ""),
        source("src/part/fixture/deep.rs", ""),
        source("src/part/odd_tests.rs", ""),
        source("src/part/kept.rs", "#[cfg(test)]\nmod model;\n"),
        source("src/part/kept/model.rs", ""),
        source("src/part/fixtures.rs", ""),
    ];
    mark_tests(&mut sources);
    let marked: Vec<bool> = sources.iter().map(|source| source.is_test).collect();
    assert_eq!(marked, [false, true, true, true, false, true, false]);
}
