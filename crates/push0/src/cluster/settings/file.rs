//! The settings file as text: read within a bound, and what is wrong with it, without its values.
//!
//! A fault of a file with passwords must not quote it: what a value is, is told by its kind alone.
//!
//! Not here: its keys (`settings`).

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::bounded;
use crate::cluster::error::ClusterError;

/// Reads the file at `path`.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ClusterError> {
    let fault = |line, what| ClusterError::Setting { file: Some(path.to_owned()), line, what };
    let bytes = bounded::read(path, bounded::TEXT_BYTES_MAX);
    let bytes = bytes.map_err(|error| fault(None, error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| fault(None, "not UTF-8".to_owned()))?;
    toml::from_str(&text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or_default();
        fault(Some(before.matches('\n').count() + 1), without_values(error.message()))
    })
}

/// What serde or TOML says, without the values that it quotes: names of keys stay.
fn without_values(message: &str) -> String {
    let message = message.lines().next().unwrap_or_default();
    let Some((kind, rest)) = message.split_once(": ") else { return message.to_owned() };
    if !["invalid type", "invalid value", "invalid length"].contains(&kind) {
        return message.to_owned();
    }
    let what = rest.split(['"', '`']).next().unwrap_or_default().trim_end();
    let what = what.split(", expected").next().unwrap_or_default();
    match rest.rsplit_once(", expected ") {
        Some((_, expected)) => format!("{kind}: {what}, expected {expected}"),
        None => format!("{kind}: {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_fault_quotes_a_value() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("push0.toml");
        for text in [
            "urls = \"nats://u:S3cret@h\"",
            "password = [\"S3cret\"]",
            "password = S3cret",
            "password = \"S3cret",
            "password = 'S3cret",
            "password = \"\"\"S3cret",
            "password = \"S3cret\\q\"",
            "password = \"a\" S3cret",
            "password = \"S3cret\"\npassword = \"S3cret\"",
            "password: \"S3cret\"",
            "replicas = \"S3cret\"",
            "replicas = \"S3cret, expected \\\"S3cret\\\"\"",
            "max_bytes = \"S3cret\"\nurls = 1",
        ] {
            std::fs::write(&path, format!("[nats]\n{text}\n")).expect("a writable directory");
            let told = read::<super::super::File>(&path).expect_err(text).to_string();
            assert!(!told.contains("S3cret"), "{told}");
            assert!(told.contains("push0.toml:"), "{told}");
        }
        std::fs::write(&path, "[nats]\npassword = 5318008\n").expect("a writable directory");
        let told = read::<super::super::File>(&path).expect_err("a number").to_string();
        assert!(told.contains("invalid type: integer, expected a string"), "{told}");
    }

    #[test]
    fn a_file_without_end_is_refused() {
        let told =
            read::<super::super::File>(Path::new("/dev/zero")).expect_err("no file").to_string();
        assert!(told.contains("a device or a socket, and no file (/dev/zero)"), "{told}");
    }
}
