//! Servers that speak TLS, and ask who connects for a certificate.

use push0_log::{NatsConfig, NatsError, NatsLog};
use push0_testbed::{Nats, Settings, certificates};
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
