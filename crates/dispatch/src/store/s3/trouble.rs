//! What is wrong with a bucket or its server, told by what the server answers, with what helps
//! against that.
//!
//! A server says why in its body, `<Error><Code>…`; the codes are Amazon's, and others use the
//! same. The client that push0 uses hands on the body as text alone, so the code is looked for in
//! that.
//!
//! Not here: trying what is relied on (`probe`).

use std::error::Error as Source;
use std::io;

use object_store::Error;
use object_store::client::{HttpError, HttpErrorKind};
use push0_core::causes;

use super::super::fault::fault;

/// What was asked of a bucket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Doing {
    Read,
    /// To write where there is nothing.
    Create,
    Write,
    List,
    Remove,
}

impl Doing {
    /// The permission that it takes.
    const fn permission(self) -> &'static str {
        match self {
            Self::Read => {
                "allow these credentials s3:GetObject under the prefix, and s3:ListBucket"
            }
            Self::Create | Self::Write => "allow these credentials s3:PutObject under the prefix",
            Self::List => "allow these credentials s3:ListBucket on the bucket",
            Self::Remove => "allow these credentials s3:DeleteObject under the prefix",
        }
    }

    const fn shown(self) -> &'static str {
        match self {
            Self::Read => "to read an object",
            Self::Create => "to write an object where there is none",
            Self::Write => "to write an object",
            Self::List => "to list the bucket",
            Self::Remove => "to remove an object",
        }
    }
}

/// Whether a 404 says that there is no such object, and not that there is no such bucket.
pub(super) fn is_of_object(error: &Error) -> bool {
    code(&all(error)) != Some("NoSuchBucket")
}

/// An error with all that is known of why, of which bucket it is, and what to do.
pub(super) fn told(place: &str, doing: Doing, error: &Error) -> io::Error {
    let text = all(error);
    let is_refused =
        matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. });
    let known = code(&text).and_then(|code| Some((code, of_code(code, doing)?)));
    let (what, remedy, said) = match known {
        // Its own words, without the page that they came on.
        Some((code, (what, remedy))) => {
            let message = between(&text, "<Message>", "</Message>").unwrap_or_default();
            (what, remedy, format!("{code}, {message}"))
        }
        None => {
            let (what, remedy) = of_answer(error, &text, doing);
            (what, remedy, text.clone())
        }
    };
    let kind = match (is_refused, remedy == NO_CONDITION.1) {
        (true, _) => io::ErrorKind::PermissionDenied,
        (false, true) => io::ErrorKind::Unsupported,
        (false, false) => io::ErrorKind::Other,
    };
    let what = if what.is_empty() { String::new() } else { format!("{what} ") };
    fault(kind, format!("{place}: {what}({}: {said})", doing.shown()), remedy)
}

/// What a server's code means.
fn of_code(code: &str, doing: Doing) -> Option<(&'static str, &'static str)> {
    Some(match code {
        "NotImplemented" if doing == Doing::Create => NO_CONDITION,
        "NoSuchBucket" => (
            "there is no such bucket",
            "make the bucket, or correct its name; a server of one's own may want another path_style",
        ),
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => {
            ("refuses these credentials what they ask", doing.permission())
        }
        "InvalidAccessKeyId" => (
            "refuses these credentials: it does not know the access key",
            "correct AWS_ACCESS_KEY_ID (store.access_key_id), or the endpoint",
        ),
        "SignatureDoesNotMatch" => (
            "refuses these credentials: the secret is not that of the access key",
            "correct AWS_SECRET_ACCESS_KEY (store.secret_access_key)",
        ),
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => (
            "refuses these credentials: they have expired",
            "get new ones, and start again with them (AWS_SESSION_TOKEN, store.session_token)",
        ),
        "RequestTimeTooSkewed" | "RequestExpired" => (
            "refuses the time of this machine, which is not the server's",
            "set this machine's clock; then the same command goes on",
        ),
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => (
            "the bucket is in another region, or at another address",
            "correct AWS_REGION (store.region), or AWS_ENDPOINT_URL (store.endpoint)",
        ),
        "SlowDown" | "ServiceUnavailable" | "RequestLimitExceeded" | "InternalError" => (
            "the server is too busy, or fails",
            "nothing here is wrong: the same command goes on when it answers",
        ),
        "QuotaExceeded" | "EntityTooLarge" | "StorageFull" | "XMinioStorageFull" => {
            ("the bucket takes no more", "make room there; then the same command goes on")
        }
        _ => return None,
    })
}

