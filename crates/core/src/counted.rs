//! One or several of something, in words.

use std::fmt::Display;

/// `1 attempt`, `2 attempts`.
#[must_use]
pub fn counted(count: impl Display, what: &str) -> String {
    let count = count.to_string();
    let end = if count == "1" { "" } else { "s" };
    format!("{count} {what}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_several() {
        assert_eq!(
            [0, 1, 2, 21].map(|count| counted(count, "GPU")),
            ["0 GPUs", "1 GPU", "2 GPUs", "21 GPUs"]
        );
    }
}
