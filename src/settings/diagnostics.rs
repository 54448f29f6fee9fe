//! What a walk through the file collects, and its two questions to the outside: whether a secret
//! exists and what a template file holds. It collects through a shared reference, so that several
//! places of the tree can be open at once; one thread walks.

use super::error::{ConfigError, ConfigErrors, FileError, Notice, Problem, Severity};
use super::snippet::Snippet;
use super::yaml::TextPosition;
use crate::event::Keep;
use std::cell::RefCell;
use std::path::Path;
use zeroize::Zeroizing;

/// Reads the files that a configuration names. The shell implements it on the disk, tests on a map.
pub trait Files {
    /// The content of the file at `path`.
    ///
    /// # Errors
    /// The file has no readable text.
    fn read(&self, path: &Path) -> Result<String, FileError>;
}

/// No files at all: for a configuration that names none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &Path) -> Result<String, FileError> {
        Err(FileError::NotFound)
    }
}

/// Whether secret files must exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretCheck {
    /// Each must be readable and not empty: for `serve`.
    Required,
    /// They are not read: for checking a file away from its cluster.
    Skipped,
}

/// The mistakes and notices of one walk.
pub(crate) struct Diagnostics<'f> {
    files: &'f dyn Files,
    secrets: SecretCheck,
    /// The text of the file; empty if it is not available.
    text: &'f str,
    errors: RefCell<Vec<ConfigError>>,
    notices: RefCell<Vec<Notice>>,
    /// Contents of the template files; they are part of the configuration.
    texts: RefCell<Vec<String>>,
    /// What rules, templates and programs read of an event's maps.
    keep: RefCell<Keep>,
}

/// The result of a walk without a mistake, in addition to the values.
pub(crate) struct Findings {
    pub(crate) notices: Vec<Notice>,
    /// Contents of the template files.
    pub(crate) texts: Vec<String>,
    pub(crate) keep: Keep,
}

impl<'f> Diagnostics<'f> {
    pub(crate) fn new(files: &'f dyn Files, secrets: SecretCheck) -> Self {
        Self {
            files,
            secrets,
            text: "",
            errors: RefCell::default(),
            notices: RefCell::default(),
            texts: RefCell::default(),
            keep: RefCell::default(),
        }
    }

    /// The same, with access to the text around a value.
    pub(crate) fn over(self, text: &'f str) -> Self {
        Self { text, ..self }
    }

    pub(crate) fn fail(&self, at: TextPosition, path: &str, problem: Problem) {
        self.fail_in_code(at, path, problem, None);
    }

    /// Reports a mistake in code, with the line of the code.
    pub(crate) fn fail_in_code(
        &self,
        at: TextPosition,
        path: &str,
        problem: Problem,
        snippet: Option<Snippet>,
    ) {
        self.errors.borrow_mut().push(ConfigError { at, path: path.to_owned(), problem, snippet });
    }

    pub(crate) fn notice(&self, at: TextPosition, path: &str, message: &str) {
        self.tell(at, path, Severity::Note, message);
    }

    /// Reports a probable mistake; `validate --strict` refuses it.
    pub(crate) fn warn(&self, at: TextPosition, path: &str, message: &str) {
        self.tell(at, path, Severity::Warning, message);
    }

    fn tell(&self, at: TextPosition, path: &str, severity: Severity, message: &str) {
        let (path, message) = (path.to_owned(), message.to_owned());
        self.notices.borrow_mut().push(Notice { at, path, severity, message });
    }

    /// The word after the key at `at` that YAML reads as a comment, as in `channel: #builds`. A
    /// text that starts with a space is a real comment.
    pub(crate) fn begun_comment(&self, at: TextPosition, key: &str) -> Option<String> {
        let line = self.text.lines().nth(at.line.checked_sub(1)?)?;
        let from_key: String = line.chars().skip(at.column - 1).collect();
        let (_, value) = from_key.get(key.len()..)?.split_once(':')?;
        let value = value.trim_start();
        let comment = value.strip_prefix('#')?;
        let is_word = comment.starts_with(|c: char| c.is_alphanumeric());
        is_word.then(|| value.split_whitespace().next().unwrap_or_default().to_owned())
    }

    /// Whether a secret may be used. Its content is looked at only to see that there is one, and by
    /// `check`, whose error tells what is wrong with it and shows nothing of it.
    pub(crate) fn check_secret(
        &self,
        path: &Path,
        check: impl FnOnce(&str) -> Result<(), String>,
    ) -> Result<(), Problem> {
        if self.secrets == SecretCheck::Skipped {
            return Ok(());
        }
        let place = || path.display().to_string();
        let content = self.files.read(path).and_then(|content| match content.trim() {
            "" => Err(FileError::Empty),
            _content => Ok(Zeroizing::new(content)),
        });
        let content = content.map_err(|source| Problem::Secret { path: place(), source })?;
        check(&content).map_err(|reason| Problem::SecretContent { path: place(), reason })
    }

    /// The content of a template file.
    pub(crate) fn read_template(&self, path: &Path) -> Result<String, FileError> {
        let text = self.files.read(path)?;
        self.texts.borrow_mut().push(text.clone());
        Ok(text)
    }

    /// Notes what a rule, a template or a program reads of an event's maps.
    pub(crate) fn keep(&self, reads: Keep) {
        self.keep.borrow_mut().extend(reads);
    }

    /// Ends the walk and returns its findings if there was no mistake.
    pub(crate) fn finish(self, file: &str) -> Result<Findings, ConfigErrors> {
        let mut errors = self.errors.into_inner();
        if errors.is_empty() {
            let mut notices = self.notices.into_inner();
            notices.sort_by(|left, right| (left.at, &left.path).cmp(&(right.at, &right.path)));
            let (texts, keep) = (self.texts.into_inner(), self.keep.into_inner());
            return Ok(Findings { notices, texts, keep });
        }
        errors.sort_by(|left, right| (left.at, &left.path).cmp(&(right.at, &right.path)));
        Err(ConfigErrors { file: file.to_owned(), errors })
    }
}
