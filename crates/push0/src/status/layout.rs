//! How a status is laid out for people: durations in words, lines that fit a terminal, tables that
//! do too.
//!
//! A terminal's width is kept to; where there is none, lines are as long as they are. A command to
//! type is never broken.
//!
//! Not here: what is said.

/// How long, as people say it: `3s`, `4m12s`, `2h14m`, `3d4h`.
pub(crate) fn long(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{}s", seconds % 60),
        (0, _, _) => format!("{hours}h{}m", minutes % 60),
        _ => format!("{days}d{}h", hours % 24),
    }
}

/// A size as people read it.
pub(super) fn size(bytes: u64) -> String {
    let of = |shift: u32| {
        let tenths = (bytes >> (shift - 10)) * 10 / 1_024;
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        1_048_576..1_073_741_824 => format!("{} MiB", of(20)),
        _ => format!("{} GiB", of(30)),
    }
}

/// Breaks lines that are too long between words; what follows is indented below its beginning.
pub(crate) fn fit(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    text.lines().map(|line| fit_line(line, width)).collect::<Vec<_>>().join("\n")
}

fn fit_line(line: &str, width: usize) -> String {
    let begins = line.trim_start();
    if line.chars().count() <= width || begins.starts_with("push0 ") {
        return line.to_owned();
    }
    let own = line.chars().count() - begins.chars().count();
    let indent = (own + HANGS).min(width / 2);
    let (mut text, mut column) = (" ".repeat(own), own);
    let mut is_first = true;
    for word in begins.split(' ') {
        let length = word.chars().count();
        if !is_first && column + 1 + length > width {
            text += "\n";
            text += &" ".repeat(indent);
            column = indent;
        } else if !is_first {
            text.push(' ');
            column += 1;
        }
        text += word;
        column += length;
        is_first = false;
    }
    text
}

