//! Pipelines of mocks, as text.

/// Everything but the stages and the release: two mocks, one kept warm, one started for each
/// attempt.
pub(crate) fn head() -> String {
    HEAD.to_owned()
}

/// Every block by itself, then all of them joined two by two; each attempt takes a time from
/// `lasts`.
pub(crate) fn leaf_and_tree(lasts: &str) -> String {
    format!(
        r#"{HEAD}
[stages]
leaf  = {{ inputs = ["blocks"], program = "warm", args = ["--for", "{lasts}"] }}
range = {{ inputs = ["leaf"], collect = "tree", arity = 2, program = "cold", args = ["--for", "{lasts}"] }}
[release]
inputs = ["range"]
"#
    )
}

const HEAD: &str = r#"
push0      = 1
name       = "trial"
allow_mock = true
source     = { kind = "file", path = "blocks.jsonl", chain = 534352 }
[programs]
warm = { command = ["push0-prover-mock"], contract = "serve", memory = "64MiB", mock = true }
cold = { command = ["push0-prover-mock"], contract = "file", give = "bundle", memory = "64MiB", mock = true }
"#;
