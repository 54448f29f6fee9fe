//! Why a call got no answer, in words that name neither a URL nor a secret.

use super::names::LookupFailed;
use crate::failure::FailureKind;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use rustls::{AlertDescription, CertificateError};
use std::error::Error;
use std::io;

/// What the ways through proxies end with; its own name is not public.
type TunnelError = <Tunnel<HttpConnector> as tower::Service<http::Uri>>::Error;

/// The other end of a connection, or of TLS on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OtherEnd {
    Target,
    Proxy,
}

/// Who is at the other ends of a call's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OtherEnds {
    pub(super) of_connection: OtherEnd,
    pub(super) of_tls: OtherEnd,
}

impl OtherEnd {
    fn as_str(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Proxy => "proxy",
        }
    }
}

/// Whether a proxy wants to be shown a credential, or another one.
pub(super) fn is_refused_by_proxy(error: &reqwest::Error) -> bool {
    tunnel_error(error).is_some_and(|error| matches!(error, TunnelError::ProxyAuthRequired))
}

fn tunnel_error(error: &reqwest::Error) -> Option<&TunnelError> {
    causes(error).find_map(|cause| cause.downcast_ref::<TunnelError>())
}

/// The kind of a failed call, and what to do about it. `Network` only where the request cannot
/// have been taken: the connection was never made.
pub(super) fn explain(error: &reqwest::Error, ends: OtherEnds) -> (FailureKind, String) {
    if error.is_builder() {
        let detail = "the configured URL is not one of http or https";
        return (FailureKind::Credentials, detail.to_owned());
    }
    if error.is_connect() {
        let detail = unreached(error, ends).unwrap_or_else(|| match error.is_timeout() {
            true => {
                let whom = ends.of_connection.as_str();
                format!("no connection: the {whom} did not take it in time")
            }
            false if ends.of_connection == OtherEnd::Proxy => {
                "no connection through the proxy".to_owned()
            }
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
fn unreached(error: &reqwest::Error, ends: OtherEnds) -> Option<String> {
    let tunnel = tunnel_error(error);
    if let Some(refused) = tunnel.and_then(tunnelled) {
        return Some(refused.to_owned());
    }
    // A proxy of the environment may stand before a target too.
    let proxy = tunnel.map(|_| OtherEnd::Proxy);
    let of_connection = proxy.unwrap_or(ends.of_connection);
    causes(error).find_map(|cause| {
        if cause.is::<LookupFailed>() {
            return Some(format!(
                "the name of the {} could not be resolved",
                of_connection.as_str()
            ));
        }
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return Some(handshake(error, proxy.unwrap_or(ends.of_tls)));
        }
        socket(cause.downcast_ref::<io::Error>()?, of_connection)
    })
}

/// What a proxy answered that was asked for a way to the target.
fn tunnelled(error: &TunnelError) -> Option<&'static str> {
    match error {
        TunnelError::TunnelUnsuccessful | TunnelError::ProxyHeadersTooLong => {
            Some("no connection: the proxy opened no way to the target")
        }
        TunnelError::TunnelUnexpectedEof | TunnelError::Io(_) => {
            Some("no connection: the proxy ended it without an answer")
        }
        TunnelError::ProxyAuthRequired => Some("the proxy asks for a user and a password"),
        TunnelError::ConnectFailed(_) | TunnelError::MissingHost => None,
    }
}

/// The chain of causes. An I/O error shows the one that it carries only when asked for it.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let inner = |error: &'e (dyn Error + 'static)| {
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        carried.map(|carried| carried as &(dyn Error + 'static)).or_else(|| error.source())
    };
    std::iter::successors(Some(error), move |error| inner(*error))
}

/// Why a connection was not made, or broke, where the cause is a known one.
#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds are non-exhaustive")]
pub(super) fn socket(error: &io::Error, other_end: OtherEnd) -> Option<String> {
    use io::ErrorKind;
    let whom = other_end.as_str();
    Some(match error.kind() {
        ErrorKind::ConnectionRefused => format!("the {whom} refused the connection"),
        ErrorKind::TimedOut => format!("no connection: the {whom} did not take it in time"),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            format!("no connection: there is no way to the {whom}'s network")
        }
        ErrorKind::PermissionDenied => "no connection: this host forbids it".to_owned(),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            format!("the {whom} ended the connection at once")
        }
        ErrorKind::UnexpectedEof => format!("the {whom} ended the connection in the TLS handshake"),
        _ => return None,
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the errors of rustls are non-exhaustive")]
pub(super) fn handshake(error: &rustls::Error, other_end: OtherEnd) -> String {
    let whom = other_end.as_str();
    match error {
        rustls::Error::InvalidCertificate(error) => certificate(error, whom),
        rustls::Error::InvalidMessage(_) => {
            format!("the TLS handshake failed: the {whom} does not speak TLS")
        }
        rustls::Error::PeerIncompatible(_) => {
            "the TLS handshake failed: there is no version or cipher that both sides know"
                .to_owned()
        }
        rustls::Error::AlertReceived(alert) => alert_words(*alert, whom),
        _ => "the TLS handshake failed".to_owned(),
    }
}

fn alert_words(alert: AlertDescription, whom: &str) -> String {
    if alert == AlertDescription::CertificateRequired {
        return format!("the TLS handshake failed: the {whom} asks for a client certificate");
    }
    let word = alert.as_str().unwrap_or("unknown");
    format!("the TLS handshake failed: the {whom} answered with the alert {word}")
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the faults of a certificate are non-exhaustive"
)]
fn certificate(error: &CertificateError, whose: &str) -> String {
    let fault = match error {
        CertificateError::UnknownIssuer => "is not trusted: no known authority has issued it",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "is for another name"
        }
        CertificateError::Revoked => "was revoked",
        CertificateError::BadSignature => "has a wrong signature",
        _ => "is not trusted: it is not one of a server",
    };
    format!("the certificate of the {whose} {fault}")
}