/// What is wrong where the server gave no code that is known.
fn of_answer(error: &Error, text: &str, doing: Doing) -> (&'static str, &'static str) {
    if text.contains("501 Not Implemented") && doing == Doing::Create {
        return NO_CONDITION;
    }
    if matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. }) {
        return ("refuses these credentials", doing.permission());
    }
    if text.contains("<html") || text.contains("<HTML") {
        return NO_S3;
    }
    match http(error) {
        Some(HttpErrorKind::Connect) if text.contains("dns error") => (
            "the name of the server is not known",
            "correct the endpoint (AWS_ENDPOINT_URL, store.endpoint), or see to the machine's DNS",
        ),
        Some(HttpErrorKind::Connect) if text.contains("ertificate") || text.contains("TLS") => (
            "the server's certificate is not trusted, or it speaks no TLS",
            "give this machine the server's CA, or correct the endpoint's https:// or http://",
        ),
        Some(HttpErrorKind::Connect) => (
            "no server answers there",
            "start it, or correct the endpoint (AWS_ENDPOINT_URL, store.endpoint)",
        ),
        Some(HttpErrorKind::Timeout) => (
            "the server does not answer in time",
            "see to the server and the way to it; then the same command goes on",
        ),
        Some(HttpErrorKind::Decode) => NO_S3,
        Some(_) => ("", "see to the server and the way to it; then the same command goes on"),
        // What came as an answer is none of S3's.
        None if matches!(error, Error::Generic { .. }) && is_unread(text) => NO_S3,
        None if text.contains("without LOCATION") => (
            "the bucket is in another region, or at another address",
            "correct AWS_REGION (store.region), or AWS_ENDPOINT_URL (store.endpoint)",
        ),
        None if text.contains("status code: 5") => (
            "the server is too busy, or fails",
            "nothing here is wrong: the same command goes on when it answers",
        ),
        None => ("", "see to that; then the same command goes on"),
    }
}

/// Whether an answer was not what the client could read.
fn is_unread(text: &str) -> bool {
    ["invalid", "Missing", "missing", "expected"].iter().any(|word| text.contains(word))
}

/// The code in the body of an answer.
fn code(text: &str) -> Option<&str> {
    between(text, "<Code>", "</Code>")
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inner, _)| inner.trim())
}

fn http(error: &Error) -> Option<HttpErrorKind> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(http) = error.downcast_ref::<HttpError>() {
            return Some(http.kind());
        }
        source = error.source();
    }
    None
}

/// An error and its causes, in one line of bounded length.
fn all(error: &Error) -> String {
    let text = causes(error);
    let text = text.strip_prefix("Generic S3 error: ").unwrap_or(&text);
    let words: Vec<_> = text.split_whitespace().collect();
    let mut text = words.join(" ");
    if text.len() > TEXT_BYTES_MAX {
        let end = (0..=TEXT_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        text.push('…');
    }
    text
}

/// What a server that cannot write conditionally is told as.
pub(super) const NO_CONDITION: (&str, &str) = (
    "the server knows no conditional write (If-None-Match)",
    "use a server that writes an object only where there is none, as Amazon S3, MinIO, Ceph and R2 do, or a directory",
);

/// What answers something else than S3 is told as.
pub(super) const NO_S3: (&str, &str) = (
    "what answers there is no server of S3, maybe a proxy",
    "correct the endpoint (AWS_ENDPOINT_URL, store.endpoint), or let push0 past the proxy",
);

/// Of an answer, a person is shown so much: an error page may be long.
const TEXT_BYTES_MAX: usize = 800;

#[cfg(test)]
mod tests {
    use super::super::super::StoreError;
    use super::*;

    #[test]
    fn each_cause_has_its_own_words_and_its_own_remedy() {
        let mut remedies = Vec::new();
        for (code, doing, words, remedy) in [
            (
                "NotImplemented",
                Doing::Create,
                "conditional write (If-None-Match)",
                "use a server that writes",
            ),
            ("NoSuchBucket", Doing::Read, "no such bucket", "make the bucket"),
            ("AccessDenied", Doing::List, "to list the bucket", "s3:ListBucket"),
            ("AccessDenied", Doing::Remove, "to remove an object", "s3:DeleteObject"),
            ("AccessDenied", Doing::Write, "to write an object", "s3:PutObject"),
            (
                "InvalidAccessKeyId",
                Doing::Read,
                "does not know the access key",
                "AWS_ACCESS_KEY_ID",
            ),
            ("SignatureDoesNotMatch", Doing::Read, "the secret is not", "AWS_SECRET_ACCESS_KEY"),
            ("ExpiredToken", Doing::Read, "have expired", "AWS_SESSION_TOKEN"),
            ("RequestTimeTooSkewed", Doing::Read, "the time of this machine", "clock"),
            ("PermanentRedirect", Doing::Read, "another region", "AWS_REGION"),
            ("SlowDown", Doing::Read, "too busy", "nothing here is wrong"),
        ] {
            let body = format!("403: <Error><Code>{code}</Code><Message>Why.</Message></Error>");
            let source =
                told("bucket b", doing, &Error::Generic { store: "S3", source: body.into() });
            let error = StoreError { path: "s3://b".into(), source };
            let text = error.to_string();
            assert!(text.contains(words) && text.contains(&format!("{code}, Why.")), "{text}");
            assert!(error.remedy().contains(remedy), "{code}: {}", error.remedy());
            remedies.push(error.remedy());
        }
        let count = remedies.len();
        remedies.sort_unstable();
        remedies.dedup();
        assert_eq!(remedies.len(), count, "two causes share a remedy");
    }

    #[test]
    fn a_page_that_is_long_is_shown_in_part() {
        let page = format!("<html>{}</html>", "ä ".repeat(2_000));
        let source =
            told("bucket b", Doing::Read, &Error::Generic { store: "S3", source: page.into() });
        let error = StoreError { path: "s3://b".into(), source };
        assert!(error.to_string().contains("no server of S3") && error.to_string().len() < 1_200);
        assert_eq!(error.remedy(), NO_S3.1);
    }
}
