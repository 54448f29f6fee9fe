//! Addresses to listen on, addresses to connect to, and URLs to send to. They stay text: the code
//! that uses them resolves names and opens sockets. The file and the flags of `serve` share the
//! `parse_` functions, so both get the same error texts.

use super::error::Problem;
use super::fields::Fields;

/// What a DNS name may hold (RFC 1035, section 2.3.4).
const NAME_BYTES_MAX: usize = 253;

/// Hosts that mean every address of the machine. No peer can connect to them.
const EVERY_ADDRESS: [&str; 2] = ["0.0.0.0", "[::]"];

/// Reads an address to listen on.
pub(crate) fn read(fields: &mut Fields<'_>, key: &'static str) -> Option<String> {
    read_by(fields, key, parse_listen)
}

/// Reads a text that `parse` understands.
pub(crate) fn read_by(
    fields: &mut Fields<'_>,
    key: &'static str,
    parse: fn(&str) -> Result<String, Problem>,
) -> Option<String> {
    let (text, setting) = fields.text_setting(key)?;
    parse(text).map_err(|problem| setting.fail(problem)).ok()
}

/// Parses an address to listen on. As in Go, an absent host means every address. Port 0 lets the
/// system choose.
///
/// # Errors
/// The text is not such an address.
pub fn parse_listen(text: &str) -> Result<String, Problem> {
    let expected = "an address such as 0.0.0.0:8080, [::]:8080 or :8080";
    let (host, port) = split(text).ok_or(Problem::Malformed { expected })?;
    match host {
        "" => Ok(format!("{}:{port}", EVERY_ADDRESS[0])),
        _ if is_host(host) => Ok(format!("{host}:{port}")),
        _ => Err(Problem::Malformed { expected }),
    }
}

/// Parses the address of another process. It needs a host and a fixed port.
///
/// # Errors
/// The text is not such an address.
pub fn parse_seed(text: &str) -> Result<String, Problem> {
    match split(text) {
        Some((host, port)) if port > 0 && is_host(host) && !is_every_address(host) => {
            Ok(format!("{host}:{port}"))
        }
        Some(_) | None => Err(Problem::Malformed {
            expected: "the gossip address of a replica, such as 10.0.0.7:3322 or relay-0.ci:3322",
        }),
    }
}

/// Parses a host that others connect to, an IPv6 address in brackets.
///
/// # Errors
/// The text is not a host, has a port, or means every address of a machine.
pub fn parse_host(text: &str) -> Result<String, Problem> {
    if is_host(text) && !is_every_address(text) {
        return Ok(text.to_owned());
    }
    let expected = "a host without port, such as relay-0.relay, 10.0.0.7 or [fd00::7]";
    Err(Problem::Malformed { expected })
}

/// Parses the name of a pod or of a Service; the name is part of DNS names.
///
/// # Errors
/// The text is not such a name.
pub fn parse_name(text: &str) -> Result<String, Problem> {
    let is_part = |part: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !part.is_empty()
            && part.bytes().all(is_inner)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    if text.len() <= NAME_BYTES_MAX && text.split('.').all(is_part) {
        return Ok(text.to_owned());
    }
    let expected = "a DNS name of letters, digits, `-` and `.`";
    Err(Problem::Malformed { expected })
}

/// The host of a parsed address, without the port.
pub(crate) fn host_of(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

/// Whether a host means every address of the machine.
pub(crate) fn is_every_address(host: &str) -> bool {
    EVERY_ADDRESS.contains(&host)
}

fn split(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

/// Whether a text is a host, with a port other than 0 or without one.
pub(crate) fn is_host_with_port(text: &str) -> bool {
    split(text).map_or_else(|| is_host(text), |(host, port)| port > 0 && is_host(host))
}

/// A name or an address; one with colons must be in brackets.
fn is_host(host: &str) -> bool {
    let inside = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_of = |text: &str, others: &[u8]| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
    };
    inside.map_or_else(|| is_of(host, b".-_"), |address| is_of(address, b":.%"))
}

/// Reads an `http` or `https` URL, without slashes at its end.
pub(crate) fn read_url(fields: &mut Fields<'_>, key: &'static str) -> Option<String> {
    let (text, setting) = fields.text_setting(key)?;
    if is_url(text) {
        return Some(text.trim_end_matches('/').to_owned());
    }
    let expected = "a URL that starts with http:// or https://, without user, query and fragment";
    setting.fail(Problem::Malformed { expected });
    None
}

/// A URL to which paths can be added. It has no credentials: they belong in secret files.
fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        let host = rest.split('/').next().unwrap_or_default();
        !host.is_empty() && !rest.contains(['@', '?', '#', ' ', '\n'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses_are_read_as_go_reads_them() {
        let listen = |text| parse_listen(text).ok();
        assert_eq!(listen(":8080").as_deref(), Some("0.0.0.0:8080"));
        assert_eq!(listen("localhost:1").as_deref(), Some("localhost:1"));
        assert_eq!(listen("[::]:080").as_deref(), Some("[::]:80"));
        for wrong in ["8080", "", ":", ":99999", "::1:80", "http://x:1", "[:80", "a b:1"] {
            assert_eq!(listen(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_seed_names_one_host_and_one_port() {
        for right in ["127.0.0.1:3331", "relay-0.relay.ci.svc:3322", "[::1]:1"] {
            assert_eq!(parse_seed(right), Ok(right.to_owned()));
        }
        for wrong in [":3322", "0.0.0.0:3322", "[::]:3322", "relay-0", "relay-0:0", "::1:1", ""] {
            assert!(parse_seed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_advertised_host_is_one_that_others_can_reach() {
        for right in ["10.0.0.7", "relay-0.relay", "[fd00::7]"] {
            assert_eq!(parse_host(right), Ok(right.to_owned()));
        }
        for wrong in ["0.0.0.0", "[::]", "relay-0:3320", "fd00::7", "http://relay-0", ""] {
            assert!(parse_host(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_parts_of_dns_names() {
        for right in ["relay-0", "relay.ci.svc.cluster.local", "0", &"a".repeat(NAME_BYTES_MAX)] {
            assert_eq!(parse_name(right), Ok(right.to_owned()));
        }
        let too_long = "a".repeat(NAME_BYTES_MAX + 1);
        for wrong in ["", ".", "relay.", "-a", "a-", "a_b", "a:1", "a/b", "a b", &too_long] {
            assert!(parse_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_host_of_an_address_keeps_its_brackets() {
        assert_eq!((host_of("[::]:1"), host_of("relay-0.relay:3320")), ("[::]", "relay-0.relay"));
        assert!(is_every_address(host_of("[::]:1")) && is_every_address(host_of("0.0.0.0:1")));
        assert!(!is_every_address("127.0.0.1"));
    }

    #[test]
    fn urls_carry_no_credentials() {
        assert!(is_url("https://tekton.example.com/x") && is_url("http://[::1]:9097"));
        for wrong in ["tekton.example.com", "https://", "https://u:p@x", "https://x?token=1"] {
            assert!(!is_url(wrong), "{wrong}");
        }
    }
}
