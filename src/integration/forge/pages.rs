//! Pages of a list, each of which names the next one in its `Link` header (RFC 8288).

use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::integration::HttpReply;

/// Where the page after this one is; `None` after the last one.
///
/// # Errors
/// It is said to be on another scheme, host or port than `root`.
pub(super) fn next_url(reply: &HttpReply, root: &str) -> Result<Option<String>, DeliveryFailure> {
    match reply.header("link").and_then(next_link) {
        Some(next) if origin(next) != origin(root) => Err(foreign_page()),
        next => Ok(next.map(str::to_owned)),
    }
}

fn foreign_page() -> DeliveryFailure {
    let detail = "the next page of comments is said to be on another host";
    DeliveryFailure::new(FailureKind::Invalid, Retryability::Permanent, detail)
}

/// The target of `rel="next"`.
fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, link)) = rest.split_once('<') {
        let (url, after) = link.split_once('>')?;
        let parameters = after.split('<').next().unwrap_or_default();
        if parameters.contains("rel=\"next\"") {
            return Some(url);
        }
        rest = after;
    }
    None
}

/// Scheme, host and port, in lower case.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    Some(format!("{scheme}://{authority}").to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_headers_name_the_next_page_among_others() {
        let header = r#"<https://h/a,b?page=1>; rel="prev", <https://h/a,b?page=3>; rel="next""#;
        assert_eq!(next_link(header), Some("https://h/a,b?page=3"));
        assert_eq!(next_link(r#"<https://h/>; rel="last""#), None);
        assert_eq!(next_link("<https://h/"), None);
        assert_eq!(next_link(""), None);
    }
}
