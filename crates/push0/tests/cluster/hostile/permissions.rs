//! The file of roles that ships, word for word: who may publish and hear what, and in which
//! account. A right that is added there is one that nobody here has tried.

use std::collections::BTreeMap;
use std::fs;

use crate::binaries::workspace;

/// A user: its account, what it may publish, what it may hear.
type Rights = (String, Vec<String>, Vec<String>);

#[test]
fn each_user_that_ships_has_these_rights_and_no_other() {
    let shipped = shipped();
    for (user, account, publishes, hears) in USERS {
        let wanted: Rights = ((*account).to_owned(), words(publishes), words(hears));
        assert_eq!(shipped.get(*user), Some(&wanted), "{user}");
    }
    assert_eq!(shipped.len(), USERS.len(), "{:?}", shipped.keys());
}

#[test]
fn one_account_has_streams_and_only_so_many_consumers() {
    let text = text();
    assert_eq!(text.matches("jetstream").count(), 1, "in the log's account");
    assert!(text.contains("jetstream: { max_streams: 1, max_consumers: 64 }"));
    assert!(text.contains("system_account: SYS"));
}

/// What one account lends to another is what a user of the other may publish there, and nothing
/// that changes the stream.
#[test]
fn nothing_that_changes_the_stream_is_lent_to_another_account() {
    let text = text();
    let (_, exports) = text.split_once("exports: [").expect("it lends some");
    let (exports, _) = exports.split_once("\n        ]").expect("they end");
    let lent: Vec<_> = exports.lines().filter_map(|line| quoted(line).into_iter().next()).collect();
    let wanted = "push0.engine.operate push0.engine.submit push0.engine.read push0.engine.ask push0.present \
                  push0.output.* $JS.API.STREAM.INFO.push0 $JS.API.STREAM.MSG.GET.push0";
    assert_eq!(lent, words(wanted));
}

fn shipped() -> BTreeMap<String, Rights> {
    let (mut users, mut account, mut user) = (BTreeMap::new(), String::new(), String::new());
    let mut list: Option<&str> = None;
    for line in text().lines() {
        let line = line.trim();
        if let Some(name) = line.strip_suffix(" {").filter(|it| {
            it.chars().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_')
        }) {
            account = name.to_owned();
        }
        if let Some(rest) = line.strip_prefix("user: ") {
            user = rest.split(',').next().expect("a name").to_owned();
            users.insert(user.clone(), (account.clone(), Vec::new(), Vec::new()));
        }
        for name in ["publish", "subscribe"] {
            if line.starts_with(&format!("{name}: ")) {
                list = Some(name);
            }
        }
        let Some((_, publishes, hears)) = users.get_mut(&user) else { continue };
        match list {
            Some("publish") if line.contains("deny: \">\"") => publishes.push("nothing".to_owned()),
            Some("publish") => publishes.extend(quoted(line)),
            Some(_) => hears.extend(quoted(line)),
            None => {}
        }
        if line.ends_with(']') || line.ends_with('}') {
            list = None;
        }
    }
    users
}

/// The file, without what is for people.
fn text() -> String {
    let file = fs::read_to_string(workspace().join("deploy/nats-roles.conf")).expect("it ships");
    let lines = file.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

fn quoted(line: &str) -> Vec<String> {
    line.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// A user, its account, what it may publish, what it may hear.
const USERS: &[(&str, &str, &str, &str)] = &[
    (
        "engine",
        "PUSH0",
        "push0.log.*.* push0.engine.beat push0.dispatcher.*.* _INBOX.push0.client.> _R_.> $JS.API.STREAM.INFO.push0 \
         $JS.API.STREAM.CREATE.push0 $JS.API.STREAM.MSG.GET.push0 $JS.API.CONSUMER.CREATE.push0.* \
         $JS.API.CONSUMER.MSG.NEXT.push0.*",
        "push0.engine.beat push0.engine.hear.* push0.engine.read push0.engine.submit push0.engine.operate \
         push0.engine.ask push0.present _INBOX.push0.engine.>",
    ),
    (
        "gpu-1",
        "PUSH0",
        "push0.engine.hear.gpu-1 _R_.>",
        "push0.engine.beat push0.present push0.output.gpu-1 push0.dispatcher.gpu-1.*",
    ),
    (
        "gpu-2",
        "PUSH0",
        "push0.engine.hear.gpu-2 _R_.>",
        "push0.engine.beat push0.present push0.output.gpu-2 push0.dispatcher.gpu-2.*",
    ),
    ("client", "PUSH0", "push0.engine.submit push0.engine.ask", "_INBOX.push0.client.>"),
    (
        "reader",
        "PUSH0_READ",
        "push0.engine.read push0.engine.ask push0.present push0.output.* push0.api.>",
        "_INBOX.push0.reader.>",
    ),
    (
        "operator",
        "PUSH0_OPERATE",
        "push0.engine.operate push0.engine.submit push0.engine.read push0.present push0.output.* push0.api.>",
        "_INBOX.push0.operator.> _INBOX.push0.client.> _INBOX.push0.reader.>",
    ),
    ("system", "SYS", "nothing", "$SYS.ACCOUNT.*.CONNECT $SYS.ACCOUNT.*.DISCONNECT"),
];
