//! Who is there in a cluster: the engine that leads, by its answer, and all by their own word.
//!
//! Whoever hears a roll call may answer it under any name. A question on how far it is reaches
//! engines alone.

use std::collections::BTreeMap;

use push0_core::{DispatcherId, EndCounts, Epoch, Scheduler, Timestamp, plain};
use push0_dispatch::{About, Dispatcher, Elsewhere, MemoryLimit, Now, Step};
use serde::{Deserialize, Serialize};

use super::heard::BeatView;
use super::layout::{long, middle, size, table};
use super::runs::Run;
use crate::lines;

/// The processes that answer at this moment.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Cluster {
    /// By its answer to how far it is; absent where none leads, or one of before does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) leader: Option<Leader>,
    pub(crate) engines: Vec<EngineView>,
    pub(crate) dispatchers: Vec<DispatcherView>,
    /// Dispatchers that do not answer, and that the engine which leads has not given up yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) silent: Vec<BeatView>,
}

/// The engine that leads.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Leader {
    pub(crate) engine: String,
    pub(crate) epoch: Epoch,
    /// Names that more than one dispatcher had a moment ago; all but one were refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) doubled: Vec<String>,
}

/// An engine, by its own word.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) struct EngineView {
    pub(crate) engine: String,
    /// The epoch that it leads in; absent where it stands by.
    pub(crate) leads: Option<Epoch>,
    /// Names that more than one dispatcher had a moment ago; all but one were refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) doubled: Vec<String>,
}

/// A dispatcher, by its own word.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct DispatcherView {
    pub(crate) dispatcher: String,
    pub(crate) slots: u32,
    /// Unit: bytes.
    pub(crate) memory_bytes: u64,
    pub(crate) gpus: u32,
    pub(crate) memory_limit: MemoryLimit,
    /// Attempts that it has taken and that have not ended.
    pub(crate) running: usize,
    /// Results that no engine has taken yet.
    pub(crate) held: usize,
    /// Whether it takes nothing new, ends what it runs, and goes.
    #[serde(default)]
    pub(crate) leaving: bool,
    /// Programs that it cannot run, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) cannot: BTreeMap<String, String>,
    /// GPUs of its machine that another process has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) gpus_elsewhere: Vec<Elsewhere>,
    /// How far its attempts are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) steps: Vec<Step>,
}

/// How the attempts of a dispatcher ended, by the log.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Record {
    pub(super) dispatcher: String,
    accepted: u64,
    failed: u64,
    lost: u64,
    withdrawn: u64,
    /// When the last of them did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// How long ago that was when this was looked at. Unit: seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_seconds: Option<u64>,
}

impl Record {
    /// Those with the most failures first.
    pub(super) fn all(scheduler: &Scheduler, now: Timestamp) -> Vec<Self> {
        let mut all: Vec<_> = scheduler.ran().by().collect();
        all.sort_by_key(|(_, ended)| std::cmp::Reverse(ended.failed + ended.lost));
        let of = |(dispatcher, ended): (&DispatcherId, &EndCounts)| {
            let EndCounts { accepted, failed, lost, withdrawn, at } = *ended;
            let dispatcher = dispatcher.to_string();
            let (at, at_seconds) = (Some(lines::time(at)), Some(now.since(at).as_secs()));
            Self { dispatcher, accepted, failed, lost, withdrawn, at, at_seconds }
        };
        all.into_iter().take(RECORDS_MAX).map(of).collect()
    }
}

impl DispatcherView {
    pub(crate) fn of(dispatcher: &Dispatcher) -> Self {
        let (running, held) = dispatcher.counts();
        let leaving = dispatcher.is_leaving();
        Self::new(dispatcher.about().clone(), dispatcher.now(), (running, held), leaving)
    }

    fn new(about: About, now: Now, (running, held): (usize, usize), leaving: bool) -> Self {
        let About { dispatcher, slots, memory_bytes, memory_limit, .. } = about;
        let Now { gpus, gpus_elsewhere, cannot, steps } = now;
        Self {
            dispatcher,
            slots,
            memory_bytes,
            gpus,
            memory_limit,
            running,
            held,
            leaving,
            cannot,
            gpus_elsewhere,
            steps,
        }
    }
}

impl Cluster {
    /// Those that the engine which leads says, and nobody else.
    pub(crate) fn led_by(leader: Leader) -> Self {
        Self { leader: Some(leader), ..Self::default() }
    }

