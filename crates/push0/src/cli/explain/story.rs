//! What happened to a block or to tasks, by the log: who tried what, for how long, and how it
//! ended.
//!
//! Only what is asked about is kept, and of many attempts the last.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use push0_core::{
    AttemptId, DispatcherId, Event, Height, Key, ReleaseNumber, StageName, TaskId, Timestamp, Turn,
};

use super::short;
use crate::lines::{time, word};
use crate::output::gist;
use crate::status::{RECENT, Subject, long};
use crate::tell::{counted, shown};

/// What is known of what is asked about.
pub(super) struct Story {
    named: String,
    height: Option<Height>,
    submitted: Option<Timestamp>,
    /// Those that are about it, in the order in which they were opened.
    tasks: BTreeMap<TaskId, TaskStory>,
    order: Vec<TaskId>,
    released: Option<(Timestamp, ReleaseNumber, Key)>,
    left_out: u64,
}

struct TaskStory {
    stage: StageName,
    key: Key,
    opened: Timestamp,
    attempts: VecDeque<AttemptStory>,
    attempts_before: u64,
    parked: Option<(Timestamp, String)>,
    /// Discarded results, and what was opened anew.
    again: u64,
}

struct AttemptStory {
    /// The position of its grant, by which people name it.
    number: u64,
    at: Timestamp,
    dispatcher: DispatcherId,
    ended: Option<String>,
}

impl Story {
    /// Of what is named so: a block's height, a key, or a task by the first digits of its id.
    pub(super) fn of(named: &str) -> Self {
        Self {
            named: named.to_owned(),
            height: named.parse().ok().map(Height),
            submitted: None,
            tasks: BTreeMap::new(),
            order: Vec::new(),
            released: None,
            left_out: 0,
        }
    }

    /// Goes on by a turn of the log.
    pub(super) fn turn(&mut self, turn: &Turn) {
        for (number, event) in (turn.first.0..).zip(&turn.events) {
            self.event((number, turn.at), event);
        }
    }

    /// What is to be explained: the block, unless only tasks are named so.
    ///
    /// # Errors
    ///
    /// That nothing, or too much, is named so, in words.
    pub(super) fn subjects(&self) -> Result<Vec<Subject>, String> {
        let is_digits = |id: &TaskId| self.is_beginning_of(id);
        if let Some(height) = self.height
            && (self.submitted.is_some() || !self.tasks.keys().any(is_digits))
        {
            return Ok(vec![Subject::Block(height)]);
        }
        let named: Vec<_> = self.order.iter().filter(|id| self.is_named(id)).copied().collect();
        match named.len() {
            0 => Err(format!(
                "there is no block, task or key {}: `push0 status` and `push0 log cat` list them",
                self.named
            )),
            count if count > SUBJECTS_MAX => Err(format!(
                "{} is the beginning of {count} tasks: give more digits of one",
                self.named
            )),
            _ => Ok(named.into_iter().map(Subject::Task).collect()),
        }
    }

    /// A task as people name it.
    pub(super) fn name(&self, task: &TaskId) -> String {
        let of = self.tasks.get(task).map(|it| format!("{} {}, ", it.stage, it.key));
        format!("{}task {}", of.unwrap_or_default(), short(task))
    }

    /// What happened, oldest first.
    pub(super) fn lines(&self, subject: Subject, now: Timestamp) -> Vec<String> {
        let mut lines = Vec::new();
        match subject {
            Subject::Block(_) => {
                lines.extend(self.submitted.map(|at| format!("submitted {}", ago(now, at))));
                for (id, task) in self.order.iter().filter_map(|id| Some((id, self.tasks.get(id)?)))
                {
                    let (TaskStory { stage, key, opened, .. }, task_lines) =
                        (task, task.lines(now));
                    let opened = ago(now, *opened);
                    lines.push(format!("{stage} {key} (task {}), opened {opened}", short(id)));
                    lines.extend(task_lines.into_iter().map(|line| format!("  {line}")));
                }
                if self.left_out > 0 {
                    let more = counted(self.left_out, "task");
                    lines.push(format!("and {more} more: push0 log cat --block"));
                }
            }
            Subject::Task(id) => {
                let task = self.tasks.get(&id);
                lines.extend(task.map(|task| format!("opened {}", ago(now, task.opened))));
                lines.extend(task.into_iter().flat_map(|task| task.lines(now)));
            }
        }
        if let Some((at, number, key)) = &self.released {
            lines.push(format!("released {}, as {number} ({key})", ago(now, *at)));
        }
        lines
    }

