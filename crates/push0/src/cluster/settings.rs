//! What a process of a cluster is told of its surroundings: flags, environment, `push0.toml`, in
//! this order.
//!
//! Not here: what is proved (the pipeline's file).

mod file;
mod store;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use push0_core::Named;
use push0_dispatch::{Access, Store};
use push0_log::{NatsConfig, ServerUrl};
use push0_pipeline::unit;
use secrecy::SecretString;
use serde::Deserialize;
use store::{StorePlace, StoreTable};

use super::error::ClusterError;
use super::links;
use super::role::Role;
use crate::tell;

/// Where the cluster is
#[derive(Args, Clone, Debug)]
pub(crate) struct ClusterArgs {
    /// The machine's settings: [nats], [store], [dispatch], [telemetry]
    #[arg(long, value_name = "FILE", env = "PUSH0_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    /// The NATS servers, with commas between [default: nats://127.0.0.1:4222]
    #[arg(
        long,
        value_name = "URLS",
        env = "PUSH0_NATS",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub(crate) nats: Vec<ServerUrl>,
    /// The directory or bucket (s3://BUCKET/PREFIX) that all machines share, where artifacts are
    #[arg(long, value_name = "PLACE", env = "PUSH0_STORE", hide_env_values = true)]
    pub(crate) store: Option<Named>,
}

/// What it comes to.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The log's; its `subject` is `PREFIX.log`.
    pub(crate) nats: NatsConfig,
    /// Who may hear of connections that end: a user of the servers' system account.
    pub(crate) system: Option<NatsConfig>,
    /// What all subjects begin with.
    pub(crate) prefix: String,
    /// Whether whoever asks has the right to operate, and asks all by it.
    pub(crate) operates: bool,
    /// Where all machines share it; clients that need none may leave it out.
    store: Option<StorePlace>,
    pub(crate) dispatch: DispatchTable,
    pub(crate) telemetry: TelemetryTable,
}

impl Settings {
    /// Whether a store is named.
    pub(crate) const fn has_store(&self) -> bool {
        self.store.is_some()
    }

    /// Opens the store that all machines share. An engine makes it where there is none; nobody else
    /// does: where a mount is missing there is none either.
    pub(crate) fn store(&self, access: Access) -> Result<Store, ClusterError> {
        let what = "no store given: pass --store DIR, or set [store] path or s3 in push0.toml; all machines share it";
        let missing = || ClusterError::Setting { file: None, line: None, what: what.to_owned() };
        Ok(self.store.as_ref().ok_or_else(missing)?.open(access)?)
    }
}

/// The file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    nats: NatsTable,
    store: StoreTable,
    dispatch: DispatchTable,
    telemetry: TelemetryTable,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct NatsTable {
    urls: Vec<ServerUrl>,
    user: Option<String>,
    password: Option<SecretString>,
    system_user: Option<String>,
    system_password: Option<SecretString>,
    token: Option<SecretString>,
    credentials: Option<PathBuf>,
    tls_ca: Option<PathBuf>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    prefix: String,
    operator: bool,
    api: String,
    stream: String,
    replicas: usize,
    max_bytes: Option<String>,
}

/// `[dispatch]`; flags go first.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DispatchTable {
    pub(crate) id: Option<String>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) slots: Option<u32>,
    pub(crate) gpus: Option<u32>,
    pub(crate) memory: Option<String>,
    pub(crate) drain: Option<String>,
    pub(crate) notice: Option<Named>,
}

/// `[telemetry]`; flags go first.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TelemetryTable {
    pub(crate) metrics: Option<SocketAddr>,
}

impl Default for NatsTable {
    fn default() -> Self {
        let NatsConfig { urls, api, stream, replicas, .. } = NatsConfig::default();
        Self {
            urls,
            user: None,
            password: None,
            system_user: None,
            system_password: None,
            token: None,
            credentials: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            prefix: PREFIX.to_owned(),
            operator: false,
            api,
            stream,
            replicas,
            max_bytes: None,
        }
    }
}

