//! JSON and base64 of sprig.

use super::words::json_name;
use super::{Args, Function, FunctionError, text};
use crate::template::layout::format_time;
use crate::template::value::{ValueKind, fields};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gotmpl::Value;
use serde_json::Value as Json;

/// The layout in which Go writes times to JSON.
const JSON_TIME: &str = "2006-01-02T15:04:05.999999999Z07:00";

pub(super) const FUNCTIONS: &[Function] = &[
    text("toJson", 1..=1, |args| Ok(Value::from(web_safe(&json(args).to_string())))),
    text("mustToJson", 1..=1, |args| Ok(Value::from(web_safe(&json(args).to_string())))),
    text("toRawJson", 1..=1, |args| Ok(Value::from(json(args).to_string()))),
    text("toPrettyJson", 1..=1, |args| Ok(Value::from(web_safe(&format!("{:#}", json(args)))))),
    text("b64enc", 1..=1, |args| Ok(Value::from(STANDARD.encode(args.text(0)?.as_bytes())))),
    text("b64dec", 1..=1, decode),
];

fn json(args: &Args<'_>) -> Json {
    to_json(args.value(0))
}

/// Records take the JSON names of events, times are RFC 3339, durations are nanoseconds.
fn to_json(value: &Value) -> Json {
    match ValueKind::of(value) {
        ValueKind::Nil | ValueKind::Function => Json::Null,
        ValueKind::Bool(truth) => Json::from(truth),
        ValueKind::Integer(number) | ValueKind::Duration(number) => Json::from(number),
        ValueKind::Number(number) => Json::from(number),
        ValueKind::Text(text) => Json::from(text),
        ValueKind::Time(millis) => Json::from(format_time(millis, 0, JSON_TIME)),
        ValueKind::List(items) => items.iter().map(to_json).collect(),
        ValueKind::Map(entries) => {
            entries.iter().map(|(key, value)| (key.to_string(), to_json(value))).collect()
        }
        ValueKind::Record(entries) => {
            fields(entries).map(|(name, value)| (json_name(name), to_json(value))).collect()
        }
    }
}

/// Go's encoder writes the characters that HTML would interpret as `\u` sequences.
fn web_safe(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn decode(args: &Args<'_>) -> Result<Value, FunctionError> {
    let bytes = STANDARD.decode(args.text(0)?.as_bytes()).map_err(|_| FunctionError::NotBase64)?;
    let text = String::from_utf8(bytes).map_err(|_| FunctionError::NotBase64)?;
    Ok(Value::from(text))
}
