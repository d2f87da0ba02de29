//! What makes something move that waits, for each reason: the command to type, or that there is
//! nothing to do.

use super::super::{Place, quoted};
use super::{Reason, Wait, named};

impl Reason {
    /// What to do about a task that is named so.
    pub(in crate::status) fn to_do(&self, task: &str, place: Place<'_>) -> String {
        let at = match place {
            Place::Data(data) => format!(" --data {}", quoted(&data.to_string_lossy())),
            Place::Cluster => String::new(),
        };
        match self {
            Self::Parked { .. } => match place {
                Place::Data(_) => format!(
                    "see what its attempts printed (push0 logs {task}{at}) and to the cause; then start the run again with \
                     --retry-parked"
                ),
                Place::Cluster => format!(
                    "see what its attempts printed (push0 logs {task}) and to the cause; then push0 retry {task}"
                ),
            },
            Self::Proving { .. } => {
                format!("nothing: push0 logs {task} -f{at} shows what its prover prints")
            }
            Self::Silent { .. } => {
                "see to that machine; if it stays silent, its work is given to others by itself"
                    .to_owned()
            }
            Self::Unjudged { .. } => format!(
                "see why its verifier gives no verdict: push0 logs {task}{at}; it is asked again by itself"
            ),
            Self::Kept { .. } | Self::NoEngine => match place {
                Place::Data(_) => "start the run again: the same command goes on".to_owned(),
                Place::Cluster => "start an engine: push0 serve PIPELINE".to_owned(),
            },
            Self::Input => "nothing: it is tried once its input is there again".to_owned(),
            Self::NotOffered { program, .. } => match place {
                Place::Data(_) => format!("see why {program} cannot be run: push0 doctor PIPELINE"),
                Place::Cluster => format!(
                    "start a dispatcher that runs {program}: push0 dispatch PIPELINE; push0 doctor PIPELINE, on its \
                     machine, says why one cannot"
                ),
            },
            Self::SetAside { .. } => format!(
                "see why they fail: push0 logs {task}{at}; a probe that is proved ends it, by itself"
            ),
            Self::Closed { cordoned: 0, .. } => {
                "start another dispatcher, or make room on the disks of those that are there"
                    .to_owned()
            }
            Self::Closed { who, .. } => format!("push0 uncordon {}", named(who.as_deref())),
            Self::TooSmall { program, .. } => format!(
                "start a larger dispatcher (--memory, --gpus), or reserve less for {program} in the pipeline"
            ),
            Self::Mute { .. } => "see to those machines, or start another dispatcher".to_owned(),
            Self::Busy { .. } => {
                "nothing: it is tried when one is free; more dispatchers make that sooner"
                    .to_owned()
            }
            Self::Later { .. } => {
                format!(
                    "nothing: it is tried again by itself; push0 logs {task}{at} shows why it failed"
                )
            }
            Self::Next | Self::Proved => NOTHING.to_owned(),
            Self::Superseded => {
                "nothing: if the chain comes back to them, it goes on from where it was".to_owned()
            }
        }
    }
}

impl Wait {
    /// What to do about a block that waits so.
    pub(in crate::status) fn to_do(&self, place: Place<'_>) -> String {
        match (self, place) {
            (Self::Undelivered, Place::Cluster) => {
                "submit it: push0 submit PIPELINE BLOCKS".to_owned()
            }
            (Self::Undelivered, Place::Data(_)) => {
                "nothing, if its source goes on: it has not given this block yet".to_owned()
            }
            (Self::Blocks { .. }, Place::Cluster) => {
                "nothing, if blocks follow; if none does: push0 finish".to_owned()
            }
            (Self::Blocks { .. }, Place::Data(_)) => {
                "nothing: blocks follow, or the source ends".to_owned()
            }
            (Self::Final { .. }, Place::Cluster) => {
                "nothing, if its source says what is final: push0 head BLOCK --final".to_owned()
            }
            (Self::Final { .. }, Place::Data(_)) => {
                "nothing: it goes out once the nodes call it final (`finality`)".to_owned()
            }
            (Self::Behind { block }, _) => format!("see why that one waits: push0 explain {block}"),
            (Self::Window { .. }, _) => {
                "nothing: it is begun as lower blocks are proved (`window` of the pipeline)"
                    .to_owned()
            }
            (Self::Batch { .. } | Self::Unopened, _) => NOTHING.to_owned(),
        }
    }
}

const NOTHING: &str = "nothing: it goes on by itself";
