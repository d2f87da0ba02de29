//! What a command has measured so far: it is told though a later part fails.

use std::fmt;

use crate::cli::say;
use crate::fault::Fault;
use crate::report::Row;

/// Rows, and the parts that there are none of.
#[derive(Default)]
pub(crate) struct Results {
    pub(crate) rows: Vec<Row>,
    failed: Vec<String>,
}

impl Results {
    /// Keeps what was measured, or says why it was not.
    pub(crate) fn keep(&mut self, what: impl fmt::Display, measured: Result<Row, Fault>) {
        match measured {
            Ok(row) => self.rows.push(row),
            Err(fault) => self.fail(what, &fault),
        }
    }

    /// Says why a part was not measured; the others are.
    pub(crate) fn fail(&mut self, what: impl fmt::Display, fault: &Fault) {
        say(&format!("warning: {what}: {fault}"));
        self.failed.push(what.to_string());
    }

    /// # Errors
    ///
    /// That some part was not measured, and which.
    pub(crate) fn verdict(&self) -> Result<(), Fault> {
        match self.failed.is_empty() {
            true => Ok(()),
            false => Err(Fault::new(format!("not measured: {}", self.failed.join("; ")))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_fails_leaves_what_was_measured() {
        let mut results = Results::default();
        assert!(results.verdict().is_ok());
        results.keep("first", Ok(Row::default()));
        results.keep("second", Err(Fault::new("it ended")));
        results.keep("third", Ok(Row::default()));
        assert_eq!(results.rows.len(), 2);
        let told = results.verdict().map_err(|fault| fault.to_string());
        assert_eq!(told, Err("not measured: second".to_owned()));
    }
}
