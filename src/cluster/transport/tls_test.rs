//! Handshakes over real connections on loopback.

use super::*;
use crate::cluster::transport::certificate::CertificateFiles;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const WITHIN: Duration = Duration::from_secs(20);
const SECRET: &str = "what all members know";
const OTHER: &str = "what somebody has guessed";

fn migrating(secret: Option<&str>) -> PeerTls {
    let keys = secret.and_then(|secret| PeerTls::under(secret).0.keys.lock().take());
    PeerTls::new(keys.map(|keys| Arc::into_inner(keys).unwrap()), true)
}

/// The result of a connection on both sides: whether a byte of the caller reached the callee's
/// application, and whether each considers the other authenticated.
async fn met(callee: &PeerTls, caller: &PeerTls) -> Option<(bool, bool)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = [listener.local_addr().unwrap()];
    let accepting = async {
        // A caller that falls back connects twice.
        for _ in 0..2 {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut channel) = callee.accept(stream).await else { continue };
            let mut byte = [0];
            channel.io.read_exact(&mut byte).await.ok()?;
            return Some(channel.is_proven);
        }
        None
    };
    let connecting = async {
        let mut channel = caller.connect(&at).await.ok()?;
        channel.io.write_all(b"x").await.ok()?;
        channel.io.flush().await.ok()?;
        Some((channel.is_proven, channel))
    };
    let both =
        async { tokio::join!(tokio::time::timeout(Duration::from_secs(2), accepting), connecting) };
    let (accepted, connected) = tokio::time::timeout(WITHIN, both).await.unwrap();
    Some((accepted.ok()??, connected?.0))
}

#[tokio::test]
async fn members_with_the_secret_prove_themselves_to_each_other() {
    assert_eq!(met(&PeerTls::under(SECRET), &PeerTls::under(SECRET)).await, Some((true, true)));
}

#[tokio::test]
async fn another_secret_none_and_no_certificate_reach_nothing() {
    let member = PeerTls::under(SECRET);
    assert_eq!(met(&member, &PeerTls::under(OTHER)).await, None);
    assert_eq!(met(&PeerTls::under(OTHER), &member).await, None);
    assert_eq!(met(&member, &PeerTls::new(None, false)).await, None);
    assert_eq!(met(&PeerTls::new(None, false), &member).await, None);
    assert_eq!(met(&member, &without_certificate()).await, None);
}

/// A caller that believes the members, and shows no certificate.
fn without_certificate() -> PeerTls {
    let secrets = crate::cluster::secrets::ClusterSecrets::parse(SECRET).unwrap();
    let certificate = NodeCertificate::issue(&secrets).unwrap();
    let client =
        ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(certificate.authorities)
            .with_no_client_auth();
    let mut client = client;
    client.alpn_protocols = vec![PROTOCOL.to_vec()];
    let tls = PeerTls::under(SECRET);
    let keys = tls.0.keys.lock().take().unwrap();
    let keys = Keys { connector: Arc::new(client).into(), ..Arc::into_inner(keys).unwrap() };
    PeerTls::new(Some(keys), false)
}

#[tokio::test]
async fn while_a_secret_is_changed_old_and_new_members_meet() {
    let [old, old_new, new_old, new] = [
        SECRET.to_owned(),
        format!("{SECRET}\n{OTHER}"),
        format!("{OTHER}\n{SECRET}"),
        OTHER.to_owned(),
    ]
    .map(|secrets| PeerTls::under(&secrets));
    for (callee, caller) in [(&old, &old_new), (&old_new, &new_old), (&new_old, &new)] {
        assert_eq!(met(callee, caller).await, Some((true, true)));
        assert_eq!(met(caller, callee).await, Some((true, true)));
    }
    assert_eq!(met(&old, &new).await, None);
    assert_eq!(met(&new, &old_new).await, None);
}

#[tokio::test]
async fn while_migrating_peers_without_tls_are_believed_and_prove_nothing() {
    let (plain, both) = (PeerTls::new(None, false), migrating(Some(SECRET)));
    assert_eq!(met(&both, &plain).await, Some((false, false)));
    assert_eq!(met(&both, &PeerTls::under(SECRET)).await, Some((true, true)));
    assert_eq!(met(&PeerTls::under(SECRET), &both).await, Some((true, true)));
    assert!(both.believes_anybody() && migrating(None).believes_anybody());
    assert!(!PeerTls::under(SECRET).believes_anybody());
}

#[tokio::test]
async fn replaced_keys_cut_what_is_open_and_keep_others_out() {
    let tls = PeerTls::under(SECRET);
    let old = tls.keys().unwrap();
    let next = PeerTls::under(OTHER).0.keys.lock().take().unwrap();
    tls.replace(Arc::into_inner(next).unwrap());
    assert!(old.replaced.is_cancelled());
    assert_eq!(met(&tls, &PeerTls::under(SECRET)).await, None);
    assert_eq!(met(&tls, &PeerTls::under(OTHER)).await, Some((true, true)));
}

/// Files as cert-manager writes them, for a certificate with this name.
fn given(folder: &Path, name: &str, authority: &CertifiedIssuer<'_, KeyPair>) -> PeerTls {
    let path = |file: &str| folder.join(format!("{name}-{file}"));
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    std::fs::write(path("tls.crt"), certificate.pem()).unwrap();
    std::fs::write(path("tls.key"), key.serialize_pem()).unwrap();
    std::fs::write(path("ca.crt"), authority.pem()).unwrap();
    let files =
        CertificateFiles { cert: path("tls.crt"), key: path("tls.key"), ca: path("ca.crt") };
    let certificate = NodeCertificate::read(&files).unwrap();
    assert!(certificate.expires_at.is_some());
    PeerTls::new(Some(Keys::new(certificate).unwrap()), false)
}

#[tokio::test]
async fn given_certificates_of_one_authority_are_believed_if_they_share_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let of = |name| given(folder.path(), name, &authority);
    assert_eq!(met(&of("relay.ci"), &of("relay.ci")).await, Some((true, true)));
    // The authority also issues certificates to others, which are not members.
    assert_eq!(met(&of("relay.ci"), &of("other.ci")).await, None);
    assert_eq!(met(&of("other.ci"), &of("relay.ci")).await, None);
    assert_eq!(met(&of("relay.ci"), &PeerTls::under(SECRET)).await, None);
}
