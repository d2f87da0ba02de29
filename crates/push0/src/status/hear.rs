//! What those that answer say to a status, and what it means that others do not.
//!
//! Not here: what the engine has heard of them (`heard`).

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
        // The engine waits for several beats before it calls anybody silent. Who does not answer is silent at once.
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

    fn hear(&mut self, dispatcher: &str, now: &Now) {
        for held in &mut self.unreleased {
            held.hear(dispatcher, &now.steps, &now.cannot);
        }
        self.runs.iter_mut().for_each(|run| run.hear(dispatcher, &now.steps));
        self.head = self.unreleased.first().cloned();
    }
}
