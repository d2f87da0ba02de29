//! How servers are asked for entry: who asks, and with which certificates.
//!
//! What a file holds is read here, within a bound, so that its faults are told by its setting's
//! name.
//!
//! Not here: what becomes of it (`connect`).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use async_nats::{ConnectOptions, ServerAddr};
use secrecy::{ExposeSecret as _, SecretString};

use super::address::Userinfo;
use super::open::CredentialKind;
use super::{NatsConfig, NatsError};

/// All that servers are shown.
pub(super) struct Entry<'a> {
    config: &'a NatsConfig,
    pub(super) servers: Vec<ServerAddr>,
    user: Option<(String, SecretString)>,
    /// Whether an address says who that is.
    is_of_address: bool,
    token: Option<SecretString>,
    /// What the file holds.
    credentials: Option<SecretString>,
}

impl<'a> Entry<'a> {
    pub(super) fn of(config: &'a NatsConfig) -> Result<Self, NatsError> {
        let mut entry = Self {
            config,
            servers: Vec::new(),
            user: config.user.clone().zip(config.password.clone()),
            is_of_address: false,
            token: config.token.clone(),
            credentials: match &config.credentials {
                Some(file) => Some(read("credentials", file)?.into()),
                None => None,
            },
        };
        let is_said = entry.gave() != CredentialKind::Nothing;
        let mut named = None;
        for (index, url) in config.urls.iter().enumerate() {
            let fault = |why: &str| NatsError::Config {
                setting: "urls",
                reason: format!("address {} is none: {why}: write nats://HOST:PORT", index + 1),
            };
            let (server, who) = url.parse().map_err(|why| fault(&why))?;
            if let Some(who) = who.filter(|_| !is_said) {
                if named.as_ref().is_some_and(|other| !other_is(other, &who)) {
                    let reason = "name two who ask: give one in user and password".to_owned();
                    return Err(NatsError::Config { setting: "urls", reason });
                }
                named = Some(who);
            }
            entry.servers.push(server);
        }
        match named {
            Some(Userinfo::User(user, password)) => {
                (entry.user, entry.is_of_address) = (Some((user, password)), true);
            }
            Some(Userinfo::Token(token)) => entry.token = Some(token),
            None => {}
        }
        holds("tls_ca", config.tls_ca.as_deref(), "CERTIFICATE-----")?;
        holds("tls_cert", config.tls_cert.as_deref(), "CERTIFICATE-----")?;
        holds("tls_key", config.tls_key.as_deref(), "PRIVATE KEY-----")?;
        Ok(entry)
    }

    /// With these options, and all that servers are shown.
    pub(super) fn with(&self, mut options: ConnectOptions) -> Result<ConnectOptions, NatsError> {
        let config = self.config;
        if let Some((user, password)) = &self.user {
            options = options.user_and_password(user.clone(), password.expose_secret().to_owned());
        }
        if let Some(token) = &self.token {
            options = options.token(token.expose_secret().to_owned());
        }
        if let Some(text) = &self.credentials {
            let fault = |error: io::Error| NatsError::Config {
                setting: "credentials",
                reason: format!("the file holds none: {error}"),
            };
            options = options.credentials(text.expose_secret()).map_err(fault)?;
        }
        if let Some(file) = &config.tls_ca {
            options = options.add_root_certificates(file.clone()).require_tls(true);
        }
        if let (Some(cert), Some(key)) = (&config.tls_cert, &config.tls_key) {
            options = options.add_client_certificate(cert.clone(), key.clone()).require_tls(true);
        }
        Ok(options)
    }

    /// What servers are shown of who asks.
    pub(super) fn gave(&self) -> CredentialKind {
        match (&self.credentials, &self.token, &self.user) {
            (Some(_), ..) => CredentialKind::Credentials,
            (None, Some(_), _) => CredentialKind::Token,
            (None, None, Some(_)) if self.is_of_address => CredentialKind::Named,
            (None, None, Some((user, _))) => CredentialKind::User(user.clone()),
            (None, None, None) => CredentialKind::Nothing,
        }
    }
}

fn other_is(other: &Userinfo, who: &Userinfo) -> bool {
    match (other, who) {
        (Userinfo::User(user, password), Userinfo::User(other, its)) => {
            user == other && password.expose_secret() == its.expose_secret()
        }
        (Userinfo::Token(token), Userinfo::Token(other)) => {
            token.expose_secret() == other.expose_secret()
        }
        (Userinfo::User(..), Userinfo::Token(_)) | (Userinfo::Token(_), Userinfo::User(..)) => {
            false
        }
    }
}

/// Refuses a file that cannot be read, or does not hold what it should.
fn holds(setting: &'static str, file: Option<&Path>, what: &str) -> Result<(), NatsError> {
    let Some(file) = file else { return Ok(()) };
    if read(setting, file)?.contains(what) {
        return Ok(());
    }
    let reason =
        format!("{}: no PEM block that ends its head with `{what}` is in it", file.display());
    Err(NatsError::Config { setting, reason })
}

fn read(setting: &'static str, file: &Path) -> Result<String, NatsError> {
    let fault =
        |why: &str| NatsError::Config { setting, reason: format!("{}: {why}", file.display()) };
    let mut bytes = Vec::new();
    // A FIFO may never be written to, and a device may never end.
    let kind = file.metadata().map_err(|error| fault(&error.to_string()))?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Err(fault("a FIFO, a device or a socket, and no file"));
    }
    let opened = File::open(file).map_err(|error| fault(&error.to_string()))?;
    let read = opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| fault(&error.to_string()))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(fault(&format!("more than {FILE_BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| fault("no text"))
}

/// All the CAs of a system take a fifth of it. Unit: bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
