//! Worlds that are not the usual one.

use std::fs;
use std::time::Duration;

use push0_testbed::{S3, Settings};

use super::World;
use super::users::{Users, users};
use crate::binaries::workspace;

impl World {
    /// One server with accounts, one of them the system's, for `push0` and for what it may hear of
    /// others.
    pub(crate) fn with_accounts(time: &str) -> Self {
        let mut world = Self::over(1, time, ACCOUNTS.to_owned());
        world.users = Users::One;
        world
    }

    /// One server that takes messages of so many bytes.
    pub(crate) fn with_payload(bytes: usize) -> Self {
        Self::over(1, "20ms", format!("max_payload: {bytes}\n"))
    }

    /// One server with the roles that ship, and each process the user of its own.
    pub(crate) fn with_roles(time: &str) -> Self {
        Self::with_roles_of(1, time, roles())
    }

    fn with_roles_of(nodes: usize, time: &str, roles: String) -> Self {
        let mut world = Self::over(nodes, time, roles);
        world.users = Users::Roles;
        let settings = fs::read_to_string(world.path("push0.toml")).expect("it is there");
        let reader = settings + "api = \"push0.api\"\n";
        fs::write(world.path("reader.toml"), reader).expect("a writable directory");
        world
    }

    /// The same, and the first machine may speak and hear as any other: a fleet that shares a user.
    pub(crate) fn with_shared_fleet(time: &str) -> Self {
        let roles = roles();
        let own = ["push0.engine.hear.gpu-1", "push0.dispatcher.gpu-1.*"];
        assert!(own.iter().all(|subject| roles.contains(subject)), "they ship");
        let shared = roles.replace("push0.engine.hear.gpu-1", "push0.engine.hear.*");
        Self::with_roles_of(
            1,
            time,
            shared.replace("push0.dispatcher.gpu-1.*", "push0.dispatcher.*.*"),
        )
    }

    /// One server with the roles as they ship: nobody operates.
    pub(crate) fn with_roles_as_shipped() -> Self {
        Self::over(1, "20ms", shipped())
    }

    /// One server, and a user of its own for `e1`, which leads.
    pub(crate) fn with_users(time: &str) -> Self {
        let mut world = Self::over(1, time, users(""));
        world.users = Users::Plain;
        world.tell("e1", "PUSH0_NATS_USER", "e1");
        world.peopled()
    }

    /// The server keeps a user from the log from here on, and from nothing else.
    pub(crate) fn deny_log(&self, user: &str) {
        assert_eq!(user, "e1", "the only one with a user of its own");
        let deny = r#", permissions: { publish: { deny: ["push0.log.>", "$JS.API.>"] } }"#;
        self.nats.reload(0, &Settings { nodes: 1, more: users(deny), ..Settings::default() });
    }

    pub(crate) fn allow_all(&self) {
        self.nats.reload(0, &Settings { nodes: 1, more: users(""), ..Settings::default() });
    }

    /// Three servers with the roles that ship and three machines more, `gpu-3` to `gpu-5`, for as
    /// long as `time` of blocks that take a moment each.
    pub(crate) fn for_long(time: Duration) -> Self {
        let roles = roles();
        let (before, one) =
            roles.split_once("            {\n                user: gpu-2").expect("it ships");
        let (one, after) = one.split_once("\n            }\n").expect("it ends");
        let one = format!("            {{\n                user: gpu-2{one}\n            }}\n");
        let more = ["gpu-3", "gpu-4", "gpu-5"].map(|id| one.replace("gpu-2", id)).concat(); // with the same password
        let mut world =
            Self::with_roles_of(3, "50ms..400ms", format!("{before}{one}{more}{after}"));
        // A block takes 2 kB of the log; the servers of the tests have 1 GB.
        let mebibytes = (16 + time.as_secs() / 3).min(900);
        for name in ["push0.toml", "reader.toml"] {
            let settings = fs::read_to_string(world.path(name)).expect("it is there");
            let settings = settings.replace("16MiB", &format!("{mebibytes}MiB"));
            fs::write(world.path(name), settings).expect("writable");
        }
        world.log_bytes = mebibytes << 20;
        world
    }

    /// One server, and a stage that has its mock do as `args` say, and `more` keys.
    pub(crate) fn with_provers(args: &[&str], more: &str) -> Self {
        Self::proving(1, &format!("args = {args:?}{more}"), String::new())
    }

    /// One server; of each block provers read what `give` says.
    pub(crate) fn giving(time: &str, give: &str) -> Self {
        let world = Self::over(1, time, String::new());
        let path = world.path("pipeline.toml");
        let pipeline = fs::read_to_string(&path).expect("it is there");
        fs::write(&path, pipeline.replace("number", give)).expect("writable");
        world
    }

    /// The same, with a bucket in the place of the shared directory.
    pub(crate) fn over_s3(time: &str, give: &str) -> Self {
        let mut world = Self::giving(time, give);
        let s3 = S3::start();
        let table = format!(
            "[store]\ns3 = \"s3://{}/cluster\"\nendpoint = \"{}\"\naccess_key_id = \"{}\"\n",
            S3::BUCKET,
            s3.endpoint(),
            S3::ACCESS_KEY_ID,
        );
        let path = world.path("push0.toml");
        let settings = fs::read_to_string(&path).expect("it is there");
        fs::write(path, settings + &table).expect("writable");
        world.s3 = Some(s3);
        world
    }

    /// The server of the bucket.
    pub(crate) fn bucket(&mut self) -> &mut S3 {
        self.s3.as_mut().expect("this world has one")
    }
}

/// The roles that ship, and in them what an operator sets: a password of its own.
pub(super) fn roles() -> String {
    let shipped = shipped();
    let (before, locked) = shipped.split_once("user: operator, password: \"").expect("it is there");
    let (_, after) = locked.split_once('"').expect("a password that opens nothing");
    format!("{before}user: operator, password: $PUSH0_OPERATOR_PASSWORD{after}")
}

/// The roles that ship.
fn shipped() -> String {
    fs::read_to_string(workspace().join("deploy/nats-roles.conf")).expect("it ships")
}

/// An account for push0, and the servers' own.
const ACCOUNTS: &str = r#"
            accounts {
                SYS { users: [{ user: system, password: pass }] }
                PUSH0 { jetstream: enabled, users: [{ user: push0, password: pass }] }
            }
            system_account: SYS
        "#;
