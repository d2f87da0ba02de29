//! How far a prover of the file contract says that it is: `progress F`, a line of its own on
//! stdout.

/// Finds `progress F` among the lines of stdout.
#[derive(Debug, Default)]
pub(crate) struct ProgressLines {
    line: Vec<u8>,
    /// Until the line ends.
    is_skipping: bool,
}

impl ProgressLines {
    /// The last progress in these bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Option<f64> {
        let mut last = None;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !self.is_skipping {
                self.line.extend_from_slice(piece.get(..LINE_BYTES_MAX).unwrap_or(piece));
                self.is_skipping = self.line.len() > LINE_BYTES_MAX;
            }
            if piece.ends_with(b"\n") {
                last = progress(&self.line).filter(|_| !self.is_skipping).or(last);
                self.is_skipping = false;
                self.line.clear();
            }
        }
        last
    }
}

fn progress(line: &[u8]) -> Option<f64> {
    str::from_utf8(line).ok()?.trim().strip_prefix("progress ")?.trim().parse().ok()
}

/// Whether a line says how far the prover is, and nothing to people.
#[must_use]
pub fn is_progress(line: &str) -> bool {
    progress(line.as_bytes()).is_some()
}

/// A longer line says nothing about progress.
const LINE_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_found_among_other_lines_however_they_are_cut() {
        let mut lines = ProgressLines::default();
        assert_eq!(lines.feed(b"hello\nprogress 0.1\nprog"), Some(0.1));
        assert_eq!(lines.feed(b"ress 0."), None);
        assert_eq!(lines.feed(b"25\r\nbye"), Some(0.25));
        assert_eq!(lines.feed(&[b'x'; 100_000]), None);
        assert_eq!(lines.feed(b"\nprogress 1\n"), Some(1.0));
    }
}
