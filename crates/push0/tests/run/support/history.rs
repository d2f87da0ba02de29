//! What the log says happened, and what must hold of it however often push0 was killed.

use std::collections::BTreeMap;

use serde_json::Value;

/// The events of a log, which hold together.
pub(crate) struct History(Vec<Value>);

/// How attempts end in the log.
const ENDINGS: [&str; 6] = ["accepted", "failed", "lost", "rejected", "surplus", "withdrawn"];

impl History {
    /// Of `log cat --json`, once it is checked: positions without a gap, each task accepted once an
    /// opening, each attempt ended at most once, releases numbered from one and without a gap.
    pub(crate) fn checked(cat: &str) -> Self {
        let parse = |line| serde_json::from_str(line).expect("a JSON object a line");
        let history = Self(cat.lines().map(parse).collect());
        history.check_positions();
        history.standing();
        history.check_attempts();
        history.check_releases();
        history
    }

    /// Itself, if everything is accepted and released too.
    pub(crate) fn complete(self) -> Self {
        assert!(!self.standing().values().any(|waits| *waits), "a task has no result");
        assert_eq!(self.running(), Vec::<u64>::new(), "these attempts never ended");
        let numbers = self.all("block_submitted").map(|event| number(event, "/block/number"));
        let ends = self.all("released").map(|event| number(event, "/key/last"));
        assert_eq!(ends.max(), numbers.max(), "the last block is not released");
        self
    }

    /// The events of this name, in order.
    pub(crate) fn all(&self, name: &str) -> impl DoubleEndedIterator<Item = &Value> {
        self.0.iter().filter(move |event| event["event"] == name)
    }

    pub(crate) fn count(&self, name: &str) -> usize {
        self.all(name).count()
    }

    pub(crate) fn events(&self) -> &[Value] {
        &self.0
    }

    /// The task of a stage that begins with this block.
    pub(crate) fn task(&self, stage: &str, first: u64) -> &str {
        let is_it = |event: &&Value| event["stage"] == stage && event["key"]["first"] == first;
        let task = self.all("task_opened").find(is_it).expect("there is such a task");
        text(task, "/task")
    }

    /// The artifact that stands for a task, by what was accepted last.
    pub(crate) fn output(&self, task: &str) -> &str {
        let accepted = self.all("accepted").rfind(|event| event["task"] == task);
        text(accepted.expect("it is accepted"), "/result/output")
    }

    /// The most that ran at once, where an attempt of a stage weighs so much.
    pub(crate) fn most(&self, weight: impl Fn(&str) -> u64) -> u64 {
        let stage_of =
            |event: &Value| (text(event, "/task").to_owned(), text(event, "/stage").to_owned());
        let stages: BTreeMap<_, _> = self.all("task_opened").map(stage_of).collect();
        let (mut running, mut most) = (0, 0);
        for event in &self.0 {
            let stage = event["task"].as_str().and_then(|task| stages.get(task));
            let weight = stage.map_or(0, |stage| weight(stage));
            match text(event, "/event") {
                "granted" => running += weight,
                name if ENDINGS.contains(&name) => running -= weight,
                _ => {}
            }
            most = most.max(running);
        }
        most
    }

    fn check_positions(&self) {
        for (event, seq) in self.0.iter().zip(1_u64..) {
            assert_eq!(event["seq"], seq, "{event}");
        }
        assert!(self.0.is_sorted_by_key(|event| text(event, "/at")), "time went back");
    }

    /// Whether each task waits for a result, at the end; on the way, that it was given one only
    /// when it did.
    fn standing(&self) -> BTreeMap<&str, bool> {
        let mut waits: BTreeMap<&str, bool> = BTreeMap::new();
        for event in &self.0 {
            let Some(task) = event["task"].as_str() else { continue };
            match text(event, "/event") {
                "task_opened" => assert_eq!(waits.insert(task, true), None, "twice: {event}"),
                "reopened" => assert_eq!(waits.insert(task, true), Some(false), "{event}"),
                "accepted" => assert_eq!(waits.insert(task, false), Some(true), "{event}"),
                "parked" => assert_eq!(waits.insert(task, false), Some(true), "{event}"),
                _ => assert!(waits.contains_key(task), "of no task: {event}"),
            }
        }
        waits
    }

    fn check_attempts(&self) {
        for (attempt, endings) in self.endings() {
            assert!(endings.len() <= 1, "attempt {attempt} ended more than once: {endings:?}");
        }
        let ended = ENDINGS.iter().map(|name| self.count(name)).sum::<usize>();
        assert_eq!(self.count("granted"), ended + self.running().len());
    }

    fn check_releases(&self) {
        let mut next = None;
        for (event, number) in self.all("released").zip(1_u64..) {
            assert_eq!(event["number"], number, "{event}");
            let first = self::number(event, "/key/first");
            assert_eq!(first, next.unwrap_or(first), "a gap before {event}");
            next = Some(self::number(event, "/key/last") + 1);
        }
    }

    fn running(&self) -> Vec<u64> {
        let endings = self.endings();
        endings
            .into_iter()
            .filter(|(_, ends)| ends.is_empty())
            .map(|(attempt, _)| attempt)
            .collect()
    }

    /// How each attempt ended.
    fn endings(&self) -> BTreeMap<u64, Vec<&str>> {
        let granted = self.all("granted").map(|event| (number(event, "/attempt"), Vec::new()));
        let mut endings: BTreeMap<_, _> = granted.collect();
        for event in self.0.iter().filter(|event| ENDINGS.contains(&text(event, "/event"))) {
            let attempt = endings.get_mut(&number(event, "/attempt"));
            attempt.expect("of no attempt").push(text(event, "/event"));
        }
        endings
    }
}

fn text<'a>(event: &'a Value, pointer: &str) -> &'a str {
    let text = event.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("no {pointer} in {event}"))
}

fn number(event: &Value, pointer: &str) -> u64 {
    let number = event.pointer(pointer).and_then(Value::as_u64);
    number.unwrap_or_else(|| panic!("no {pointer} in {event}"))
}