    /// How it stands where it waits for nothing.
    pub(super) fn end(&self, subject: Subject) -> String {
        match (subject, &self.released) {
            (_, Some(_)) => "it is released, and waits for nothing".to_owned(),
            (Subject::Task(_), None) => {
                "it is proved; what is made of it waits (explain its block)".to_owned()
            }
            (Subject::Block(_), None) => "nothing is known of it".to_owned(),
        }
    }

    fn is_beginning_of(&self, id: &TaskId) -> bool {
        self.named.len() >= DIGITS_MIN && id.to_string().starts_with(&self.named)
    }

    fn is_named(&self, id: &TaskId) -> bool {
        let is_key = |task: &TaskStory| task.key.to_string() == self.named;
        self.is_beginning_of(id) || self.tasks.get(id).is_some_and(is_key)
    }

    fn is_about(&self, key: &Key) -> bool {
        self.height.is_some_and(|height| (key.first..=key.last).contains(&height))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are about no task")]
    fn event(&mut self, (number, at): (u64, Timestamp), event: &Event) {
        match event {
            Event::BlockSubmitted { block } if Some(block.number) == self.height => {
                self.submitted.get_or_insert(at);
            }
            Event::TaskOpened { task, stage, key, .. } => self.opened(at, (task, stage, key)),
            Event::Granted { task, dispatcher, .. } => {
                if let Some(task) = self.tasks.get_mut(task) {
                    task.granted(number, at, dispatcher);
                }
            }
            Event::Accepted { task, attempt, ran_us, .. } => {
                let ran = Duration::from_micros(*ran_us);
                self.ended(task, *attempt, format!("accepted after {}", shown(ran)));
            }
            Event::Failed { task, attempt, class, message, ran_us, .. } => {
                let (class, gist, ran) =
                    (word(class), gist(message), Duration::from_micros(*ran_us));
                self.ended(task, *attempt, format!("{class} after {}: {gist}", shown(ran)));
            }
            Event::Rejected { task, attempt, message, .. } => {
                self.ended(task, *attempt, format!("rejected: {}", gist(message)));
            }
            Event::Lost { task, attempt, message, .. } => {
                self.ended(task, *attempt, format!("lost: {}", gist(message)));
            }
            Event::Withdrawn { task, attempt, message, .. } => {
                self.ended(task, *attempt, format!("withdrawn: {}", gist(message)));
            }
            Event::Parked { task, class, message } => {
                if let Some(task) = self.tasks.get_mut(task) {
                    task.parked = Some((at, format!("{}: {}", word(class), gist(message))));
                }
            }
            Event::Reopened { task, .. } | Event::Discarded { task, .. } => {
                if let Some(task) = self.tasks.get_mut(task) {
                    (task.parked, task.again) = (None, task.again + 1);
                }
            }
            Event::Released { number, key, tasks } => {
                let is_of_it = tasks.iter().any(|task| self.is_named(task));
                if self.is_about(key) || is_of_it {
                    self.released = Some((at, *number, *key));
                }
            }
            _ => {}
        }
    }

    fn opened(&mut self, at: Timestamp, (id, stage, key): (&TaskId, &StageName, &Key)) {
        let is_meant = self.is_about(key)
            || self.is_beginning_of(id)
            || self.height.is_none() && key.to_string() == self.named;
        if !is_meant || self.tasks.contains_key(id) {
            return;
        }
        if self.tasks.len() >= TASKS_MAX {
            self.left_out += 1;
            return;
        }
        let (stage, key) = (stage.clone(), *key);
        let attempts = VecDeque::new();
        let task = TaskStory {
            stage,
            key,
            opened: at,
            attempts,
            attempts_before: 0,
            parked: None,
            again: 0,
        };
        self.tasks.insert(*id, task);
        self.order.push(*id);
    }

    fn ended(&mut self, task: &TaskId, id: AttemptId, how: String) {
        let Some(task) = self.tasks.get_mut(task) else { return };
        let number = id.position().0;
        if let Some(attempt) = task.attempts.iter_mut().find(|it| it.number == number) {
            attempt.ended = Some(how);
        }
    }
}

impl TaskStory {
    fn granted(&mut self, number: u64, at: Timestamp, dispatcher: &DispatcherId) {
        if self.attempts.len() >= ATTEMPTS_MAX {
            self.attempts.pop_front();
            self.attempts_before += 1;
        }
        let dispatcher = dispatcher.clone();
        self.attempts.push_back(AttemptStory { number, at, dispatcher, ended: None });
    }

