//! Requests to a bucket from threads that wait for the answer.
//!
//! Every request has a limit of time and of retries. What an answer means is said by its type: that
//! there is no such object is a value; an error says nothing about any object.
//!
//! The futures are polled on the thread that waits; a runtime of one thread of its own moves the
//! bytes. So a caller may be on a thread of another runtime, which [`Runtime::block_on`] would
//! refuse.
//!
//! Not here: which objects there are (`s3`).

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, Error, MultipartUpload as _, ObjectMeta, ObjectStore as _,
    ObjectStoreExt as _, PutMode, PutPayload, RetryConfig,
};
use secrecy::ExposeSecret as _;
use tokio::runtime::{Builder, Runtime};

use super::trouble::{Doing, is_of_object, told};
use crate::store::bucket::S3Config;

/// One bucket. Everything here blocks.
#[derive(Debug)]
pub(super) struct Client {
    /// None only while it is dropped.
    runtime: Option<Runtime>,
    s3: AmazonS3,
    /// The same, but nothing is sent twice.
    once: AmazonS3,
    /// Which bucket, for a person.
    place: String,
}

/// The bytes of an object, as they come.
pub(super) struct Pieces {
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    /// When the object was written.
    pub(super) written: SystemTime,
}

impl Client {
    pub(super) fn new(config: &S3Config) -> io::Result<Self> {
        // An error: another was chosen for this process already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(BLOCKING_MAX)
            .thread_name("s3")
            .enable_all()
            .build()?;
        let place = config.place();
        let built =
            |retries| build(config, retries).map_err(|error| told(&place, Doing::Read, &error));
        let (s3, once) = (built(RETRIES_MAX)?, built(0)?);
        Ok(Self { runtime: Some(runtime), s3, once, place })
    }

    /// The bytes of an object, if there is one.
    pub(super) fn get(&self, key: &Path) -> io::Result<Option<Pieces>> {
        let Some(found) = self.found(Doing::Read, self.wait(self.s3.get(key)))? else {
            return Ok(None);
        };
        let written = found.meta.last_modified.into();
        Ok(Some(Pieces { stream: found.into_stream(), written }))
    }

    /// The next bytes of an object; none at its end.
    pub(super) fn next(&self, pieces: &mut Pieces) -> io::Result<Option<Bytes>> {
        self.wait(pieces.stream.next()).transpose().map_err(|error| self.told(Doing::Read, &error))
    }

    /// The text of a small object, if there is one.
    pub(super) fn text(&self, key: &Path) -> io::Result<Option<String>> {
        let Some(mut pieces) = self.get(key)? else { return Ok(None) };
        let mut text = Vec::new();
        while let Some(bytes) = self.next(&mut pieces)? {
            text.extend_from_slice(&bytes);
            if text.len() > TEXT_BYTES_MAX {
                return Err(io::Error::other(format!("{}: {key} is no text", self.place)));
            }
        }
        Ok(Some(String::from_utf8_lossy(&text).trim().to_owned()))
    }

    /// When an object was written, if there is one.
    pub(super) fn written(&self, key: &Path) -> io::Result<Option<SystemTime>> {
        let found = self.found(Doing::Read, self.wait(self.s3.head(key)))?;
        Ok(found.map(|meta| meta.last_modified.into()))
    }

    /// Writes an object where there is none; whether it did.
    pub(super) fn create(&self, key: &Path, bytes: Bytes) -> io::Result<bool> {
        match self.wait(self.s3.put_opts(key, PutPayload::from(bytes), PutMode::Create.into())) {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(self.told(Doing::Create, &error)),
        }
    }

    /// Writes an object, in the place of what is there.
    pub(super) fn overwrite(&self, key: &Path, bytes: Bytes) -> io::Result<()> {
        let written = self.wait(self.s3.put(key, PutPayload::from(bytes)));
        written.map(drop).map_err(|error| self.told(Doing::Write, &error))
    }

    /// Writes an object in pieces, of which each but the last has [`PIECE_BYTES`], in the place of
    /// what is there. It appears whole after the last; after an error there is nothing new.
    pub(super) fn upload(
        &self,
        key: &Path,
        mut next: impl FnMut() -> io::Result<Option<Bytes>>,
    ) -> io::Result<()> {
        let upload = self.wait(self.s3.put_multipart(key));
        let mut upload = upload.map_err(|error| self.told(Doing::Write, &error))?;
        let mut send = || {
            while let Some(piece) = next()? {
                let sent = self.wait(upload.put_part(PutPayload::from(piece)));
                sent.map_err(|error| self.told(Doing::Write, &error))?;
            }
            let ended = self.wait(upload.complete());
            ended.map(drop).map_err(|error| self.told(Doing::Write, &error))
        };
        let sent = send();
        if sent.is_err() {
            // Best effort: what stays costs room until a rule of the bucket removes it.
            let _ = self.wait(upload.abort());
        }
        sent
    }

