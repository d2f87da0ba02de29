//! Servers, streams and records that are refused, each by name.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use push0_core::Seq;
use push0_log::{AppendError, Log as _, NatsConfig, NatsError, NatsLog, ReadError, Storage};
use push0_testbed::{Nats, Settings, free_ports};
use serde_json::{Value, json};

use crate::world::{Admin, another, append, config, impatient, open, turn};

#[tokio::test]
async fn a_stream_that_could_lose_records_is_refused_by_its_setting() {
    let nats = Nats::start(1);
    let admin = Admin::of(&nats).await;
    let good = config(&nats);
    drop(open(&good).await);
    let settings = admin.settings(&good.stream).await;
    let cases = [
        ("discard", json!("old")),
        ("retention", json!("interest")),
        ("max_age", json!(600_000_000_000_u64)),
        ("storage", json!("memory")),
        ("max_msgs", json!(1_000)),
        ("max_msgs_per_subject", json!(5)),
        ("max_msg_size", json!(1_000)),
        ("deny_delete", json!(false)),
        ("no_ack", json!(true)),
        ("allow_direct", json!(true)),
        ("allow_rollup_hdrs", json!(true)),
        ("allow_msg_ttl", json!(true)),
        ("persist_mode", json!("async")),
        ("subjects", json!(["elsewhere.>"])),
    ];
    for (setting, value) in cases {
        let config = another(&good);
        let mut bad = settings.clone();
        let settings = bad.as_object_mut().expect("settings");
        settings.insert("name".to_owned(), json!(config.stream));
        settings.insert("subjects".to_owned(), json!([format!("{}.*.*", config.subject)]));
        settings.insert(setting.to_owned(), value);
        admin.set("CREATE", &bad).await;
        let (stream, found) = refused_for(&config).await;
        assert_eq!((stream, found.as_str()), (config.stream.clone(), setting));
        admin.delete(&config.stream).await;
    }
}

#[tokio::test]
async fn a_stream_of_fewer_servers_than_asked_for_is_refused() {
    let nats = Nats::start(3);
    let three = config(&nats);
    drop(open(&NatsConfig { replicas: 1, ..three.clone() }).await);
    assert_eq!(refused_for(&three).await.1, "num_replicas");
}

#[tokio::test]
async fn a_stream_in_memory_is_taken_where_it_was_asked_for() {
    let nats = Nats::start(1);
    let config = NatsConfig { storage: Storage::Memory, ..config(&nats) };
    append(&mut open(&config).await, 1..=2).await;
    assert_eq!(open(&config).await.last(), Seq(2));
    let on_disk = NatsConfig { storage: Storage::File, ..config };
    assert_eq!(refused_for(&on_disk).await.1, "storage");
}

#[tokio::test]
async fn what_the_servers_do_not_have_is_refused_by_its_setting() {
    let nats = Nats::start(1);
    let good = config(&nats);
    drop(open(&good).await);
    let cases = [
        ("replicas", NatsConfig { replicas: 3, ..another(&good) }),
        ("replicas", NatsConfig { replicas: 2, ..another(&good) }),
        ("max_bytes", NatsConfig { max_bytes: 1 << 50, ..another(&good) }),
        ("max_bytes", NatsConfig { max_bytes: 0, ..another(&good) }),
        ("subject", NatsConfig { subject: good.subject.clone(), ..another(&good) }),
        ("subject", NatsConfig { subject: "push0.>".to_owned(), ..another(&good) }),
        ("stream", NatsConfig { stream: "push 0".to_owned(), ..another(&good) }),
        ("urls", NatsConfig { urls: Vec::new(), ..good.clone() }),
        ("user", NatsConfig { user: Some("a".to_owned()), ..good.clone() }),
        ("tls_cert", NatsConfig { tls_cert: Some("a".into()), ..good.clone() }),
        ("credentials", NatsConfig { credentials: Some("no such file".into()), ..good.clone() }),
    ];
    for (expected, config) in cases {
        let refused = NatsLog::open(&config).await;
        let Err(NatsError::Config { setting, reason }) = refused else {
            panic!("{expected}: {refused:?}")
        };
        assert_eq!(setting, expected, "{reason}");
    }
}

#[tokio::test]
async fn a_server_that_asks_who_it_is_lets_in_who_says_so() {
    let more = "authorization { user: engine, password: secret }".to_owned();
    let nats = Nats::start_with(&Settings { nodes: 1, more, ..Settings::default() });
    let nobody = config(&nats);
    let denied = NatsLog::open(&nobody).await;
    assert!(matches!(denied, Err(NatsError::Denied { .. })), "{denied:?}");
    let someone = |password: &str| NatsConfig {
        user: Some("engine".to_owned()),
        password: Some(password.into()),
        ..nobody.clone()
    };
    let denied = NatsLog::open(&someone("wrong")).await;
    assert!(matches!(denied, Err(NatsError::Denied { .. })), "{denied:?}");
    append(&mut open(&someone("secret")).await, [1]).await;
    let shown = format!("{:?}", someone("secret"));
    assert!(!shown.contains("secret"), "{shown}");
}

