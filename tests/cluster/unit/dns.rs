//! The DNS server of the pods: what it answers, bit by bit, and what it does not answer.

use crate::harness::pods::Zone;
use crate::harness::pods::dns::Question;
use std::net::{IpAddr, Ipv6Addr};

const A: u16 = 1;
const AAAA: u16 = 28;
const ID: [u8; 2] = [0xab, 0xcd];

/// A query with recursion desired, as a resolver library sends it.
fn query(name: &str, kind: u16) -> Vec<u8> {
    let mut query = [&ID[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    for label in name.split('.') {
        query.push(u8::try_from(label.len()).unwrap());
        query.extend(label.as_bytes());
    }
    query.extend([0, 0, u8::try_from(kind).unwrap(), 0, 1]);
    query
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The answer of the server: (flags, records), after the id and the question.
fn said(answer: &[u8], query: &[u8]) -> (u16, Vec<u8>) {
    assert_eq!((&answer[..2], &answer[4..6]), (&ID[..], &[0, 1][..]));
    let (question, records) = answer[12..].split_at(query.len() - 12);
    assert_eq!(question, &query[12..]);
    let count = usize::from(u16::from_be_bytes([answer[6], answer[7]]));
    assert_eq!(count == 0, records.is_empty());
    (u16::from_be_bytes([answer[2], answer[3]]), records.to_vec())
}

#[test]
fn an_address_is_answered_with_no_time_to_live() {
    let query = query("relay-1.relay.test", A);
    let answer = Question::parse(&query).unwrap().answer(Some(&[ip("10.99.1.11")]));
    let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 10, 99, 1, 11];
    assert_eq!(said(&answer, &query), (0x8580, record.to_vec()));
}

#[test]
fn only_addresses_of_the_family_asked_for_are_answered() {
    let both = [ip("10.99.1.11"), ip("fd00::b")];
    let query = query("relay-1.relay.test", AAAA);
    let question = Question::parse(&query).unwrap();
    let data = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0xb).octets();
    let record = [&[0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 0, 0, 16][..], &data].concat();
    assert_eq!(said(&question.answer(Some(&both)), &query), (0x8580, record));
    assert_eq!(said(&question.answer(Some(&both[..1])), &query), (0x8580, Vec::new()));
}

#[test]
fn an_unknown_name_does_not_exist() {
    let query = query("relay-7.relay.test", A);
    let answer = Question::parse(&query).unwrap().answer(None);
    assert_eq!(said(&answer, &query), (0x8583, Vec::new()));
}

#[test]
fn names_are_compared_without_case() {
    assert_eq!(
        Question::parse(&query("Relay-1.RELAY.test", A)).unwrap().name,
        "relay-1.relay.test"
    );
}

#[test]
fn whatever_is_no_question_is_not_answered() {
    let whole = query("relay.test", A);
    for length in 0..whole.len() {
        assert_eq!(Question::parse(&whole[..length]), None, "{length} bytes");
    }
    let changed = |at: usize, byte: u8| {
        let mut query = whole.clone();
        query[at] = byte;
        Question::parse(&query)
    };
    assert_eq!(changed(2, 0x81), None, "an answer");
    assert_eq!(changed(2, 0x29), None, "an update");
    assert_eq!(changed(5, 2), None, "two questions");
    assert_eq!(changed(12, 0xc0), None, "a pointer");
}

#[test]
fn a_service_leads_to_all_pods_and_a_pod_to_itself() {
    let mut zone = Zone::new("relay.test");
    assert_eq!(zone.look_up("relay.test"), None);
    zone.publish("relay-0", ip("10.99.1.10"));
    zone.publish("relay-1", ip("10.99.1.11"));
    assert_eq!(zone.look_up("relay.test"), Some(vec![ip("10.99.1.10"), ip("10.99.1.11")]));
    zone.publish("relay-1", ip("10.99.1.100"));
    assert_eq!(zone.look_up("relay-1.relay.test"), Some(vec![ip("10.99.1.100")]));
    zone.withdraw("relay-1");
    assert_eq!(zone.look_up("relay-1.relay.test"), None);
    assert_eq!(zone.look_up("relay.test"), Some(vec![ip("10.99.1.10")]));
}

#[test]
fn denials_of_the_service_are_counted_by_who_asked() {
    let mut zone = Zone::new("relay.test");
    let (asker, other) = (ip("10.99.1.10"), ip("10.99.1.11"));
    zone.answer(&query("relay.test", A), asker).unwrap();
    zone.answer(&query("relay.test", AAAA), asker).unwrap();
    zone.answer(&query("relay-0.relay.test", A), other).unwrap();
    zone.publish("relay-0", asker);
    zone.answer(&query("relay.test", A), asker).unwrap();
    assert_eq!((zone.denied(asker), zone.denied(other)), (2, 0));
}

#[test]
fn a_silent_zone_answers_nobody_until_it_answers_again() {
    let mut zone = Zone::new("relay.test");
    let asked = query("relay.test", A);
    zone.silence(true);
    assert_eq!(zone.answer(&asked, ip("10.99.1.10")), None);
    zone.silence(false);
    assert!(zone.answer(&asked, ip("10.99.1.10")).is_some());
}
