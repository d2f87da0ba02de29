//! Servers that ask who comes: for a name, a token, or a file of credentials.

use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use push0_log::{NatsConfig, NatsError, NatsLog};
use push0_testbed::{Nats, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{append, config, history};

#[tokio::test]
async fn a_log_is_kept_with_a_file_of_credentials() {
    let (operator, account, system) =
        (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_account());
    let [of_operator, of_account, of_system] = [
        token(&operator, &operator, json!({ "type": "operator", "version": 2 })),
        token(&operator, &account, with_limits(-1)),
        token(&operator, &system, with_limits(0)),
    ];
    let (account_key, system_key) = (account.public_key(), system.public_key());
    let more = format!(
        "operator: \"{of_operator}\"\nsystem_account: {system_key}\nresolver: MEMORY\n\
         resolver_preload: {{ {account_key}: \"{of_account}\", {system_key}: \"{of_system}\" }}"
    );
    let nats = Nats::start_with(&Settings { nodes: 1, more, ..Settings::default() });

    let dir = TempDir::new().expect("a temporary directory");
    let credentials = |name: &str, issuer: &KeyPair| {
        let user = KeyPair::new_user();
        let limits = json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 });
        let (token, seed) = (token(issuer, &user, limits), user.seed().expect("it has one"));
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        let path = dir.path().join(name);
        fs::write(&path, text).expect("there is room");
        NatsConfig { credentials: Some(path), ..config(&nats) }
    };
    let known = credentials("known", &account);
    let mut log = NatsLog::open(&known).await.expect("it is known");
    let turns = append(&mut log, 1..=3).await;
    assert_eq!(history(&known).await, turns);

    for stranger in [credentials("stranger", &KeyPair::new_account()), config(&nats)] {
        let refused = NatsLog::open(&stranger).await;
        assert!(matches!(refused, Err(NatsError::Denied { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn a_log_is_kept_with_a_name_or_a_token() {
    for authorization in ["user: push0, password: p", "token: t"] {
        let more = format!("authorization {{ {authorization} }}");
        let nats = Nats::start_with(&Settings { nodes: 1, more, ..Settings::default() });
        let with = |user: &str, password: &str| NatsConfig {
            user: Some(user.to_owned()),
            password: Some(password.into()),
            ..config(&nats)
        };
        let token = |token: &str| NatsConfig { token: Some(token.into()), ..config(&nats) };
        let (known, strangers) = match authorization.starts_with("user") {
            true => (with("push0", "p"), [with("push0", "t"), token("t"), config(&nats)]),
            false => (token("t"), [token("p"), with("push0", "p"), config(&nats)]),
        };
        let mut log = NatsLog::open(&known).await.expect("it is known");
        let turns = append(&mut log, 1..=3).await;
        assert_eq!(history(&known).await, turns);
        for stranger in strangers {
            let refused = NatsLog::open(&stranger).await;
            assert!(matches!(refused, Err(NatsError::Denied { .. })), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn a_user_who_may_not_is_told_what() {
    let more = "authorization { users: [{ user: reader, password: p, \
                permissions: { publish: \"$JS.API.STREAM.INFO.*\" } }] }";
    let nats =
        Nats::start_with(&Settings { nodes: 1, more: more.to_owned(), ..Settings::default() });
    let reader = NatsConfig {
        user: Some("reader".to_owned()),
        password: Some("p".into()),
        retry_max: Duration::from_millis(100),
        ..config(&nats)
    };
    let Err(NatsError::Unavailable(refused)) = NatsLog::open(&reader).await else {
        panic!("it cannot make the stream");
    };
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied, "{refused}");
    assert!(refused.to_string().contains("STREAM.CREATE"), "{refused}");
}

/// An account's claims; with so much room in JetStream, where -1 is all that there is.
fn with_limits(storage: i64) -> Value {
    json!({
        "type": "account",
        "version": 2,
        "limits": {
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "conn": -1, "leaf": -1,
            "wildcards": true, "mem_storage": storage, "disk_storage": storage, "streams": storage,
            "consumer": storage,
        },
    })
}

/// What `issuer` says of `subject`, signed.
fn token(issuer: &KeyPair, subject: &KeyPair, claims: Value) -> String {
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encoded(&json!({ "typ": "JWT", "alg": "ed25519-nkey" }));
    let (issuer_key, subject_key) = (issuer.public_key(), subject.public_key());
    let body =
        json!({ "jti": "none", "iat": 1, "iss": issuer_key, "sub": subject_key, "nats": claims });
    let signed = format!("{header}.{}", encoded(&body));
    let signature = issuer.sign(signed.as_bytes()).expect("it has a seed");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
