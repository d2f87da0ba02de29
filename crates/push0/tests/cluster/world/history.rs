//! What a world's log says, and whether all ended as it must.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use push0_core::{Event, Seq, TaskId, Turn};
use push0_log::{Follower, Log as _, NatsConfig, NatsLog, ReadError};
use push0_testbed::until;

use super::users::Users;
use super::{PASSWORD, World, now};

impl World {
    /// Whether a turn grants.
    pub(crate) fn grants(turn: &Turn) -> bool {
        turn.events.iter().any(|event| matches!(event, Event::Granted { .. }))
    }

    /// Whether a turn grants or accepts. While no log is to be had a leader goes on granting for a
    /// while, and what was proved meanwhile is only to be accepted then.
    pub(crate) fn works(turn: &Turn) -> bool {
        let is_accepted = |event: &Event| matches!(event, Event::Accepted { .. });
        Self::grants(turn) || turn.events.iter().any(is_accepted)
    }

    /// Waits until so many blocks are accepted.
    pub(crate) fn wait_accepted(&self, blocks: usize) {
        until(&format!("fewer than {blocks} are accepted"), || {
            (self.accepted() >= blocks).then_some(())
        });
    }

    pub(crate) fn accepted(&self) -> usize {
        let is_accepted = |event: &&Event| matches!(event, Event::Accepted { .. });
        self.history().iter().flat_map(|turn| &turn.events).filter(is_accepted).count()
    }

    /// How many facts of a kind the log has.
    pub(crate) fn facts(&self, is_it: impl Fn(&Event) -> bool) -> usize {
        self.history().iter().flat_map(|turn| &turn.events).filter(|fact| is_it(fact)).count()
    }

    /// Waits until a dispatcher was granted so much.
    pub(crate) fn wait_granted_to(&self, id: &str, attempts: usize) {
        let is_its = |fact: &Event| matches!(fact, Event::Granted { dispatcher, .. } if dispatcher.as_str() == id);
        until(&format!("{id} is not granted {attempts}"), || {
            (self.facts(is_its) >= attempts).then_some(())
        });
    }

    /// How long after `since` the log first has a turn like this.
    pub(crate) fn first_after(
        &self,
        since: SystemTime,
        what: &str,
        is_it: impl Fn(&Turn) -> bool,
    ) -> Duration {
        let since = since.duration_since(UNIX_EPOCH).expect("it is later than that");
        let since_us = u64::try_from(since.as_micros()).expect("not so late");
        until(what, || {
            let history = self.history();
            let found = history.iter().find(|turn| turn.at.0 >= since_us && is_it(turn))?;
            Some(Duration::from_micros(found.at.0 - since_us))
        })
    }

    /// How long after `since` a reader of the log first sees such a turn. It may have been decided
    /// long before.
    pub(crate) fn read_after(
        &self,
        since: SystemTime,
        what: &str,
        is_it: impl Fn(&Turn) -> bool,
    ) -> Duration {
        self.first_after(since, what, is_it);
        now().duration_since(since).unwrap_or_default()
    }

    /// How long after `since` a task whose attempt has failed or was lost since then is given out
    /// again.
    pub(crate) fn given_out_again(&self, since: SystemTime) -> Duration {
        let since = since.duration_since(UNIX_EPOCH).expect("it is later than that");
        let since_us = u64::try_from(since.as_micros()).expect("not so late");
        until("what ended is not given out again", || {
            let mut ended = None;
            for turn in self.history().iter().filter(|turn| turn.at.0 >= since_us) {
                for event in &turn.events {
                    if let Event::Failed { task, .. } | Event::Lost { task, .. } = event {
                        ended.get_or_insert(*task);
                    } else if let Event::Granted { task, .. } = event
                        && ended == Some(*task)
                    {
                        return Some(Duration::from_micros(turn.at.0 - since_us));
                    }
                }
            }
            None
        })
    }

    /// What the log holds, once it can be read: a log that cannot be read is not one that holds
    /// nothing.
    pub(crate) fn history(&self) -> Vec<Turn> {
        until("the log cannot be read", || {
            let told = |fault: &_| drop(writeln!(io::stderr(), "not read yet: {fault:?}"));
            self.read().inspect_err(told).ok()
        })
    }

