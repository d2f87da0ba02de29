//! What dispatchers say to a reason that the engine has found, and what it means that one says
//! nothing.
//!
//! Not here: how it is told (`reason`).

use std::collections::BTreeMap;

use push0_core::plain;
use push0_dispatch::Step;

use super::Reason;
use crate::status::cluster::Cluster;
use crate::status::heard::BeatView;

impl Reason {
    /// Takes a dispatcher's word on what it does.
    pub(in crate::status) fn hear(&mut self, dispatcher: &str, steps: &[Step]) {
        if let Self::Proving { attempts }
        | Self::Silent { attempts }
        | Self::Unjudged { attempts }
        | Self::Kept { attempts } = self
        {
            attempts.iter_mut().for_each(|run| run.hear(dispatcher, steps));
            *self = Self::of_runs(std::mem::take(attempts));
        }
    }

    /// Takes a dispatcher's word that it cannot run a program, and why.
    pub(in crate::status) fn hear_cannot(
        &mut self,
        dispatcher: &str,
        programs: &BTreeMap<String, String>,
    ) {
        if let Self::NotOffered { program, cannot, .. } = self
            && let Some(why) = programs.get(program)
            && cannot.len() < CANNOT_MAX
        {
            cannot.push(format!("{} cannot: {}", plain(dispatcher), plain(why)));
        }
    }

    /// Notes what dispatchers answer, where no engine leads that would hear them.
    pub(in crate::status) fn without_leader(&mut self, there: &Cluster) {
        if let Self::Proving { attempts }
        | Self::Silent { attempts }
        | Self::Unjudged { attempts }
        | Self::Kept { attempts } = self
        {
            attempts.iter_mut().for_each(|run| run.without_leader(there));
            *self = Self::of_runs(std::mem::take(attempts));
        }
    }

    /// Notes that so much time has passed since it was found. Unit: seconds.
    pub(in crate::status) fn grow_older(&mut self, by: u64) {
        match self {
            Self::Proving { attempts }
            | Self::Silent { attempts }
            | Self::Unjudged { attempts }
            | Self::Kept { attempts } => {
                attempts.iter_mut().for_each(|run| run.grow_older(by));
            }
            Self::Mute { silent, .. } => *silent = silent.saturating_add(by),
            Self::SetAside { seconds, .. } | Self::Later { seconds, .. } => {
                *seconds = seconds.map(|seconds| seconds.saturating_sub(by));
            }
            Self::Parked { .. }
            | Self::Input
            | Self::NotOffered { .. }
            | Self::Closed { .. }
            | Self::TooSmall { .. }
            | Self::Busy { .. }
            | Self::Next
            | Self::NoEngine
            | Self::Proved
            | Self::Superseded => {}
        }
    }

    /// Notes that a dispatcher of which the engine has heard does not answer.
    pub(in crate::status) fn is_silent(&mut self, heard: &BeatView) {
        if let Self::Proving { attempts }
        | Self::Silent { attempts }
        | Self::Unjudged { attempts }
        | Self::Kept { attempts } = self
        {
            attempts.iter_mut().for_each(|run| run.is_mute(heard));
            *self = Self::of_runs(std::mem::take(attempts));
        } else if let Self::Busy { program, dispatchers, aside, silent, who } = self
            && (who.contains(&heard.dispatcher) || heard.busy.contains(program))
        {
            who.retain(|name| *name != heard.dispatcher);
            (*dispatchers, *silent) = (dispatchers.saturating_sub(1), *silent + 1);
            if (*dispatchers, *aside) == (0, 0) {
                let (program, dispatchers) = (std::mem::take(program), *silent);
                let BeatView { silent, silent_max, .. } = *heard;
                *self = Self::Mute { program, dispatchers, silent, silent_max };
            }
        }
    }
}

/// Dispatchers that are told of, which have a program and cannot run it.
const CANNOT_MAX: usize = 2;
