//! How findings are printed.
//!
//! Not here: what is found (`trial`, `doctor`).

use std::io;

use serde::Serialize;

use super::{Finding, Standing};
use crate::exit::Exit;
use crate::output::print;

/// Where findings go: each in a line as it comes, or all in one object at the end.
pub(crate) struct FindingsOut {
    findings: Vec<Finding>,
    is_json: bool,
    printed: io::Result<()>,
}

impl FindingsOut {
    pub(crate) const fn new(is_json: bool) -> Self {
        Self { findings: Vec::new(), is_json, printed: Ok(()) }
    }

    pub(crate) fn tell(&mut self, finding: Finding) {
        if !self.is_json && self.printed.is_ok() {
            self.printed = print(&finding.to_string());
        }
        self.findings.push(finding);
    }

    /// How the worst of them stands.
    pub(crate) fn worst(&self) -> Standing {
        let standings = self.findings.iter().map(|finding| finding.standing);
        standings.max().unwrap_or(Standing::Ok)
    }

    /// Prints the object, where one is wanted; what printing came to.
    pub(crate) fn finish<'a, R: Serialize>(
        &'a self,
        report: impl FnOnce(&'a [Finding]) -> R,
    ) -> Exit {
        if self.is_json {
            let json = serde_json::to_string(&report(&self.findings)).expect("it is text alone");
            return Exit::of_print(print(&json));
        }
        match &self.printed {
            Ok(()) => Exit::Done,
            Err(error) => Exit::of_print(Err(io::Error::new(error.kind(), error.to_string()))),
        }
    }
}
