//! What the requests of one attempt showed to a target, and how it is cut out of what the target
//! says: a target may echo a credential, and its words are kept in dead letters and logs.

use crate::failure::DETAIL_CHARS_MAX;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::Url;
use std::ops::Range;
use zeroize::Zeroizing;

/// Stands where a secret stood.
const MARK: &str = "[secret]";

/// A shorter text is in too many words to be cut out of them.
const SECRET_BYTES_MIN: usize = 3;

/// A shorter part of a secret path (`api`, `v1`, `hooks`) is no secret.
const PATH_PART_BYTES_MIN: usize = 6;

/// A shorter piece of an encoding is in too many words.
const ENCODED_BYTES_MIN: usize = 6;

/// A shorter beginning of a secret, at the end of a text that was cut, tells nothing.
const BEGINNING_BYTES_MIN: usize = 4;

/// What most encoders encode: all but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The secrets that left with the requests of one attempt.
#[derive(Default)]
pub(crate) struct Exposed(Vec<Zeroizing<String>>);

impl std::fmt::Debug for Exposed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Exposed").field(&self.0.len()).finish()
    }
}

impl Exposed {
    /// Notes a secret that the next request carries.
    pub(crate) fn add(&mut self, secret: &str) {
        self.add_part(secret, SECRET_BYTES_MIN);
    }

    /// Notes the secrets in an address: what stands before the host, and where the address itself
    /// `is_secret` its path and query too.
    pub(crate) fn add_url(&mut self, url: &Url, is_secret: bool) {
        self.add(url.username());
        self.add(url.password().unwrap_or_default());
        if !is_secret {
            return;
        }
        self.add_part(url.path(), PATH_PART_BYTES_MIN);
        for part in url.path_segments().into_iter().flatten() {
            self.add_part(part, PATH_PART_BYTES_MIN);
        }
        for text in [url.query(), url.fragment()].into_iter().flatten() {
            self.add(text);
        }
        for (name, value) in url.query_pairs() {
            self.add(&value);
            // `?<token>` is a name without a value.
            if value.is_empty() {
                self.add(&name);
            }
        }
    }

    fn add_part(&mut self, text: &str, bytes_min: usize) {
        let decoded = percent_decode_str(text).decode_utf8_lossy();
        for form in [text, &*decoded] {
            if form.len() >= bytes_min && !self.0.iter().any(|known| known.as_str() == form) {
                self.0.push(Zeroizing::new(form.to_owned()));
            }
        }
    }

    /// The text without any of the secrets, in whatever form a target may have echoed them.
    pub(crate) fn cut(&self, text: &str) -> String {
        let lower = text.to_ascii_lowercase();
        let was_cut = text.chars().count() >= DETAIL_CHARS_MAX;
        let mut found: Vec<Range<usize>> = Vec::new();
        for form in self.0.iter().flat_map(|secret| forms(secret)) {
            found.extend(lower.match_indices(form.as_str()).map(|(at, _)| at..at + form.len()));
            if was_cut {
                found.extend(beginning_at_end(&lower, &form));
            }
        }
        found.sort_by_key(|range| range.start);
        without(text, &found)
    }
}

/// The forms in which a secret may come back, in lower case: as it was, percent-encoded, as HTML,
/// in hexadecimal, with its white space made one, and within the base64 of a longer text.
fn forms(secret: &str) -> Vec<Zeroizing<String>> {
    let html = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let hex = secret.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let encoded = [hex].into_iter().chain(base64_pieces(secret));
    let encoded = encoded.filter(|form| form.len() >= ENCODED_BYTES_MIN);
    [
        secret.to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        utf8_percent_encode(secret, RESERVED).to_string(),
        html.replace('"', "&quot;"),
        html.replace('"', "&#34;").replace('\'', "&#39;"),
        secret.split_whitespace().collect::<Vec<_>>().join(" "),
    ]
    .into_iter()
    .chain(encoded)
    .map(|form| Zeroizing::new(form.to_ascii_lowercase()))
    .collect()
}

/// What the base64 of any text with the secret in it has in common, for each place that the
/// secret may have in a group of three bytes.
fn base64_pieces(secret: &str) -> impl Iterator<Item = String> {
    (0..3_usize).flat_map(move |before| {
        let mut bytes = vec![0; before];
        bytes.extend(secret.bytes());
        // A character holds six bits; those that share a byte with a neighbour differ.
        let (first, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        let pieces = [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)];
        pieces.map(|piece| piece.get(first..end).unwrap_or_default().to_owned())
    })
}

