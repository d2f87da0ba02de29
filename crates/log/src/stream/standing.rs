//! Whether a stream is still the log that it was, by what it says of itself: its beginning stands,
//! and it is no shorter.
//!
//! An append sees the end of the stream alone. What somebody removes before it (a purge, an older
//! copy that was put back) would else be found at the next start, when all that was appended
//! meanwhile is lost with it.
//!
//! Not here: how often it is looked at (`nats`).

use push0_core::counted;

/// Looks at a stream, one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Looks {
    /// So many in a row in which it was shorter than it is known to be.
    short: u32,
}

/// What a stream says that it holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extent {
    /// The sequence of its first message.
    pub first: u64,
    /// That of its last.
    pub last: u64,
    /// How many between them were removed.
    pub removed: u64,
}

impl Looks {
    /// How a stream differs from one that holds all up to the message `least`.
    pub fn see(&mut self, extent: Extent, least: u64) -> Option<String> {
        let Extent { first, last, removed } = extent;
        if first > 1 {
            return Some(format!("{} at its beginning went", counted(first - 1, "record")));
        }
        if removed > 0 {
            return Some(format!("{} in it went", counted(removed, "record")));
        }
        // One that was just elected may be behind for a moment.
        self.short = if last < least { self.short + 1 } else { 0 };
        (self.short >= SHORT_MAX).then(|| {
            format!("it ends at record {last}, and record {least} was there: it was set back")
        })
    }

    /// There is no such stream.
    pub fn gone(&mut self) -> Option<String> {
        self.short += 1;
        (self.short >= SHORT_MAX).then(|| "it is gone".to_owned())
    }
}

/// So many looks in a row a stream may be shorter than it was, which is longer than a new leader
/// takes to catch up.
const SHORT_MAX: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_lost_its_beginning_is_another_at_once_and_one_that_is_short_after_a_while() {
        let extent = |first, last, removed| Extent { first, last, removed };
        for whole in [extent(1, 8, 0), extent(1, 12, 0)] {
            let mut looks = Looks::default();
            for _ in 1..SHORT_MAX {
                assert_eq!(looks.see(extent(1, 9, 0), 9), None);
                assert_eq!(looks.see(whole, 9), None);
            }
        }
        let told = |extent, looks: &mut Looks| looks.see(extent, 9).expect("it is another");
        let mut looks = Looks::default();
        assert!(told(extent(5, 9, 0), &mut looks).contains("4 records at its beginning"));
        assert!(told(extent(1, 9, 2), &mut looks).contains("2 records in it"));
        for _ in 1..SHORT_MAX {
            assert_eq!(looks.see(extent(1, 8, 0), 9), None);
        }
        assert!(told(extent(1, 8, 0), &mut looks).contains("set back"));
        let mut looks = Looks::default();
        assert_eq!([(); 4].map(|()| looks.gone().is_some()), [false, false, false, true]);
    }
}
