//! This program as a prover that makes a small result, under the file contract at once, under the
//! serve contract in the milliseconds that `--takes-ms` says.

use std::io::Write as _;
use std::time::Duration;
use std::{env, fs, io, thread};

use push0_prover::wire::{Reply, Request};

use crate::fault::Fault;

pub(crate) fn prove(args: &[String]) -> Result<(), Fault> {
    let after = |flag| args.iter().skip_while(move |arg| **arg != flag).nth(1);
    if let Some(output) = after("--output-path") {
        return Ok(fs::write(output, b"1")?);
    }
    if env::var_os("PUSH0_CONTRACT").is_none() {
        return Err(Fault::new("it is a prover: push0 starts it"));
    }
    let takes = after("--takes-ms").map_or(Ok(0), |millis| millis.parse())?;
    let mut stdout = io::stdout();
    let mut say = |reply: &Reply| writeln!(stdout, "{}", serde_json::to_string(reply)?);
    say(&Reply::Ready { vkey: None })?;
    for line in io::stdin().lines() {
        if let Request::Prove(request) = serde_json::from_str(&line?)? {
            thread::sleep(Duration::from_millis(takes));
            fs::write(&request.output, b"1")?;
            say(&Reply::Done { attempt: request.attempt })?;
        }
    }
    Ok(())
}
