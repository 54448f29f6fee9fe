//! Why a call got no answer, in words that name neither a URL nor a secret.

use super::names::LookupFailed;
use crate::failure::FailureKind;
use rustls::{AlertDescription, CertificateError};
use std::error::Error;
use std::io;

/// The kind of a failed call, and what to do about it. `Network` only where the request cannot
/// have been taken: the connection was never made.
pub(super) fn explain(error: &reqwest::Error) -> (FailureKind, String) {
    if error.is_builder() {
        let detail = "the configured URL is not one of http or https";
        return (FailureKind::Credentials, detail.to_owned());
    }
    if error.is_connect() {
        let detail = unreached(error).unwrap_or_else(|| match error.is_timeout() {
            true => "no connection: the target did not take it in time".to_owned(),
            false => "no connection".to_owned(),
        });
        return (FailureKind::Network, detail);
    }
    let hyper = causes(error).find_map(|cause| cause.downcast_ref::<hyper::Error>());
    let detail = match hyper {
        Some(error) if error.is_parse() => "the target did not answer in HTTP",
        _ => "the connection ended before the answer",
    };
    (FailureKind::Timeout, detail.to_owned())
}

/// Why there is no connection, where the cause is a known one.
fn unreached(error: &reqwest::Error) -> Option<String> {
    causes(error).find_map(|cause| {
        if cause.is::<LookupFailed>() {
            return Some("the name of the target could not be resolved".to_owned());
        }
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return Some(handshake(error));
        }
        Some(socket(cause.downcast_ref::<io::Error>()?)?.to_owned())
    })
}

/// The chain of causes. An I/O error shows the one that it carries only when asked for it.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let inner = |error: &'e (dyn Error + 'static)| {
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        carried.map(|carried| carried as &(dyn Error + 'static)).or_else(|| error.source())
    };
    std::iter::successors(Some(error), move |error| inner(*error))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds are non-exhaustive")]
fn socket(error: &io::Error) -> Option<&'static str> {
    use io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => Some("the target refused the connection"),
        ErrorKind::TimedOut => Some("no connection: the target did not take it in time"),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            Some("no connection: there is no way to the target's network")
        }
        ErrorKind::PermissionDenied => Some("no connection: this host forbids it"),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            Some("the target ended the connection at once")
        }
        ErrorKind::UnexpectedEof => Some("the target ended the connection in the TLS handshake"),
        _ => None,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the errors of rustls are non-exhaustive")]
pub(super) fn handshake(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => certificate(error).to_owned(),
        rustls::Error::InvalidMessage(_) => {
            "the TLS handshake failed: the target does not speak TLS".to_owned()
        }
        rustls::Error::PeerIncompatible(_) => {
            "the TLS handshake failed: there is no version or cipher that both sides know"
                .to_owned()
        }
        rustls::Error::AlertReceived(alert) => alert_words(*alert),
        _ => "the TLS handshake failed".to_owned(),
    }
}

fn alert_words(alert: AlertDescription) -> String {
    if alert == AlertDescription::CertificateRequired {
        return "the TLS handshake failed: the target asks for a client certificate".to_owned();
    }
    let word = alert.as_str().unwrap_or("unknown");
    format!("the TLS handshake failed: the target answered with the alert {word}")
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the faults of a certificate are non-exhaustive"
)]
fn certificate(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::UnknownIssuer => {
            "the certificate of the target is not trusted: no known authority has issued it"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate of the target has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate of the target is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate of the target is for another name"
        }
        CertificateError::Revoked => "the certificate of the target was revoked",
        CertificateError::BadSignature => "the certificate of the target has a wrong signature",
        _ => "the certificate of the target is not trusted: it is not one of a server",
    }
}
