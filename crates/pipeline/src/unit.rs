//! Values with a unit: `"16GiB"`, `"1h 30m"`.
//!
//! Not here: which keys have one.

use std::time::Duration;

/// The bytes of a size as text; `None` if it is none, or more than 64 bits hold.
#[must_use]
pub fn size(text: &str) -> Option<u64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '_')?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.replace('_', "").parse::<u64>().ok()?.checked_mul(*factor)
}

/// The time that a text gives.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok()
}

const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit_of_ten_or_of_two() {
        assert_eq!(size("16GiB"), Some(16 << 30));
        assert_eq!(size("1_500 MB"), Some(1_500_000_000));
        for bad in ["", "16", "GiB", "16gib", "1.5GiB", "-1GiB", "16 G", "99999999999TiB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_duration_adds_up() {
        assert_eq!(duration("1h 30m"), Some(Duration::from_secs(5400)));
        assert_eq!(duration("10s"), Some(Duration::from_secs(10)));
        for bad in ["", "10", "-1s", "soon"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
