//! `[store]`: the directory or the bucket where all machines share their artifacts.
//!
//! Not here: what is in it (`push0_dispatch`).

use std::fmt;
use std::path::PathBuf;

use push0_core::Named;
use push0_dispatch::{Access, Bucket, NoBucket, S3Config, Store, StoreError};
use secrecy::SecretString;
use serde::Deserialize;

/// Where artifacts are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum StorePlace {
    Dir(PathBuf),
    S3(Box<S3Config>),
}

impl StorePlace {
    pub(super) fn open(&self, access: Access) -> Result<Store, StoreError> {
        match self {
            Self::Dir(path) => Store::open_as(path, access),
            Self::S3(config) => Store::open_s3(config, access),
        }
    }
}

/// The table of the file.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StoreTable {
    path: Option<Named>,
    s3: Option<Named>,
    endpoint: Option<Named>,
    region: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<SecretString>,
    session_token: Option<SecretString>,
    path_style: Option<bool>,
}

/// Without what must not be told.
impl fmt::Debug for StoreTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, s3, endpoint, region, path_style, .. } = self;
        f.debug_struct("StoreTable")
            .field("path", path)
            .field("s3", s3)
            .field("endpoint", endpoint)
            .field("region", region)
            .field("path_style", path_style)
            .finish_non_exhaustive()
    }
}

