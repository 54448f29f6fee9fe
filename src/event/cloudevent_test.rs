use super::super::testdata;
use super::*;

fn pairs(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const BINARY: [(&str, &str); 5] = [
    ("ce-specversion", "1.0"),
    ("ce-id", "1"),
    ("ce-source", "/s"),
    ("ce-type", "t"),
    ("content-type", "application/json"),
];

fn binary_with(name: &str, value: &str) -> Vec<(String, String)> {
    let mut headers = pairs(&BINARY);
    headers.retain(|(key, _)| key != name);
    headers.push((name.to_owned(), value.to_owned()));
    headers
}

fn binary_without(name: &str) -> Vec<(String, String)> {
    let mut headers = pairs(&BINARY);
    headers.retain(|(key, _)| key != name);
    headers
}

#[test]
fn binary_mode_keeps_the_body_as_it_is() {
    let events = parse(&pairs(&BINARY), b"{\"a\": 1}").unwrap();
    assert_eq!(events[0].data, b"{\"a\": 1}");
    assert_eq!((events[0].id.as_str(), events[0].event_type.as_str()), ("1", "t"));
}

#[test]
fn spec_version_0_3_is_understood_and_0_2_is_named() {
    assert!(parse(&binary_with("ce-specversion", "0.3"), b"").is_ok());
    let error = parse(&binary_with("ce-specversion", "0.2"), b"").unwrap_err();
    assert_eq!(error.to_string(), "specversion \"0.2\", accepted: 1.0, 0.3");
}

#[test]
fn missing_and_empty_attributes_are_named() {
    for (header, name) in [
        ("ce-id", "id"),
        ("ce-source", "source"),
        ("ce-type", "type"),
        ("ce-specversion", "specversion"),
    ] {
        for headers in [binary_without(header), binary_with(header, " ")] {
            let error = parse(&headers, b"").unwrap_err();
            assert_eq!(error.to_string(), format!("{name} is missing or empty"));
            assert!(!error.is_media_type());
        }
    }
}

#[test]
fn a_bad_time_is_named() {
    let error = parse(&binary_with("ce-time", "noon"), b"").unwrap_err();
    assert_eq!(error.to_string(), "time \"noon\" is not an RFC 3339 time");
}

#[test]
fn a_large_body_is_read_whole() {
    let data = format!("{{\"a\":\"{}\"}}", "x".repeat(1_500_000));
    assert_eq!(parse(&pairs(&BINARY), data.as_bytes()).unwrap()[0].data.len(), data.len());
}

#[test]
fn every_recorded_request_is_one_event_with_its_body_as_data() {
    for (headers, body) in testdata::recorded() {
        let events = parse(&headers, &body).unwrap();
        let of = |name: &str| headers.iter().find(|(key, _)| key == name).unwrap().1.clone();
        let expected = CloudEvent {
            id: of("ce-id"),
            source: of("ce-source"),
            event_type: of("ce-type"),
            subject: Some(of("ce-subject")),
            time: Timestamp::parse_rfc3339(&of("ce-time")),
            data: body,
        };
        assert!(expected.time.is_some());
        assert_eq!(events, [expected]);
    }
}

#[test]
fn binary_attributes_are_unquoted_and_then_percent_decoded_once() {
    for (value, expected) in [
        ("/a%20b/%E2%82%AC", "/a b/€"),
        ("/100%", "/100%"),
        ("/%zz", "/%zz"),
        ("/%2541", "/%41"),
        (r#""/quoted \"a\" %41""#, r#"/quoted "a" A"#),
        (r#""/half"#, r#""/half"#),
        (r#"""#, r#"""#),
        ("/€", "/€"),
    ] {
        let events = parse(&binary_with("ce-source", value), b"").unwrap();
        assert_eq!(events[0].source, expected, "{value}");
    }
}

#[test]
fn an_attribute_that_decodes_to_no_text_is_refused() {
    let error = parse(&binary_with("ce-subject", "%FF"), b"").unwrap_err();
    assert_eq!(error, IngestError::NotText { attribute: "subject" });
}

#[test]
fn absent_optional_attributes_and_data_are_absent() {
    let event = parse(&pairs(&BINARY), b"").unwrap().remove(0);
    assert_eq!((event.subject, event.time, event.data), (None, None, vec![]));
}

#[test]
fn a_repeated_attribute_extension_or_content_type_is_refused() {
    for name in ["ce-id", "ce-traceparent", "content-type"] {
        let mut headers = pairs(&BINARY);
        headers.push(("ce-traceparent".to_owned(), "x".to_owned()));
        headers.push((name.to_owned(), "1".to_owned()));
        let error = parse(&headers, b"").unwrap_err();
        assert_eq!(error.to_string(), format!("header {name} appears more than once"));
    }
    let mut headers = pairs(&BINARY);
    headers.extend(pairs(&[("x-forwarded-for", "a"), ("x-forwarded-for", "b")]));
    assert!(parse(&headers, b"").is_ok());
}

#[test]
fn an_attribute_has_a_bound() {
    let longest = "x".repeat(ATTRIBUTE_BYTES_MAX);
    for name in ["id", "source", "type", "subject"] {
        let header = format!("ce-{name}");
        assert!(parse(&binary_with(&header, &longest), b"").is_ok());
        let error = parse(&binary_with(&header, &format!("{longest}x")), b"").unwrap_err();
        assert_eq!(error.to_string(), format!("{name} has 2049 bytes, at most 2048 are accepted"));
    }
}

#[test]
fn a_request_that_is_no_cloudevent_says_what_is_missing() {
    let error = parse(&pairs(&[("content-type", "application/json")]), b"{}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "not a CloudEvent: no ce-specversion header, and content-type is \"application/json\""
    );
    assert!(!error.is_media_type());
    let error = parse(&[], b"").unwrap_err();
    assert_eq!(error, IngestError::NotACloudEvent { content_type: String::new() });
}

#[test]
fn data_that_is_not_json_is_another_media_type() {
    for content_type in [
        "application/xml",
        "text/plain",
        "application/jsonp",
        "application/json; charset=latin1",
        "application/cloudevents+avro",
        "application/cloudevents-batch+avro",
        "application/cloudevents",
        "application/cloudevents+json; charset=utf-16",
    ] {
        let error = parse(&binary_with("content-type", content_type), b"{}").unwrap_err();
        assert!(error.is_media_type(), "{content_type}: {error}");
        let accepted = "accepted: application/json, application/cloudevents+json, \
            application/cloudevents-batch+json, in UTF-8";
        let expected = format!("content-type {content_type:?}, {accepted}");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn json_goes_by_several_content_types() {
    for content_type in [
        "application/json",
        "Application/JSON; Charset=\"UTF-8\"",
        "application/vnd.tekton+json",
        "text/json;charset=us-ascii",
        "",
    ] {
        let headers = binary_with("content-type", content_type);
        assert_eq!(parse(&headers, b"{}").unwrap()[0].data, b"{}", "{content_type}");
    }
    assert_eq!(parse(&binary_without("content-type"), b"{}").unwrap()[0].data, b"{}");
    // An empty body cannot be misread.
    assert!(parse(&binary_with("content-type", "text/plain"), b"").is_ok());
}

#[test]
fn broken_data_names_its_place_and_quotes_nothing() {
    let error = parse(&pairs(&BINARY), b"{\"token\": hush}").unwrap_err();
    assert_eq!(error.to_string(), "data is not valid JSON at line 1 column 11");
    assert!(!format!("{error:?}").contains("hush"));
    assert!(parse(&pairs(&BINARY), b"{} {}").is_err());
}

#[test]
fn a_refused_value_is_repeated_up_to_a_bound() {
    let error = parse(&binary_with("ce-time", &"9".repeat(10_000)), b"").unwrap_err();
    assert!(error.to_string().len() < 200, "{error}");
}

#[test]
fn data_is_not_printed() {
    let event = parse(&pairs(&BINARY), b"{\"Authorization\":\"hush\"}").unwrap().remove(0);
    let text = format!("{event:?}");
    assert!(text.contains("data_bytes: 24") && !text.contains("hush"), "{text}");
}
