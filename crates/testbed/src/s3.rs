//! A server that speaks S3 on loopback, over a directory, which can be stopped, started again, and
//! made to fail.
//!
//! An object is a file, `DIR/BUCKET/KEY`: a test damages or ages it there. Requests must be signed
//! with the server's keys. What is written to an object only where there is none is so for one at a
//! time, which the crate beneath does not see to. Listening ends, and connections are closed, when
//! [`S3`] is dropped.
//!
//! Not here: durability. Nothing is synced.

use std::convert::Infallible;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use hyper::body::Incoming;
use hyper::header::IF_NONE_MATCH;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::Body;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

/// A server with one bucket in a temporary directory. It ends when this is dropped.
#[derive(Debug)]
pub struct S3 {
    dir: TempDir,
    address: SocketAddr,
    /// The answer to all requests, if it is not what is asked for.
    fault: Arc<AtomicU16>,
    /// None while it is stopped.
    runtime: Option<Runtime>,
}

impl S3 {
    /// The one bucket.
    pub const BUCKET: &str = "artifacts";
    /// Who may use it.
    pub const ACCESS_KEY_ID: &str = "AKIATESTBED";
    /// What proves it.
    pub const SECRET_ACCESS_KEY: &str = "testbed-secret";

    /// A server with an empty bucket.
    #[must_use]
    pub fn start() -> Self {
        let dir = TempDir::new().expect("a directory");
        let (runtime, address, fault) =
            (None, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Arc::default());
        let mut server = Self { dir, address, fault, runtime };
        server.restart();
        server
    }

    /// Where clients connect.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the objects of the bucket are files.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.dir.path().join(Self::BUCKET)
    }

    /// Closes all connections, and listens no more.
    pub fn stop(&mut self) {
        self.runtime = None;
    }

    /// Listens again, where it did, with the objects that it had.
    ///
    /// # Panics
    ///
    /// If it was not stopped, or another process has its port.
    pub fn restart(&mut self) {
        assert!(self.runtime.is_none(), "stop it first");
        let runtime = Runtime::new().expect("a runtime");
        let keys = Keys {
            access_key_id: Self::ACCESS_KEY_ID.to_owned(),
            secret_access_key: Self::SECRET_ACCESS_KEY.to_owned(),
        };
        let listener = TcpListener::bind(self.address).expect("its port is free");
        self.address = listener.local_addr().expect("it listens");
        let server = serve(listener, self.dir.path(), Self::BUCKET, keys, Arc::clone(&self.fault));
        runtime.spawn(server);
        self.runtime = Some(runtime);
    }

    /// Answers every request with this status, and nothing else, from now on.
    pub fn fail(&self, status: u16) {
        self.fault.store(status, Ordering::Relaxed);
    }

    /// Answers what it is asked again.
    pub fn heal(&self) {
        self.fail(0);
    }
}

/// Who may use a server.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Who it is.
    pub access_key_id: String,
    /// What proves it.
    pub secret_access_key: String,
}

/// Serves one bucket out of `dir`, where it is made if there is none, for as long as it is polled.
/// A status in `fault` is the answer to all.
///
/// # Panics
///
/// At once, if it cannot use the directory or the socket.
pub fn serve(
    listener: TcpListener,
    dir: &Path,
    bucket: &str,
    keys: Keys,
    fault: Arc<AtomicU16>,
) -> impl Future<Output = ()> + Send + use<> {
    fs::create_dir_all(dir.join(bucket)).expect("a writable directory");
    let files = FileSystem::new(dir).expect("a readable directory");
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(keys.access_key_id, keys.secret_access_key));
    let service = builder.build();
    listener.set_nonblocking(true).expect("a socket of ours");
    async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a runtime with I/O");
        let creations = Arc::<Mutex<()>>::default();
        loop {
            // Not for want of a client, but of files or memory: the next one may do.
            let Ok((stream, _)) = listener.accept().await else { continue };
            let (service, creations) = (service.clone(), Arc::clone(&creations));
            let fault = Arc::clone(&fault);
            tokio::spawn(async move {
                let answer = service_fn(|request| answer(&service, &creations, &fault, request));
                let mut server = http1::Builder::new();
                server.timer(TokioTimer::new());
                // A client that hangs up is no fault.
                let _ = server.serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    }
}

async fn answer(
    service: &S3Service,
    creations: &Mutex<()>,
    fault: &AtomicU16,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let failed = |status| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        Ok(response)
    };
    if let Ok(status) = StatusCode::from_u16(fault.load(Ordering::Relaxed)) {
        return failed(status);
    }
    let _alone = match request.headers().contains_key(IF_NONE_MATCH) {
        true => Some(creations.lock().await),
        false => None,
    };
    match service.call(request.map(Body::from)).await {
        Ok(response) => Ok(response),
        Err(_) => failed(StatusCode::INTERNAL_SERVER_ERROR),
    }
}
