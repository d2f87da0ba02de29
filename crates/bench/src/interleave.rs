//! Runs that are interleaved: what is compared has the same machine, whose speed is not the same
//! from minute to minute.

use std::fmt;

use crate::cli::{BenchOptions, say};
use crate::fault::Fault;
use crate::report::Row;
use crate::results::Results;

/// What is measured again in every run. It says its name.
pub(crate) trait Cell: fmt::Display {
    /// Measures it once more.
    ///
    /// # Errors
    ///
    /// Why it cannot be.
    fn run(&mut self, asked: &BenchOptions) -> Result<(), Fault>;

    /// Why it is not even tried.
    fn fault(&self, _: &BenchOptions) -> Option<String> {
        None
    }

    /// What was measured, in all runs.
    fn row(self, asked: &BenchOptions) -> Row;
}

/// Measures all of them in each run: a row each. One that fails has the runs before, says why, and
/// is not run again.
pub(crate) fn interleave<C: Cell>(
    asked: &BenchOptions,
    cells: Vec<C>,
    results: &mut Results,
) -> Vec<Row> {
    let noted = |cell: C| (cell.fault(asked), cell);
    let mut cells: Vec<_> = cells.into_iter().map(noted).collect();
    for run in 1..=asked.runs {
        for (note, cell) in cells.iter_mut().filter(|(note, _)| note.is_none()) {
            say(&format!("run {run} of {}: {cell}", asked.runs));
            if let Err(fault) = cell.run(asked) {
                results.fail(format!("run {run}: {cell}"), &fault);
                *note = Some(format!("run {run}: {fault}"));
            }
        }
    }
    cells.into_iter().map(|(note, cell)| Row { note, ..cell.row(asked) }).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    struct Named<'a> {
        name: &'static str,
        ran: &'a RefCell<Vec<&'static str>>,
        runs_left: u32,
    }

    impl Cell for Named<'_> {
        fn run(&mut self, _: &BenchOptions) -> Result<(), Fault> {
            self.ran.borrow_mut().push(self.name);
            self.runs_left = self.runs_left.checked_sub(1).ok_or_else(|| Fault::new("it ended"))?;
            Ok(())
        }

        fn fault(&self, _: &BenchOptions) -> Option<String> {
            (self.name == "none").then(|| "it is not there".to_owned())
        }

        fn row(self, _: &BenchOptions) -> Row {
            Row { system: self.name.to_owned(), ..Row::default() }
        }
    }

    impl fmt::Display for Named<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.name)
        }
    }

    #[test]
    fn each_run_has_all_but_those_that_failed() {
        let (ran, mut results) = (RefCell::new(Vec::new()), Results::default());
        let named = |name, runs_left| Named { name, ran: &ran, runs_left };
        let cells = vec![named("one", 9), named("two", 1), named("none", 9), named("three", 9)];
        let rows = interleave(&BenchOptions::of(&["--runs", "3"]), cells, &mut results);
        assert_eq!(*ran.borrow(), ["one", "two", "three", "one", "two", "three", "one", "three"]);
        let notes: Vec<_> = rows.iter().map(|row| (&*row.system, row.note.as_deref())).collect();
        let (ended, none) = (Some("run 2: it ended"), Some("it is not there"));
        assert_eq!(notes, [("one", None), ("two", ended), ("none", none), ("three", None)]);
        assert!(results.verdict().is_err(), "one of them failed");
    }
}
