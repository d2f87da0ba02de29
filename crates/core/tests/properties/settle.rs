//! A world without faults: whatever happened to it before, everything comes to its end.

use push0_core::Input;

use crate::machine::How;
use crate::universe::BLOCKS;
use crate::world::World;

impl World<'_> {
    /// Faults stop: every block comes, every dispatcher runs what it is given, time passes. Answers
    /// whether everything is released in the end.
    pub(crate) fn settle(&mut self) -> bool {
        self.run(true)
    }

    /// Likewise, but no block comes, and the source does not end.
    pub(crate) fn settle_without_source(&mut self) {
        self.run(false);
    }

    fn run(&mut self, is_delivering: bool) -> bool {
        for _ in 0..ROUNDS_MAX {
            let before = self.scheduler.last();
            self.fleet.look(self.now);
            if is_delivering && self.branch.is_some() {
                self.submit(self.parts_at().min(BLOCKS - 1));
                self.finalize(0);
            } else if is_delivering {
                self.submit(self.next_block());
            }
            let is_whole = self.branch.is_none() || self.parts_at() == BLOCKS;
            if is_delivering && is_whole && self.next_block() == BLOCKS {
                self.ask(&Input::EndSource);
            }
            self.resupply();
            for machine in 0..self.crew.len() {
                self.beat(machine);
                while self.crew.get(machine).is_some_and(|machine| !machine.running.is_empty()) {
                    self.finish(machine, How::Proved);
                }
            }
            self.follow_up();
            self.commit();
            self.sync();
            if self.scheduler.is_complete() {
                return true;
            }
            if self.scheduler.last() == before {
                match self.scheduler.poll_timeout(self.now) {
                    Some(deadline) => self.now = deadline.at,
                    None if self.crew.iter().all(|machine| machine.running.is_empty()) => break,
                    None => {}
                }
            }
        }
        false
    }
}

const ROUNDS_MAX: usize = 400;
