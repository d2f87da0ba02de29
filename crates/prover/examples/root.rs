//! The smallest prover that is one: proves that it knows the whole square root of a block's number.

use push0_prover::{Failure, Item, Key, Output, Progress, Prover, Refusal, Task, Vkey};

struct Root;

impl Prover for Root {
    const NAME: &'static str = "root";
    type Claim = u64; // what the public values say

    fn load(_cache: &std::path::Path) -> Result<Self, Failure> {
        Ok(Self) // keys and circuits, once a process
    }
    fn vkey(&self) -> Option<Vkey> {
        Some(Vkey::of(b"root/1")) // changes when what is proved changes
    }
    fn prove(&self, task: &Task, _: &Progress) -> Result<Output, Failure> {
        let number = task.input.items()?.first().map_or(0, |block| block.key.first);
        let [public_values, proof] = [number, number.isqrt()].map(|n| n.to_le_bytes().to_vec());
        Ok(Output::Proof { public_values, proof })
    }
    fn verify(&self, public_values: &[u8], proof: &[u8]) -> Result<u64, Refusal> {
        let read = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).ok();
        let known = read(public_values).zip(read(proof));
        let proved = known.filter(|(number, root)| number.isqrt() == *root);
        proved.map(|(number, _)| number).ok_or_else(|| Refusal::new("that is not its root"))
    }
    fn fits(&self, claim: &u64, key: &Key, _: Option<&[Item]>) -> Result<(), Refusal> {
        (*claim == key.first).then_some(()).ok_or_else(|| Refusal::new("it is about another block"))
    }
}

fn main() -> std::process::ExitCode {
    push0_prover::main::<Root>()
}
