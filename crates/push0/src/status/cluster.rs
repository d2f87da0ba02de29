//! Who is there in a cluster, by their own word.

use push0_core::Epoch;
use push0_dispatch::{About, MemoryLimit};
use serde::{Deserialize, Serialize};

use crate::cli::table;

/// The processes that answer at this moment.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Cluster {
    pub(crate) engines: Vec<EngineView>,
    pub(crate) dispatchers: Vec<DispatcherView>,
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
}

impl DispatcherView {
    pub(crate) fn new(about: About, running: usize, held: usize) -> Self {
        let About { dispatcher, slots, memory_bytes, gpus, memory_limit } = about;
        Self { dispatcher, slots, memory_bytes, gpus, memory_limit, running, held }
    }
}

impl Cluster {
    pub(super) fn engines_shown(&self) -> String {
        let said = self.engines.iter().map(|EngineView { engine, leads, .. }| match leads {
            Some(epoch) => format!("{engine} leads in {epoch}"),
            None => format!("{engine} stands by"),
        });
        let said = said.collect::<Vec<_>>().join(", ");
        if said.is_empty() { "no engine answers".to_owned() } else { said }
    }

    /// What somebody is to see to.
    pub(super) fn warnings(&self) -> Vec<String> {
        let doubled = self.engines.iter().flat_map(|engine| &engine.doubled);
        let warning = |name: &String| {
            format!(
                "warning: another dispatcher was named {name}, and was refused: give each a name of its own (--id)"
            )
        };
        doubled.map(warning).collect()
    }

    pub(super) fn dispatchers_shown(&self) -> String {
        if self.dispatchers.is_empty() {
            return "no dispatcher answers".to_owned();
        }
        let head =
            ["dispatcher", "slots", "running", "held", "memory", "GPUs", "memory of provers"];
        let rows = self.dispatchers.iter().map(|view| {
            let DispatcherView { dispatcher, slots, memory_bytes, gpus, .. } = view;
            let DispatcherView { memory_limit, running, held, .. } = view;
            let memory = format!("{} MiB", memory_bytes >> 20);
            let [slots, gpus] = [slots, gpus].map(ToString::to_string);
            let [running, held] = [running, held].map(ToString::to_string);
            [dispatcher.clone(), slots, running, held, memory, gpus, memory_limit.to_string()]
        });
        table(&std::iter::once(head.map(ToOwned::to_owned)).chain(rows).collect::<Vec<_>>())
    }
}
