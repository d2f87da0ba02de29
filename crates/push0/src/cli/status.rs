//! `push0 status`: how far a run is, from its log alone, or a cluster, by its engines' word; once, or again and again.
//!
//! Not here: what is shown (`status`).

mod watch;

use std::path::Path;

pub(crate) use self::watch::{Looked, show_each};
use super::{Exit, StatusArgs};
use crate::clock::wall;
use crate::cluster;
use crate::data::{DataError, Layout, Recorded};
use crate::status::{Local, Place, Space, Status};

pub(super) fn status(args: &StatusArgs) -> Exit {
    let Some(data) = &args.data else { return cluster::status(args) };
    show_each(args, Place::Data(data), || match read(data, args) {
        Ok(status) => Looked::Seen(Box::new(status)),
        Err(error) => Looked::Failed(Exit::from(&error), error.to_string()),
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
