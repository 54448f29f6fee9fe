//! Recorded requests: a structured CloudEvent in a JSON file, or one `{headers, body}` a line.

use crate::event::{CloudEvent, IngestError, parse};
use serde_json::Value;
use std::path::Path;

/// One recorded request.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Why a recording could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error("{path} could not be read")]
    Unreadable {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{path}:{line}: expected an object with \"headers\" and \"body\"")]
    Line { path: String, line: usize },
}

/// Reads the requests of one file.
///
/// # Errors
/// The file is unreadable, or a line is not a recorded request.
pub fn read_recording(path: &Path) -> Result<Vec<Recorded>, RecordingError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|source| RecordingError::Unreadable { path: name.clone(), source })?;
    if path.extension().is_some_and(|extension| extension == "jsonl") {
        return recorded_lines(&name, &text);
    }
    let kind = ("content-type".to_owned(), "application/cloudevents+json".to_owned());
    Ok(vec![Recorded { headers: vec![kind], body: text.into_bytes() }])
}

/// Reads one `{headers, body}` a line; skips empty lines.
///
/// # Errors
/// A line is not of this form.
pub fn recorded_lines(name: &str, text: &str) -> Result<Vec<Recorded>, RecordingError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            let failed = || RecordingError::Line { path: name.to_owned(), line: at + 1 };
            recorded(line).ok_or_else(failed)
        })
        .collect()
}

fn recorded(line: &str) -> Option<Recorded> {
    let value: Value = serde_json::from_str(line).ok()?;
    let headers = value.get("headers")?.as_object()?.iter();
    let headers =
        headers.filter_map(|(name, text)| Some((name.to_ascii_lowercase(), text.as_str()?.into())));
    let body = value.get("body")?.as_str()?.as_bytes().to_vec();
    Some(Recorded { headers: headers.collect(), body })
}

impl Recorded {
    /// The CloudEvents of the request.
    ///
    /// # Errors
    /// The request is not a valid one.
    pub fn cloud_events(&self) -> Result<Vec<CloudEvent>, IngestError> {
        parse(&self.headers, &self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_request_is_named() {
        let text = "{\"headers\":{},\"body\":\"\"}\n\n{\"headers\":1}\n";
        let error = recorded_lines("f.jsonl", text).unwrap_err();
        assert!(error.to_string().starts_with("f.jsonl:3:"), "{error}");
    }

    #[test]
    fn header_names_become_lower_case() {
        let lines = recorded_lines("f", "{\"headers\":{\"Ce-Id\":\"1\"},\"body\":\"x\"}").unwrap();
        assert_eq!(lines[0].headers, [("ce-id".to_owned(), "1".to_owned())]);
    }
}
