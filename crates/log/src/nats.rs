//! The log on JetStream: a stream of a NATS cluster, a message for each append.
//!
//! ```text
//!   stream push0, subjects push0.log.*.*
//!        1  push0.log.LOG.A   [genesis]
//!        2  push0.log.LOG.A   [turn]
//!        3  push0.log.LOG.A   [turn][turn]        begun while 2 was under way
//!        4  push0.log.LOG.B   [turn]              another engine took over
//! ```
//!
//! Frames are those of the file log, byte for byte, and tied in the same chain: identity, digest,
//! epoch, position. A message's sequence counts appends; positions of events are in the frames. The
//! subject names the log and who wrote: `LOG` is its identity, and `A` and `B` are drawn anew
//! whenever it is opened for writing.
//!
//! **What is durable.** A message that the stream's leader has acknowledged is on a majority of its
//! servers. That it is on their disks, not in their page caches alone, is up to the servers: by
//! default they acknowledge before they sync, every two minutes. `deploy/nats.conf` says otherwise.
//!
//! **In flight.** One message at a time. Two would not be safe: if another engine's record took the
//! place of the first, the second would follow *that* one, since a sequence is all that servers
//! compare across writers. So turns that are begun while a message is under way wait, and go out
//! together as the next: that is what a pipeline gains here, since a message costs a sync, and two
//! turns in one cost one. Bounded by the largest record, and [`TURNS_MAX`]. An engine decides turn
//! by turn, and looks at both its inputs and `landed`:
//!
//! ```text
//! select! {
//!     inputs = arrived()     => { let turn = decide(inputs); log.begin(&turn).await? }
//!     durable = log.landed() => perform(effects_up_to(durable?)),
//! }
//! ```
//!
//! There are no closing frames. In a file one tells a clean end from a torn one; here a message is
//! there or it is not, and nothing is ever torn. One that is found is passed over.
//!
//! Not here: JSON and errors of the servers (`api`), what an answer means for an append (`stream`
//! of the crate).

mod address;
mod api;
mod append;
mod config;
mod connect;
mod entry;
mod fetch;
mod follow;
mod link;
mod open;
mod probe;
mod read;
mod stream;
mod trouble;
mod watch;

use std::time::Duration;

use push0_core::{Seq, Turn};
use tokio::task::JoinHandle;

use crate::frame::LogId;
use crate::stream::{Pipe, Position, Record};
use crate::{AppendError, Log, ReadError, Room};
use api::Api;
use watch::Watch;

pub use address::ServerUrl;
pub use config::{NatsConfig, Storage};
pub use connect::client;
pub use follow::Follower;
pub use link::{LinkNews, LinkTeller};
pub use open::{CredentialKind, NatsError};
pub use trouble::Trouble;
pub use watch::Known;

/// A log on JetStream, open for reading and writing. Any number of engines may have it open; the
/// first to append is followed, and the others are fenced.
///
/// Needs tokio's runtime, with time and I/O. Dropped, it lets go of the connection.
#[derive(Debug)]
pub struct NatsLog {
    api: Api,
    retry_max: Duration,
    /// All subjects of the stream.
    subjects: String,
    /// Behind the genesis record.
    start: Position,
    pipe: Pipe,
    /// Appends what is under way. None while nobody asks what became of it.
    task: Option<Task>,
    /// Why nothing is appended any more.
    replaced: Option<String>,
    /// None for a reader.
    watch: Option<Watch>,
    /// How full it was when it was opened.
    room: Option<Room>,
}

type Task = JoinHandle<(Record, Result<(), AppendError>)>;

impl NatsLog {
    /// Which log this is.
    #[must_use]
    pub const fn id(&self) -> LogId {
        self.start.log
    }

    /// Behind the last record that is known to be durable.
    #[must_use]
    pub const fn position(&self) -> &Position {
        self.pipe.tip()
    }

    /// Before the first turn.
    #[must_use]
    pub const fn start(&self) -> &Position {
        &self.start
    }

    /// Looks at the stream every two seconds from here on: once it has lost its beginning, or was
    /// set back, nothing is appended any more, and [`stands`](Self::stands) says so. Its process
    /// knows `known` of it from before.
    ///
    /// # Errors
    ///
    /// [`ReadError::Replaced`]: it is another log than that.
    pub fn watch(&mut self, known: &Known) -> Result<(), ReadError> {
        if let Some(reason) = known.differs(self.id()) {
            return Err(ReadError::Replaced { stream: self.api.stream.to_string(), reason });
        }
        let watch = Watch::begin(self.api.clone(), known.clone());
        watch.knows(self.pipe.tip().message);
        self.watch = Some(watch);
        Ok(())
    }

    /// Whether the stream was the log that it was when it was last looked at.
    ///
    /// # Errors
    ///
    /// [`ReadError::Replaced`].
    pub fn stands(&self) -> Result<(), ReadError> {
        match self.watch.as_ref().and_then(Watch::other) {
            Some(reason) => {
                Err(ReadError::Replaced { stream: self.api.stream.to_string(), reason })
            }
            None => Ok(()),
        }
    }

