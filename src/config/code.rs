//! Texts with a grammar of their own: CEL conditions, templates, jq programs. Each is compiled
//! here, its mistakes are placed in the file, and the params and results that it names are noted,
//! because only those are kept with an event.

use super::error::Problem;
use super::fields::Fields;
use super::place::Place;
use crate::integration::jq::{Program, ProgramError};
use crate::route::{self, Condition};
use crate::template::{self, DataKind, Template};
use std::path::Path;

/// What a template starts with that is kept in a file of its own.
const PATH_START: char = '/';

/// The words by which a jq program reaches params and results.
const KEPT_WORDS: [&str; 2] = ["params", "results"];

/// Reads a CEL condition.
pub(super) fn condition(fields: &mut Fields<'_>, key: &'static str) -> Option<Condition> {
    let (text, place) = fields.text_place(key)?;
    match Condition::compile(text) {
        Ok(condition) => {
            match condition.named_results() {
                route::Named::All => place.report.keep_all(),
                route::Named::Only(names) => place.report.keep(names),
            }
            Some(condition)
        }
        Err(error) => {
            let problem = Problem::Cel { message: error.message };
            place.fail_inside(error.line, error.column, problem);
            None
        }
    }
}

/// Reads a template, from the text itself or the file it names.
pub(super) fn template(
    fields: &mut Fields<'_>,
    key: &'static str,
    kind: DataKind,
) -> Option<Template> {
    let (text, place) = fields.text_place(key)?;
    let compiled = match text.starts_with(PATH_START) {
        true => from_file(text.trim_end(), &place, kind),
        false => inline(text, &place, kind),
    }?;
    match compiled.named_results() {
        template::Named::All => place.report.keep_all(),
        template::Named::Only(names) => place.report.keep(names),
    }
    Some(compiled)
}

fn inline(text: &str, place: &Place<'_>, kind: DataKind) -> Option<Template> {
    let compiled = Template::compile(text, kind);
    let placed = compiled.map_err(|error| {
        let problem = Problem::Template { place: String::new(), message: error.message };
        place.fail_inside(error.line, error.column, problem);
    });
    placed.ok()
}

/// A mistake in a template file is at the key that names it, and tells where in the file.
fn from_file(path: &str, place: &Place<'_>, kind: DataKind) -> Option<Template> {
    let text = match place.report.read_template(Path::new(path)) {
        Ok(text) => text,
        Err(source) => {
            place.fail(Problem::TemplateFile { path: path.to_owned(), source });
            return None;
        }
    };
    let placed = Template::compile(&text, kind).map_err(|error| {
        let inside = format!("{path}:{}:{}: ", error.line, error.column);
        place.fail(Problem::Template { place: inside, message: error.message });
    });
    placed.ok()
}

/// Reads a jq program.
pub(super) fn transform(fields: &mut Fields<'_>, key: &'static str) -> Option<Program> {
    let (text, place) = fields.text_place(key)?;
    if KEPT_WORDS.iter().any(|word| text.contains(word)) {
        place.report.keep_all();
    }
    match Program::compile(text) {
        Ok(program) => Some(program),
        Err(ProgramError::At { line, column, problem }) => {
            place.fail_inside(line, column, Problem::Jq { message: problem.to_string() });
            None
        }
        Err(error @ (ProgramError::TooLong | ProgramError::TooDeep | ProgramError::Panicked)) => {
            place.fail(Problem::Jq { message: error.to_string() });
            None
        }
    }
}

#[cfg(test)]
#[path = "code_test.rs"]
mod tests;
