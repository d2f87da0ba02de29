//! The facts of a run or of a cluster, read as they come: for commands that show them, and change
//! nothing.
//!
//! Not here: what is shown of them (`cli`), and what they lead to (`data`, `push0_core`).

use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use push0_core::{IllegalEvent, Turn};
use push0_log::{Ending, FileFollower, Report};

use crate::cluster::{self, ClusterArgs, ClusterError};
use crate::data::{DataError, Layout};
use crate::exit::Exit;

/// A log that is read.
pub(crate) enum Facts {
    /// Of a data directory.
    Data(Layout, Box<FileFollower>),
    /// Of a cluster.
    Cluster(Box<cluster::Facts>),
}

/// Why it cannot be read, or no further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FactsError {
    #[error("{0}")]
    Data(#[from] DataError),
    #[error("{0}")]
    Cluster(#[from] ClusterError),
}

impl Facts {
    /// Those of the data directory that is named, else of the cluster.
    pub(crate) fn of(data: Option<&Path>, cluster: &ClusterArgs) -> Result<Self, FactsError> {
        let Some(data) = data else {
            return Ok(Self::Cluster(Box::new(cluster::Facts::open(cluster)?)));
        };
        let layout = Layout::new(data);
        layout.look()?;
        Ok(Self::Data(layout, Box::new(FileFollower::new(data))))
    }

    /// Gives `each` all turns that there are, oldest first.
    ///
    /// # Errors
    ///
    /// What is wrong with the log; what comes before that was given.
    pub(crate) fn read(&mut self, each: &mut dyn FnMut(Turn)) -> Result<(), FactsError> {
        match self {
            Self::Data(layout, follower) => Ok(on(layout, follower, each)?),
            Self::Cluster(facts) => Ok(facts.read(each)?),
        }
    }

    /// Gives `each` the turns that have come since, and waits a moment where there are none.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub(crate) fn wait(&mut self, each: &mut dyn FnMut(Turn)) -> Result<(), FactsError> {
        match self {
            Self::Data(layout, follower) => {
                thread::sleep(STEP);
                Ok(on(layout, follower, each)?)
            }
            Self::Cluster(facts) => Ok(facts.wait(STEP, each).map(drop)?),
        }
    }
}

impl Facts {
    /// That events were read which cannot follow one another.
    pub(crate) fn illegal(&self, source: IllegalEvent) -> FactsError {
        match self {
            Self::Data(layout, _) => DataError::Illegal { path: layout.log(), source }.into(),
            Self::Cluster(_) => ClusterError::Illegal(source).into(),
        }
    }
}

impl FactsError {
    /// That the system gives no thread, or hears no signal.
    pub(crate) fn thread(source: io::Error) -> Self {
        ClusterError::Thread(source).into()
    }
}

/// Reads on in the log of a data directory.
fn on(
    layout: &Layout,
    follower: &mut FileFollower,
    each: &mut dyn FnMut(Turn),
) -> Result<(), DataError> {
    layout.look()?;
    let report = follower.next(each);
    let report = report.map_err(|source| DataError::Unreadable { path: layout.log(), source })?;
    match report {
        Some(Report { ending: Ending::Unreadable(source), .. }) => Err(DataError::Log { source }),
        Some(_) | None => Ok(()),
    }
}

impl From<&FactsError> for Exit {
    fn from(error: &FactsError) -> Self {
        match error {
            FactsError::Data(error) => Self::from(error),
            FactsError::Cluster(error) => Self::from(error),
        }
    }
}

/// From one look at a log to the next: as quick as anybody reads, and next to nothing for a disk or
/// a server.
const STEP: Duration = Duration::from_millis(250);