    /// Whether this dispatcher answers.
    pub(super) fn has(&self, dispatcher: &str) -> bool {
        self.dispatchers.iter().any(|view| view.dispatcher == dispatcher)
    }

    /// Whether a dispatcher has said no more than a part of what it does: a message has an end, and
    /// one of an older version does not tell what has ended.
    pub(super) fn says_part(&self, dispatcher: &str) -> bool {
        let is_part =
            |view: &DispatcherView| view.steps.len() < view.running.saturating_add(view.held);
        self.dispatchers.iter().any(|view| view.dispatcher == dispatcher && is_part(view))
    }

    /// `led_for`: how long the engine that leads has done so.
    pub(super) fn engines_shown(&self, running: Option<bool>, led_for: Option<u64>) -> String {
        let leader = self.leader.as_ref();
        let others = self.engines.iter().filter(|view| {
            // One that is busy leading may not know of it in time.
            let is_its = |epoch| leader.is_some_and(|leader| leader.epoch == epoch);
            leader.is_none_or(|leader| leader.engine != view.engine)
                || !view.leads.is_none_or(is_its)
        });
        let said = others.map(|EngineView { engine, leads, .. }| match leads {
            Some(epoch) => format!("{} leads in {epoch}", plain(engine)),
            None => format!("{} stands by", plain(engine)),
        });
        let said = said.collect::<Vec<_>>().join(", ");
        let leads = match (leader, running) {
            (Some(Leader { engine, epoch, .. }), _) => {
                let lasts = led_for.map_or_else(String::new, |it| format!(", for {}", long(it)));
                format!("{} leads in {epoch}{lasts}", plain(engine))
            }
            (None, Some(true)) => "an engine leads".to_owned(),
            (None, _) if said.is_empty() => "no engine answers".to_owned(),
            (None, _) => "no engine that leads answers".to_owned(),
        };
        if said.is_empty() { leads } else { format!("{leads}; as they report it: {said}") }
    }

    /// That nothing is known of what all these work for.
    pub(super) fn wiped(&self, engines: &str) -> String {
        let names = self.engines.iter().map(|it| &it.engine);
        let names = names.chain(self.dispatchers.iter().map(|it| &it.dispatcher));
        let more = (self.engines.len() + self.dispatchers.len()).saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let names = names.take(NAMED_MAX).map(|name| plain(name)).collect::<Vec<_>>().join(", ");
        format!(
            "the log is empty, and yet these answer: {names}{more} ({engines}). Where they have worked before, its stream \
             was deleted or purged: docs/troubleshooting.md, \"The stream was set back\""
        )
    }

    /// What somebody is to see to.
    pub(super) fn warnings(&self) -> Vec<String> {
        let doubled = self.leader.iter().flat_map(|leader| &leader.doubled);
        let warning = |name: &String| {
            let name = plain(name);
            format!(
                "warning: another dispatcher was named {name}, and was refused: give each a name of its own (--id)"
            )
        };
        let cannot = self.dispatchers.iter().flat_map(|view| {
            let of = move |(program, why): (&String, &String)| {
                let (dispatcher, program) = (plain(&view.dispatcher), plain(program));
                format!(
                    "warning: {dispatcher} says that it cannot run program {program}: {}",
                    plain(why)
                )
            };
            view.cannot.iter().take(CANNOT_SHOWN_MAX).map(of)
        });
        let elsewhere = self.dispatchers.iter();
        let elsewhere =
            elsewhere.flat_map(|view| elsewhere_words(&view.dispatcher, &view.gpus_elsewhere));
        doubled.map(warning).chain(cannot).chain(elsewhere).collect()
    }

    /// Whether somebody is silent, or nobody is there.
    pub(super) const fn misses_any(&self) -> bool {
        self.dispatchers.is_empty() || !self.silent.is_empty()
    }