    fn read(&self) -> Result<Vec<Turn>, Box<dyn std::error::Error>> {
        let config = NatsConfig {
            urls: self.nats.urls().into_iter().map(Into::into).collect(),
            subject: "push0.log".to_owned(),
            replicas: self.nodes,
            user: self.users.of("serve").map(str::to_owned),
            password: self.users.of("serve").map(|_| PASSWORD.into()),
            inbox: "_INBOX.push0.engine".to_owned(),
            max_bytes: self.log_bytes,
            retry_max: Duration::from_millis(500),
            ..NatsConfig::default()
        };
        self.runtime.block_on(async {
            let mut reader = match self.reader.take() {
                Some(reader) => reader,
                None => Reader::open(&config).await?,
            };
            let history = match self.users {
                Users::Roles => reader.read_on().await?,
                Users::None | Users::One | Users::Plain => reader.log.read(Seq(0)).await?,
            };
            self.reader.replace(Some(reader)); // one that fails is opened again
            Ok(history)
        })
    }

    /// Starts a reader of proofs; `finish` waits for it.
    pub(crate) fn follow_proofs(&mut self) {
        let mut command = self.command(&["proofs", "pipeline.toml", "--follow", "--out", "out"]);
        command.stdout(File::create(self.path("proofs.txt")).expect("a writable directory"));
        command.stderr(File::create(self.path("proofs.err")).expect("a writable directory"));
        self.running.insert("proofs".to_owned(), command.spawn().expect("it starts"));
    }

    /// Ends the source, waits for the proofs, and checks that all is as it must be.
    pub(crate) fn finish(mut self, blocks: usize) {
        self.drain();
        if !self.running.contains_key("proofs") {
            self.follow_proofs();
        }
        let status = self.wait_end("proofs");
        assert!(status.success(), "{status}: {}", self.said("proofs"));
        let proofs = self.path("proofs.txt");
        let lines = fs::read_to_string(&proofs).expect("it was written");
        let expected: Vec<_> = (1..=blocks).zip(16_525_000_u64..).collect();
        let released: Vec<(usize, u64)> = lines.lines().map(release).collect();
        assert_eq!(released, expected, "every block once, in order");
        // One that is parked is open too: to be tried again opens it no second time.
        let mut open: BTreeMap<TaskId, bool> = BTreeMap::new();
        for event in self.history().iter().flat_map(|turn| &turn.events) {
            if let Event::TaskOpened { task, .. }
            | Event::Reopened { task, .. }
            | Event::Discarded { task, .. } = event
            {
                open.insert(*task, true);
            } else if let Event::Accepted { task, .. } = event {
                let was = open.insert(*task, false);
                assert_eq!(was, Some(true), "accepted once for each opening: {task}");
            }
        }
        assert_eq!(open.len(), blocks);
        assert!(open.values().all(|is_open| !is_open), "all are accepted: {open:?}");
    }
}

/// A way to read the log.
pub(crate) struct Reader {
    log: NatsLog,
    follower: Follower,
    read: Vec<Turn>,
}

impl Reader {
    async fn open(config: &NatsConfig) -> Result<Self, Box<dyn std::error::Error>> {
        let log = NatsLog::open(config).await?;
        let follower = log.follow(log.start().clone());
        Ok(Self { log, follower, read: Vec::new() })
    }

    /// All there is, with one consumer: the roles that ship have so many and no more.
    async fn read_on(&mut self) -> Result<Vec<Turn>, ReadError> {
        while !self.log.ends_at(self.follower.position()).await? {
            self.read.extend(self.follower.next(Duration::from_millis(500)).await?);
        }
        Ok(self.read.clone())
    }
}

/// `NUMBER PATH`, the path being `out/HEIGHT-HEIGHT-TIP.proof.json`.
fn release(line: &str) -> (usize, u64) {
    let (number, path) = line.split_once(' ').expect("two words");
    let name = Path::new(path).file_name().expect("a file").to_string_lossy().into_owned();
    let height = name.split('-').next().and_then(|height| height.parse().ok());
    (number.parse().expect("a number"), height.expect("a height"))
}
