//! Where a log on JetStream is, and how it is reached.
//!
//! Plain fields: whoever reads a file fills them in. Each setting is named in messages as it is
//! here.
//!
//! Not here: using it (`connect`, `stream`).

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::address::ServerUrl;
use super::link::LinkTeller;

/// Where a log on JetStream is, and how it is reached.
#[derive(Clone)]
pub struct NatsConfig {
    /// The servers: the first that answers is used, until it does not any more. One that says who
    /// asks counts where nothing else does: `user`, `token` or `credentials`.
    pub urls: Vec<ServerUrl>,
    /// Who connects; with `password`.
    pub user: Option<String>,
    /// Of `user`.
    pub password: Option<SecretString>,
    /// What lets one in, where the server asks for a token.
    pub token: Option<SecretString>,
    /// A file of credentials: a JWT and the seed of an nkey.
    pub credentials: Option<PathBuf>,
    /// A file of certificates that the servers' are signed with; absent, the system's own.
    pub tls_ca: Option<PathBuf>,
    /// A file with the certificate to show to servers that ask for one; with `tls_key`.
    pub tls_cert: Option<PathBuf>,
    /// The key of `tls_cert`.
    pub tls_key: Option<PathBuf>,
    /// What the servers call this connection where they list them.
    pub name: String,
    /// What the subjects begin with that answers come to. A server that lets each role have its own
    /// keeps the answers of one from the others.
    pub inbox: String,
    /// What the subjects of JetStream's API begin with: another, where the account imports it from
    /// the log's.
    pub api: String,
    /// The stream that is the log.
    pub stream: String,
    /// What all subjects of the stream begin with. No other stream may have them.
    pub subject: String,
    /// How many servers keep the stream: 1, 3 or 5. An existing stream must have as many.
    pub replicas: usize,
    /// The size of a stream that is made anew, in bytes. An existing one keeps its own.
    pub max_bytes: u64,
    /// Where servers keep the stream. An existing one must be kept there.
    pub storage: Storage,
    /// How long a server may take for one answer before it is asked again.
    pub answer_max: Duration,
    /// How long an append, a read or an opening goes on asking before it is out of reach.
    pub retry_max: Duration,
    /// Who is told when a connection is lost, and when it is back.
    pub links: LinkTeller,
}

/// Where servers keep a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Storage {
    /// On disk.
    File,
    /// In memory, where the log is lost with the servers. For tests.
    Memory,
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self {
            urls: vec!["nats://127.0.0.1:4222".into()],
            user: None,
            password: None,
            token: None,
            credentials: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            name: "push0".to_owned(),
            inbox: "_INBOX".to_owned(),
            api: "$JS.API".to_owned(),
            stream: "push0".to_owned(),
            subject: "push0.log".to_owned(),
            replicas: 1,
            max_bytes: MAX_BYTES,
            storage: Storage::File,
            answer_max: ANSWER_MAX,
            retry_max: RETRY_MAX,
            links: LinkTeller::default(),
        }
    }
}

impl NatsConfig {
    /// The first setting that cannot be, and why.
    pub(super) fn fault(&self) -> Option<(&'static str, String)> {
        let fault = |setting, why: &str| Some((setting, why.to_owned()));
        if self.urls.is_empty() {
            return fault("urls", "names no server");
        }
        // What a server takes as a name of a stream: it becomes a part of subjects, and of a path.
        let is_name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if !is_name(&self.stream) || self.stream.len() > NAME_BYTES_MAX {
            return fault("stream", "takes letters, digits, - and _, at most 100");
        }
        if !self.subject.split('.').all(is_name) || self.subject.len() > NAME_BYTES_MAX {
            let why =
                "takes names of letters, digits, - and _, with dots between, at most 100 bytes";
            return fault("subject", why);
        }
        if !self.inbox.split('.').all(is_name) || self.inbox.len() > NAME_BYTES_MAX {
            return fault("inbox", "takes names with dots between, at most 100 bytes");
        }
        let is_part = |part: &str| is_name(part.strip_prefix('$').unwrap_or(part));
        if !self.api.split('.').all(is_part) || self.api.len() > NAME_BYTES_MAX {
            return fault("api", "takes names with dots between, at most 100 bytes, like $JS.API");
        }
        if ![1, 3, 5].contains(&self.replicas) {
            return fault("replicas", "takes 1, 3 or 5");
        }
        if i64::try_from(self.max_bytes).map_or(true, |bytes| bytes == 0) {
            return fault("max_bytes", "takes a number of bytes above 0");
        }
        if self.user.is_some() != self.password.is_some() {
            return fault("user", "comes with password, and password with user");
        }
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return fault("tls_cert", "comes with tls_key, and tls_key with tls_cert");
        }
        None
    }
}

impl Storage {
    /// As servers name it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Memory => "memory",
        }
    }
}

/// Without what is secret.
impl fmt::Debug for NatsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsConfig")
            .field("urls", &self.urls)
            .field("stream", &self.stream)
            .field("subject", &self.subject)
            .field("replicas", &self.replicas)
            .finish_non_exhaustive()
    }
}

/// With names of this length the headers of a record stay well below what is set aside for them.
const NAME_BYTES_MAX: usize = 100;

/// Some ten million events of a few hundred bytes.
const MAX_BYTES: u64 = 8 << 30;

/// An append to three servers takes under a millisecond where all is well; an election takes
/// seconds.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Longer than an election after the loss of a server (4-9 s by default: `minElectionTimeout` and
/// `maxElectionTimeout` in nats-server's `server/raft.go`).
const RETRY_MAX: Duration = Duration::from_secs(20);
