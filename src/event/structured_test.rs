use super::super::parse as parse_request;
use super::*;
use crate::clock::Timestamp;

const ONE: &str = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#;

fn request(content_type: &str, body: &str) -> Result<Vec<CloudEvent>, IngestError> {
    let headers = [("content-type".to_owned(), content_type.to_owned())];
    parse_request(&headers, body.as_bytes())
}

fn structured(body: &str) -> Result<CloudEvent, IngestError> {
    let mut events = request("application/cloudevents+json; charset=utf-8", body)?;
    assert_eq!(events.len(), 1);
    Ok(events.remove(0))
}

fn batch(body: &str) -> Result<Vec<CloudEvent>, IngestError> {
    request("application/cloudevents-batch+json", body)
}

/// [`ONE`] with more members.
fn one_with(members: &str) -> String {
    format!("{},{members}}}", ONE.trim_end_matches('}'))
}

#[test]
fn all_attributes_are_read_and_data_keeps_its_text() {
    let body = r#"{"specversion":"1.0","id":"a\u0062","source":"/s","type":"t","subject":"x",
        "time":"2026-11-20T18:53:34Z","datacontenttype":"application/json",
        "data": {"a": [1.50, "\u00e9"]} }"#;
    let expected = CloudEvent {
        id: "ab".to_owned(),
        source: "/s".to_owned(),
        event_type: "t".to_owned(),
        subject: Some("x".to_owned()),
        time: Timestamp::parse_rfc3339("2026-11-20T18:53:34Z"),
        data: br#"{"a": [1.50, "\u00e9"]}"#.to_vec(),
    };
    assert_eq!(structured(body), Ok(expected));
}

#[test]
fn absent_and_null_are_the_same() {
    let event = structured(&one_with(r#""subject":null,"time":null,"data":null"#)).unwrap();
    assert_eq!(event, structured(ONE).unwrap());
    assert_eq!((event.subject, event.time, event.data), (None, None, vec![]));
}

#[test]
fn the_content_type_is_read_in_any_case_and_with_a_charset() {
    for content_type in
        ["application/cloudevents+json", "Application/CloudEvents+JSON;charset=UTF-8"]
    {
        assert_eq!(request(content_type, ONE).unwrap().len(), 1, "{content_type}");
    }
}

#[test]
fn extensions_of_any_kind_are_passed_over() {
    let body = one_with(r#""traceparent":"00-1","broker":{"not":"legal"},"n":7"#);
    assert_eq!(structured(&body), structured(ONE));
}

#[test]
fn missing_and_empty_attributes_are_named() {
    for (attribute, member) in [
        ("specversion", r#""specversion":"1.0""#),
        ("id", r#""id":"1""#),
        ("source", r#""source":"/s""#),
        ("type", r#""type":"t""#),
    ] {
        for replacement in [r#""x":"y""#.to_owned(), format!(r#""{attribute}":" ""#)] {
            let error = structured(&ONE.replace(member, &replacement)).unwrap_err();
            assert_eq!(error, IngestError::Missing { attribute });
        }
    }
}

#[test]
fn an_attribute_of_another_type_is_named() {
    for (member, attribute) in [
        (r#""subject":7"#, "subject"),
        (r#""time":{}"#, "time"),
        (r#""datacontentencoding":[],"data":"e30=""#, "datacontentencoding"),
    ] {
        let error = structured(&one_with(member)).unwrap_err();
        assert_eq!(error, IngestError::NotText { attribute });
    }
}

#[test]
fn an_attribute_given_twice_is_refused() {
    let error = structured(&one_with(r#""id":"2""#)).unwrap_err();
    assert!(matches!(error, IngestError::Json { part: "body", .. }), "{error}");
}

#[test]
fn spec_versions_and_times_are_checked() {
    assert!(structured(&ONE.replace("1.0", "0.3")).is_ok());
    let error = structured(&ONE.replace("1.0", "2.0")).unwrap_err();
    assert_eq!(error.to_string(), "specversion \"2.0\", accepted: 1.0, 0.3");
    let error = structured(&one_with(r#""time":"noon""#)).unwrap_err();
    assert_eq!(error.to_string(), "time \"noon\" is not an RFC 3339 time");
}

#[test]
fn base64_is_read_in_the_form_of_either_version() {
    for members in [
        r#""data_base64":"eyJhIjoxfQ==""#,
        r#""datacontentencoding":"Base64","data":"eyJhIjoxfQ==""#,
    ] {
        assert_eq!(structured(&one_with(members)).unwrap().data, br#"{"a":1}"#);
    }
}

#[test]
fn base64_that_is_none_or_hides_no_json_is_refused() {
    let error = structured(&one_with(r#""data_base64":"!!""#)).unwrap_err();
    assert_eq!(error.to_string(), "data_base64 is not valid base64");
    let error = structured(&one_with(r#""data_base64":"aHVzaA==""#)).unwrap_err();
    assert!(matches!(error, IngestError::Json { part: "data_base64", .. }), "{error}");
}

#[test]
fn two_kinds_of_data_are_refused() {
    let error = structured(&one_with(r#""data":{},"data_base64":"e30=""#)).unwrap_err();
    assert_eq!(error, IngestError::TwoData);
}

#[test]
fn a_broken_body_names_its_place_and_quotes_nothing() {
    for body in ["{", "", "[]x", r#""hush""#, r#"{"id":hush}"#, "7"] {
        let error = structured(body).unwrap_err();
        assert!(matches!(error, IngestError::Json { part: "body", .. }), "{body}: {error}");
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }
}

#[test]
fn a_batch_is_read_in_order() {
    let second = ONE.replace(r#""id":"1""#, r#""id":"2""#);
    let events = batch(&format!("[{ONE},{second}]")).unwrap();
    let ids: Vec<_> = events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids, ["1", "2"]);
    assert_eq!(batch("[]"), Ok(vec![]));
}

#[test]
fn a_batch_is_refused_whole_and_names_the_event() {
    let error = batch(&format!("[{ONE},{{\"specversion\":\"1.0\"}}]")).unwrap_err();
    assert_eq!(error.to_string(), "event 1 of the batch: id is missing or empty");
    assert!(!error.is_media_type());
    assert!(matches!(batch(ONE), Err(IngestError::Json { part: "body", .. })));
}

#[test]
fn a_batch_has_a_bound() {
    let of = |count| batch(&format!("[{}]", vec![ONE; count].join(",")));
    assert_eq!(of(BATCH_EVENTS_MAX).unwrap().len(), BATCH_EVENTS_MAX);
    let error = of(BATCH_EVENTS_MAX + 1).unwrap_err();
    assert_eq!(error.to_string(), "batch of 1001 events, at most 1000 are accepted");
}
