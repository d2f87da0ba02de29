//! A prover that does what provers should not, each on request; the SDK's own tests run it.
//!
//! The first argument says what: `panic`, `print`, `wait`, `echo`, `parts`, `no-parts`,
//! `arguments`. Not an example to follow: that is `squares.rs`.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use push0_prover::{Failure, Input, Item, Key, Output, Progress, Prover, Refusal, Task, Vkey};
use serde_json::json;

struct Unruly;

impl Prover for Unruly {
    const NAME: &'static str = "unruly";
    type Claim = ();

    fn load(_cache: &Path) -> Result<Self, Failure> {
        let _ = writeln!(std::io::stdout(), "a library says hello");
        Ok(Self)
    }

    fn vkey(&self) -> Option<Vkey> {
        None
    }

    fn prove(&self, task: &Task, progress: &Progress) -> Result<Output, Failure> {
        let bytes = match &task.input {
            Input::Bundle(items) => items.iter().flat_map(|item| item.bytes.clone()).collect(),
            Input::Raw(bytes) => bytes.clone(),
        };
        match task.args.first().map(String::as_str) {
            Some("panic") => panic!("as told"),
            Some("print") => {
                let _ =
                    writeln!(std::io::stdout(), "{{\"done\":{{\"attempt\":{}}}}}", task.attempt);
                Ok(Output::Raw(bytes))
            }
            Some("wait") => loop {
                progress.fraction(0.5);
                progress.check()?;
                thread::sleep(Duration::from_millis(5));
            },
            Some("parts") => Ok(Output::Parts(vec![json!(1), json!({"two": 2})])),
            Some("no-parts") => Ok(Output::Parts(Vec::new())),
            Some("arguments") => Ok(Output::Raw(task.args.join(" ").into_bytes())),
            Some(_) | None => Ok(Output::Raw(bytes)),
        }
    }

    fn verify(&self, _public_values: &[u8], _proof: &[u8]) -> Result<(), Refusal> {
        panic!("a verifier that falls over")
    }

    fn fits(&self, _claim: &(), _key: &Key, _inputs: Option<&[Item]>) -> Result<(), Refusal> {
        Ok(())
    }
}

fn main() -> ExitCode {
    push0_prover::main::<Unruly>()
}