#[tokio::test]
async fn where_nobody_listens_the_error_says_where_that_is() {
    let port = free_ports(1).into_iter().next().expect("one");
    let url = format!("nats://127.0.0.1:{port}");
    let config = NatsConfig { urls: vec![url.clone().into()], ..NatsConfig::default() };
    let refused = NatsLog::open(&impatient(&config)).await.expect_err("nobody listens");
    assert!(matches!(refused, NatsError::Unreachable { .. }), "{refused:?}");
    assert!(refused.to_string().contains(&url), "{refused}");
}

#[tokio::test]
async fn an_old_server_is_refused_and_so_is_one_without_jetstream() {
    let old = NatsLog::open(&fake("2.9.25", true)).await;
    assert!(matches!(&old, Err(NatsError::Old { found }) if found == "2.9.25"), "{old:?}");
    let without = NatsLog::open(&fake("2.15.1", false)).await;
    assert!(matches!(without, Err(NatsError::NoJetStream { .. })), "{without:?}");
}

#[tokio::test]
async fn a_record_that_is_none_of_this_log_is_refused_with_its_place() {
    let nats = Nats::start(1);
    let admin = Admin::of(&nats).await;
    let other = another(&config(&nats));
    append(&mut open(&other).await, 1..=2).await;
    let foreign = admin.record(&other.stream, 3).await;
    for which in ["foreign", "no record", "flipped", "empty", "repeated"] {
        let config = another(&config(&nats));
        let mut engine = open(&config).await;
        append(&mut engine, 1..=2).await;
        let mut own = admin.record(&config.stream, 3).await;
        let bytes = match which {
            "foreign" => foreign.clone(),
            "no record" => b"hello".to_vec(),
            "empty" => Vec::new(),
            "repeated" => own,
            _ => {
                *own.get_mut(60).expect("a header") ^= 1;
                own
            }
        };
        admin.publish(&format!("{}.a.b", config.subject), &[], &bytes).await;
        let read = engine.read(Seq(0)).await;
        let Err(ReadError::DamagedRecord { stream, sequence, .. }) = &read else {
            panic!("{which}: {read:?}")
        };
        assert_eq!((stream, *sequence), (&config.stream, 4), "{which}");
        let appended = engine.append(&turn(engine.last().next(), 3)).await;
        assert!(matches!(appended, Err(AppendError::Replaced { .. })), "{which}: {appended:?}");
        if which != "repeated" {
            let opened = NatsLog::open(&config).await;
            let is_refused = matches!(opened, Err(NatsError::Unreadable(_)));
            assert!(is_refused, "{which}: {opened:?}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_lost_records_is_refused() {
    let nats = Nats::start(1);
    let admin = Admin::of(&nats).await;
    let config = config(&nats);
    append(&mut open(&config).await, 1..=3).await;
    let purged = admin.ask(&format!("STREAM.PURGE.{}", config.stream), &json!({ "seq": 3 })).await;
    assert_eq!(purged.get("purged"), Some(&json!(2)), "{purged}");
    let refused = NatsLog::open(&config).await;
    let Err(NatsError::Unreadable(ReadError::DamagedRecord { sequence, .. })) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(sequence, 1);
}

/// The stream and the setting that it is refused for.
async fn refused_for(config: &NatsConfig) -> (String, String) {
    match NatsLog::open(config).await {
        Err(NatsError::Setting { stream, setting, .. }) => (stream, setting),
        other => panic!("{other:?}"),
    }
}

/// A fake server, which greets and says nothing else: there is no real one of such a version here.
fn fake(version: &str, jetstream: bool) -> NatsConfig {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports");
    let port = listener.local_addr().expect("it listens").port();
    let info: Value = json!({
        "server_id": "fake", "server_name": "fake", "version": version, "proto": 1,
        "host": "127.0.0.1", "port": port, "headers": true, "jetstream": jetstream,
        "max_payload": 1 << 20, "go": "", "auth_required": false,
    });
    thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("it connects");
        write!(client, "INFO {info}\r\n").expect("it listens");
        let lines = BufReader::new(client.try_clone().expect("it is open")).lines();
        for line in lines.map_while(Result::ok) {
            if line.starts_with("PING") {
                // Who was refused may be gone by then.
                let _ = write!(client, "PONG\r\n");
            }
        }
    });
    NatsConfig { urls: vec![format!("nats://127.0.0.1:{port}").into()], ..NatsConfig::default() }
}
