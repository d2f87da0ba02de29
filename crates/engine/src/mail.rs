//! What leaves for dispatchers, gathered by whom it is for.
//!
//! What somebody waits for leaves with the next post. A verdict does not hurry: its dispatcher only
//! holds on to what it has reported, and the next grant is mostly near. So it rides with that, or
//! leaves after a while by itself; alone it would be a message more for each task, through a server
//! and to a process that has to be woken for it.
//!
//! Not here: how messages travel.

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use push0_core::{Life, Timestamp, ToDispatcher};

/// What leaves, for each life of a dispatcher in the order in which it was added.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mail {
    hurries: BTreeMap<Life, Vec<ToDispatcher>>,
    /// For lives that nothing hurries for: verdicts, and since when the first waits.
    rides: BTreeMap<Life, (Timestamp, Vec<ToDispatcher>)>,
    /// When to look at what rides: not after the first of it has waited long enough.
    look: Option<Timestamp>,
}

impl Mail {
    pub(crate) fn add(&mut self, now: Timestamp, to: Life, message: ToDispatcher) {
        if let Some(messages) = self.hurries.get_mut(&to) {
            return messages.push(message);
        }
        if matches!(message, ToDispatcher::Verdict(..)) {
            self.look.get_or_insert(now + RIDE_MAX);
            let (_, messages) = self.rides.entry(to.clone()).or_insert_with(|| (now, Vec::new()));
            messages.push(message);
            if messages.len() >= RIDERS_MAX
                && let Some((_, messages)) = self.rides.remove(&to)
            {
                self.hurries.insert(to, messages);
            }
        } else {
            let mut messages = self.rides.remove(&to).map(|(_, riding)| riding).unwrap_or_default();
            messages.push(message);
            self.hurries.insert(to, messages);
        }
    }

    /// When something leaves by itself at the latest.
    pub(crate) const fn due(&self) -> Option<Timestamp> {
        self.look
    }

    /// What is to leave now.
    pub(crate) fn take(&mut self, now: Timestamp) -> BTreeMap<Life, Vec<ToDispatcher>> {
        let mut leaves = mem::take(&mut self.hurries);
        if self.look.is_some_and(|look| look <= now) {
            let is_due = |_: &Life, (since, _): &mut (Timestamp, _)| *since + RIDE_MAX <= now;
            let due = self.rides.extract_if(.., is_due);
            leaves.extend(due.map(|(to, (_, messages))| (to, messages)));
            self.look = self.rides.values().map(|(since, _)| *since + RIDE_MAX).min();
        }
        leaves
    }

    /// All that there is.
    pub(crate) fn take_all(&mut self) -> BTreeMap<Life, Vec<ToDispatcher>> {
        let Self { mut hurries, rides, .. } = mem::take(self);
        hurries.extend(rides.into_iter().map(|(to, (_, messages))| (to, messages)));
        hurries
    }
}

/// How long a verdict waits for company: a tenth of what lies between two beats of a dispatcher,
/// with each of which it says again what it holds.
const RIDE_MAX: Duration = Duration::from_millis(100);

/// Verdicts that wait for company together.
const RIDERS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use push0_core::{AttemptId, Verdict};

    use super::*;

    fn to(name: &str) -> Life {
        Life { dispatcher: name.parse().expect("a name"), incarnation: 1 }
    }

    const fn verdict(attempt: u64) -> ToDispatcher {
        ToDispatcher::Verdict(AttemptId(attempt), Verdict::Recorded)
    }

    const fn cancel(attempt: u64) -> ToDispatcher {
        ToDispatcher::Cancel(AttemptId(attempt))
    }

    #[test]
    fn a_verdict_leaves_with_what_hurries_for_the_same_life_and_before_it() {
        let (mut mail, now) = (Mail::default(), Timestamp(0));
        mail.add(now, to("a"), verdict(1));
        mail.add(now, to("b"), verdict(2));
        assert!(mail.take(now).is_empty());
        mail.add(now, to("a"), cancel(3));
        mail.add(now, to("a"), verdict(4));
        let left = mail.take(now);
        assert_eq!(left, [(to("a"), vec![verdict(1), cancel(3), verdict(4)])].into());
        assert_eq!(mail.take_all(), [(to("b"), vec![verdict(2)])].into());
        assert_eq!(mail.due(), None);
    }

    #[test]
    fn a_verdict_leaves_by_itself_after_a_while_each_in_its_time() {
        let (mut mail, first) = (Mail::default(), Timestamp(0));
        let second = first + RIDE_MAX / 2;
        mail.add(first, to("a"), verdict(1));
        mail.add(second, to("b"), verdict(2));
        assert_eq!(mail.due(), Some(first + RIDE_MAX));
        assert_eq!(mail.take(first + RIDE_MAX), [(to("a"), vec![verdict(1)])].into());
        assert_eq!(mail.due(), Some(second + RIDE_MAX));
        assert_eq!(mail.take(second + RIDE_MAX), [(to("b"), vec![verdict(2)])].into());
        assert_eq!(mail.due(), None);
    }

    #[test]
    fn many_verdicts_are_company_enough() {
        let (mut mail, now) = (Mail::default(), Timestamp(0));
        let many = u64::try_from(RIDERS_MAX).expect("few");
        (0..many).for_each(|attempt| mail.add(now, to("a"), verdict(attempt)));
        assert_eq!(mail.take(now).into_values().map(|some| some.len()).sum::<usize>(), RIDERS_MAX);
    }
}
