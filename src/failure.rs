//! Why an attempt to deliver failed, and whether a retry can help.

use std::fmt;
use std::time::Duration;

/// The kind of failure, a closed set: metric label, dead-letter cause and input of the retry
/// policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The target refused the credentials (401, 403 that is not a rate limit).
    Auth,
    /// The target does not know the object (404, 410).
    NotFound,
    /// The target understood and refused the content (400, 413, 422).
    Invalid,
    /// The object changed in the meantime (409).
    Conflict,
    /// The target asks us to slow down (429, GitHub's 403 with a limit header).
    RateLimited,
    /// The target failed (5xx, 408, an answer of the wrong form).
    Server,
    /// No answer within the deadline: it is unknown whether the call took effect.
    Timeout,
    /// The target could not be reached: the call did not take effect.
    Network,
    /// The text for the target could not be rendered (template, jq, CEL).
    Render,
    /// The secret could not be read.
    Credentials,
}

impl FailureKind {
    /// All kinds, in declaration order.
    pub const ALL: [Self; 10] = [
        Self::Auth,
        Self::NotFound,
        Self::Invalid,
        Self::Conflict,
        Self::RateLimited,
        Self::Server,
        Self::Timeout,
        Self::Network,
        Self::Render,
        Self::Credentials,
    ];

    /// The word used in answers and metric labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::RateLimited => "rate_limited",
            Self::Server => "server",
            Self::Timeout => "timeout",
            Self::Network => "network",
            Self::Render => "render",
            Self::Credentials => "credentials",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a retry can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retryability {
    /// A retry cannot help until a person changes something.
    Permanent,
    /// A later retry can help.
    Temporary,
    /// May recover within minutes (a commit that the forge has not seen yet): retried for
    /// [`crate::retry::UNSETTLED_TARGET_AGE_MAX`], then permanent.
    Unsettled,
}

/// Longest detail text kept with a failure, in characters.
pub const DETAIL_CHARS_MAX: usize = 256;

/// A failed attempt. The relay's state is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct DeliveryFailure {
    pub kind: FailureKind,
    pub retryability: Retryability,
    /// How long the target asked us to wait.
    pub retry_after: Option<Duration>,
    /// The target's answer, without secrets, cut to [`DETAIL_CHARS_MAX`].
    detail: String,
}

impl DeliveryFailure {
    /// A failure with its detail cut to [`DETAIL_CHARS_MAX`] characters.
    #[must_use]
    pub fn new(kind: FailureKind, retryability: Retryability, detail: &str) -> Self {
        let detail = detail.chars().take(DETAIL_CHARS_MAX).collect();
        Self { kind, retryability, retry_after: None, detail }
    }

    /// The same failure with the wait that the target asked for.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// The same failure with another detail, cut to [`DETAIL_CHARS_MAX`] characters.
    #[must_use]
    pub fn with_detail(self, detail: &str) -> Self {
        Self { detail: detail.chars().take(DETAIL_CHARS_MAX).collect(), ..self }
    }

    /// The target's answer.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detail_is_cut_by_characters_not_bytes() {
        let failure =
            DeliveryFailure::new(FailureKind::Server, Retryability::Temporary, &"ü".repeat(300));
        assert_eq!(failure.detail().chars().count(), DETAIL_CHARS_MAX);
    }
}
