//! Servers that speak TLS, and ask who connects for a certificate.

use std::fs;
use std::path::Path;

use push0_log::{NatsConfig, NatsError, NatsLog};
use push0_testbed::{Nats, Settings};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::world::{append, config, history};

#[tokio::test]
async fn a_log_is_kept_over_tls_with_a_certificate_on_both_sides() {
    let dir = TempDir::new().expect("a temporary directory");
    let paths = certificates(dir.path());
    let [ca, server, server_key, client, client_key] = &paths;
    let more = format!(
        "tls {{ cert_file: \"{server}\", key_file: \"{server_key}\", ca_file: \"{ca}\", verify: true }}"
    );
    let nats = Nats::start_with(&Settings { nodes: 1, more, ..Settings::default() });
    let plain = config(&nats);
    let secure = NatsConfig {
        tls_ca: Some(ca.into()),
        tls_cert: Some(client.into()),
        tls_key: Some(client_key.into()),
        ..config(&nats)
    };
    let mut log = NatsLog::open(&secure).await.expect("both are who they say");
    let turns = append(&mut log, 1..=3).await;
    assert_eq!(history(&secure).await, turns);

    for stranger in [
        NatsConfig { tls_ca: Some(ca.into()), ..plain.clone() },
        NatsConfig { tls_ca: Some(client.into()), ..secure.clone() },
        plain,
    ] {
        let refused = NatsLog::open(&stranger).await;
        assert!(matches!(refused, Err(NatsError::Unreachable { .. })), "{refused:?}");
    }
}

/// An authority, and what it signed: files of its certificate, the server's and its key, the client's
/// and its key.
fn certificates(dir: &Path) -> [String; 5] {
    let key = KeyPair::generate().expect("there is chance");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).expect("it signs");
    let issuer = Issuer::new(params, key);
    let put = |name: &str, text: String| {
        let path = dir.join(name);
        fs::write(&path, text).expect("there is room");
        path.display().to_string()
    };
    let signed = |name: &str| {
        let key = KeyPair::generate().expect("there is chance");
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
        let certificate = params.signed_by(&key, &issuer).expect("it signs");
        (put(name, certificate.pem()), put(&format!("{name}.key"), key.serialize_pem()))
    };
    let ca = put("ca", authority.pem());
    let ((server, server_key), (client, client_key)) = (signed("server"), signed("client"));
    [ca, server, server_key, client, client_key]
}
