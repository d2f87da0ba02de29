//! `GET /metrics`: an HTTP server on a thread of its own, which answers scrapes and nothing else.
//!
//! Whoever can reach its address can read it: names of stages and programs, counts and times. It
//! takes no input but the path. Give it an address that only the scraper reaches.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::Semaphore;

use super::sheet::Sheet;

/// Fills a sheet for each scrape.
pub(super) type Fill = Arc<
    dyn for<'a> Fn(&'a mut Sheet) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> + Send + Sync,
>;

#[derive(Clone)]
struct Scraped {
    fill: Fill,
    seats: Arc<Semaphore>,
}

/// Binds the address. Nothing is answered yet.
///
/// # Errors
///
/// The system's own: it is taken, or not this machine's.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Answers from here on, for as long as the process lives.
///
/// # Errors
///
/// That there is no thread.
pub(super) fn serve(listener: TcpListener, fill: Fill) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let body = move || {
        runtime.block_on(async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            let seats = Arc::new(Semaphore::new(SEATS));
            let router = Router::new()
                .route("/metrics", get(scrape))
                .fallback(async || (StatusCode::NOT_FOUND, "there is /metrics, and nothing else\n"))
                .with_state(Scraped { fill, seats });
            // It ends with the process: axum itself waits out errors of `accept`.
            let _ = axum::serve(listener, router).await;
        });
    };
    std::thread::Builder::new().name("metrics".to_owned()).spawn(body).map(drop)
}

async fn scrape(State(Scraped { fill, seats }): State<Scraped>) -> Response {
    let Ok(_seat) = seats.try_acquire() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many scrapes at once: scrape less often\n")
            .into_response();
    };
    let mut sheet = Sheet::default();
    fill(&mut sheet).await;
    match sheet.text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// As OpenMetrics 1.0 names its text.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Scrapes that are answered at once: a pair of Prometheus servers, and a person.
const SEATS: usize = 8;
