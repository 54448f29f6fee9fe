//! Texts with their own grammar: CEL conditions, templates, jq programs. Each is compiled here and
//! its mistakes get a place in the file. The parts of params, results, labels and annotations that
//! it reads are noted, because only these are kept with an event.

use super::error::Problem;
use super::fields::Fields;
use super::setting::Setting;
use super::snippet::Snippet;
use crate::event::{JSON_KEYS, JSON_REPOSITORY_KEYS, Keep, KeptNames};
use crate::jq::{self, InputKeys, Program, ProgramError};
use crate::route::Condition;
use crate::template::{DataKind, Template};
use std::path::Path;

/// First character of a template that is in a file of its own.
const PATH_START: char = '/';

/// Reads a CEL condition.
pub(crate) fn condition(fields: &mut Fields<'_>, key: &'static str) -> Option<Condition> {
    let (text, setting) = fields.code_setting(key)?;
    match Condition::compile(text) {
        Ok(condition) => {
            setting.diagnostics.keep(condition.reads().clone());
            if condition.holds_always() {
                setting.warn("is true for every event, so it decides nothing");
            }
            if condition.is_never() {
                setting.warn("is false for every event, so nothing is sent");
            }
            for doubt in condition.doubts() {
                setting.warn_inside(doubt.line, doubt.column, &doubt.message);
            }
            Some(condition)
        }
        Err(error) => {
            let problem = Problem::Cel { message: error.message };
            setting.fail_inside(error.line, error.column, problem);
            None
        }
    }
}

/// Reads a template, from the text itself or from the file that it names.
pub(crate) fn template(
    fields: &mut Fields<'_>,
    key: &'static str,
    kind: DataKind,
) -> Option<Template> {
    let (text, setting) = fields.code_setting(key)?;
    let compiled = match text.starts_with(PATH_START) {
        true => from_file(text.trim_end(), &setting, kind),
        false => inline(text, &setting, kind),
    }?;
    setting.diagnostics.keep(compiled.reads().clone());
    Some(compiled)
}

fn inline(text: &str, setting: &Setting<'_>, kind: DataKind) -> Option<Template> {
    let compiled = Template::compile(text, kind);
    let placed = compiled.map_err(|error| {
        let problem = Problem::Template { place: String::new(), message: error.message };
        setting.fail_inside(error.line, error.column, problem);
    });
    placed.ok()
}

/// A mistake in a template file is reported at the key that names it, with its position in that
/// file.
fn from_file(path: &str, setting: &Setting<'_>, kind: DataKind) -> Option<Template> {
    let text = match setting.diagnostics.read_template(Path::new(path)) {
        Ok(text) => text,
        Err(source) => {
            setting.fail(Problem::TemplateFile { path: path.to_owned(), source });
            return None;
        }
    };
    let placed = Template::compile(&text, kind).map_err(|error| {
        let inside = format!("{path}:{}:{}: ", error.line, error.column);
        let snippet = Snippet::of(&text, error.line, error.column);
        setting.fail_in_file(Problem::Template { place: inside, message: error.message }, snippet);
    });
    placed.ok()
}

/// What the body of a whole event needs: all labels and annotations, and the params and results
/// that another text names.
pub(crate) fn whole_event() -> Keep {
    Keep { labels: KeptNames::all(), annotations: KeptNames::all(), ..Keep::default() }
}

/// Reads a jq program.
pub(crate) fn transform(fields: &mut Fields<'_>, key: &'static str) -> Option<Program> {
    let (text, setting) = fields.code_setting(key)?;
    setting.diagnostics.keep(jq::reads(text));
    let known = InputKeys { event: &JSON_KEYS, repository: &JSON_REPOSITORY_KEYS };
    let is_meant = |program| {
        Program::check_keys(text, known).and_then(|()| Program::check_results(text))?;
        Ok(program)
    };
    match Program::compile(text).and_then(is_meant) {
        Ok(program) => Some(program),
        Err(ProgramError::At { line, column, problem }) => {
            setting.fail_inside(line, column, Problem::Jq { message: problem.to_string() });
            None
        }
        Err(error @ (ProgramError::TooLong | ProgramError::TooDeep | ProgramError::Panicked)) => {
            setting.fail(Problem::Jq { message: error.to_string() });
            None
        }
    }
}

#[cfg(test)]
#[path = "expressions_test.rs"]
mod tests;
