//! TLS on the listener: a certificate that is replaced while the relay runs, and senders that need
//! their own.

use crate::harness::{Relay, Setup, eventually, recorded};
use crate::shared::{client_builder, headers_of};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::time::Duration;

/// A changed file is noticed within seconds; the rest is for a busy machine.
const RELOADED_WITHIN: Duration = Duration::from_secs(20);

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key for the loopback address.
fn issued(authority: &Authority) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

fn client(trusted: &Authority, identity: Option<(String, String)>) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(trusted.pem().as_bytes()).unwrap();
    let client = client_builder().tls_certs_only([root]);
    let Some((certificate, key)) = identity else { return client.build().unwrap() };
    let identity = reqwest::Identity::from_pem(format!("{certificate}{key}").as_bytes()).unwrap();
    client.identity(identity).build().unwrap()
}

fn write(setup: &Setup, authority: &Authority) {
    let (certificate, key) = issued(authority);
    setup.write("crt", &certificate);
    setup.write("key", &key);
}

async fn status(client: &reqwest::Client, url: &str) -> Option<u16> {
    Some(client.get(url).send().await.ok()?.status().as_u16())
}

async fn serving<'s>(setup: &'s Setup, trusted: &Authority) -> (Relay<'s>, String) {
    let relay = Relay::spawn(setup);
    let url = relay.url("").replace("http://", "https://");
    let client = client(trusted, None);
    eventually("the relay is ready", RELOADED_WITHIN, async || {
        (status(&client, &format!("{url}/readyz")).await == Some(200)).then_some(())
    })
    .await;
    (relay, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_replaced_while_the_relay_runs() {
    let setup = Setup::empty();
    let (first, second) = (authority(), authority());
    write(&setup, &first);
    setup.write("relay.yaml", "server: { tls: { cert_file: ./crt, key_file: ./key } }\n");
    let (relay, url) = serving(&setup, &first).await;
    let path = format!("{url}/healthz");
    assert_eq!(status(&client(&second, None), &path).await, None);
    write(&setup, &second);
    eventually("the new certificate is shown", RELOADED_WITHIN, async || {
        (status(&client(&second, None), &path).await == Some(200)).then_some(())
    })
    .await;
    assert_eq!(status(&client(&first, None), &path).await, None);
    assert_eq!(status(&crate::harness::client(), &relay.url("/healthz")).await, None);
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s01a_senders_show_a_certificate_where_it_is_asked_for_and_probes_need_none() {
    let setup = Setup::empty();
    let (own, foreign) = (authority(), authority());
    write(&setup, &own);
    setup.write("ca", &own.pem());
    let files = "{ cert_file: ./crt, key_file: ./key, client_ca_file: ./ca }";
    setup.write("relay.yaml", &format!("server: {{ tls: {files} }}\n"));
    let (relay, url) = serving(&setup, &own).await;
    let event = recorded().0.swap_remove(0);
    let post = async |client: reqwest::Client| {
        let post = client.post(format!("{url}/")).body(event.body.clone());
        let post = headers_of(&event).fold(post, |post, (name, value)| post.header(name, value));
        Some(post.send().await.ok()?.status().as_u16())
    };
    assert_eq!(post(client(&own, None)).await, Some(401));
    let forged = client(&own, Some(issued(&foreign)));
    assert!(matches!(post(forged).await, None | Some(401)));
    assert_eq!(post(client(&own, Some(issued(&own)))).await, Some(202));
    relay.kill_nine().await;
}