    /// Gives `each` everything under a prefix, page by page.
    pub(super) fn walk(
        &self,
        prefix: &Path,
        each: &mut dyn FnMut(ObjectMeta) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut listed = self.s3.list(Some(prefix));
        while let Some(object) = self.wait(listed.next()) {
            each(object.map_err(|error| self.told(Doing::List, &error))?)?;
        }
        Ok(())
    }

    /// The first thing under a prefix, if there is any, of those that `is_wanted`.
    pub(super) fn first(
        &self,
        prefix: &Path,
        is_wanted: impl Fn(&Path) -> bool,
    ) -> io::Result<Option<Path>> {
        let mut listed = self.s3.list(Some(prefix));
        while let Some(object) = self.wait(listed.next()) {
            let object = object.map_err(|error| self.told(Doing::List, &error))?;
            if is_wanted(&object.location) {
                return Ok(Some(object.location));
            }
        }
        Ok(None)
    }

    /// Removes an object, if there is one. Asks once: an answer that is lost leaves no second
    /// request, which might come after the next `put`.
    pub(super) fn remove(&self, key: &Path) -> io::Result<()> {
        self.found(Doing::Remove, self.wait(self.once.delete(key))).map(drop)
    }

    /// Which bucket, for a person.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    fn found<T>(&self, doing: Doing, answer: object_store::Result<T>) -> io::Result<Option<T>> {
        match answer {
            Ok(found) => Ok(Some(found)),
            // "No such bucket" is 404 too, and says nothing about an object.
            Err(error @ Error::NotFound { .. }) if !is_of_object(&error) => {
                Err(self.told(doing, &error))
            }
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.told(doing, &error)),
        }
    }

    fn told(&self, doing: Doing, error: &Error) -> io::Error {
        told(&self.place, doing, error)
    }

    fn wait<F: Future>(&self, future: F) -> F::Output {
        let _entered = self.runtime.as_ref().map(Runtime::enter);
        let mut future = pin!(future);
        let waker = Waker::from(Arc::new(Waiting(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match future.as_mut().poll(&mut context) {
                Poll::Ready(answer) => return answer,
                Poll::Pending => thread::park(),
            }
        }
    }
}

/// Ends the runtime without waiting, as one must on a thread of another.
impl Drop for Client {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A thread that waits for an answer.
struct Waiting(Thread);

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn build(config: &S3Config, retries: usize) -> object_store::Result<AmazonS3> {
    let is_open = config.endpoint.as_deref().is_some_and(|url| url.starts_with("http://"));
    let options = ClientOptions::new()
        .with_allow_http(is_open)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_read_timeout(ANSWER_TIMEOUT)
        .with_timeout(REQUEST_TIMEOUT);
    let backoff = BackoffConfig { init_backoff: PAUSE, max_backoff: PAUSE_MAX, base: 2.0 };
    let retry = RetryConfig { backoff, max_retries: retries, retry_timeout: RETRY_TIMEOUT };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket.name)
        .with_region(&config.region)
        .with_access_key_id(&config.access_key_id)
        .with_secret_access_key(config.secret_access_key.expose_secret())
        .with_virtual_hosted_style_request(!config.path_style)
        // Objects are removed one at a time, and several kinds of S3 cannot remove many at once.
        .with_disable_bulk_delete(true)
        .with_client_options(options)
        .with_retry(retry);
    if let Some(url) = config.url() {
        builder = builder.with_endpoint(url);
    }
    if let Some(token) = &config.session_token {
        builder = builder.with_token(token.expose_secret());
    }
    builder.build()
}

/// Bytes of an upload that are in memory at once; a server may refuse pieces of less than 5 MiB,
/// and more than 10,000 of them (Amazon S3, multipart upload limits).
pub(super) const PIECE_BYTES: usize = 8 << 20;

/// The largest object that is read as text.
const TEXT_BYTES_MAX: usize = 1 << 10;

/// Names are looked up on them.
const BLOCKING_MAX: usize = 4;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// For the first byte of an answer, and from one to the next; a piece must be sent in it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// For all of a request and its answer: the largest output, 256 MiB, at less than 1 MiB/s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

/// What is safe to send again is, so often: seconds in all, after which the caller tells somebody
/// and goes on.
const RETRIES_MAX: usize = 5;
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);
