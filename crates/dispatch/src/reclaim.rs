//! A notice that this machine will be taken back: a file that comes to be, or an address that comes
//! to say so.
//!
//! A cloud ends its spot machines some seconds to minutes after such a notice. At its metadata
//! address Amazon answers with 404 until there is one (`/latest/meta-data/spot/instance-action`),
//! Google with `FALSE` (`/computeMetadata/v1/instance/preempted`), and Azure with a list that holds
//! no event of type `Preempt` (`/metadata/scheduledevents?api-version=2020-07-01`). What each wants
//! to be asked with is sent to all.
//!
//! Not here: what is done about it (`dispatcher`).

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use tokio::time::sleep;

/// Where the notice is looked for.
#[derive(Clone, Eq, PartialEq)]
pub enum Reclaim {
    /// A file that comes to be.
    File(PathBuf),
    /// An `http` address that comes to say so.
    Address(Url),
}

impl FromStr for Reclaim {
    type Err = String;

    /// A URL where there is `://` in it, else a path.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty: name a file, or an http:// address".to_owned());
        }
        if !text.contains("://") {
            return Ok(Self::File(text.into()));
        }
        let url: Url = text.parse().map_err(|error| format!("no address ({error})"))?;
        match url.scheme() {
            "http" => Ok(Self::Address(url)),
            other => {
                Err(format!("the scheme {other:?} is not known: metadata addresses are http://"))
            }
        }
    }
}

/// Without what may be secret in it.
impl fmt::Debug for Reclaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Address(url) => f.debug_tuple("Address").field(&shown(url)).finish(),
        }
    }
}

impl Reclaim {
    /// Waits until there is a notice; answers what it says. Looks each second, for ever. `tell` is
    /// told once where nobody answers, for then no notice would be seen.
    pub async fn comes(&self, tell: impl Fn(&str)) -> String {
        let mut failures = 0;
        loop {
            match self.look().await {
                Ok(Some(words)) => return words,
                Ok(None) => failures = 0,
                Err(why) => {
                    failures += 1;
                    if failures == FAILURES {
                        tell(&format!(
                            "no notice that this machine is taken back can be seen: {why}: correct --notice"
                        ));
                    }
                }
            }
            sleep(LOOK).await;
        }
    }

    async fn look(&self) -> Result<Option<String>, String> {
        match self {
            Self::File(path) => {
                let there = tokio::fs::try_exists(path).await;
                let there = there.map_err(|error| format!("{}: {error}", path.display()))?;
                Ok(there.then(|| format!("{} is there", path.display())))
            }
            Self::Address(url) => ask(url).await.map_err(|error| {
                let error = error.without_url();
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                format!("{}: {error}{}", shown(url), cause.unwrap_or_default())
            }),
        }
    }
}

/// An address without what may be secret in it.
fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("http://{}{port}{}", url.host_str().unwrap_or_default(), url.path())
}

async fn ask(url: &Url) -> reqwest::Result<Option<String>> {
    // An error: another was chosen for this process already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // What answers is on this machine's own link: nothing in between is asked for it, and nothing
    // else is believed.
    let client = Client::builder().timeout(ANSWER_MAX).no_proxy();
    let client = client.redirect(reqwest::redirect::Policy::none()).build()?;
    let question = |method, url: Url| {
        let question = client.request(method, url);
        question.header("Metadata-Flavor", "Google").header("Metadata", "true")
    };
    let mut answer = question(Method::GET, url.clone()).send().await?;
    if answer.status() == StatusCode::UNAUTHORIZED {
        let mut tokens = url.clone();
        tokens.set_path("/latest/api/token");
        tokens.set_query(None);
        let token =
            question(Method::PUT, tokens).header("X-aws-ec2-metadata-token-ttl-seconds", "60");
        let token = text(token).await?.unwrap_or_default();
        answer = question(Method::GET, url.clone())
            .header("X-aws-ec2-metadata-token", token.trim())
            .send()
            .await?;
    }
    match answer.status() {
        StatusCode::OK => Ok(notice(&bounded(answer).await?)),
        StatusCode::NOT_FOUND => Ok(None),
        _ => answer.error_for_status().map(|_| None),
    }
}

async fn text(question: RequestBuilder) -> reqwest::Result<Option<String>> {
    let answer = question.send().await?.error_for_status()?;
    bounded(answer).await.map(Some)
}