/// The beginning of a secret with which a text ends that was cut to its bound.
fn beginning_at_end(text: &str, secret: &str) -> Option<Range<usize>> {
    let beginnings = secret.char_indices().map(|(at, _)| at).rev();
    let longest = beginnings
        .take_while(|len| *len >= BEGINNING_BYTES_MIN)
        .find(|len| secret.get(..*len).is_some_and(|beginning| text.ends_with(beginning)))?;
    Some(text.len() - longest..text.len())
}

/// The text with one mark for each run of the ranges, which are sorted by their start.
fn without(text: &str, ranges: &[Range<usize>]) -> String {
    let (mut kept, mut at) = (String::with_capacity(text.len()), 0);
    for range in ranges {
        if range.start >= at {
            kept.push_str(text.get(at..range.start).unwrap_or_default());
            kept.push_str(MARK);
        }
        at = at.max(range.end);
    }
    kept.push_str(text.get(at..).unwrap_or_default());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    const TOKEN: &str = "ghp_S3cr3t/Tok+en";

    fn exposed(secret: &str) -> Exposed {
        let mut exposed = Exposed::default();
        exposed.add(secret);
        exposed
    }

    #[test]
    fn a_token_is_cut_in_every_form_it_may_come_back_in() {
        let cut = |text: &str| exposed(TOKEN).cut(text);
        assert_eq!(cut(&format!("bad token {TOKEN}!")), "bad token [secret]!");
        assert_eq!(cut(&TOKEN.to_lowercase()), "[secret]");
        assert_eq!(cut("t=ghp_S3cr3t%2FTok%2Ben;"), "t=[secret];");
        assert_eq!(cut("t=ghp%5fS3cr3t%2fTok%2ben;"), "t=[secret];");
        let hex = TOKEN.bytes().map(|byte| format!("{byte:02X}")).collect::<String>();
        assert_eq!(cut(&hex), "[secret]");
        assert_eq!(cut("nothing of it"), "nothing of it");
        assert_eq!(exposed("a\"b&c<d").cut("x a&quot;b&amp;c&lt;d y"), "x [secret] y");
        assert_eq!(exposed("two  words").cut("x two words y"), "x [secret] y");
    }

    #[test]
    fn base64_is_cut_wherever_the_secret_stands_in_it() {
        for before in ["", "u", "us", "user:", "Bearer "] {
            for after in ["", ":", "xy"] {
                let encoded = STANDARD.encode(format!("{before}{TOKEN}{after}"));
                let cut = exposed(TOKEN).cut(&encoded);
                assert!(cut.contains(MARK) && cut.len() < 24, "{before}{after}: {cut}");
            }
        }
    }

    #[test]
    fn the_parts_of_a_secret_address_are_cut_and_its_host_stays() {
        let mut exposed = Exposed::default();
        let url =
            "https://us%65r1:p%40ss@hooks.example/services/T0AAAA/b0bb?key=v4lue&k2=&tok#frag1";
        exposed.add_url(&url.parse().unwrap(), true);
        for told in ["user1", "us%65r1", "p@ss", "p%40ss", "T0AAAA", "v4lue", "tok", "frag1"] {
            assert_eq!(exposed.cut(&format!("is {told} right")), "is [secret] right");
        }
        assert_eq!(exposed.cut("at /services/T0AAAA/b0bb now"), "at [secret] now");
        assert_eq!(exposed.cut("at hooks.example"), "at hooks.example");

        let mut plain = Exposed::default();
        plain.add_url(&"https://u5er:pa55@forge.example/repos/acme-corp".parse().unwrap(), false);
        assert_eq!(plain.cut("u5er pa55 acme-corp"), "[secret] [secret] acme-corp");
    }

    #[test]
    fn a_secret_that_the_bound_of_a_detail_cuts_in_two_is_cut_too() {
        let whole = format!("{}{TOKEN}", "x".repeat(DETAIL_CHARS_MAX - 9));
        let detail: String = whole.chars().take(DETAIL_CHARS_MAX).collect();
        assert!(detail.ends_with("ghp_S3cr3"));
        let cut = exposed(TOKEN).cut(&detail);
        assert_eq!(cut, format!("{}{MARK}", "x".repeat(DETAIL_CHARS_MAX - 9)));
        assert_eq!(exposed(TOKEN).cut("a short ghp_S3cr3"), "a short ghp_S3cr3");
    }

    #[test]
    fn what_is_too_short_to_be_a_secret_is_left() {
        assert_eq!(exposed("ab").cut("abab"), "abab");
        assert_eq!(exposed("").cut("all"), "all");
    }

    #[test]
    fn nothing_of_it_is_printed() {
        assert_eq!(format!("{:?}", exposed(TOKEN)), "Exposed(1)");
    }
}
