//! Runs that are interleaved: what is compared has the same machine, whose speed is not the same from minute to minute.

use std::fmt;

use crate::cli::{Asked, say};
use crate::fault::Fault;
use crate::results::Results;

/// What is measured again in every run. It says its name.
pub(crate) trait Cell: fmt::Display {
    /// Measures it once more.
    ///
    /// # Errors
    ///
    /// Why it cannot be.
    fn run(&mut self, asked: &Asked) -> Result<(), Fault>;

    /// Why it is not run, or not any more.
    fn note(&mut self) -> &mut Option<String>;
}

/// Measures all of them in each run. One that fails has the runs before, and is not run again.
pub(crate) fn interleave<C: Cell>(asked: &Asked, cells: &mut [C], results: &mut Results) {
    for run in 1..=asked.runs {
        for cell in cells.iter_mut() {
            if cell.note().is_some() {
                continue;
            }
            say(&format!("run {run} of {}: {cell}", asked.runs));
            if let Err(fault) = cell.run(asked) {
                results.fail(format!("run {run}: {cell}"), &fault);
                *cell.note() = Some(format!("run {run}: {fault}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    struct Named<'a> {
        name: &'static str,
        ran: &'a RefCell<Vec<&'static str>>,
        runs_left: u32,
        note: Option<String>,
    }

    impl Cell for Named<'_> {
        fn run(&mut self, _: &Asked) -> Result<(), Fault> {
            self.ran.borrow_mut().push(self.name);
            self.runs_left = self.runs_left.checked_sub(1).ok_or_else(|| Fault::new("it ended"))?;
            Ok(())
        }

        fn note(&mut self) -> &mut Option<String> {
            &mut self.note
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
        let named = |name, runs_left| Named { name, ran: &ran, runs_left, note: None };
        let mut cells = [named("one", 9), named("two", 1), named("three", 9)];
        interleave(&Asked::of(&["--runs", "3"]), &mut cells, &mut results);
        assert_eq!(*ran.borrow(), ["one", "two", "three", "one", "two", "three", "one", "three"]);
        let notes = cells.map(|cell| cell.note);
        assert_eq!(notes, [None, Some("run 2: it ended".to_owned()), None]);
        assert!(results.verdict().is_err(), "one of them failed");
    }
}
