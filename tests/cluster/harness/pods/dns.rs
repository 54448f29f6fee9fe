//! The part of DNS messages that a resolver's address queries need (RFC 1035, RFC 3596): one
//! question in, its answer out. Pure.

use std::net::IpAddr;

const HEADER_BYTES: usize = 12;
/// The longest label; larger lengths are pointers, which no question has.
const LABEL_BYTES_MAX: usize = 63;
const A: u16 = 1;
const AAAA: u16 = 28;
const IN: u16 = 1;

const IS_RESPONSE: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const IS_AUTHORITATIVE: u16 = 0x0400;
const RECURSION_DESIRED: u16 = 0x0100;
const RECURSION_AVAILABLE: u16 = 0x0080;
const NO_SUCH_NAME: u16 = 3;

/// A pointer to the name of the question, directly after the header.
const QUESTION_NAME: u16 = 0xc00c;
/// The next query must ask again: a record may have changed by then.
const TTL_S: u32 = 0;

/// The only question of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    id: u16,
    is_recursion_desired: bool,
    /// In lower case, without the last dot.
    pub name: String,
    kind: u16,
    class: u16,
    /// The original bytes, to send back.
    bytes: Vec<u8>,
}

impl Question {
    /// Reads a query, and ignores everything after the question. `None` for another message.
    pub fn parse(query: &[u8]) -> Option<Self> {
        let flags = number(query, 2)?;
        let is_query = flags & (IS_RESPONSE | OPCODE) == 0 && number(query, 4)? == 1;
        let (name, end) = name(query, HEADER_BYTES).filter(|_| is_query)?;
        Some(Self {
            id: number(query, 0)?,
            is_recursion_desired: flags & RECURSION_DESIRED != 0,
            name,
            kind: number(query, end)?,
            class: number(query, end + 2)?,
            bytes: query[HEADER_BYTES..end + 4].to_vec(),
        })
    }

    /// The answer if the name has these addresses; `None` means that there is no such name.
    pub fn answer(&self, addresses: Option<&[IpAddr]>) -> Vec<u8> {
        let records: Vec<Vec<u8>> =
            addresses.unwrap_or_default().iter().filter_map(|at| self.record(*at)).collect();
        let mut flags = IS_RESPONSE | IS_AUTHORITATIVE | RECURSION_AVAILABLE;
        if self.is_recursion_desired {
            flags |= RECURSION_DESIRED;
        }
        if addresses.is_none() {
            flags |= NO_SUCH_NAME;
        }
        let count = u16::try_from(records.len()).unwrap();
        let header = [self.id, flags, 1, count, 0, 0].map(u16::to_be_bytes).concat();
        [header, self.bytes.clone(), records.concat()].concat()
    }

    /// The record of an address, if it is of the requested kind.
    fn record(&self, address: IpAddr) -> Option<Vec<u8>> {
        let (kind, data) = match address {
            IpAddr::V4(ip) => (A, ip.octets().to_vec()),
            IpAddr::V6(ip) => (AAAA, ip.octets().to_vec()),
        };
        let head = [QUESTION_NAME, kind, IN].map(u16::to_be_bytes).concat();
        let length = u16::try_from(data.len()).unwrap().to_be_bytes();
        let record = [&head[..], &TTL_S.to_be_bytes(), &length, &data].concat();
        (kind == self.kind && self.class == IN).then_some(record)
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// The name that starts at `at`, and where it ends.
fn name(bytes: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        let label = bytes.get(at..at + length).filter(|_| length <= LABEL_BYTES_MAX)?;
        labels.push(String::from_utf8(label.to_ascii_lowercase()).ok()?);
        at += length;
    }
}
