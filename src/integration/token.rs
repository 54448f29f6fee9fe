//! Credentials that are exchanged for a token: what is asked for, and how the answer is read. The
//! shell sends the request and keeps the token until shortly before it expires.

use super::{HttpReply, HttpRequest};
use crate::clock::Timestamp;
use crate::event::Key;
use crate::failure::DeliveryFailure;
use crate::secret::Secret;
use std::fmt;
use std::sync::Arc;

/// A token, and the moment from which on it is refused.
#[derive(Clone, Debug)]
pub struct Token {
    pub value: Secret,
    pub expires_at: Timestamp,
}

/// Where a token stands in a request: `<name>: <prefix><token>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderForm {
    /// Name of the header, in lower case.
    pub name: String,
    /// What stands before the token, its space included.
    pub prefix: String,
}

impl HeaderForm {
    /// `Authorization: Bearer <token>` (RFC 6750, section 2.1).
    #[must_use]
    pub fn bearer() -> Self {
        Self { name: "authorization".to_owned(), prefix: "Bearer ".to_owned() }
    }

    /// The value of the header.
    #[must_use]
    pub fn value(&self, token: &Secret) -> Secret {
        Secret::new(&format!("{}{}", self.prefix, token.expose()))
    }
}

type RequestAt = Arc<dyn Fn(Timestamp) -> HttpRequest + Send + Sync>;

type ReadToken = fn(&HttpReply) -> Result<Token, DeliveryFailure>;

/// Tells an exchange from all others: it stands for every part of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeKey(Key);

/// How a token is got. Equal for equal requests.
#[derive(Clone)]
pub struct TokenExchange {
    key: ExchangeKey,
    request: RequestAt,
    read: ReadToken,
}

impl TokenExchange {
    /// An exchange that sends what `request` makes for a moment, and reads the answer with `read`.
    /// The credential of the request must not be exchanged itself. `read` fails for each answer that
    /// holds no token: with a permanent failure where another try cannot help.
    #[must_use]
    pub fn new(
        request: impl Fn(Timestamp) -> HttpRequest + Send + Sync + 'static,
        read: ReadToken,
    ) -> Self {
        // The text of a request has all parts of it, and places of secrets only.
        let key = Key::of(&["token", &format!("{:?}", request(Timestamp::UNKNOWN))]);
        Self { key: ExchangeKey(key), request: Arc::new(request), read }
    }

    /// What its token is kept under.
    #[must_use]
    pub fn key(&self) -> ExchangeKey {
        self.key
    }

    /// The request for a token at a moment.
    #[must_use]
    pub fn request(&self, now: Timestamp) -> HttpRequest {
        (self.request)(now)
    }

    /// The token in an answer.
    ///
    /// # Errors
    /// The token was refused, or the answer holds none.
    pub fn read(&self, reply: &HttpReply) -> Result<Token, DeliveryFailure> {
        (self.read)(reply)
    }
}

impl fmt::Debug for TokenExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenExchange").field(&self.key).finish()
    }
}

impl PartialEq for TokenExchange {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for TokenExchange {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{FailureKind, Retryability};
    use crate::integration::http::json_request;
    use crate::integration::{Credential, Method, ReplyBody, Text};
    use crate::secret::SecretRef;

    fn refuse(_: &HttpReply) -> Result<Token, DeliveryFailure> {
        Err(DeliveryFailure::new(FailureKind::Auth, Retryability::Permanent, ""))
    }

    fn exchange(url: &str, secret: &str) -> TokenExchange {
        let (url, secret) = (Text::Plain(url.to_owned()), SecretRef::file(secret));
        let credential = Credential::Bearer(secret);
        let request = json_request(Method::Post, url, credential, None, ReplyBody::Whole);
        TokenExchange::new(move |_| request.clone(), refuse)
    }

    #[test]
    fn every_part_of_the_request_tells_exchanges_apart() {
        assert_eq!(exchange("https://a.example", "/s"), exchange("https://a.example", "/s"));
        assert_ne!(exchange("https://a.example", "/s"), exchange("https://b.example", "/s"));
        assert_ne!(exchange("https://a.example", "/s"), exchange("https://a.example", "/t"));
    }

    #[test]
    fn neither_a_token_nor_its_header_is_printed() {
        let token = Token { value: Secret::new("s3cret"), expires_at: Timestamp(1) };
        let header = HeaderForm::bearer().value(&token.value);
        assert_eq!(header.expose(), "Bearer s3cret");
        assert!(!format!("{token:?} {header:?}").contains("s3cret"));
    }
}