    /// What each has and runs, and how its attempts ended.
    pub(super) fn dispatchers_shown(
        &self,
        records: &[Record],
        runs: &[Run],
        width: Option<usize>,
    ) -> String {
        let gone = self.gone_shown(records);
        if self.dispatchers.is_empty() && self.silent.is_empty() {
            return "no dispatcher answers".to_owned() + &gone;
        }
        let head = ["dispatcher", "slots", "runs", "kept", "memory", "GPUs", "failed", "lost"];
        let failed = |dispatcher: &str| {
            let record = records.iter().find(|record| record.dispatcher == dispatcher);
            record.map_or([0, 0], |it| [it.failed, it.lost]).map(|count| count.to_string())
        };
        let answer = self.dispatchers.iter().map(|view| {
            let DispatcherView { slots, memory_bytes, gpus, running, held, .. } = view;
            let [slots, gpus] = [slots, gpus].map(ToString::to_string);
            let [running, held] = [running, held].map(ToString::to_string);
            let [failed, lost] = failed(&view.dispatcher);
            let marks = [(view.leaving, "leaving"), (!view.memory_limit.is_kept(), "watched")];
            let marks = marks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, mark)| mark);
            let name = marked(&view.dispatcher, &marks.collect::<Vec<_>>().join(", "));
            [name, slots, running, held, size(*memory_bytes), gpus, failed, lost]
        });
        // What it holds it alone knows.
        let silent = self.silent.iter().map(|heard| {
            let BeatView { dispatcher, slots, memory_bytes, gpus, silent, .. } = heard;
            let running = runs.iter().filter(|run| run.dispatcher == *dispatcher).count();
            let [slots, gpus] = [slots, gpus].map(ToString::to_string);
            let [failed, lost] = failed(dispatcher);
            let name = marked(dispatcher, &format!("silent {}", long(*silent)));
            let (running, held) = (running.to_string(), "?".to_owned());
            [name, slots, running, held, size(*memory_bytes), gpus, failed, lost]
        });
        let rows = silent.chain(answer).take(DISPATCHERS_SHOWN_MAX);
        let rows = std::iter::once(head.map(ToOwned::to_owned)).chain(rows).collect::<Vec<_>>();
        let mut shown = format!("dispatchers, as they report it:\n{}", table(&rows, width));
        let all = self.dispatchers.len() + self.silent.len();
        if let Some(more) = all.checked_sub(DISPATCHERS_SHOWN_MAX).filter(|more| *more > 0) {
            shown += &format!("\nand {more} more");
        }
        if let Some(BeatView { silent_max, .. }) = self.silent.first() {
            shown += &format!(
                "\n(silent: it does not answer, and the engine heard of it so long ago; after {silent_max}s it is given up)"
            );
        }
        if self.dispatchers.iter().any(|view| !view.memory_limit.is_kept()) {
            shown += "\n(watched: no kernel keeps its provers to their memory; `push0 doctor` there says why)";
        }
        shown + &gone
    }

    /// Those that are not there any more and whose attempts came to nothing: a machine that died
    /// leaves this trace.
    fn gone_shown(&self, records: &[Record]) -> String {
        let is_there = |dispatcher: &str| {
            self.has(dispatcher) || self.silent.iter().any(|heard| heard.dispatcher == dispatcher)
        };
        let is_gone =
            |record: &&Record| record.failed + record.lost > 0 && !is_there(&record.dispatcher);
        let mut gone: Vec<_> = records.iter().filter(is_gone).collect();
        gone.sort_by_key(|record| record.at_seconds);
        let mut shown =
            gone.iter().take(GONE_SHOWN_MAX).map(|record| record.gone()).collect::<Vec<_>>();
        if let Some(more) = gone.len().checked_sub(GONE_SHOWN_MAX).filter(|more| *more > 0) {
            shown.push(format!("and {more} more"));
        }
        match shown.is_empty() {
            true => String::new(),
            false => format!("\nnot there any more: {}", shown.join("; ")),
        }
    }
}

impl Record {
    fn gone(&self) -> String {
        let Self { dispatcher, failed, lost, at_seconds, .. } = self;
        let counts =
            [(failed, "failed"), (lost, "lost")].into_iter().filter(|(count, _)| **count > 0);
        let counts = counts.map(|(count, how)| format!("{count} {how}")).collect::<Vec<_>>();
        let ago = at_seconds.map_or_else(String::new, |it| format!(", the last {} ago", long(it)));
        format!("{} ({}{ago})", plain(dispatcher), counts.join(", "))
    }
}

/// A name as it stands in a table, and what is to be known of it.
fn marked(name: &str, marks: &str) -> String {
    let name = plain(name);
    match marks.is_empty() {
        true => name.into_owned(),
        false => format!("{} ({marks})", middle(&name, NAME_MAX)),
    }
}

