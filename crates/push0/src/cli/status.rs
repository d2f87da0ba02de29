//! `push0 status`: how far a run is, from its log alone, or a cluster, by its engines' word.
//!
//! Not here: what is shown (`status`).

use std::path::Path;

use super::output::print;
use super::{Exit, StatusArgs};
use crate::cluster;
use crate::data::{DataError, Layout, Recorded};
use crate::status::{Place, Status};
use crate::tell;
use push0_dispatch::About;

pub(super) fn status(args: &StatusArgs) -> Exit {
    let Some(data) = &args.data else { return cluster::status(args) };
    match read(data) {
        Ok(status) => show(&status, Place::Data(data), args.json),
        Err(error) => {
            tell::error(format_args!("{error}"));
            Exit::from(&error)
        }
    }
}

/// Prints a status as it was asked for.
pub(crate) fn show(status: &Status, place: Place<'_>, as_json: bool) -> Exit {
    let text = match as_json {
        true => serde_json::to_string(status).expect("names and numbers are JSON"),
        false => status.shown(place),
    };
    Exit::of_print(print(&text))
}

fn read(data: &Path) -> Result<Status, DataError> {
    let layout = Layout::new(data);
    let Recorded { scheduler, .. } = layout.replay()?;
    let mut status = Status::of(&scheduler);
    status.runs(layout.has_writer().ok());
    status.dispatcher = About::read(&layout.dispatch());
    Ok(status)
}
