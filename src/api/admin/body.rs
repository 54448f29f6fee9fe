//! Bodies of calls, read strictly: a key that nobody knows, a key that is there twice or a value of
//! another kind would otherwise choose more than its author meant.

use crate::api::Problem;
use crate::spelling::did_you_mean;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// The members of one JSON object.
pub(super) struct Members<'b> {
    /// The object's own name with a dot behind it; empty for the body.
    prefix: String,
    members: &'b Map<String, Value>,
}

/// Parses a body; an empty one is an empty object.
pub(super) fn parse(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    let parsed = serde_json::from_slice::<Unique>(body);
    let Unique(value) =
        parsed.map_err(|error| Problem::invalid_request(format!("invalid JSON body: {error}")))?;
    match value {
        Value::Object(members) => Ok(members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Problem::invalid_request("the body is no JSON object".to_owned()))
        }
    }
}

impl<'b> Members<'b> {
    /// The members of a body, all of whose keys have to be `accepted`.
    pub(super) fn of(body: &'b Map<String, Value>, accepted: &[&str]) -> Result<Self, Problem> {
        Self { prefix: String::new(), members: body }.known(accepted)
    }

    fn known(self, accepted: &[&str]) -> Result<Self, Problem> {
        let Some(key) = self.members.keys().find(|key| !accepted.contains(&key.as_str())) else {
            return self.without_null();
        };
        let meant = did_you_mean(key, accepted.iter().copied());
        let (prefix, list) = (&self.prefix, accepted.join(", "));
        let key = format!("{prefix}{key}");
        Err(Problem::invalid_request(format!("unknown key {key:?}; accepted: {list}{meant}")))
    }

    /// Refuses a null: a client writes it for a value that it lacks, and an absent key of a filter
    /// chooses every letter.
    fn without_null(self) -> Result<Self, Problem> {
        let Some((key, _)) = self.members.iter().find(|(_, value)| value.is_null()) else {
            return Ok(self);
        };
        let prefix = &self.prefix;
        Err(Problem::invalid_request(format!(
            "{prefix}{key} is null; give it a value or leave the key out"
        )))
    }

    /// The value of a key.
    pub(super) fn value(&self, key: &str) -> Option<&'b Value> {
        self.members.get(key)
    }

    /// The object under a key, all of whose keys have to be `accepted`.
    pub(super) fn members(&self, key: &str, accepted: &[&str]) -> Result<Option<Self>, Problem> {
        let Some(object) = self.object(key)? else { return Ok(None) };
        let prefix = format!("{}{key}.", self.prefix);
        Self { prefix, members: object }.known(accepted).map(Some)
    }

    /// The object under a key.
    pub(super) fn object(&self, key: &str) -> Result<Option<&'b Map<String, Value>>, Problem> {
        let Some(value) = self.value(key) else { return Ok(None) };
        value.as_object().map(Some).ok_or_else(|| self.wrong(key, value, "an object"))
    }

    /// The text under a key. An empty one is refused like a null, for the same reason.
    pub(super) fn text(&self, key: &str) -> Result<Option<&'b str>, Problem> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| self.wrong(key, value, "a text"))?;
        if text.is_empty() {
            let prefix = &self.prefix;
            let told = format!("{prefix}{key} is empty; give it a value or leave the key out");
            return Err(Problem::invalid_request(told));
        }
        Ok(Some(text))
    }

    /// The flag under a key; false where it is absent.
    pub(super) fn flag(&self, key: &str) -> Result<bool, Problem> {
        let Some(value) = self.value(key) else { return Ok(false) };
        value.as_bool().ok_or_else(|| self.wrong(key, value, "true or false"))
    }

    /// Says that the value of a key is not what it has to be.
    pub(super) fn wrong(&self, key: &str, value: &Value, accepted: &str) -> Problem {
        Problem::invalid_request(format!(
            "{}{key} {value} is not accepted; accepted: {accepted}",
            self.prefix
        ))
    }
}

/// A JSON value no object of which has a key twice.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Unique(value))) = entries.next_entry::<String, Unique>()? {
            if map.insert(key.clone(), value).is_some() {
                return Err(de::Error::custom(format_args!("the key {key:?} is there twice")));
            }
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_as_it_stands() {
        let text = r#"{"a": [1, -2, 0.5, "x", true, null, {"b": {}}]}"#;
        let plain: Value = serde_json::from_str(text).unwrap();
        assert_eq!(Value::from(parse(text.as_bytes()).unwrap()), plain);
        assert!(parse(b" \n").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_object_or_has_a_key_twice_is_refused() {
        for (body, told) in [
            ("{", "invalid JSON body: EOF"),
            ("[]", "the body is no JSON object"),
            ("null", "the body is no JSON object"),
            (r#"{"a": 1, "a": 2}"#, "the key \"a\" is there twice"),
            (r#"{"a": [{"b": 1, "b": 1}]}"#, "the key \"b\" is there twice"),
            ("{} {}", "invalid JSON body: trailing"),
        ] {
            let problem = parse(body.as_bytes()).unwrap_err();
            assert!(problem.detail.contains(told), "{}", problem.detail);
        }
    }

    #[test]
    fn a_key_that_nobody_knows_is_told_with_the_one_that_was_meant() {
        let body = parse(br#"{"filter": {"id": ["1"]}}"#).unwrap();
        let root = Members::of(&body, &["filter", "override"]).ok().unwrap();
        let problem = root.members("filter", &["ids", "state"]).err().unwrap();
        let told = "unknown key \"filter.id\"; accepted: ids, state; did you mean \"ids\"?";
        assert_eq!(problem.detail, told);
    }

    #[test]
    fn a_value_of_another_kind_is_told_by_key_and_value() {
        let body = parse(br#"{"a": 7, "b": "true", "c": []}"#).unwrap();
        let root = Members::of(&body, &["a", "b", "c", "d"]).ok().unwrap();
        assert_eq!(root.text("a").unwrap_err().detail, "a 7 is not accepted; accepted: a text");
        let told = "b \"true\" is not accepted; accepted: true or false";
        assert_eq!(root.flag("b").unwrap_err().detail, told);
        assert!(root.object("c").is_err());
        assert_eq!((root.text("d").unwrap(), root.flag("d").unwrap()), (None, false));
    }

    #[test]
    fn a_key_that_is_null_is_refused_by_its_name() {
        let body = parse(br#"{"to": null}"#).unwrap();
        let refused = Members::of(&body, &["to"]).err().unwrap();
        assert_eq!(refused.detail, "to is null; give it a value or leave the key out");
        let body = parse(br#"{"filter": {"ids": null}}"#).unwrap();
        let root = Members::of(&body, &["filter"]).ok().unwrap();
        let refused = root.members("filter", &["ids"]).err().unwrap();
        assert_eq!(refused.detail, "filter.ids is null; give it a value or leave the key out");
    }
}
