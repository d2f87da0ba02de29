//! `push0 status`: how far a run is, from its log alone, or a cluster, by its engines' word; once,
//! or again and again.
//!
//! Not here: what is shown (`status`).

mod watch;

use std::path::Path;

use self::watch::{LookOutcome, show_each};
use super::StatusArgs;
use crate::clock::wall;
use crate::cluster::StatusAsker;
use crate::data::{DataError, Layout, Recorded};
use crate::exit::Exit;
use crate::status::{Local, Place, Space, Status};
use crate::tell;

pub(super) fn status(args: &StatusArgs) -> Exit {
    let Some(data) = &args.data else { return of_cluster(args) };
    show_each(args, Place::Data(data), || match read(data, args) {
        Ok(status) => LookOutcome::Seen(Box::new(status)),
        Err(error) => LookOutcome::Failed(Exit::from(&error), error.to_string()),
    })
}

fn of_cluster(args: &StatusArgs) -> Exit {
    let asker = match StatusAsker::new(&args.cluster, args.blocks as usize) {
        Ok(asker) => asker,
        Err(error) => {
            tell::error(&error);
            return Exit::from(&error);
        }
    };
    show_each(args, Place::Cluster, || match asker.read() {
        Ok(status) => LookOutcome::Seen(Box::new(status)),
        Err(error) => LookOutcome::Failed(Exit::from(&error), error.to_string()),
    })
}

fn read(data: &Path, args: &StatusArgs) -> Result<Status, DataError> {
    let layout = Layout::new(data);
    let Recorded { scheduler, .. } = layout.replay()?;
    let (running, local) = (layout.has_writer().ok(), Local::read(&layout.dispatch()));
    let runs = local.as_ref().filter(|_| running == Some(true) && scheduler.is_configured());
    let fleet = runs.and_then(|local| local.fleet(&scheduler, wall()));
    let mut status = Status::of(&scheduler, fleet.as_ref(), args.blocks as usize);
    status.runs(running);
    local.into_iter().for_each(|local| status.hear_local(local));
    status.space = Space::of_data(&layout);
    Ok(status)
}
