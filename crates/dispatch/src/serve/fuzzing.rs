//! The readers of a prover's output, for a fuzzer: whatever it writes, they end, and panic at nothing.

use tokio::sync::mpsc;

use super::lines;

/// Reads `bytes` as what a serving process writes; how many lines of it were taken.
///
/// # Panics
///
/// Never, or there is a bug.
#[doc(hidden)]
#[must_use = "a fuzzer may ignore it"]
pub fn lines(bytes: &[u8]) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime without I/O needs nothing").block_on(async {
        let (to, mut from) = mpsc::channel(1);
        let count = async {
            let mut taken = 0;
            while from.recv().await.is_some() {
                taken += 1;
            }
            taken
        };
        let ((), taken) = tokio::join!(lines::read(bytes, to), count);
        taken
    })
}
