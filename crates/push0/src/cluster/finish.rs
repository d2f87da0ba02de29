//! `push0 finish`: the word that no block follows, and its taking back.

use std::time::{Duration, Instant};

use super::apply::confirm;
use super::args::FinishArgs;
use super::client::Client;
use super::error::{ClusterError, told};
use super::role::Role;
use super::serve::runtime;
use super::wire::Ask;
use crate::exit::Exit;
use crate::tell;

/// Says that no block follows, or that some do after all.
pub(crate) fn finish(args: &FinishArgs) -> Exit {
    told(if args.undo { unfinish_now(args) } else { finish_now(args) })
}

fn finish_now(args: &FinishArgs) -> Result<(), ClusterError> {
    let settings = args.asks.cluster.settings(Role::Client, "push0-finish")?;
    if !args.yes {
        tell::info(
            "this says that no block follows: open batches close with what they have, and blocks past the last one are refused",
        );
        confirm("say so?")?;
    }
    let runtime = runtime()?;
    let client = runtime.block_on(Client::connect(&settings, args.asks.wait))?;
    let give_up = Instant::now() + FINISH_WAIT;
    loop {
        match runtime.block_on(client.have(&Ask::Finish)) {
            // A block that has just come may be on its way with its parent.
            Err(ClusterError::NotDone(_)) if Instant::now() < give_up => {
                std::thread::sleep(PAUSE);
            }
            finished => break finished.map(drop)?,
        }
    }
    tell::info(
        "finished: no block follows. Until a batch closes by it, `push0 finish --undo` takes it back",
    );
    Ok(())
}

fn unfinish_now(args: &FinishArgs) -> Result<(), ClusterError> {
    let settings = args.asks.cluster.settings(Role::Client, "push0-finish")?;
    let runtime = runtime()?;
    let client = runtime.block_on(Client::connect(&settings, args.asks.wait))?;
    let (by, why) = (args.who.by(), args.who.why());
    runtime.block_on(client.have(&Ask::Unfinish { by, why }))?;
    tell::info("taken back: blocks may follow");
    Ok(())
}

/// Before an engine is asked again that waits for the parent of a block.
const PAUSE: Duration = Duration::from_millis(200);

/// How long an engine that waits for the parent of a block is asked again: longer than it waits for
/// one.
const FINISH_WAIT: Duration = Duration::from_secs(4);
