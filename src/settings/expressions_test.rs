//! The reported place of mistakes in conditions, templates and programs, for every form of text.

use super::super::diagnostics::{Diagnostics, Files, SecretCheck};
use super::super::error::{ConfigError, FileError};
use super::super::yaml::{self, TextPosition};
use super::*;

/// One template file.
struct OneFile(&'static str);

impl Files for OneFile {
    fn read(&self, path: &Path) -> Result<String, FileError> {
        match path.to_str() {
            Some("/t") => Ok(self.0.to_owned()),
            _ => Err(FileError::NotFound),
        }
    }
}

/// The result of reading the key `a` of a file: its mistakes, or what is kept.
fn read<T>(
    text: &str,
    file: &'static str,
    reader: impl FnOnce(&mut Fields<'_>) -> Option<T>,
) -> Result<Keep, Vec<ConfigError>> {
    let root = yaml::parse(text).unwrap();
    let files = OneFile(file);
    let diagnostics = Diagnostics::new(&files, SecretCheck::Required);
    let place = Setting { node: &root, path: String::new(), diagnostics: &diagnostics };
    let is_read = reader(&mut place.fields().unwrap()).is_some();
    let found =
        diagnostics.finish("f").map(|findings| findings.keep).map_err(|errors| errors.errors);
    assert_eq!(is_read, found.is_ok(), "a value without a mistake, or a mistake");
    found
}

fn place_of(found: Result<Keep, Vec<ConfigError>>) -> (usize, usize) {
    let errors = found.unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    let TextPosition { line, column } = errors[0].at;
    (line, column)
}

fn named(names: &[&str]) -> Keep {
    Keep { values: KeptNames::only(names.iter().copied()), ..Keep::default() }
}

#[test]
fn a_condition_is_wrong_where_its_text_is_wrong() {
    let place = |text: &str| place_of(read(text, "", |fields| condition(fields, "a")));
    assert_eq!(place("a: nosuch\n"), (1, 4));
    assert_eq!(place("a: \"nosuch\"\n"), (1, 5));
    assert_eq!(place("a: |\n  isPR() &&\n    nosuch\n"), (3, 5));
    assert_eq!(place("a: >\n  isPR() &&\n  nosuch\n"), (2, 3));
}

#[test]
fn a_condition_that_is_hardly_meant_is_warned_about_where_it_is() {
    let told = |text: &str| {
        let root = yaml::parse(text).unwrap();
        let files = OneFile("");
        let diagnostics = Diagnostics::new(&files, SecretCheck::Required);
        let setting = Setting { node: &root, path: String::new(), diagnostics: &diagnostics };
        assert!(condition(&mut setting.fields().unwrap(), "a").is_some(), "{text}");
        let notices = diagnostics.finish("f").ok().unwrap().notices;
        notices.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let is_false = "warning: is false for every event, so nothing is sent";
    assert_eq!(told("a: 'false'\n"), [format!("1:4: a: {is_false}")]);
    assert_eq!(told("a: 1 == 2\n"), [format!("1:4: a: {is_false}")]);
    let provider = "warning: Provider is hardly \"Github\"; did you mean \"github\"?";
    let rule = "a: |\n  isPR() &&\n    event.Provider == 'Github'\n";
    assert_eq!(told(rule), [format!("3:23: a: {provider}")]);
    assert_eq!(told("a: 'true'\n"), [""; 0]);
}

#[test]
fn a_template_is_wrong_where_its_text_is_wrong() {
    let place =
        |text: &str| place_of(read(text, "", |fields| template(fields, "a", DataKind::Event))).0;
    assert_eq!(place("a: '{{ .Nosuch }}'\n"), 1);
    assert_eq!(place("b: 1\na: |\n  one\n  two\n  {{ .Nosuch }}\n"), 5);
}

#[test]
fn a_template_file_is_wrong_at_its_key_and_inside_the_file() {
    let found =
        read("a: /t\n", "one\n{{ .Nosuch }}", |fields| template(fields, "a", DataKind::Event));
    let errors = found.unwrap_err();
    assert_eq!(errors[0].at, TextPosition { line: 1, column: 4 });
    let Problem::Template { place, .. } = &errors[0].problem else {
        panic!("another mistake: {errors:?}");
    };
    assert!(place.starts_with("/t:2:"), "{place}");
}

#[test]
fn a_template_has_the_fields_of_its_data_alone() {
    let is_right = |text: &str, kind| read(text, "", |fields| template(fields, "a", kind)).is_ok();
    let (summary, event) = ("a: '{{ .IsIncomplete }}'\n", "a: '{{ .CommitSHA }}'\n");
    assert!(is_right(summary, DataKind::Summary) && !is_right(summary, DataKind::Event));
    assert!(is_right(event, DataKind::Event) && !is_right(event, DataKind::Summary));
}

#[test]
fn a_program_is_wrong_where_its_text_is_wrong() {
    let place = |text: &str| place_of(read(text, "", |fields| transform(fields, "a")));
    assert_eq!(place("a: .x | nosuch\n"), (1, 9));
    assert_eq!(place("a: |\n  .x\n  | nosuch\n"), (3, 5));
}

#[test]
fn names_of_all_texts_are_kept_together() {
    let text = "a: hasResult(\"one\")\nb: '{{ .RunName }}'\nc: resultValue(\"two\") == \"\"\n";
    let kept = read(text, "", |fields| {
        template(fields, "b", DataKind::Event)?;
        condition(fields, "a")?;
        condition(fields, "c")
    });
    assert_eq!(kept, Ok(named(&["one", "two"])));
    let both = read("a: hasResult(\"one\")\nb: '{r: .results}'\n", "", |fields| {
        transform(fields, "b")?;
        condition(fields, "a")
    });
    let mut values = KeptNames::only(["one"]);
    values.add_all();
    assert_eq!(both, Ok(Keep { values, ..Keep::default() }));
}
