//! Go templates over run events: compiled and checked once at load, rendered under limits. Pure:
//! no clock, no file, no randomness, so the same text and data always give the same output.

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
