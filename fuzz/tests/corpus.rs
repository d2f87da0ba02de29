//! Every input of the corpora, as an ordinary test: what a fuzzer found stays found.

use std::fs;
use std::path::Path;

type Target = fn(&[u8]);

#[test]
fn every_input_is_read_without_harm() {
    let targets: [(&str, Target); 9] = [
        ("frames", push0_fuzz::frames),
        ("records", push0_fuzz::records),
        ("pipelines", push0_fuzz::pipelines),
        ("blocks", push0_fuzz::blocks),
        ("lines", push0_fuzz::lines),
        ("envelopes", push0_fuzz::envelopes),
        ("outputs", push0_fuzz::outputs),
        ("messages", push0_fuzz::messages),
        ("engine", push0_fuzz::engine),
    ];
    for (name, read) in targets {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let inputs: Vec<_> = fs::read_dir(&folder).expect("a corpus").flatten().collect();
        assert!(inputs.len() >= 3, "{name} has a corpus");
        for input in inputs {
            let bytes = fs::read(input.path()).expect("an input");
            // As it is, and cut short anywhere that is worth a look.
            read(&bytes);
            for cut in [1, 3, 7, 13] {
                read(bytes.get(..bytes.len() * cut / 16).unwrap_or_default());
            }
        }
    }
}