/// What is said of GPUs that others have.
pub(super) fn elsewhere_words(dispatcher: &str, elsewhere: &[Elsewhere]) -> Vec<String> {
    let words = elsewhere.iter().take(CANNOT_SHOWN_MAX).map(|Elsewhere { gpu, by }| {
        let [dispatcher, gpu, by] = [dispatcher, gpu, by].map(|it| plain(it));
        format!("warning: {dispatcher} does not offer GPU {gpu}: on its machine {by} has it")
    });
    words.collect()
}

/// Programs of one dispatcher that are told of.
const CANNOT_SHOWN_MAX: usize = 8;

/// Rows of a table; `--json` has all.
const DISPATCHERS_SHOWN_MAX: usize = 20;

/// Dispatchers that are told of, which are not there any more: the latest. `--json` has all.
const GONE_SHOWN_MAX: usize = 8;

/// Names in a line.
const NAMED_MAX: usize = 6;

/// Of a name that is followed by something.
const NAME_MAX: usize = 24;

/// Dispatchers whose attempts are counted in a message.
const RECORDS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> DispatcherView {
        let about = About {
            dispatcher: "gpu-1".to_owned(),
            slots: 1,
            memory_bytes: 1 << 30,
            gpus: 0,
            memory_limit: MemoryLimit::Watched { why: "none".to_owned() },
        };
        DispatcherView::new(about, Now::default(), (0, 0), false)
    }

    #[test]
    fn what_a_dispatcher_cannot_run_and_does_not_have_is_told() {
        let told = |view: &DispatcherView| {
            Cluster { dispatchers: vec![view.clone()], ..Cluster::default() }.warnings()
        };
        let mut view = view();
        assert!(told(&view).is_empty());
        view.cannot = [("prover".to_owned(), "no such file\u{202e}\n".to_owned())].into();
        view.gpus_elsewhere = vec![Elsewhere { gpu: "0".to_owned(), by: "somebody".to_owned() }];
        let warnings = told(&view);
        let [cannot, elsewhere] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(
            cannot
                .starts_with("warning: gpu-1 says that it cannot run program prover: no such file")
        );
        assert!(!cannot.contains(['\u{202e}', '\n']), "{cannot:?}");
        assert!(elsewhere.contains("does not offer GPU 0: on its machine somebody has it"));
    }

    #[test]
    fn who_died_is_told_below_those_that_are_there() {
        let record = |dispatcher: &str, failed, lost| Record {
            dispatcher: dispatcher.to_owned(),
            accepted: 9,
            failed,
            lost,
            withdrawn: 0,
            at: None,
            at_seconds: Some(130),
        };
        let records = [record("gpu-1", 1, 1), record("gpu-2", 0, 2), record("gpu-3", 0, 0)];
        let cluster = Cluster { dispatchers: vec![view()], ..Cluster::default() };
        let shown = cluster.dispatchers_shown(&records, &[], None);
        let last = shown.lines().last().unwrap_or_default();
        assert_eq!(last, "not there any more: gpu-2 (2 lost, the last 2m10s ago)");
        let shown = Cluster::default().dispatchers_shown(&records, &[], None);
        assert!(shown.starts_with("no dispatcher answers\nnot there any more: gpu-1 (1 failed"));
    }

    #[test]
    fn a_table_of_machines_fits_a_terminal_whatever_they_are_called() {
        let mut long_name = view();
        long_name.dispatcher =
            "scroll-mainnet-prover-gpu-a100-eu-west-1-7d9f8c6b5d-x2v4q".to_owned();
        let path = std::path::PathBuf::from("/sys/fs/cgroup/".to_owned() + &"deep/".repeat(20));
        long_name.memory_limit = MemoryLimit::Cgroup { version: 2, path };
        let silent =
            vec![BeatView { dispatcher: "gpu-2".to_owned(), silent: 4, ..BeatView::default() }];
        let dispatchers = vec![view(), long_name];
        let cluster = Cluster { dispatchers, silent, ..Cluster::default() };
        for width in [60, 80, 120] {
            let table = cluster.dispatchers_shown(&[], &[], Some(width));
            let rows = table.lines().take(5);
            assert!(table.contains("gpu-2 (silent 4s)") || width == 60, "{table}");
            assert!(rows.clone().all(|row| row.chars().count() <= width), "{width}\n{table}");
            assert!(!table.contains("/sys/fs"), "{table}");
        }
    }
}
