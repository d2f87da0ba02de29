//! The address of a server: what of it may be shown, and who it says is asking.
//!
//! Not here: which of a user's names counts where several are given (`connect`).

use std::fmt;

use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// The address of a server, `nats://HOST:PORT` or `tls://HOST:PORT`. It may hold a user and a
/// password, or a token (`nats://USER:PASSWORD@HOST`, percent-encoded): what is shown of it does
/// not.
#[derive(Clone)]
pub struct ServerUrl(SecretString);

/// Who an address says is asking.
#[derive(Clone)]
pub(super) enum Userinfo {
    User(String, SecretString),
    Token(SecretString),
}

impl ServerUrl {
    /// Whether it says who asks.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.parse().is_ok_and(|(_, who)| who.is_some())
    }

    /// Whether `text` has its secret in it.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        self.has_credentials() && text.contains(self.0.expose_secret())
    }

    /// The address alone, and who it says is asking.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words that hold nothing of it.
    pub(super) fn parse(&self) -> Result<(ServerAddr, Option<Userinfo>), String> {
        let text = self.0.expose_secret().trim();
        let whole = if text.contains("://") { text.to_owned() } else { format!("nats://{text}") };
        let mut url: Url = whole.parse().map_err(|error| format!("{error}"))?;
        if !["nats", "tls"].contains(&url.scheme()) {
            return Err("it begins neither with nats:// nor with tls://".to_owned());
        }
        if !["", "/"].contains(&url.path()) || url.query().is_some() || url.fragment().is_some() {
            return Err(AFTER_HOST.to_owned());
        }
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8().map_err(|_| NO_TEXT.to_owned())?;
            Ok::<_, String>(text.into_owned())
        };
        let who = match (url.username(), url.password()) {
            ("", None) => None,
            (token, None) => Some(Userinfo::Token(decoded(token)?.into())),
            (user, Some(password)) => {
                Some(Userinfo::User(decoded(user)?, decoded(password)?.into()))
            }
        };
        let bare = url.set_username("").and_then(|()| url.set_password(None));
        bare.map_err(|()| "it names no host".to_owned())?;
        let address = ServerAddr::from_url(url).map_err(|error| error.to_string())?;
        match address.host().is_empty() {
            true => Err("it names no host".to_owned()),
            false => Ok((address, who)),
        }
    }
}

/// Without who asks; what cannot be read is not shown at all.
impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parse() {
            Ok((address, _)) => shown(&address).fmt(f),
            Err(_) => f.write_str("an address that cannot be read"),
        }
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<String> for ServerUrl {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for ServerUrl {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl<'de> serde::Deserialize<'de> for ServerUrl {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::from)
    }
}

/// A server, as it is named to people.
pub(super) fn shown(address: &ServerAddr) -> String {
    let host = address.host();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    format!("{}://{host}:{}", address.scheme(), address.port())
}

const AFTER_HOST: &str = "something stands after host and port; in a user or a password write / as %2F, ? as %3F, # as %23, \
                          @ as %40 and : as %3A";
const NO_TEXT: &str = "its user or password is not UTF-8 once it is percent-decoded";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_decoded_and_never_shown() {
        let url = ServerUrl::from("nats://prover:p%40ss%2Fw%23rd%3A1@127.0.0.1:4333");
        let Ok((_, Some(Userinfo::User(user, password)))) = url.parse() else { panic!("a user") };
        assert_eq!((user.as_str(), password.expose_secret()), ("prover", "p@ss/w#rd:1"));
        assert_eq!(format!("{url} {url:?}"), "nats://127.0.0.1:4333 nats://127.0.0.1:4333");
        let token = ServerUrl::from("tls://t%6fken@[::1]");
        let Ok((_, Some(Userinfo::Token(secret)))) = token.parse() else { panic!("a token") };
        assert_eq!(
            (secret.expose_secret(), token.to_string().as_str()),
            ("token", "tls://[::1]:4222")
        );
        assert!(matches!(ServerUrl::from("localhost:1").parse(), Ok((_, None))));
    }

    #[test]
    fn what_is_no_address_is_refused_without_a_word_of_it() {
        for text in [
            "nats://prover:S3cret@w/rd@host:1",
            "nats://prover:S3cret#w@host:1",
            "nats://prover:S3cret",
            "http://prover:S3cret@host:1",
            "nats://prover:S3cret@",
            "prover:S3cret?@host",
            "nats://prover:%ffS3cret@host",
            "",
        ] {
            let url = ServerUrl::from(text);
            let Err(why) = url.parse() else { panic!("{text} is taken") };
            let said = format!("{why} {url} {url:?}");
            assert!(!said.contains("S3cret") && !said.contains("prover"), "{said}");
        }
    }
}
