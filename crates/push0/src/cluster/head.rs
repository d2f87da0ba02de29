//! `push0 head`: the source's word on which block its chain ends in, and which are final.

use push0_core::HeadNumber;

use super::args::HeadArgs;
use super::client::Client;
use super::error::{ClusterError, told};
use super::role::Role;
use super::serve::runtime;
use super::wire::Ask;
use crate::exit::Exit;
use crate::tell;

/// Says where the chain ends now, or what is final.
pub(crate) fn head(args: &HeadArgs) -> Exit {
    told(say(args))
}

fn say(args: &HeadArgs) -> Result<(), ClusterError> {
    let settings = args.asks.cluster.settings(Role::Client, "push0-head")?;
    let runtime = runtime()?;
    let client = runtime.block_on(Client::connect(&settings, args.asks.wait))?;
    let (block, head) = (args.block, args.number.map(HeadNumber));
    let asked = if args.is_final { Ask::Final(block) } else { Ask::Head { block, head } };
    runtime.block_on(client.have(&asked))?;
    tell::info(match args.is_final {
        true => format!("said: block {block} is final, and all before it"),
        false => format!("said: the chain ends in block {block}"),
    });
    Ok(())
}
