//! The words of the command line, before they are read: they must be UTF-8, and what is said of
//! them holds no secret.
//!
//! Paths become part of what provers are told in JSON, and of the log. So they are refused where
//! they come in.
//!
//! Not here: what the words mean (`cli`).

use std::ffi::OsString;

use push0_core::without_secrets;

/// What is wrong with the arguments, the environment or the directory that the process was given.
pub(super) fn fault(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    here: Option<OsString>,
) -> Option<String> {
    let is_text = |word: &OsString| word.to_str().is_some();
    let lossy = |word: &OsString| word.to_string_lossy().escape_debug().to_string();
    if let Some(word) = arguments.into_iter().find(|word| !is_text(word)) {
        return Some(said(&format!(
            "an argument is not UTF-8 ({})",
            without_secrets(&lossy(&word))
        )));
    }
    let ours = |name: &OsString| name.as_encoded_bytes().starts_with(b"PUSH0_");
    let mut environment = environment.into_iter();
    if let Some((name, _)) = environment.find(|(name, value)| ours(name) && !is_text(value)) {
        return Some(said(&format!(
            "a variable of the environment is not UTF-8 ({})",
            lossy(&name)
        )));
    }
    let here = here.filter(|here| !is_text(here))?;
    Some(said(&format!("the working directory is not UTF-8 ({})", lossy(&here))))
}

fn said(what: &str) -> String {
    format!("{what}: give the file or directory a name in UTF-8")
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    #[test]
    fn what_is_not_utf8_is_refused_wherever_it_comes_from() {
        let good = || OsString::from("é");
        let bad = || OsString::from_vec(b"a\xff".to_vec());
        let named = |name: &str, value| vec![(OsString::from(name), value)];
        assert_eq!(fault([good()], named("PUSH0_STORE", good()), Some(good())), None);
        assert_eq!(fault([good()], named("OTHER", bad()), None), None);
        let told = [
            fault([good(), bad()], Vec::new(), None),
            fault([good()], named("PUSH0_CONFIG", bad()), None),
            fault([good()], Vec::new(), Some(bad())),
        ];
        for (told, word) in told.iter().zip(["argument", "PUSH0_CONFIG", "working directory"]) {
            let told = told.as_deref().expect("a fault");
            assert!(told.contains(word) && told.ends_with("a name in UTF-8"), "{told}");
        }
    }
}
