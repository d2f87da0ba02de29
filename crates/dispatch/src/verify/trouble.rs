//! A verifier that gives no verdict: what is told of that, and when another try has no sense.

use push0_core::Believes;

use super::Case;

/// Why there is no verdict, this time.
pub(super) enum Trouble {
    /// Its time was over before it ran: that says nothing of it.
    Unstarted,
    /// It could not be asked, or is itself in trouble, and says so.
    Failed(String),
    /// It ended without a word of the contract, with this code.
    Silent(Option<i32>, String),
    /// It passed a limit of its own.
    Limit(String),
}

/// What was told of the tries so far.
#[derive(Default)]
pub(super) struct TryNotes {
    /// What the verifier said last, where it said something.
    said: Option<String>,
    /// What came of the last try in which it ran.
    last: Option<String>,
}

impl TryNotes {
    /// A trouble in words. Where that says nothing of the verifier, what is known of it follows.
    /// Where all the time for this result `is_over`, a try that it cut short is no news: what the
    /// verifier said before is told.
    pub(super) fn message(&mut self, trouble: Trouble, is_over: bool) -> String {
        let message = match trouble {
            Trouble::Limit(_) if is_over && self.said.is_some() => {
                return self.said.clone().unwrap_or_default();
            }
            Trouble::Failed(message) | Trouble::Silent(_, message) => {
                self.said = Some(message.clone());
                message
            }
            Trouble::Limit(message) => after(&message, self.said.as_deref()),
            Trouble::Unstarted => {
                return after("the verifier was not started in time", self.last.as_deref());
            }
        };
        self.last = Some(message.clone());
        message
    }
}

fn after(what: &str, before: Option<&str>) -> String {
    let before = before.map(|before| format!("; before that: {before}"));
    format!("{what}{}", before.unwrap_or_default())
}

/// What was tried in vain.
#[derive(Default)]
pub(super) struct Spent {
    silences: u32,
    limits: u32,
}

impl Spent {
    /// Counts a trouble, and tells whether another try would have no sense.
    pub(super) async fn is_last(&mut self, case: &Case, trouble: &Trouble) -> bool {
        let Case { context, grant, program, .. } = case;
        let is_mute = || !context.judges.has_spoken(&grant.program);
        let (is_last, message) = match trouble {
            Trouble::Unstarted | Trouble::Failed(_) => return false,
            Trouble::Limit(message) => {
                self.limits += 1;
                (self.limits >= LIMITS_MAX, message)
            }
            Trouble::Silent(code, message) => {
                self.silences += 1;
                let is_guess = program.asking.believes == Believes::LineOfGuess;
                let is_over = is_guess && self.silences >= SILENCES_MAX || *code == Some(0);
                (is_mute() && is_over, message)
            }
        };
        if is_last && is_mute() {
            context.judges.is_mute(&grant.program, program, message).await;
        }
        is_last
    }
}

/// How often a verifier may pass a limit: the second time a busy machine is no excuse.
const LIMITS_MAX: u32 = 2;

/// How often a guess that has never given a verdict may say nothing.
const SILENCES_MAX: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_before_a_try_that_says_nothing_is_told_with_it() {
        let (mut told, unstarted) = (TryNotes::default(), "the verifier was not started in time");
        assert_eq!(told.message(Trouble::Unstarted, false), unstarted);
        let limit = || Trouble::Limit("no verdict in time".to_owned());
        assert_eq!(told.message(limit(), false), "no verdict in time");
        let late = format!("{unstarted}; before that: no verdict in time");
        assert_eq!(told.message(Trouble::Unstarted, false), late);
        assert_eq!(told.message(Trouble::Unstarted, false), late, "once");
        assert_eq!(told.message(Trouble::Failed("no key".to_owned()), false), "no key");
        let both = "no verdict in time; before that: no key";
        assert_eq!([told.message(limit(), false), told.message(limit(), false)], [both, both]);
        assert_eq!(
            told.message(Trouble::Unstarted, false),
            format!("{unstarted}; before that: {both}")
        );
        assert_eq!(told.message(Trouble::Silent(Some(1), "exit 1".to_owned()), false), "exit 1");
        assert_eq!(told.message(limit(), true), "exit 1", "it was cut short");
        assert_eq!(
            told.message(Trouble::Unstarted, false),
            format!("{unstarted}; before that: exit 1")
        );
        let mut told = TryNotes::default();
        assert_eq!(told.message(limit(), true), "no verdict in time", "nothing was said before");
    }
}
