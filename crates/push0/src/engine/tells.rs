//! What people are told by an engine, in words.
//!
//! Not here: which of it, and when (`push0_engine`), and who prints it (`Ports::turns`).

use std::time::Duration;

use push0_core::{Scheduler, Turn};
use push0_engine::{Announcement, BLOCKS_SHARE, Filling};
use push0_log::Room;

use crate::lines::line;
use crate::tell::{Level, Line};

/// The lines of a turn.
pub(super) fn lines(scheduler: &Scheduler, turn: &Turn, told: &[Announcement]) -> Vec<Line> {
    let note = |words: String| Line::new(Level::Warn, words).at(turn.at);
    let one = |told: &Announcement| match told {
        Announcement::Event(index) => Some(line(scheduler, turn.at, turn.events.get(*index)?)),
        Announcement::More => {
            let words = "(more happens than is told: for a second only what is not routine)";
            Some(note(words.to_owned()))
        }
        Announcement::NotTold(1) => Some(note("(1 event was not told: the log has it)".to_owned())),
        Announcement::NotTold(count) => {
            Some(note(format!("({count} events were not told: the log has them)")))
        }
    };
    told.iter().filter_map(one).collect()
}

/// That a log fills, and what to do about it.
pub(super) fn fills(filling: &Filling, room: &Room) -> String {
    let lasts = match filling.lasts {
        None => "it does not grow at present".to_owned(),
        Some(lasts) => format!("at the present rate it is full in {}", days(lasts)),
    };
    format!("{}: {lasts}; from {BLOCKS_SHARE} % on no block is taken: {}", used(room), raise(room))
}

/// What a person can do about a log that takes nothing for want of room.
pub(super) fn make_room(room: Option<&Room>) -> String {
    room.map_or_else(|| "make room".to_owned(), raise)
}

/// Whether a log has so little room that no block is taken.
pub(crate) const fn is_short(room: &Room) -> bool {
    push0_engine::Room { bytes: room.bytes, bytes_max: room.bytes_max }.is_short()
}

/// How full it is, for a person.
pub(crate) fn used(room: &Room) -> String {
    let percent = u128::from(room.bytes) * 100 / u128::from(room.bytes_max.max(1));
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let (bytes, bytes_max, name) = (mib(room.bytes), mib(room.bytes_max), &room.name);
    format!("the log has {bytes} of the {bytes_max} MiB of stream {name} (max_bytes), {percent} %")
}

/// What a person can do about it.
pub(crate) fn raise(room: &Room) -> String {
    let name = &room.name;
    format!(
        "raise max_bytes (`nats stream edit {name} --max-bytes SIZE`), and max_file_store of the servers where that is less"
    )
}

fn days(lasts: Duration) -> String {
    format!("{:.1} days", lasts.as_secs_f64() / (24.0 * 3600.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_fills_is_told_with_its_name_and_the_days_that_are_left() {
        let (bytes, bytes_max) = (8 << 20, 10 << 20);
        let room = Room { bytes, bytes_max, name: "push0".into() };
        let bounded = push0_engine::Room { bytes, bytes_max };
        let filling = Filling { room: bounded, lasts: Some(Duration::from_secs(16 * 3600)) };
        let told = fills(&filling, &room);
        assert!(told.contains("full in 0.7 days") && told.contains("max_bytes"), "{told}");
        assert!(told.contains("8 of the 10 MiB of stream push0"), "{told}");
        let rests = fills(&Filling { lasts: None, ..filling }, &room);
        assert!(rests.contains("does not grow"), "{rests}");
    }
}
