//! What those that answer say to a status, and what it means that others do not.
//!
//! Not here: what the engine has heard of them (`heard`).

use std::time::Duration;

use push0_dispatch::Now;

use super::{Cluster, Local, Status};

impl Status {
    /// Takes the word of the dispatcher of a run.
    pub(crate) fn hear_local(&mut self, local: Local) {
        let Local { about, now } = local;
        if self.running == Some(true) {
            self.hear(&about.dispatcher, &now);
            self.dispatcher_now = Some(now);
        }
        self.dispatcher = Some(about);
    }

    /// Takes the word of those that answer.
    pub(crate) fn hear_all(&mut self, mut there: Cluster, is_led: bool) {
        for view in &there.dispatchers {
            let (cannot, steps) = (view.cannot.clone(), view.steps.clone());
            self.hear(&view.dispatcher, &Now { cannot, steps, ..Now::default() });
        }
        if !is_led {
            self.unreleased.iter_mut().for_each(|held| held.without_leader(&there));
            self.runs.iter_mut().for_each(|run| run.without_leader(&there));
            self.trouble.without_leader(&there);
        }
        // The engine waits for several beats before it calls anybody silent. Who does not answer is
        // silent at once.
        for heard in &self.heard {
            if !there.dispatchers.iter().any(|view| view.dispatcher == heard.dispatcher) {
                self.unreleased.iter_mut().for_each(|held| held.is_silent(heard));
                self.runs.iter_mut().for_each(|run| run.is_mute(heard));
                there.silent.push(heard.clone());
            }
        }
        self.cluster = Some(there);
        self.head = self.unreleased.first().cloned();
    }

    /// Notes that it was looked at so long ago: whoever said nothing then has said nothing since,
    /// as far as is known.
    pub(crate) fn grow_older(&mut self, by: Duration) {
        let by = by.as_secs();
        if by == 0 {
            return;
        }
        for age in [&mut self.at_seconds, &mut self.led_seconds] {
            *age = age.map(|age| age.saturating_add(by));
        }
        self.heard.iter_mut().for_each(|heard| heard.silent = heard.silent.saturating_add(by));
        self.runs.iter_mut().for_each(|run| run.grow_older(by));
        self.trouble.grow_older(by);
        self.cordoned.iter_mut().for_each(|cordoned| cordoned.grow_older(by));
        self.unreleased.iter_mut().for_each(|held| held.grow_older(by));
        self.head = self.unreleased.first().cloned();
    }

    fn hear(&mut self, dispatcher: &str, now: &Now) {
        for held in &mut self.unreleased {
            held.hear(dispatcher, &now.steps, &now.cannot);
        }
        self.runs.iter_mut().for_each(|run| run.hear(dispatcher, &now.steps));
        self.head = self.unreleased.first().cloned();
    }
}

#[cfg(test)]
mod tests {
    use push0_dispatch::MemoryLimit;

    use super::*;
    use crate::fixture::{Place, WELL, one_stage};
    use crate::status::cluster::DispatcherView;

    const NAMES: [&str; 20] = [
        "m01", "m02", "m03", "m04", "m05", "m06", "m07", "m08", "m09", "m10", "m11", "m12", "m13",
        "m14", "m15", "m16", "m17", "m18", "m19", "m20",
    ];

    /// Those of these names answer a roll call.
    fn there(names: &[&str]) -> Cluster {
        let view = |name: &&str| DispatcherView {
            dispatcher: (*name).to_owned(),
            slots: 1,
            memory_bytes: 16 << 30,
            gpus: 1,
            memory_limit: MemoryLimit::Watched { why: String::new() },
            running: 1,
            held: 0,
            leaving: false,
            cannot: [].into(),
            gpus_elsewhere: Vec::new(),
            steps: Vec::new(),
        };
        Cluster { dispatchers: names.iter().map(view).collect(), ..Cluster::default() }
    }

    /// All of them prove, and a block waits.
    fn busy() -> Place {
        let mut place = Place::new(&one_stage("day"), 7..27);
        for name in NAMES {
            place.beat((name, WELL.1, WELL.2, WELL.3, WELL.4));
        }
        while place.scheduler.attempts().count() < NAMES.len() {
            place.assign();
        }
        place.submit(27);
        place.settle();
        place
    }

    #[test]
    fn however_many_say_nothing_none_of_them_is_said_to_have_something_to_do() {
        let place = busy();
        let waits = |answer: &[&str]| {
            let mut status = Status::sent(&place.scheduler, &place.fleet);
            status.hear_all(there(answer), true);
            status.unreleased.last().expect("one waits").why.clone()
        };
        let (alive, _) = NAMES.split_at(8);
        let why = waits(alive);
        assert!(why.ends_with("prover is free (8 busy, 12 silent)"), "{why}");
        let (_, alive) = NAMES.split_at(12);
        let why = waits(alive);
        assert!(why.ends_with("prover is free (8 busy, 12 silent)"), "{why}");
        let why = waits(&[]);
        assert!(why.contains("all 20 dispatchers that can run prover have said nothing"), "{why}");
        let why = waits(&NAMES);
        assert!(why.contains("each of the 20 dispatchers that can run prover"), "{why}");
    }

    #[test]
    fn whoever_was_silent_when_it_was_looked_at_has_been_silent_since() {
        let mut place = busy();
        place.pass(2);
        let mut status = Status::sent(&place.scheduler, &place.fleet);
        let silent = |status: &Status| status.heard.iter().map(|it| it.silent).max();
        assert_eq!(silent(&status), Some(2));
        status.grow_older(Duration::from_millis(900));
        assert_eq!(silent(&status), Some(2));
        status.grow_older(Duration::from_secs(60));
        assert_eq!(silent(&status), Some(62));
        status.hear_all(there(&[]), true);
        let first = status.head.as_ref().expect("one waits");
        assert!(first.why.contains("has said nothing for 62 s of 10"), "{}", first.why);
    }

    #[test]
    fn one_that_has_left_is_not_called_silent() {
        let mut place = Place::new(&one_stage("day"), 7..8);
        place.beat((WELL.0, "another", WELL.2, WELL.3, WELL.4));
        let silent = |place: &Place| {
            let mut status = Status::sent(&place.scheduler, &place.fleet);
            status.hear_all(there(&[]), true);
            status.cluster.map_or(0, |cluster| cluster.silent.len())
        };
        assert_eq!(silent(&place), 1);
        place.leave(WELL.0);
        assert_eq!(silent(&place), 0);
    }
}
