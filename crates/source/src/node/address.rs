//! The address of a node. What stands in its path or its query may be a key, so none of that is
//! ever shown.

use std::fmt;

use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use super::{SourceError, fault};

/// An address, and what people are told of it.
pub(super) struct Address {
    url: SecretString,
    shown: String,
}

/// Without what may be secret.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Address").field(&self.shown).finish()
    }
}

impl Address {
    /// The address that a pipeline names: one, or the variable that holds it.
    pub(super) fn named(named: &str) -> Result<Self, SourceError> {
        let Some(variable) = named.strip_prefix('$') else {
            return Self::of(named, "source.http");
        };
        match std::env::var(variable) {
            Ok(url) => Self::of(url.trim(), named),
            Err(_) => {
                let what = format!("{variable} is not set in the environment");
                Err(fault(named, what, "set it to the address of a node, http://…"))
            }
        }
    }

    pub(super) fn of(url: &str, named: &str) -> Result<Self, SourceError> {
        let remedy = "write it like http://127.0.0.1:8545";
        let parsed: Url =
            url.parse().map_err(|error| fault(named, format!("no address ({error})"), remedy))?;
        let host = parsed.host_str().filter(|_| matches!(parsed.scheme(), "http" | "https"));
        let host = host.ok_or_else(|| fault(named, "no http address".to_owned(), remedy))?;
        let port = parsed.port().map(|port| format!(":{port}")).unwrap_or_default();
        let shown = format!("{}://{host}{port}", parsed.scheme());
        Ok(Self { url: url.to_owned().into(), shown })
    }

    pub(super) fn url(&self) -> &str {
        self.url.expose_secret()
    }

    /// For people.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}
