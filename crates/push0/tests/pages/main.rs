//! What people read: every link leads somewhere, every page of `docs/` is in the book, every
//! command that a page shows runs and says what the page says it does.
//!
//! Not here: whether the words are true.

#[expect(dead_code, reason = "shared with the tests of `run`, which need more of it")]
#[path = "../run/support/binaries.rs"]
mod binaries;
mod commands;
mod links;
mod markdown;
mod named;
mod said;
mod shell;