    /// What became of it after it was opened, a line each.
    fn lines(&self, now: Timestamp) -> Vec<String> {
        let mut lines = Vec::new();
        if self.attempts_before > 0 {
            lines.push(format!("{} before these", counted(self.attempts_before, "attempt")));
        }
        lines.extend(self.attempts.iter().map(|attempt| {
            let AttemptStory { number, at, dispatcher, ended } = attempt;
            let at = ago(now, *at);
            match ended {
                Some(how) => format!("attempt {number} on {dispatcher}, {at}: {how}"),
                None => format!("attempt {number} on {dispatcher}, {at}"),
            }
        }));
        if self.again > 0 {
            lines.push(format!("opened again, {}", counted(self.again, "time")));
        }
        lines
            .extend(self.parked.iter().map(|(at, why)| format!("parked {}: {why}", ago(now, *at))));
        lines
    }
}

fn ago(now: Timestamp, at: Timestamp) -> String {
    match now.since(at).as_secs() {
        seconds if seconds < RECENT => format!("{} ago", long(seconds)),
        _ => format!("at {}", time(at)),
    }
}

/// Tasks that are told of: those of a block are as many as its stages, but for what it was split
/// into.
const TASKS_MAX: usize = 64;

/// Attempts at one task that are told: the last.
const ATTEMPTS_MAX: usize = 5;

/// Tasks that one name may mean: those of a key in each stage.
const SUBJECTS_MAX: usize = 8;

/// The fewest digits that name a task.
const DIGITS_MIN: usize = 4;

#[cfg(test)]
mod tests {
    use push0_core::{BlockHash, ChainId, Epoch, FailureClass, ParkedBy, Seq};

    use super::*;

    const TASK: TaskId = TaskId([0xab; 32]);

    fn key() -> Key {
        let (first, last) = (Height(5), Height(6));
        Key { chain: ChainId(1), first, last, part: None, tip: BlockHash([7; 32]) }
    }

    /// A task of two blocks is opened, fails once, and is parked; a second apart, up to now.
    fn story(named: &str) -> Story {
        let attempt = AttemptId::of(Epoch(1), Seq(2));
        let (class, message) = (FailureClass::Failed, "no device".to_owned());
        let (ran_us, retry_at, excused) = (3_000_000, Timestamp(0), false);
        let events = [
            Event::TaskOpened {
                task: TASK,
                stage: "join".parse().expect("a name"),
                program: "p".parse().expect("a name"),
                key: key(),
                inputs: vec![],
            },
            Event::Granted {
                task: TASK,
                dispatcher: "gpu-1".parse().expect("a name"),
                until: Timestamp(0),
            },
            Event::Failed { task: TASK, attempt, class, message, ran_us, retry_at, excused },
            Event::Parked { task: TASK, class: ParkedBy::Failed, message: "it is over".to_owned() },
        ];
        let mut story = Story::of(named);
        for (second, event) in (1..).zip(events) {
            let (first, at) = (Seq(second), Timestamp(second * 1_000_000));
            story.turn(&Turn { epoch: Epoch(1), first, at, events: vec![event] });
        }
        story
    }

    #[test]
    fn a_name_is_a_block_a_key_or_the_beginning_of_a_task() {
        let task = Ok(vec![Subject::Task(TASK)]);
        assert_eq!(story("6").subjects(), Ok(vec![Subject::Block(Height(6))]));
        assert_eq!(story("99").subjects(), Ok(vec![Subject::Block(Height(99))]), "it may come");
        assert_eq!(story("abab").subjects(), task);
        assert_eq!(story(&key().to_string()).subjects(), task);
        for unknown in ["aba", "abac", "5-7", "no such"] {
            let why = story(unknown).subjects().expect_err(unknown);
            assert!(why.contains("there is no block, task or key"), "{why}");
        }
    }

    #[test]
    fn what_happened_is_told_in_its_order() {
        let told = [
            "join 5-6 (task abababab), opened 4s ago",
            "  attempt 2 on gpu-1, 3s ago: failed after 3s: no device",
            "  parked 1s ago: failed: it is over",
        ];
        let now = Timestamp(5_000_000);
        assert_eq!(story("5").lines(Subject::Block(Height(5)), now), told);
        assert!(story("7").lines(Subject::Block(Height(7)), now).is_empty(), "it is of others");
        let of_task = story("abab").lines(Subject::Task(TASK), now);
        assert_eq!(of_task.first().map(String::as_str), Some("opened 4s ago"));
        assert_eq!(of_task.len(), 3);
    }
}