/// Columns, each as wide as its widest cell; the first row is the head. Where they are wider than
/// the terminal, those that tell nothing go, one after the other from the right: their cells are
/// all empty, or `0`. Then the cells of the widest column are shortened in the middle.
pub(super) fn table<const N: usize>(rows: &[[String; N]], width: Option<usize>) -> String {
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let tells = |column: usize| {
        let mut cells = rows.iter().skip(1).filter_map(|row| row.get(column));
        cells.any(|cell| !matches!(cell.as_str(), "" | "0"))
    };
    // Each with its place.
    let mut columns: Vec<(usize, usize)> = (0..N).map(|column| (column, widest(column))).collect();
    let is_too_wide = |columns: &[(usize, usize)], width: usize| {
        let between = BETWEEN.len() * columns.len().saturating_sub(1);
        columns.iter().map(|(_, width)| width).sum::<usize>() + between > width
    };
    while let Some(width) = width
        && is_too_wide(&columns, width)
        && let Some(at) = columns.iter().rposition(|(column, _)| !tells(*column))
    {
        columns.remove(at);
    }
    while let Some(width) = width
        && is_too_wide(&columns, width)
        && let Some((_, most)) = columns.iter_mut().max_by_key(|(_, width)| *width)
        && *most > CELL_MIN
    {
        *most -= 1;
    }
    let line = |row: &[String; N]| {
        let cells = columns.iter().filter_map(|(column, width)| Some((row.get(*column)?, *width)));
        let cells = cells.map(|(cell, width)| format!("{:<width$}", middle(cell, width)));
        cells.collect::<Vec<_>>().join(BETWEEN).trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A text of no more than so many letters: both its ends, where it is longer.
pub(crate) fn middle(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let kept = most.saturating_sub(1);
    let (first, last) = (kept.div_ceil(2), kept / 2);
    let begin = text.chars().take(first);
    begin.chain(['…']).chain(text.chars().skip(length - last)).collect()
}

/// The beginning of a text that is longer than it may be.
pub(super) fn short(text: &str, most: Option<usize>) -> String {
    match most {
        Some(most) if text.chars().count() > most => {
            text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
        }
        Some(_) | None => text.to_owned(),
    }
}

/// How many rows of a terminal a text takes.
pub(crate) fn rows_of(text: &str, width: Option<usize>) -> usize {
    let takes = |line: &str| match width {
        Some(width) => line.chars().count().div_ceil(width.max(1)).max(1),
        None => 1,
    };
    text.lines().map(takes).sum()
}

/// How much of what may be long is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amount {
    pub(super) width: Option<usize>,
    /// Entries of blocks that are not released.
    pub(super) blocks: usize,
    /// Attempts that run.
    pub(super) runs: usize,
    /// Tasks that are parked.
    pub(super) parked: usize,
    /// Letters of a block's reason.
    pub(super) why: Option<usize>,
    /// Letters of what a parked task came to.
    pub(super) message: Option<usize>,
    /// What stands between two sections.
    pub(super) between: &'static str,
}

impl Amount {
    /// As much as anybody reads.
    pub(super) fn whole(width: Option<usize>, blocks: usize) -> Self {
        let most = width.map(|_| WORDS_MAX);
        Self { width, blocks, runs: 20, parked: 10, why: most, message: most, between: "\n\n" }
    }

    /// The same, and then less and less, for a terminal that has no room for more.
    pub(super) fn ladder(width: Option<usize>, blocks: usize) -> [Self; 5] {
        let whole = Self::whole(width, blocks);
        let of = |most: usize, between| Self {
            blocks: blocks.min(most),
            runs: most,
            parked: most,
            why: width,
            message: width.map(|width| width.saturating_sub(BEFORE_MESSAGE).max(CELL_MIN)),
            between,
            ..whole
        };
        [whole, of(6, "\n\n"), of(3, "\n\n"), of(3, "\n"), of(1, "\n")]
    }
}

/// A longer time ago is told as a time. Unit: seconds.
pub(crate) const RECENT: u64 = 100 * 86_400;

/// A line that is broken goes on so much further in.
const HANGS: usize = 2;

const BETWEEN: &str = "  ";

/// No column gets narrower.
const CELL_MIN: usize = 8;

/// What stands before the words of a parked task in its line: its id, its stage, its key and its
/// class.
const BEFORE_MESSAGE: usize = 48;

/// What a terminal is shown of a prover's words; `push0 logs` and `--json` have all.
const WORDS_MAX: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_two_units_at_the_most() {
        let said = [0, 59, 252, 8_047, 273_600].map(long);
        assert_eq!(said, ["0s", "59s", "4m12s", "2h14m", "3d4h"]);
    }

    #[test]
    fn a_size_has_its_unit() {
        let said = [0, 1, 5 << 10, 3 << 19, 45 << 20, 5 << 29].map(size);
        assert_eq!(said, ["0 KiB", "1 KiB", "5 KiB", "1.5 MiB", "45.0 MiB", "2.5 GiB"]);
    }

    #[test]
    fn what_is_too_long_is_broken_between_words_and_a_command_is_not() {
        let text = "  one two three four\n    push0 logs 1234567890 --data x";
        assert_eq!(
            fit(text, Some(12)),
            "  one two\n    three\n    four\n    push0 logs 1234567890 --data x"
        );
        assert_eq!(fit(text, None), text);
        assert_eq!(fit("a/path/that/is/too/long it", Some(10)), "a/path/that/is/too/long\n  it");
    }

    #[test]
    fn a_table_that_is_too_wide_loses_what_tells_nothing_first() {
        let rows = [["name", "GPUs", "failed", "lost"], ["prover-1", "0", "3", "0"]];
        let rows = rows.map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows, Some(23)), "name      GPUs  failed\nprover-1  0     3");
        assert_eq!(table(&rows, Some(16)), "name      failed\nprover-1  3");
        assert!(table(&rows, Some(80)).contains("lost"));
    }

    #[test]
    fn a_table_fits_and_keeps_both_ends_of_its_cells() {
        let rows = [["name", "slots"], ["prover-gpu-a100-eu-west-1", "4"]];
        let rows = rows.map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows, Some(20)), "name           slots\nprover…west-1  4");
        assert!(table(&rows, None).contains("prover-gpu-a100-eu-west-1"));
        assert_eq!(middle("abcdefgh", 5), "ab…gh");
    }
}
