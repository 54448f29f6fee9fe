//! Go templates over run events: compiled and checked once at load, rendered under limits. Pure:
//! without clock, files and randomness, so equal text and data give equal output.

mod check;
mod constants;
mod context;
mod data;
mod engine;
mod escape;
#[cfg(test)]
mod fixture;
mod functions;
mod html;
mod layout;
mod limits;
mod member;
#[cfg(test)]
mod messages_test;
mod place;
mod rewrite;
mod shape;
mod time;
mod value;

pub use data::Data;
pub use engine::{RenderError, Template, TemplateError};
pub use escape::{Markup, escape_address, escape_markdown, escape_slack};
#[cfg(test)]
pub(crate) use fixture::every_field;
pub use html::escape_html;
pub use limits::{truncate_bytes, truncate_chars, truncate_utf16};
pub use shape::DataKind;
