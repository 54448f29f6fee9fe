//! What a walk through the file collects, and what it may ask of the outside: whether a secret is
//! there and what a template file holds. Collecting goes through a shared reference, so that
//! several places of the tree can be open at once; one thread walks.

use super::error::{ConfigError, ConfigErrors, FileError, Notice, Problem};
use super::yaml::Position;
use crate::event::Keep;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

/// Reads the files that a configuration names. The shell implements it on the disk, tests on a map.
pub trait Files {
    /// The content of the file at `path`.
    ///
    /// # Errors
    /// Why there is no text to be had.
    fn read(&self, path: &Path) -> Result<String, FileError>;
}

/// Whether secret files have to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretCheck {
    /// Each has to be readable and not empty: what `serve` asks.
    Required,
    /// They are not looked at: for checking a file away from its cluster.
    Skipped,
}

/// The mistakes and notices of one walk.
pub(super) struct Report<'f> {
    files: &'f dyn Files,
    secrets: SecretCheck,
    errors: RefCell<Vec<ConfigError>>,
    notices: RefCell<Vec<Notice>>,
    /// Contents of the template files, which are part of what the configuration says.
    texts: RefCell<Vec<String>>,
    /// Params and results that rules and templates name; `All` once that cannot be told.
    keep: RefCell<Keep>,
}

/// What a walk without a mistake leaves besides the values it read.
pub(super) struct Findings {
    pub(super) notices: Vec<Notice>,
    /// Contents of the template files.
    pub(super) texts: Vec<String>,
    pub(super) keep: Keep,
}

impl<'f> Report<'f> {
    pub(super) fn new(files: &'f dyn Files, secrets: SecretCheck) -> Self {
        Self {
            files,
            secrets,
            errors: RefCell::default(),
            notices: RefCell::default(),
            texts: RefCell::default(),
            keep: RefCell::new(Keep::Named(BTreeSet::new())),
        }
    }

    pub(super) fn fail(&self, at: Position, path: &str, problem: Problem) {
        self.errors.borrow_mut().push(ConfigError { at, path: path.to_owned(), problem });
    }

    pub(super) fn notice(&self, at: Position, path: &str, message: &'static str) {
        self.notices.borrow_mut().push(Notice { at, path: path.to_owned(), message });
    }

    /// Whether a secret may be used. Its content is looked at only to see that there is one.
    pub(super) fn check_secret(&self, path: &Path) -> Result<(), FileError> {
        match self.secrets {
            SecretCheck::Skipped => Ok(()),
            SecretCheck::Required => match self.files.read(path)?.trim() {
                "" => Err(FileError::Empty),
                _content => Ok(()),
            },
        }
    }

    /// The content of a template file.
    pub(super) fn read_template(&self, path: &Path) -> Result<String, FileError> {
        let text = self.files.read(path)?;
        self.texts.borrow_mut().push(text.clone());
        Ok(text)
    }

    /// Notes params and results that a rule or template names.
    pub(super) fn keep(&self, names: BTreeSet<String>) {
        match &mut *self.keep.borrow_mut() {
            Keep::All => {}
            Keep::Named(kept) => kept.extend(names),
        }
    }

    /// Notes that any param or result may be used.
    pub(super) fn keep_all(&self) {
        self.keep.replace(Keep::All);
    }

    /// Ends the walk: what it found if nothing was wrong.
    pub(super) fn finish(self, file: &str) -> Result<Findings, ConfigErrors> {
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
