//! Errors over HTTP: problem+json (RFC 9457). Every problem has an id with an entry in
//! `docs/PROBLEMS.md`.

use super::answers::ProblemAnswer;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

/// Seconds in `Retry-After`. Tekton ignores it and follows its own ladder; other senders do not.
const RETRY_AFTER_SECONDS: &str = "1";

/// The closed set of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemId {
    /// The request is not a CloudEvent, or a malformed one.
    InvalidCloudEvent,
    /// The content type is none that carries CloudEvents.
    UnsupportedMediaType,
    /// The body is compressed in a way that is not understood.
    UnsupportedEncoding,
    /// The body is longer than `server.max_body_size`.
    BodyTooLarge,
    /// The CloudEvent's data is not what its type promises.
    InvalidRunData,
    /// The log did not answer in time, or has no room now. Sending again is safe.
    NotAccepted,
    /// There is no room for another body now. Sending again is safe.
    Overloaded,
    /// All that the state holds is owed to somebody, and a new run finds no room. Sending again is
    /// safe.
    StateFull,
    /// Something went wrong inside. Sending again is safe.
    Internal,
    /// The body of an admin request cannot be read.
    InvalidRequest,
    /// The credentials are missing or wrong.
    Unauthorized,
    /// The credentials do not suffice, or a browser made the call for a foreign page.
    Forbidden,
    /// There is nothing under this name.
    NotFound,
    /// The cluster is not in a state in which it can do that.
    Conflict,
    /// No leader could be asked, or it did not confirm in time.
    NotCarriedOut,
}

impl ProblemId {
    /// All problems, in declaration order.
    pub const ALL: [Self; 15] = [
        Self::InvalidCloudEvent,
        Self::UnsupportedMediaType,
        Self::UnsupportedEncoding,
        Self::BodyTooLarge,
        Self::InvalidRunData,
        Self::NotAccepted,
        Self::Overloaded,
        Self::StateFull,
        Self::Internal,
        Self::InvalidRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::NotCarriedOut,
    ];

    /// The id in the answer, the metric label and the anchor in the documentation.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidCloudEvent => "invalid-cloudevent",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::UnsupportedEncoding => "unsupported-encoding",
            Self::BodyTooLarge => "body-too-large",
            Self::InvalidRunData => "invalid-run-data",
            Self::NotAccepted => "not-accepted",
            Self::Overloaded => "overloaded",
            Self::StateFull => "state-full",
            Self::Internal => "internal",
            Self::InvalidRequest => "invalid-request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::NotCarriedOut => "not-carried-out",
        }
    }

    /// Tekton repeats 404, 413, 429, 502, 503 and 504 and drops an event at 400, 401, 408 or 500;
    /// so whatever may heal is 503.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidCloudEvent | Self::InvalidRunData | Self::InvalidRequest => {
                StatusCode::BAD_REQUEST
            }
            Self::UnsupportedMediaType | Self::UnsupportedEncoding => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotAccepted
            | Self::Overloaded
            | Self::StateFull
            | Self::Internal
            | Self::NotCarriedOut => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::InvalidCloudEvent => "not a valid CloudEvent",
            Self::UnsupportedMediaType => "unsupported media type",
            Self::UnsupportedEncoding => "unsupported content encoding",
            Self::BodyTooLarge => "body too large",
            Self::InvalidRunData => "run data is malformed",
            Self::NotAccepted => "event not accepted, send it again",
            Self::Overloaded => "too many bodies at once, send it again",
            Self::StateFull => "no room for a new run, send it again",
            Self::Internal => "internal trouble, send it again",
            Self::InvalidRequest => "request is malformed",
            Self::Unauthorized => "credentials are missing or wrong",
            Self::Forbidden => "not allowed",
            Self::NotFound => "not found",
            Self::Conflict => "not possible now",
            Self::NotCarriedOut => "not carried out, try again",
        }
    }
}

/// A problem with what was wrong this time.
#[derive(Debug)]
pub struct Problem {
    pub id: ProblemId,
    pub detail: String,
    /// The scheme of credentials that a 401 asks for.
    challenge: Option<&'static str>,
}

impl Problem {
    /// A problem; `detail` names the field, its value and what is accepted.
    #[must_use]
    pub fn new(id: ProblemId, detail: impl Into<String>) -> Self {
        Self { id, detail: detail.into(), challenge: None }
    }

    /// A call of an operator that is not understood.
    #[must_use]
    pub fn invalid_request(detail: impl Into<String>) -> Self {
        Self::new(ProblemId::InvalidRequest, detail)
    }

    /// The same, with the scheme of credentials that would be taken.
    #[must_use]
    pub fn with_challenge(self, scheme: &'static str) -> Self {
        Self { challenge: Some(scheme), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.id.status();
        let body = ProblemAnswer {
            detail: self.detail,
            status: status.as_u16(),
            title: self.id.title().to_owned(),
            kind: format!("urn:tekton-events-relay:problem:{}", self.id.as_str()),
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if let Some(scheme) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        }
        if self.id == ProblemId::UnsupportedEncoding {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, identity"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_16_no_problem_teaches_the_sender_to_drop_what_could_heal() {
        for id in [
            ProblemId::NotAccepted,
            ProblemId::Overloaded,
            ProblemId::StateFull,
            ProblemId::Internal,
        ] {
            assert_eq!(id.status(), StatusCode::SERVICE_UNAVAILABLE, "{}", id.as_str());
        }
    }

    #[test]
    fn every_problem_is_documented() {
        let page = include_str!("../../docs/PROBLEMS.md");
        for id in ProblemId::ALL {
            let heading = format!("## {}\n", id.as_str());
            assert!(page.contains(&heading), "docs/PROBLEMS.md lacks {heading}");
        }
    }
}
