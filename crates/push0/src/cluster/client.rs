//! Asking the engine that leads, whichever that is, until one answers.

use std::time::{Duration, Instant};

use super::bus::Bus;
use super::error::ClusterError;
use super::settings::Settings;
use super::wire::{Answer, Ask};
use crate::tell::{self, shown};

/// A way to ask.
pub(super) struct Client {
    bus: Bus,
    patience: Duration,
}

impl Client {
    /// Gives up on engines after `patience`.
    pub(super) async fn connect(
        settings: &Settings,
        patience: Duration,
    ) -> Result<Self, ClusterError> {
        Ok(Self { bus: Bus::connect(settings).await?, patience })
    }

    /// Asks until there is an answer. What is asked is safe to ask twice.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Answer, ClusterError> {
        let began = Instant::now();
        let give_up = began + self.patience;
        let mut is_told = false;
        loop {
            if let Some(answer) = self.bus.ask(ask).await {
                if is_told {
                    tell::info(format_args!("an engine answers after {}", shown(began.elapsed())));
                }
                return Ok(answer);
            }
            if let Some(words) = self.bus.forbids(ask) {
                let right = self.bus.right(ask).subject().to_owned();
                return Err(ClusterError::Forbidden { words, right });
            }
            if Instant::now() >= give_up {
                return Err(ClusterError::NoEngine(self.patience));
            }
            if began.elapsed() >= QUIET && !std::mem::replace(&mut is_told, true) {
                let patience = shown(self.patience);
                tell::warn(format_args!(
                    "no engine answers yet: asks again, for {patience} at most"
                ));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// As [`ask`](Self::ask), for what is done or refused; answers to how many.
    pub(super) async fn have(&self, ask: &Ask) -> Result<usize, ClusterError> {
        match self.ask(ask).await? {
            Answer::Done(count) => Ok(count),
            Answer::Refused { reason, .. } => Err(ClusterError::NotDone(reason)),
            Answer::Later { .. }
            | Answer::Status(_)
            | Answer::Added { .. }
            | Answer::Discarded { .. }
            | Answer::Position(_)
            | Answer::Leaving { .. }
            | Answer::Cordoned { .. } => {
                Err(ClusterError::NotDone("the engine's answer is to another question".to_owned()))
            }
        }
    }
}

/// How long nobody is told that there is no answer: another engine takes over in less.
const QUIET: Duration = Duration::from_secs(2);

/// Between two tries; an engine takes over in half a second.
const PAUSE: Duration = Duration::from_millis(50);