/// A key that is wrong, and what to do.
pub(super) type Fault = (&'static str, String);

impl StoreTable {
    /// What it comes to, with a flag and the environment on top; none where no store is named.
    pub(super) fn place(
        self,
        flag: Option<&str>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<StorePlace>, Fault> {
        let bucket = match (flag, &self.path, &self.s3) {
            (Some(flag), ..) if flag.starts_with(Bucket::SCHEME) => ("--store", flag.to_owned()),
            (Some(flag), ..) => return directory("--store", flag),
            (None, Some(_), Some(_)) => {
                let what = "is given beside store.path: name the directory or the bucket";
                return Err(("store.s3", what.to_owned()));
            }
            (None, Some(path), None) => return directory("store.path", path.expose()),
            (None, None, Some(bucket)) => ("store.s3", bucket.expose().to_owned()),
            (None, None, None) => return Ok(None),
        };
        built_in(bucket.0, Bucket::IS_BUILT_IN)?;
        self.s3(bucket, env).map(|config| Some(StorePlace::S3(Box::new(config))))
    }

    fn s3(
        self,
        (key, bucket): (&'static str, String),
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<S3Config, Fault> {
        let parsed = bucket.parse();
        if bucket.contains('@') {
            return Err((key, IN_URL.to_owned()));
        }
        let bucket = parsed.map_err(|error: NoBucket| (key, error.to_string()))?;
        let endpoint =
            env("AWS_ENDPOINT_URL").or_else(|| self.endpoint.map(|url| url.expose().to_owned()));
        if endpoint.as_ref().is_some_and(|url| url.contains('@')) {
            return Err(("store.endpoint", IN_URL.to_owned()));
        }
        if endpoint.as_ref().is_some_and(|url| url.contains(['?', '#'])) {
            return Err(("store.endpoint", IN_QUERY.to_owned()));
        }
        if let Some(url) = &endpoint
            && !["http://", "https://"].iter().any(|scheme| url.starts_with(scheme))
        {
            let what = "is no address: write one like \"https://s3.example:9000\"";
            return Err(("store.endpoint", what.to_owned()));
        }
        let missing = |key, name| {
            (key, format!("is not given: write it into the file, or set {name} in the environment"))
        };
        let id = env(ACCESS_KEY_ID).or(self.access_key_id);
        let secret = env(SECRET_ACCESS_KEY).map(SecretString::from).or(self.secret_access_key);
        Ok(S3Config {
            bucket,
            // A server of one's own seldom has a name for each bucket; Amazon's wants one.
            path_style: self.path_style.unwrap_or_else(|| endpoint.is_some()),
            endpoint,
            region: env("AWS_REGION").or(self.region).unwrap_or_else(|| REGION.to_owned()),
            access_key_id: id.ok_or_else(|| missing("store.access_key_id", ACCESS_KEY_ID))?,
            secret_access_key: secret
                .ok_or_else(|| missing("store.secret_access_key", SECRET_ACCESS_KEY))?,
            session_token: env("AWS_SESSION_TOKEN").map(SecretString::from).or(self.session_token),
        })
    }
}

/// Whether this push0 can have a store in a bucket at all.
fn built_in(key: &'static str, is_built_in: bool) -> Result<(), Fault> {
    let what = "is a bucket of S3, and this push0 is built without its feature `s3`: name a directory, or build push0 \
                with that feature, which it has by default";
    if is_built_in { Ok(()) } else { Err((key, what.to_owned())) }
}

const IN_URL: &str = "has a user or a password in it, which requests would not use: write them as access_key_id and \
                      secret_access_key";
const IN_QUERY: &str = "has something after a ? or # in it, which requests would not use: write scheme, host and port \
                        alone";

/// A directory; not a place of a kind that push0 does not know, which would be a directory of a
/// strange name.
fn directory(key: &'static str, text: &str) -> Result<Option<StorePlace>, Fault> {
    let Some((scheme, rest)) = crate::directory::scheme(text) else {
        return match text.trim().is_empty() {
            true => Err((key, "names no place: name a directory, or a bucket".to_owned())),
            false => Ok(Some(StorePlace::Dir(text.into()))),
        };
    };
    // What is no path may hold a secret, and is not told again.
    let is_path =
        |rest: &&str| rest.chars().all(|it| it.is_ascii_alphanumeric() || "./_-".contains(it));
    let rest = Some(rest.trim_start_matches('/')).filter(is_path);
    let (bucket, dir) = (rest.unwrap_or("BUCKET/PREFIX"), rest.unwrap_or("DIR"));
    let remedy = match (scheme.to_ascii_lowercase().as_str(), key) {
        ("file", _) => format!("name the directory itself, /{dir}"),
        ("s3" | "s3a" | "s3n", "store.path") => format!("a bucket is store.s3 = \"s3://{bucket}\""),
        ("s3" | "s3a" | "s3n", _) => format!("write it like \"s3://{bucket}\""),
        (_, "store.path") => "name a directory, or a bucket of S3 in store.s3".to_owned(),
        _ => "name a directory, or a bucket of S3 (s3://BUCKET/PREFIX)".to_owned(),
    };
    let shown = rest.map_or_else(|| format!("{scheme}://"), |_| format!("{text:?}"));
    Err((key, format!("{shown} is of a kind that push0 does not know: {remedy}")))
}

const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";

/// Where buckets are that nobody says more of; most servers of one's own have but this one.
const REGION: &str = "us-east-1";

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_flag_names_a_directory_or_a_bucket() {
        let place = |flag| table("path = \"/s\"").place(Some(flag), keys);
        assert_eq!(place("/t"), Ok(Some(StorePlace::Dir("/t".into()))));
        let Ok(Some(StorePlace::S3(config))) = place("s3://proofs/a") else { panic!("a bucket") };
        assert_eq!(config.bucket.to_string(), "s3://proofs/a");
        assert_eq!((config.region.as_str(), config.path_style), (REGION, false));
        assert_eq!(table("").place(None, keys), Ok(None));
    }

    #[test]
    fn a_place_of_an_unknown_kind_is_never_made_a_directory() {
        for (flag, words) in [
            ("gs://b/p", "name a directory, or a bucket of S3"),
            ("az:/c", "name a directory"),
            ("file:///srv/store", "name the directory itself, /srv/store"),
            ("S3://proofs/a", "write it like \"s3://proofs/a\""),
            ("s3:/proofs", "write it like \"s3://proofs\""),
            ("", "names no place"),
        ] {
            let (key, what) = table("").place(Some(flag), keys).expect_err(flag);
            assert!(key == "--store" && what.contains(words), "{key}: {what}");
        }
        let (key, what) = table("path = \"s3://proofs\"").place(None, keys).expect_err("a bucket");
        assert!(key == "store.path" && what.contains("store.s3 = \"s3://proofs\""), "{what}");
        for dir in ["./gs:/b", "/srv/a:b", "a b:/c"] {
            let place = table("").place(Some(dir), keys);
            assert_eq!(place, Ok(Some(StorePlace::Dir(dir.into()))), "{dir}");
        }
    }

    #[test]
    fn the_environment_goes_before_the_file() {
        let text = "s3 = \"s3://proofs\"\nendpoint = \"http://a:1\"\naccess_key_id = \"file\"\n\
                    secret_access_key = \"file\"\nsession_token = \"file\"\nregion = \"file\"";
        let Ok(Some(StorePlace::S3(config))) = table(text).place(None, |_| None) else {
            panic!("a bucket")
        };
        let shown = |secret: &SecretString| secret.expose_secret().to_owned();
        let secret = shown(&config.secret_access_key);
        assert_eq!([&config.access_key_id, &secret, &config.region], ["file"; 3]);
        assert_eq!(config.session_token.as_ref().map(shown).as_deref(), Some("file"));
        assert_eq!((config.endpoint.as_deref(), config.path_style), (Some("http://a:1"), true));
        let every = |name: &str| Some(format!("http://{name}"));
        let Ok(Some(StorePlace::S3(config))) = table(text).place(None, every) else {
            panic!("a bucket")
        };
        let secret = shown(&config.secret_access_key);
        let given = [&config.access_key_id, &secret, &config.region];
        let names = [ACCESS_KEY_ID, SECRET_ACCESS_KEY, "AWS_REGION"];
        assert_eq!(given, names.map(|name| format!("http://{name}")).each_ref());
        assert_eq!(
            config.session_token.as_ref().map(shown).as_deref(),
            Some("http://AWS_SESSION_TOKEN")
        );
        assert_eq!(config.endpoint.as_deref(), Some("http://AWS_ENDPOINT_URL"));
    }

    #[test]
    fn a_fault_has_its_key_and_what_to_do() {
        let named = "s3 = \"s3://proofs\"";
        for (text, key, words) in [
            ("path = \"/s\"\ns3 = \"s3://proofs\"", "store.s3", "store.path"),
            ("s3 = \"/proofs\"", "store.s3", "write it like"),
            (named, "store.access_key_id", ACCESS_KEY_ID),
            (
                &format!("{named}\naccess_key_id = \"a\""),
                "store.secret_access_key",
                SECRET_ACCESS_KEY,
            ),
            (&format!("{named}\nendpoint = \"s3.example\""), "store.endpoint", "https://"),
            (
                &format!("{named}\nendpoint = \"http://k:S3cret@s3\""),
                "store.endpoint",
                "write them as",
            ),
            ("s3 = \"s3://k:S3cret@proofs\"", "store.s3", "write them as"),
            ("s3 = \"https://k:S3cret/b\"", "store.s3", "write it like"),
            (&format!("{named}\nendpoint = \"minio:S3cret\""), "store.endpoint", "https://"),
            (&format!("{named}\nendpoint = \"http://h/?s=S3cret\""), "store.endpoint", "alone"),
            ("path = \"https://k:S3cret@h/b\"", "store.path", "store.s3"),
            ("path = \"https://k:S3cret/b\"", "store.path", "store.s3"),
            ("path = \"S3://k:S3cret@proofs\"", "store.path", "s3://BUCKET/PREFIX"),
        ] {
            let (at, what) = table(text).place(None, |_| None).expect_err(text);
            assert_eq!(at, key);
            assert!(what.contains(words) && !what.contains("S3cret"), "{what}");
        }
    }

    #[test]
    fn without_the_feature_a_bucket_is_refused_by_what_names_it() {
        assert_eq!(built_in("--store", true), Ok(()));
        let (key, what) = built_in("--store", false).expect_err("no bucket can be had");
        assert!(key == "--store" && what.contains("its feature `s3`"), "{what}");
    }

    #[test]
    fn secrets_are_not_shown() {
        let table = table(
            "secret_access_key = \"hush\"\nsession_token = \"lent\"\npath = \"u:hush@h\"\n\
             s3 = \"s3://k:hush@b\"\nendpoint = \"https://k:hush@h\"",
        );
        let shown = format!("{table:?}");
        assert!(!shown.contains("hush") && !shown.contains("lent"), "{shown}");
    }

    fn table(text: &str) -> StoreTable {
        toml::from_str(text).expect("every key is known")
    }

    fn keys(name: &str) -> Option<String> {
        [ACCESS_KEY_ID, SECRET_ACCESS_KEY].contains(&name).then(|| "key".to_owned())
    }
}
