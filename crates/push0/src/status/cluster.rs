//! Who is there in a cluster: the engine that leads, by its answer, and all by their own word.
//!
//! Whoever hears a roll call may answer it under any name. A question on how far it is reaches engines alone.

use std::collections::BTreeMap;

use push0_core::{Epoch, plain};
use push0_dispatch::{About, MemoryLimit, Notice};
use serde::{Deserialize, Serialize};

use crate::cli::table;

/// The processes that answer at this moment.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Cluster {
    /// By its answer to how far it is; absent where none leads, or one of before does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) leader: Option<Leader>,
    pub(crate) engines: Vec<EngineView>,
    pub(crate) dispatchers: Vec<DispatcherView>,
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
}

/// What a dispatcher cannot run at the moment, as its notices say it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cannot(BTreeMap<String, String>);

impl Cannot {
    /// Keeps what the notice says of it.
    pub(crate) fn heard(&mut self, notice: &Notice) {
        if let Notice::ProgramGone { program, message } = notice {
            self.0.insert(program.to_string(), message.chars().take(CANNOT_MAX).collect());
        } else if let Notice::ProgramBack { program } = notice {
            self.0.remove(program.as_str());
        }
    }
}

impl DispatcherView {
    pub(crate) fn new(about: About, running: usize, held: usize, cannot: &Cannot) -> Self {
        let About { dispatcher, slots, memory_bytes, gpus, memory_limit } = about;
        let cannot = cannot.0.clone();
        Self {
            dispatcher,
            slots,
            memory_bytes,
            gpus,
            memory_limit,
            running,
            held,
            leaving: false,
            cannot,
        }
    }
}

impl Cluster {
    /// Those that the engine which leads says, and nobody else.
    pub(crate) fn led_by(leader: Leader) -> Self {
        Self { leader: Some(leader), ..Self::default() }
    }

    pub(super) fn engines_shown(&self, running: Option<bool>) -> String {
        let leader = self.leader.as_ref();
        let others = self.engines.iter().filter(|view| {
            leader.is_none_or(|leader| {
                (&leader.engine, Some(leader.epoch)) != (&view.engine, view.leads)
            })
        });
        let said = others.map(|EngineView { engine, leads, .. }| match leads {
            Some(epoch) => format!("{} leads in {epoch}", plain(engine)),
            None => format!("{} stands by", plain(engine)),
        });
        let said = said.collect::<Vec<_>>().join(", ");
        let leads = match (leader, running) {
            (Some(Leader { engine, epoch, .. }), _) => {
                format!("{} leads in {epoch}", plain(engine))
            }
            (None, Some(true)) => "an engine leads".to_owned(),
            (None, _) if said.is_empty() => "no engine answers".to_owned(),
            (None, _) => "no engine that leads answers".to_owned(),
        };
        if said.is_empty() { leads } else { format!("{leads}; by their own word: {said}") }
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
        doubled.map(warning).chain(cannot).collect()
    }

    pub(super) fn dispatchers_shown(&self) -> String {
        if self.dispatchers.is_empty() {
            return "no dispatcher answers".to_owned();
        }
        let head = [
            "dispatcher, by its own word",
            "slots",
            "running",
            "held",
            "memory",
            "GPUs",
            "memory of provers",
        ];
        let rows = self.dispatchers.iter().map(|view| {
            let DispatcherView { dispatcher, slots, memory_bytes, gpus, .. } = view;
            let DispatcherView { memory_limit, running, held, .. } = view;
            let memory = format!("{} MiB", memory_bytes >> 20);
            let [slots, gpus] = [slots, gpus].map(ToString::to_string);
            let [running, held] = [running, held].map(ToString::to_string);
            let name = match view.leaving {
                true => format!("{dispatcher} (leaving)"),
                false => dispatcher.clone(),
            };
            [name, slots, running, held, memory, gpus, memory_limit.to_string()]
        });
        table(&std::iter::once(head.map(ToOwned::to_owned)).chain(rows).collect::<Vec<_>>())
    }
}

/// Enough of a reason to act on it. Unit: characters.
const CANNOT_MAX: usize = 300;
/// Programs of one dispatcher that are told of.
const CANNOT_SHOWN_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dispatcher_cannot_run_is_told_until_it_can() {
        let about = About {
            dispatcher: "gpu-1".to_owned(),
            slots: 1,
            memory_bytes: 1,
            gpus: 0,
            memory_limit: MemoryLimit::Watched { why: "none".to_owned() },
        };
        let program = "prover".parse().expect("a name");
        let message = "no such file\u{202e}\n".to_owned();
        let gone = Notice::ProgramGone { program, message };
        let mut cannot = Cannot::default();
        cannot.heard(&gone);
        let told = |cannot: &Cannot| {
            let view = DispatcherView::new(about.clone(), 0, 0, cannot);
            Cluster { dispatchers: vec![view], ..Cluster::default() }.warnings()
        };
        let warnings = told(&cannot);
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(
            warning
                .starts_with("warning: gpu-1 says that it cannot run program prover: no such file")
        );
        assert!(!warning.contains(['\u{202e}', '\n']), "{warning:?}");
        cannot.heard(&Notice::ProgramBack { program: "prover".parse().expect("a name") });
        assert!(told(&cannot).is_empty());
    }
}
