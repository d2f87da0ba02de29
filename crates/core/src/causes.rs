//! An error and what caused it, as one text.
//!
//! Not here: the words of an error, and how a text is shown (`plain`).

use std::error::Error;

/// The error and all its causes, each behind a colon. What an error has said of its cause already
/// is not said again.
#[must_use]
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Words(&'static str, #[source] Option<Box<Self>>);

    fn error(words: &[&'static str]) -> Words {
        let [first, rest @ ..] = words else { unreachable!("an error has words") };
        Words(first, (!rest.is_empty()).then(|| Box::new(error(rest))))
    }

    #[test]
    fn each_cause_is_said_once() {
        assert_eq!(causes(&error(&["no log"])), "no log");
        assert_eq!(
            causes(&error(&["no log", "no disk", "it is full"])),
            "no log: no disk: it is full"
        );
        assert_eq!(
            causes(&error(&["no log: no disk", "no disk", "full"])),
            "no log: no disk: full"
        );
        assert_eq!(causes(&error(&["it is gone (no disk)", "no disk"])), "it is gone (no disk)");
    }
}
