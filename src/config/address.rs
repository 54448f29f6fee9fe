//! Addresses: where to listen, and URLs to send to. They stay text: names are resolved, and
//! sockets opened, where they are used.

use super::error::Problem;
use super::fields::Fields;

/// Reads an address to listen on; as with Go, an absent host means every address.
pub(super) fn read(fields: &mut Fields<'_>, key: &'static str) -> Option<String> {
    let (text, place) = fields.text_place(key)?;
    let address = normalized(text);
    if address.is_none() {
        let expected = "an address such as 0.0.0.0:8080, [::]:8080 or :8080";
        place.fail(Problem::Malformed { expected });
    }
    address
}

/// `HOST:PORT`, with the host that an absent one stands for. Port 0 lets the system choose.
fn normalized(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    match host {
        "" => Some(format!("0.0.0.0:{port}")),
        _ if is_host(host) => Some(format!("{host}:{port}")),
        _ => None,
    }
}

/// A name or an address; one with colons has to be in brackets.
fn is_host(host: &str) -> bool {
    let inside = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_of = |text: &str, others: &[u8]| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
    };
    inside.map_or_else(|| is_of(host, b".-_"), |address| is_of(address, b":.%"))
}

/// Reads an `http` or `https` URL, without the slashes at its end.
pub(super) fn read_url(fields: &mut Fields<'_>, key: &'static str) -> Option<String> {
    let (text, place) = fields.text_place(key)?;
    if is_url(text) {
        return Some(text.trim_end_matches('/').to_owned());
    }
    let expected = "a URL that starts with http:// or https://, without user, query and fragment";
    place.fail(Problem::Malformed { expected });
    None
}

/// A URL to which paths can be added; credentials belong into secret files.
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
        let listen = |text| normalized(text);
        assert_eq!(listen(":8080").as_deref(), Some("0.0.0.0:8080"));
        assert_eq!(listen("localhost:1").as_deref(), Some("localhost:1"));
        assert_eq!(listen("[::]:080").as_deref(), Some("[::]:80"));
        for wrong in ["8080", "", ":", ":99999", "::1:80", "http://x:1", "[:80", "a b:1"] {
            assert_eq!(listen(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn urls_carry_no_credentials() {
        assert!(is_url("https://tekton.example.com/x") && is_url("http://[::1]:9097"));
        for wrong in ["tekton.example.com", "https://", "https://u:p@x", "https://x?token=1"] {
            assert!(!is_url(wrong), "{wrong}");
        }
    }
}