impl ClusterArgs {
    /// Whether anything says which cluster is meant.
    pub(crate) const fn is_given(&self) -> bool {
        self.config.is_some() || !self.nats.is_empty()
    }

    /// Reads the file, and puts flags and environment on top.
    pub(crate) fn settings(&self, role: Role, name: &str) -> Result<Settings, ClusterError> {
        let file = match &self.config {
            Some(path) => file::read(path)?,
            None => File::default(),
        };
        let File { nats: table, store, dispatch, telemetry } = file;
        let fault = |key: &str, what: &str| ClusterError::Setting {
            file: self.config.clone(),
            line: None,
            what: format!("{key}: {what}"),
        };
        let max_bytes = match table.max_bytes.as_deref() {
            None => NatsConfig::default().max_bytes,
            Some(text) => unit::size(text)
                .ok_or_else(|| fault("nats.max_bytes", "is no size: write one like \"8GiB\""))?,
        };
        if max_bytes < LOG_BYTES_MIN {
            return Err(fault("nats.max_bytes", "is too small for a log: write 1MiB or more"));
        }
        let from_env = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let secret = |name: &str| from_env(name).map(SecretString::from);
        warn_of_argument(&self.nats);
        let mut table = table;
        if self.nats.iter().any(ServerUrl::has_credentials) {
            // Flags and environment go before the file, in whose word it is as well.
            (table.user, table.password, table.token, table.credentials) = (None, None, None, None);
        }
        let urls = if self.nats.is_empty() { table.urls } else { self.nats.clone() };
        let nats = NatsConfig {
            urls,
            user: from_env("PUSH0_NATS_USER").or(table.user),
            password: secret("PUSH0_NATS_PASSWORD").or(table.password),
            token: secret("PUSH0_NATS_TOKEN").or(table.token),
            credentials: table.credentials,
            tls_ca: table.tls_ca,
            tls_cert: table.tls_cert,
            tls_key: table.tls_key,
            name: name.to_owned(),
            inbox: role.inbox(&table.prefix),
            api: table.api,
            stream: table.stream,
            subject: format!("{}.log", table.prefix),
            replicas: table.replicas,
            max_bytes,
            links: links::teller(),
            ..NatsConfig::default()
        };
        let system_user = from_env("PUSH0_NATS_SYSTEM_USER").or(table.system_user);
        let system = system_user.map(|user| NatsConfig {
            user: Some(user),
            password: secret("PUSH0_NATS_SYSTEM_PASSWORD").or(table.system_password),
            token: None,
            credentials: None,
            ..nats.clone()
        });
        let place = store.place(self.store.as_ref().map(Named::expose), from_env);
        let store = place.map_err(|(key, what)| fault(key, &what))?;
        let (prefix, operates) = (table.prefix, table.operator);
        Ok(Settings { nats, system, prefix, operates, store, dispatch, telemetry })
    }
}

/// Each argument of this process can be read by whoever may list processes.
fn warn_of_argument(urls: &[ServerUrl]) {
    let arguments: Vec<_> = std::env::args_os().collect();
    let is_shown = |url: &ServerUrl| arguments.iter().any(|it| url.is_in(&it.to_string_lossy()));
    if urls.iter().any(is_shown) {
        tell::warn(
            "every user of this machine can read the password in --nats (ps): set PUSH0_NATS, or urls in the \
             file of --config, instead",
        );
    }
}

/// What all subjects begin with, unless the file says otherwise.
const PREFIX: &str = "push0";

