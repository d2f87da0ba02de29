//! Where a bucket is, and who may use it.
//!
//! Not here: where the values come from (flags, environment, `push0.toml`).

use std::fmt;
use std::str::FromStr;

use push0_core::without_secrets;
use secrecy::{ExposeSecret as _, SecretString};

use super::s3;

/// How a store in a bucket is reached.
#[derive(Clone)]
pub struct S3Config {
    /// The bucket, and where in it.
    pub bucket: Bucket,
    /// The server; Amazon's in the region where there is none. Not encrypted if it begins with
    /// `http://`.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// Who asks.
    pub access_key_id: String,
    /// What proves it.
    pub secret_access_key: SecretString,
    /// For keys that are only lent.
    pub session_token: Option<SecretString>,
    /// Whether the bucket is named in the path, and not in the host.
    pub path_style: bool,
}

/// A bucket, and the prefix of all that a store keeps in it; written `s3://BUCKET/PREFIX`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bucket {
    pub(super) name: String,
    /// As requests have it.
    pub(super) prefix: String,
}

/// Text that names no bucket. Write it like `s3://bucket/prefix`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("names no bucket: write it like \"s3://bucket/prefix\"")]
pub struct NoBucket;

impl Bucket {
    /// Whether this push0 is built with what buckets need, its feature `s3`. Without, none can be
    /// opened.
    pub const IS_BUILT_IN: bool = cfg!(feature = "s3");
    /// What every text that names one begins with.
    pub const SCHEME: &str = "s3://";
}

impl FromStr for Bucket {
    type Err = NoBucket;

    fn from_str(text: &str) -> Result<Self, NoBucket> {
        let rest = text.strip_prefix(Self::SCHEME).ok_or(NoBucket)?;
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_of_names = |letter: char| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '.' | '-')
        };
        // As Amazon has it; the names of other servers' buckets are no longer either.
        if !(3..=63).contains(&name.len()) || !name.chars().all(is_of_names) {
            return Err(NoBucket);
        }
        let prefix = s3::prefix(prefix).ok_or(NoBucket)?;
        Ok(Self { name: name.to_owned(), prefix })
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "{}{}{slash}{}", Self::SCHEME, self.name, self.prefix)
    }
}

impl S3Config {
    /// Where requests go: the server, with the bucket in its name unless paths have it.
    #[cfg(feature = "s3")]
    pub(super) fn url(&self) -> Option<String> {
        let endpoint = self.endpoint.as_deref()?.trim_end_matches('/');
        match (self.path_style, endpoint.split_once("://")) {
            (false, Some((scheme, host))) => {
                Some(format!("{scheme}://{}.{host}", self.bucket.name))
            }
            (true, _) | (false, None) => Some(endpoint.to_owned()),
        }
    }

    /// Where it is, for a person.
    pub(super) fn place(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => {
                format!("bucket {} at {}", self.bucket.name, without_secrets(endpoint))
            }
            None => format!("bucket {} in {}", self.bucket.name, self.region),
        }
    }
}

impl PartialEq for S3Config {
    fn eq(&self, other: &Self) -> bool {
        let all = |it: &Self| {
            let Self { bucket, endpoint, region, access_key_id, path_style, .. } = it.clone();
            (bucket, endpoint, region, access_key_id, path_style)
        };
        let lent = |it: &Self| it.session_token.as_ref().map(|it| it.expose_secret().to_owned());
        let proves = |it: &Self| it.secret_access_key.expose_secret().to_owned();
        all(self) == all(other) && proves(self) == proves(other) && lent(self) == lent(other)
    }
}

impl Eq for S3Config {}

/// Without what must not be told.
impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bucket, endpoint, region, access_key_id, path_style, .. } = self;
        f.debug_struct("S3Config")
            .field("bucket", bucket)
            .field("endpoint", &endpoint.as_deref().map(without_secrets))
            .field("region", region)
            .field("access_key_id", access_key_id)
            .field("path_style", path_style)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_named_with_or_without_a_prefix() {
        for (text, name, prefix) in [
            ("s3://proofs", "proofs", ""),
            ("s3://proofs/", "proofs", ""),
            ("s3://proofs/a/b/", "proofs", "a/b"),
        ] {
            let bucket: Bucket = text.parse().expect(text);
            assert_eq!((bucket.name.as_str(), bucket.prefix.as_str()), (name, prefix));
            assert_eq!(bucket.to_string(), text.trim_end_matches('/'));
        }
        for text in ["/dir", "s3:/proofs", "s3://", "s3:///a", "s3://Proofs", "s3://proofs/a//b"] {
            assert_eq!(text.parse::<Bucket>(), Err(NoBucket), "{text}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let endpoint = Some("https://k:hush@s3.example".to_owned());
        let config = S3Config { endpoint, ..config() };
        let shown = format!("{config:?} {}", config.place());
        assert!(shown.contains("AKIA") && !shown.contains("hush") && !shown.contains("lent"));
    }

    #[test]
    fn the_bucket_is_in_the_path_or_in_the_host() {
        let config = config();
        assert_eq!(config.url().as_deref(), Some("https://s3.example:9000"));
        let hosted = S3Config { path_style: false, ..config };
        assert_eq!(hosted.url().as_deref(), Some("https://proofs.s3.example:9000"));
        assert_eq!(S3Config { endpoint: None, ..hosted }.url(), None);
    }

    fn config() -> S3Config {
        S3Config {
            bucket: "s3://proofs/a".parse().expect("it names one"),
            endpoint: Some("https://s3.example:9000/".to_owned()),
            region: "us-east-1".to_owned(),
            access_key_id: "AKIA".to_owned(),
            secret_access_key: "hush".into(),
            session_token: Some("lent".into()),
            path_style: true,
        }
    }
}