/// The first of what is answered.
async fn bounded(mut answer: Response) -> reqwest::Result<String> {
    let mut bytes = Vec::new();
    while let Some(more) = answer.chunk().await? {
        bytes.extend_from_slice(&more);
        if bytes.len() >= ANSWER_BYTES_MAX {
            bytes.truncate(ANSWER_BYTES_MAX);
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Azure's list.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Scheduled {
    events: Vec<Planned>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Planned {
    event_type: String,
}

/// What an answer says of the machine's end, if anything.
fn notice(answer: &str) -> Option<String> {
    if let Ok(Scheduled { events }) = serde_json::from_str(answer) {
        let ends = events.iter().any(|event| event.event_type == "Preempt");
        return ends.then(|| "an event of type Preempt is scheduled".to_owned());
    }
    let words = answer.trim();
    let is_none = ["", "false", "none", "null"].iter().any(|no| words.eq_ignore_ascii_case(no));
    let first = || words.chars().take(WORDS_MAX).collect::<String>();
    (!is_none).then(|| push0_core::plain(&first()).to_string())
}

/// From one look to the next: the shortest notice is that of Google, 30 s before the end.
const LOOK: Duration = Duration::from_secs(1);

/// A metadata service is a millisecond away.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// A list of events of a machine is some kB.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Enough of an answer to know what it is. Unit: characters.
const WORDS_MAX: usize = 200;

/// So many looks in a row that fail are no hiccup.
const FAILURES: u32 = 5;

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_notice_is_what_says_so_and_not_what_says_that_there_is_none() {
        let none = ["FALSE", " none\n", "", "null", r#"{"DocumentIncarnation":1,"Events":[]}"#];
        assert!(none.iter().all(|answer| notice(answer).is_none()));
        let reboot = r#"{"Events":[{"EventType":"Reboot"}]}"#;
        assert_eq!(notice(reboot), None);
        let preempted = r#"{"Events":[{"EventType":"Preempt"}]}"#;
        let some = ["TRUE", r#"{"action":"terminate","time":"2026-11-30T08:00:00Z"}"#, preempted];
        assert!(some.iter().all(|answer| notice(answer).is_some()));
    }

    #[test]
    fn what_is_no_address_is_a_file_and_what_is_no_metadata_address_is_refused() {
        assert_eq!("/run/notice".parse(), Ok(Reclaim::File("/run/notice".into())));
        assert!("http://169.254.169.254/x".parse::<Reclaim>().is_ok());
        let asks = "http://u:S3cret@h/x?key=S3cret".parse::<Reclaim>();
        assert_eq!(format!("{asks:?}"), "Ok(Address(\"http://h/x\"))");
        assert!("https://a/x".parse::<Reclaim>().is_err() && "".parse::<Reclaim>().is_err());
    }

    #[tokio::test]
    async fn a_file_that_comes_is_seen() {
        let dir = tempfile::tempdir().expect("there is room");
        let path = dir.path().join("notice");
        let reclaim = Reclaim::File(path.clone());
        assert_eq!(reclaim.look().await, Ok(None));
        std::fs::write(&path, "").expect("there is room");
        assert!(reclaim.comes(|_| {}).await.contains("notice"));
    }

    /// As Amazon's: nothing without a token, 404 until there is a notice.
    #[tokio::test]
    async fn an_address_that_wants_a_token_is_asked_with_one() {
        let server = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = server.local_addr().expect("it is bound").port();
        let answering = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for (status, body) in [
                ("401 Unauthorized", ""),
                ("200 OK", "a-token"),
                ("404 Not Found", ""),
                ("401 Unauthorized", ""),
                ("200 OK", "another-token"),
                ("200 OK", r#"{"action":"stop"}"#),
            ] {
                let (mut stream, _) = server.accept().expect("it is asked");
                let (mut question, mut some) = (String::new(), [0; 1024]);
                while !question.contains("\r\n\r\n") {
                    let read = stream.read(&mut some).expect("it is asked");
                    let some = some.get(..read).unwrap_or_default();
                    question.push_str(&String::from_utf8_lossy(some));
                }
                asked.push(question.to_lowercase());
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                stream.write_all(answer.as_bytes()).expect("it listens");
            }
            asked
        });
        let reclaim: Reclaim =
            format!("http://127.0.0.1:{port}/latest/meta-data/spot/instance-action")
                .parse()
                .expect("an address");
        assert_eq!(reclaim.look().await, Ok(None));
        assert_eq!(reclaim.look().await, Ok(Some(r#"{"action":"stop"}"#.to_owned())));
        let asked = answering.join().expect("it answers");
        let with_token = asked.iter().filter(|asked| asked.contains("x-aws-ec2-metadata-token:"));
        assert_eq!(with_token.count(), 2);
        assert!(asked.iter().all(|asked| asked.contains("metadata-flavor: google")));
    }
}