/// In less there is no room for a pipeline, its blocks and what operators do. Unit: bytes.
const LOG_BYTES_MIN: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn flags_go_before_the_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("push0.toml");
        let text = "[nats]\nurls = [\"nats://a:1\"]\nprefix = \"x\"\nreplicas = 3\n[store]\npath = \"/s\"\n";
        fs::write(&path, text).expect("a writable directory");
        let mut args = ClusterArgs { config: Some(path), nats: vec![], store: None };
        let settings = args.settings(Role::Engine, "engine").expect("it is right");
        assert_eq!(
            (format!("{:?}", settings.nats.urls), settings.nats.replicas),
            ("[nats://a:1]".to_owned(), 3)
        );
        let dir = |path: &str| Some(StorePlace::Dir(path.into()));
        assert_eq!((settings.nats.subject.as_str(), settings.store), ("x.log", dir("/s")));
        args.store = Some("/t".to_owned().into());
        let settings = args.settings(Role::Engine, "engine").expect("it is right");
        assert_eq!(settings.store, dir("/t"));
    }

    #[test]
    fn the_file_that_ships_is_taken_and_names_every_key() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/push0.toml");
        let text = fs::read_to_string(&shipped).expect("it ships");
        let uncommented: Vec<_> = text
            .lines()
            .filter(|line| !line.starts_with("# ") || line.contains(" = "))
            .map(|line| line.strip_prefix("# ").unwrap_or(line))
            .collect();
        for text in [text.clone(), uncommented.join("\n")] {
            let file: File = toml::from_str(&text).expect("every key is known");
            assert_eq!(file.nats.stream, NatsConfig::default().stream);
        }
        let shown: toml::Table = toml::from_str(&uncommented.join("\n")).expect("it is one");
        for table in ["nats", "store", "dispatch"] {
            let unknown = toml::from_str::<File>(&format!("[{table}]\nno-such-key = 1"));
            // It lists those that there are.
            let told = unknown.expect_err("nobody knows it").message().to_owned();
            let keys: Vec<_> = told.split('`').skip(1).step_by(2).skip(1).collect();
            assert!(keys.len() > 3, "{told}");
            let named = shown.get(table).and_then(toml::Value::as_table).expect("a table");
            let missing: Vec<_> = keys.iter().filter(|key| !named.contains_key(**key)).collect();
            assert!(missing.is_empty(), "[{table}] {missing:?}");
        }
    }

    #[test]
    fn the_files_of_the_compose_file_are_taken_and_alike() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
        let file =
            |name: &str| file::read::<File>(&shipped.join(name)).expect("every key is known");
        let (all, reader) = (file("compose.toml"), file("compose-reader.toml"));
        assert_eq!(format!("{:?}", all.nats.urls), format!("{:?}", reader.nats.urls));
        assert_eq!((all.nats.replicas, reader.nats.replicas), (3, 3));
        assert_eq!(reader.nats.api, "push0.api");
        assert_eq!(format!("{:?}", all.store), format!("{:?}", reader.store));
    }

    #[test]
    fn a_log_that_nothing_fits_in_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("push0.toml");
        let told = |size: &str| {
            let text = format!("[nats]\nmax_bytes = \"{size}\"\n");
            fs::write(&path, text).expect("a writable directory");
            let args = ClusterArgs { config: Some(path.clone()), nats: vec![], store: None };
            args.settings(Role::Engine, "engine").err().map(|error| error.to_string())
        };
        let small = told("9KiB").expect("it is too small");
        assert!(small.contains("nats.max_bytes: is too small for a log"), "{small}");
        let enough = told("1MiB").unwrap_or_default();
        assert!(!enough.contains("max_bytes"), "{enough}");
    }

    #[test]
    fn a_fault_has_its_line() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("push0.toml");
        fs::write(&path, "[nats]\nurl = \"x\"\n").expect("a writable directory");
        let args = ClusterArgs { config: Some(path), nats: vec![], store: None };
        let told = args.settings(Role::Engine, "engine").expect_err("a key is unknown").to_string();
        assert!(told.contains("push0.toml:2") && told.contains("unknown field `url`"), "{told}");
    }
}
