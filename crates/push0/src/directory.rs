//! A directory that somebody names: never a place of a kind that push0 does not know, which would
//! be made a directory of a strange name.
//!
//! Not here: a store, which may be in a bucket (`cluster`).

use std::path::PathBuf;

/// A directory that a flag names.
///
/// # Errors
///
/// What is wrong with it, and what to write. The name is not repeated.
pub(crate) fn named(text: &str) -> Result<PathBuf, String> {
    match scheme(text) {
        None if text.trim().is_empty() => Err("it names no directory".to_owned()),
        None => Ok(PathBuf::from(text)),
        Some((scheme, rest)) => {
            let remedy = match scheme.to_ascii_lowercase().as_str() {
                "file" => format!("name the directory itself, /{}", rest.trim_start_matches('/')),
                "s3" | "s3a" | "s3n" => "a bucket can be the store alone (--store)".to_owned(),
                _ => format!("for a directory of that name write ./{scheme}:/…"),
            };
            Err(format!("{scheme}: is no directory of this machine: {remedy}"))
        }
    }
}

/// The scheme of a URL (RFC 3986, section 3.1), and what follows `:/`; none where a text is no URL.
pub(crate) fn scheme(text: &str) -> Option<(&str, &str)> {
    let is_scheme = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '+' | '-' | '.'))
    };
    text.split_once(":/").filter(|(scheme, _)| is_scheme(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_of_an_unknown_kind_is_no_directory() {
        for (text, words) in [
            ("gs://b/p", "write ./gs:/"),
            ("s3://k:S3cret@b/p", "--store"),
            ("file:///srv/data", "/srv/data"),
            (" ", "no directory"),
        ] {
            let said = named(text).expect_err(text);
            assert!(said.contains(words) && !said.contains("S3cret"), "{said}");
        }
        for text in ["data", "./gs:/b", "/srv/a:b", "a b:/c", "a:b"] {
            assert_eq!(named(text), Ok(PathBuf::from(text)));
        }
    }
}
