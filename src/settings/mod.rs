//! Reads settings from YAML: a tree with positions, a walk that reports every mistake with its line
//! and column, and readers for the meaning of values. It knows no key of the configuration by name:
//! `config` reads the sections, and each integration reads its own keys.

pub mod connection;
pub mod pem;

pub(crate) mod address;
pub(crate) mod diagnostics;
pub(crate) mod error;
pub(crate) mod expressions;
pub(crate) mod fields;
pub(crate) mod filter;
pub(crate) mod instance;
pub(crate) mod secret_file;
pub(crate) mod setting;
pub(crate) mod yaml;

mod duration;
mod key_row;
mod snippet;

pub use address::{parse_host, parse_listen, parse_name, parse_seed};
pub use diagnostics::{Files, NoFiles, SecretCheck};
pub use error::{ConfigError, ConfigErrors, FileError, Notice, Problem, Severity};
pub use key_row::{KeyRow, ValueType};
pub use snippet::Snippet;
pub use yaml::{SyntaxError, TextPosition};
