//! The dispatchers that an operator keeps new work from.

use push0_core::plain;
use serde::{Deserialize, Serialize};

use super::layout::long;
use super::watch::Watch;
use crate::lines;
use crate::output::gist;

/// One of them, by whom, and why.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Cordoned {
    dispatcher: String,
    since: String,
    #[serde(default)]
    seconds: u64,
    by: String,
    why: String,
}

impl Cordoned {
    /// Notes that so much time has passed since it was looked at. Unit: seconds.
    pub(super) const fn grow_older(&mut self, by: u64) {
        self.seconds = self.seconds.saturating_add(by);
    }

    pub(super) fn of(watch: &Watch<'_>) -> Vec<Self> {
        let cordoned = watch.scheduler.cordons().take(SENT_MAX).map(|(id, cordon)| Self {
            dispatcher: id.to_string(),
            since: lines::time(cordon.since),
            seconds: watch.now.since(cordon.since).as_secs(),
            by: gist(&cordon.by),
            why: gist(&cordon.why),
        });
        cordoned.collect()
    }

    pub(super) fn shown(all: &[Self]) -> Option<String> {
        if all.is_empty() {
            return None;
        }
        let mut lines = vec!["cordoned, they get no new work:".to_owned()];
        lines.extend(all.iter().map(|Self { dispatcher, seconds, by, why, .. }| {
            let lasts = long(*seconds);
            let why = if why.is_empty() { String::new() } else { format!(": {}", plain(why)) };
            format!("  {}, for {lasts}, by {}{why}", plain(dispatcher), plain(by))
        }));
        let (it, id) = match all {
            [one] => ("it", plain(&one.dispatcher)),
            _ => ("one", "ID".into()),
        };
        lines.push(format!("to give {it} work again: push0 uncordon {id}"));
        Some(lines.join("\n"))
    }
}

/// Those that are told; a message has an end.
const SENT_MAX: usize = 64;