    /// What tells this history of the log from another, where it was set back to an older copy and
    /// goes on otherwise: who writes, drawn anew at each opening, and behind which record.
    #[must_use]
    pub fn history(&self) -> String {
        let writer = self.pipe.subject().rsplit('.').next().unwrap_or_default();
        format!("{writer}.{}", self.pipe.tip().message)
    }

    /// Notes what was read elsewhere: a stream that ends before it was set back.
    pub fn saw(&self, position: &Position) {
        if let Some(watch) = &self.watch {
            watch.knows(position.message);
        }
    }

    /// Reads from `position` on, and goes on reading as the log grows.
    #[must_use]
    pub fn follow(&self, position: Position) -> Follower {
        Follower::new(self.api.clone(), self.retry_max, position, self.pipe.tip().clone())
    }

    /// Appends behind `position` from here on: an engine that followed another, and takes over.
    ///
    /// # Panics
    ///
    /// If an append is under way, or the position is of another log.
    pub fn go_on_from(&mut self, position: &Position) {
        self.pipe.go_on_from(position);
        self.saw(position);
    }

    async fn begin_now(&mut self, turn: &Turn) -> Result<(), AppendError> {
        self.refuse_if_replaced()?;
        while !self.pipe.begin(turn)? {
            self.landed_now().await?;
        }
        self.launch();
        Ok(())
    }

    async fn landed_now(&mut self) -> Result<Seq, AppendError> {
        self.refuse_if_replaced()?;
        self.launch();
        let Some(task) = &mut self.task else { return Ok(self.pipe.tip().last()) };
        let (record, outcome) = match task.await {
            Ok(settled) => settled,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => return Err(AppendError::Unavailable(std::io::Error::other(error))),
            },
        };
        self.task = None;
        match outcome {
            Ok(()) => {
                if let Some(watch) = &self.watch {
                    watch.appended(record.sequence(), record.bytes().len());
                }
                self.pipe.landed(record);
                self.launch();
                Ok(self.pipe.tip().last())
            }
            Err(error) => {
                self.pipe.failed(record, &error);
                if let AppendError::Replaced { reason, .. } = &error {
                    self.replaced = Some(reason.clone());
                }
                Err(error)
            }
        }
    }

    /// Sends what is under way, unless somebody does.
    fn launch(&mut self) {
        let Some(record) = self.pipe.under_way().filter(|_| self.task.is_none()) else { return };
        let (api, record, retry_max) = (self.api.clone(), record.clone(), self.retry_max);
        self.task =
            Some(tokio::spawn(async move { append::settle(&api, record, retry_max).await }));
    }

    async fn append_now(&mut self, turn: &Turn) -> Result<(), AppendError> {
        if !self.pipe.is_repeat(turn) {
            self.land_all().await?;
            self.begin_now(turn).await?;
        }
        self.land_all().await
    }

    async fn land_all(&mut self) -> Result<(), AppendError> {
        while self.pipe.under_way().is_some() {
            self.landed_now().await?;
        }
        Ok(())
    }

    fn refuse_if_replaced(&self) -> Result<(), AppendError> {
        let stream = || self.api.stream.to_string();
        let seen = || self.watch.as_ref().and_then(Watch::other);
        match self.replaced.clone().or_else(seen) {
            Some(reason) => Err(AppendError::Replaced { stream: stream(), reason }),
            None => Ok(()),
        }
    }
}

impl Log for NatsLog {
    fn append(&mut self, turn: &Turn) -> impl Future<Output = Result<(), AppendError>> + Send {
        self.append_now(turn)
    }

    fn begin(&mut self, turn: &Turn) -> impl Future<Output = Result<(), AppendError>> + Send {
        self.begin_now(turn)
    }

    fn leaves_at_once(&self) -> bool {
        self.pipe.under_way().is_none()
    }

    fn landed(&mut self) -> impl Future<Output = Result<Seq, AppendError>> + Send {
        self.landed_now()
    }

    fn read(&self, after: Seq) -> impl Future<Output = Result<Vec<Turn>, ReadError>> + Send {
        self.read_now(after)
    }

    fn probe(&mut self) -> impl Future<Output = Result<(), AppendError>> + Send {
        self.probe_now()
    }

    async fn close(mut self) -> Result<(), AppendError> {
        self.land_all().await
    }

    fn last(&self) -> Seq {
        self.pipe.tip().last()
    }

    fn record_bytes_max(&self) -> usize {
        self.pipe.record_bytes_max()
    }

    fn room(&self) -> Option<Room> {
        self.watch.as_ref().and_then(Watch::room).or_else(|| self.room.clone())
    }
}

impl Drop for NatsLog {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Twice what the headers of an append take with the longest names of a stream and of subjects.
const HEADERS_BYTES_MAX: usize = 1 << 10;

/// Between two looks at a server that is behind.
const PAUSE: Duration = Duration::from_millis(50);
