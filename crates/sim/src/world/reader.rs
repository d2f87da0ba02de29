//! The reader of the feed: by cursor, from the first at every start, at least once. What it has
//! read it has for good; what it cannot read it has made again.

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::{Digest, Input, Key, ReleaseNumber, Seq, TaskState};

use super::World;
use crate::agenda::Happening;
use crate::check::{Check, holds};
use crate::engine::{Answer, Asker, Request};
use crate::store::Read;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Reader {
    cursor: u64,
    /// By number; survives every crash.
    pub(super) read: BTreeMap<u64, (Key, Vec<Digest>)>,
    asks: bool,
    /// The last recall that it has seen to.
    recalled: Seq,
}

impl Reader {
    pub(super) const fn begin(&mut self) {
        (self.cursor, self.asks, self.recalled) = (0, false, Seq(0));
    }
}

impl World {
    pub(super) fn reader_looks(&mut self) {
        let life = self.life;
        self.agenda.after(LOOK, Happening::ReaderLooks { life });
        self.recall();
        while self.read_next() {}
        self.check_ending();
        // As whoever tells the others that it leads, and as whoever asks how far it is.
        self.request(Request::Probe);
        if self.chance.permille(200) {
            self.request(Request::Look);
        }
    }

    /// Goes back to what was taken back since it was read.
    fn recall(&mut self) {
        let Some(engine) = self.engine.as_ref().filter(|engine| engine.is_durable()) else {
            return;
        };
        for (number, at) in engine.scheduler().recalled() {
            if at > self.reader.recalled {
                self.reader.read.remove(&number.0);
                self.reader.cursor = self.reader.cursor.min(number.0 - 1);
            }
        }
        let last = engine.scheduler().recalled().map(|(_, at)| at).max();
        self.reader.recalled = last.unwrap_or_default().max(self.reader.recalled);
    }

    /// Reads one more release, if it can.
    fn read_next(&mut self) -> bool {
        let Some(engine) = self.engine.as_ref().filter(|engine| engine.is_durable()) else {
            return false;
        };
        let Some(release) = engine.scheduler().releases(ReleaseNumber(self.reader.cursor)).first()
        else {
            return false;
        };
        let number = release.number.0;
        let mut values = Vec::new();
        for id in &release.tasks {
            let task = engine.scheduler().task(id);
            let Some(result) = task.and_then(|task| Some((task, task.result.as_ref()?))) else {
                return false;
            };
            values.push(result.1.what.statement);
            if self.reader.read.contains_key(&number) {
                continue;
            }
            if result.0.state != TaskState::Accepted || self.reader.asks {
                return false;
            }
            match self.store.read(&result.1.what.output) {
                Read::Sound => {}
                Read::Unknown => return false,
                Read::Lost => {
                    let remake = Input::Remake(*id);
                    self.reader.asks = true;
                    self.ask(Asker::Reader, vec![remake]);
                    return false;
                }
            }
        }
        let now = (release.key, values);
        let before = self.reader.read.entry(number).or_insert_with(|| now.clone());
        let is_same = *before == now;
        self.watch.note(holds(Check::GaplessPrefix, is_same, || {
            format!("release {number} is not what was read of it before")
        }));
        self.reader.cursor += 1;
        true
    }

    pub(super) fn reader_answered(&mut self, answer: Answer) {
        self.reader.asks = false;
        let refused = answer.map_err(|error| (Check::Legal, format!("not made again: {error}")));
        self.watch.note(refused);
    }
}

const LOOK: Duration = Duration::from_millis(200);
