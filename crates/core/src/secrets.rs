//! Text without what is secret in its URLs: whom they say asks, what they ask, and long keys in
//! their paths.
//!
//! A person may write a URL wherever a file, a directory or a server is named, and by mistake where
//! none is. So whatever quotes a person's words quotes them through this.
//!
//! ```text
//!   nats://USER:PASSWORD@host:1          nats://***@host:1
//!   USER:PASSWORD@host                   ***@host
//!   https://host/v3/0123456789abcdef0123456789abcdef?key=K    https://host/v3/***?***
//! ```
//!
//! Not here: secrets that push0 knows for such, which are of a type that cannot be shown.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

/// The text, without what is secret in its URLs.
#[must_use]
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    if !text.contains('@') && !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(ends_word).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        shown += &bare(word);
        let gap = behind.find(|letter| !ends_word(letter)).unwrap_or(behind.len());
        let (gap, behind) = behind.split_at(gap);
        shown += gap;
        rest = behind;
    }
    if shown == text { Cow::Borrowed(text) } else { Cow::Owned(shown) }
}

/// Text that a person wrote where a place is named. Shown, it is without what is secret in it.
#[derive(Clone, Deserialize, Eq, PartialEq)]
#[serde(transparent)]
pub struct Named(String);

impl Named {
    /// As it was written.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Named {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", without_secrets(&self.0))
    }
}

const fn ends_word(letter: char) -> bool {
    letter.is_ascii_whitespace() || matches!(letter, '\'' | '"' | '`')
}

/// A word without what is secret in it.
fn bare(word: &str) -> Cow<'_, str> {
    match word.split_once("://") {
        Some((scheme, url)) => Cow::Owned(format!("{scheme}://{}", bare_url(scheme, url))),
        None => bare_address(word),
    }
}

/// What follows the scheme.
fn bare_url(scheme: &str, url: &str) -> String {
    let (hidden, url) = match url.rsplit_once('@') {
        Some((_, host)) => (HIDDEN_AT, host),
        None => ("", url),
    };
    let (hidden, url) = match url.split_once('/').unwrap_or((url, "")) {
        // What stands where a port does, and is none, is of somebody whose host was left out.
        (host, path) if hidden.is_empty() && has_no_port(host) => ("***/", path),
        _ => (hidden, url),
    };
    let (path, query) = match url.split_once('?') {
        Some((path, asked)) if !asked.is_empty() => (path, "?***"),
        Some(_) | None => (url, ""),
    };
    let is_of_web = ["http", "https", "ws", "wss"].iter().any(|known| scheme.ends_with(known));
    let part = |part: &str| {
        let key = part.trim_end_matches(|letter: char| letter.is_ascii_punctuation());
        match is_of_web && is_key(key) {
            true => part.replacen(key, "***", 1),
            false => part.to_owned(),
        }
    };
    format!("{hidden}{}{query}", path.split('/').map(part).collect::<Vec<_>>().join("/"))
}

fn has_no_port(host: &str) -> bool {
    let port = host.rsplit_once(':').map(|(_, port)| port.trim_end_matches(is_mark));
    port.is_some_and(|port| !port.ends_with(']') && !port.bytes().all(|it| it.is_ascii_digit()))
}

fn is_mark(letter: char) -> bool {
    letter.is_ascii_punctuation() && letter != ']'
}

/// Whether a part of a path is as a key of a node's provider: long, of letters and digits alone.
fn is_key(part: &str) -> bool {
    part.len() >= KEY_BYTES
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        && part.bytes().any(|byte| byte.is_ascii_digit())
}

/// A server without a scheme, which may say who asks: `USER:PASSWORD@host`, `TOKEN@host:4222`.
fn bare_address(word: &str) -> Cow<'_, str> {
    let Some((who, host)) = word.rsplit_once('@') else { return Cow::Borrowed(word) };
    let is_port = |port: &str| {
        let port = port.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    };
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| is_port(port));
    // A container's image has its digest there.
    if (who.contains(':') || has_port) && !host.starts_with("sha256:") {
        let before: String = who.chars().take_while(|letter| *letter == '(').collect();
        return Cow::Owned(format!("{before}{HIDDEN_AT}{host}"));
    }
    Cow::Borrowed(word)
}

const HIDDEN_AT: &str = "***@";

/// Shorter than keys are, and longer than words.
const KEY_BYTES: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_in_a_url_is_not_shown() {
        for (text, shown) in [
            ("unexpected 'nats://u:p@a:1,nats://u:q@b' found", "unexpected 'nats://***@b' found"),
            ("x s3://k:s@b/p y https://h/@", "x s3://***@b/p y https://***@"),
            ("nats://u:p@w/rd@host:1 (no file)", "nats://***@host:1 (no file)"),
            ("u:p@h:4222, (u:p@h)", "***@h:4222, (***@h)"),
            ("token@h:4222", "***@h:4222"),
            ("https://k:s/b of ws://u:p", "https://***/b of ws://***/"),
            ("https://h/b?X-Amz-Signature=s: no", "https://h/b?*** no"),
            ("a https://h/v3/0123456789abcdef0123456789abcdef: no", "a https://h/v3/***: no"),
        ] {
            assert_eq!(without_secrets(text), shown);
            assert_eq!(format!("{:?}", Named::from(text.to_owned())), format!("{shown:?}"));
        }
    }

    #[test]
    fn what_holds_none_is_left_as_it_is() {
        for text in [
            "nats://a:1, http://[::1]:80/x http://[::1]/ nats://a:",
            "ask somebody@example.org: she knows",
            "is it at https://example.org/docs/nats.md?",
            "http://169.254.169.254/latest/meta-data/spot/instance-action",
            "ghcr.io/prover:1@sha256:0123456789abcdef0123456789abcdef",
            "s3://bucket/0123456789abcdef0123456789abcdef",
            "one  'two' \"three\"\n\tfour",
        ] {
            assert_eq!(without_secrets(text), text);
        }
    }
}
