//! What keeps a server from being used: each cause is told apart, with its own remedy.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use push0_log::{CredentialKind, NatsConfig, NatsError, NatsLog, Trouble};
use push0_testbed::{Nats, Settings, certificates, free_ports};
use tempfile::TempDir;

use crate::world::{append, config};

#[tokio::test]
async fn what_is_no_nats_server_is_told_by_its_words() {
    let http = Other::start(b"", b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let told = trouble(&at(http.port)).await;
    assert_eq!(told, Trouble::NotNats("HTTP/1.1 400 Bad Request".to_owned()));
    let ssh = Other::start(b"SSH-2.0-Other\x1b\r\n", b"");
    let told = trouble(&at(ssh.port)).await;
    assert_eq!(told, Trouble::NotNats("SSH-2.0-Other\\u{1b}".to_owned()));
    let silent = Other::start(b"", b"");
    assert_eq!(trouble(&at(silent.port)).await, Trouble::Silent);
    let port = free_ports(1).into_iter().next().expect("one");
    assert_eq!(trouble(&at(port)).await, Trouble::Refused);
    // Of several servers, the one that says most is told.
    let several =
        NatsConfig { urls: [at(port).urls, at(ssh.port).urls, at(port).urls].concat(), ..at(port) };
    assert!(matches!(trouble(&several).await, Trouble::NotNats(_)));
}

#[tokio::test]
async fn each_fault_of_tls_has_its_own_remedy() {
    let dir = TempDir::new().expect("a temporary directory");
    let [ca, server, server_key, client, client_key] = certificates(dir.path());
    let files = format!("cert_file: \"{server}\", key_file: \"{server_key}\", ca_file: \"{ca}\"");
    let start =
        |more: String| Nats::start_with(&Settings { nodes: 1, more, ..Settings::default() });
    let verifying = start(format!("tls {{ {files}, verify: true }}"));
    let secure = NatsConfig { tls_ca: Some(ca.into()), ..config(&verifying) };
    assert_eq!(trouble(&config(&verifying)).await, Trouble::UntrustedCertificate);
    assert_eq!(trouble(&secure).await, Trouble::CertificateWanted);
    let known = NatsConfig {
        tls_cert: Some(client.into()),
        tls_key: Some(client_key.into()),
        ..secure.clone()
    };
    append(&mut NatsLog::open(&known).await.expect("it is let in"), [1]).await;
    let plain = Nats::start(1);
    let asked = NatsConfig { urls: config(&plain).urls, ..secure };
    assert_eq!(trouble(&asked).await, Trouble::NoTls);
    for (setting, config) in [
        ("tls_ca", NatsConfig { tls_ca: Some(dir.path().into()), ..known.clone() }),
        ("tls_ca", NatsConfig { tls_ca: Some("/dev/zero".into()), ..known.clone() }),
        ("tls_cert", NatsConfig { tls_cert: known.tls_key.clone(), ..known.clone() }),
        ("tls_key", NatsConfig { tls_key: known.tls_cert.clone(), ..known }),
    ] {
        let refused = NatsLog::open(&config).await;
        let is_named =
            matches!(&refused, Err(NatsError::Config { setting: named, .. }) if *named == setting);
        assert!(is_named, "{setting}: {refused:?}");
    }
}

#[tokio::test]
async fn who_is_not_let_in_is_told_what_was_shown() {
    let more = "authorization { users: [{ user: prover, password: \"p@ss/w#rd:1\" }] }".to_owned();
    let nats = Nats::start_with(&Settings { nodes: 1, more, ..Settings::default() });
    let by = |who: &str| {
        let url = format!("nats://{who}127.0.0.1:{}", nats.port(0));
        NatsConfig { urls: vec![url.into()], ..config(&nats) }
    };
    append(
        &mut NatsLog::open(&by("prover:p%40ss%2Fw%23rd%3A1@")).await.expect("it is let in"),
        [1],
    )
    .await;
    let user = CredentialKind::User("prover".to_owned());
    let given = NatsConfig {
        user: Some("prover".into()),
        password: Some("wrong".into()),
        ..by("x:S3cret@")
    };
    for (config, gave) in [
        (by(""), CredentialKind::Nothing),
        (by("prover:S3cret@"), CredentialKind::Named),
        (by("S3cret@"), CredentialKind::Token),
        (given, user),
    ] {
        let refused = NatsLog::open(&config).await.expect_err("it is not let in");
        assert!(
            matches!(&refused, NatsError::Denied { gave: told, .. } if *told == gave),
            "{refused:?}"
        );
        let said = format!("{refused} {refused:?} {config:?}");
        assert!(!said.contains("S3cret") && !said.contains("wrong"), "{said}");
        assert!(gave != CredentialKind::Named || !said.contains("prover"), "{said}");
    }
    let two =
        NatsConfig { urls: [by("a:S3cret@").urls, by("b:S3cret@").urls].concat(), ..config(&nats) };
    let refused = NatsLog::open(&two).await;
    assert!(matches!(refused, Err(NatsError::Config { setting: "urls", .. })), "{refused:?}");
}

#[tokio::test]
async fn an_account_without_jetstream_is_told_from_a_server_without() {
    let more = "accounts { with: { jetstream: enabled, users: [{ user: a, password: p }] }, \
                without: { users: [{ user: b, password: p }] } }";
    let nats =
        Nats::start_with(&Settings { nodes: 1, more: more.to_owned(), ..Settings::default() });
    let by = |user: &str| NatsConfig {
        user: Some(user.to_owned()),
        password: Some("p".into()),
        ..config(&nats)
    };
    append(&mut NatsLog::open(&by("a")).await.expect("it has JetStream"), [1]).await;
    let refused = NatsLog::open(&by("b")).await;
    assert!(matches!(refused, Err(NatsError::NoJetStreamForAccount { .. })), "{refused:?}");
}

/// What keeps the server of this configuration from being used. What is said has a remedy of its
/// own.
async fn trouble(config: &NatsConfig) -> Trouble {
    let refused = NatsLog::open(config).await.expect_err("it cannot be used");
    let NatsError::Unreachable { trouble, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!(refused.remedy(), trouble.remedy());
    trouble.clone()
}

fn at(port: u16) -> NatsConfig {
    NatsConfig { urls: vec![format!("nats://127.0.0.1:{port}").into()], ..NatsConfig::default() }
}

/// A server of another kind. It ends with this.
struct Other {
    port: u16,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Other {
    /// Says `first` by itself, and `answer` to whatever comes; where both are empty, it says
    /// nothing.
    fn start(first: &'static [u8], answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let is_over = Arc::<AtomicBool>::default();
        let ends = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let _ = stream.write_all(first); // whoever came may be gone
                if !answer.is_empty() && stream.peek(&mut [0]).is_ok_and(|read| read > 0) {
                    let _ = stream.write_all(answer);
                }
                open.push(stream);
            }
        });
        Self { port, is_over, thread: Some(thread) }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a test that panics has said why
        }
    }
}
