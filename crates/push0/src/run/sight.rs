//! Looks at the engine, which answers late while its log's disk is full; and what a person is told
//! of that.

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use push0_core::ReleaseNumber;
use push0_dispatch::Notice;

use super::error::RunError;
use super::standing::Standing;
use super::{Run, TICK, deliver};
use crate::engine::{EngineGone, ROOM_WAIT};
use crate::notices;
use crate::publish::Publication;
use crate::tell;

/// How things stand, and what can be delivered.
pub(super) type Sight = (Standing, Vec<(ReleaseNumber, Publication)>);

/// A disk has no room.
pub(super) struct NoRoom {
    since: Instant,
    told: Instant,
    words: String,
}

impl NoRoom {
    pub(super) fn new(words: String) -> Self {
        let now = Instant::now();
        Self { since: now, told: now, words }
    }

    /// Gives up where nothing runs and nobody has come.
    pub(super) fn check(&self) -> Result<(), RunError> {
        match self.since.elapsed() >= ROOM_WAIT {
            true => Err(RunError::NoRoom(self.words.clone())),
            false => Ok(()),
        }
    }
}

impl Run {
    /// Tells what the dispatcher says of itself.
    pub(super) fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::ProgramGone { program, message } => {
                self.gone.insert(program.to_string(), message.clone());
            }
            Notice::ProgramBack { program } => {
                self.gone.remove(program.as_str());
            }
            Notice::NoRoom { .. } => self.no_room = Some(NoRoom::new(notice.to_string())),
            Notice::StoreAway { .. } => self.no_room = Some(NoRoom::new(notice.to_string())),
            // The log tells it, with what follows of it.
            Notice::AttemptFailed(_) => return,
            Notice::RoomAgain | Notice::StoreBack => self.no_room = None,
            Notice::LeftoversEnded { .. } | Notice::Trouble { .. } | _ => {} // told, and no more
        }
        notices::tell(notice);
    }

    /// How things stand; `None` while the engine has no answer, which may be for as long as its
    /// disk is full.
    pub(super) fn look(&mut self) -> Result<Option<Standing>, RunError> {
        let (sight, asked_at) = match self.looking.take() {
            Some(looking) => looking,
            None => {
                let cursor = self.deliverer.cursor();
                let room = self.deliverer.room(self.published.len());
                let sight = self.handle.begin_look(move |scheduler, fleet| {
                    (Standing::of(scheduler, fleet), deliver::due(scheduler, cursor, room))
                })?;
                (sight, cursor)
            }
        };
        let (standing, due) = match sight.recv_timeout(TICK) {
            Ok(seen) => seen,
            Err(RecvTimeoutError::Timeout) => {
                self.looking = Some((sight, asked_at));
                return Ok(None);
            }
            Err(RecvTimeoutError::Disconnected) => return Err(RunError::Gone(EngineGone)),
        };
        // One that went back meanwhile must not be taken forward again.
        if asked_at == self.deliverer.cursor() {
            self.deliverer.hand(due);
        }
        Ok(Some(standing))
    }

    /// Says again what a person must do, from time to time.
    pub(super) fn tell_of_room(&mut self) {
        if let Some(no_room) = &mut self.no_room
            && no_room.told.elapsed() >= NO_ROOM_PAUSE
        {
            no_room.told = Instant::now();
            tell::warn(&no_room.words);
        }
    }
}

/// From one time that a person is told of a full disk to the next.
const NO_ROOM_PAUSE: Duration = Duration::from_secs(60);
