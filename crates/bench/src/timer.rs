//! Sleep that ends when it should.

use std::time::Duration;

use futures_timer::Delay;

/// Waits for `time`, and some 0.1 ms.
///
/// A runtime's own timers end on its milliseconds, all of one millisecond together. Provers that
/// sleep so answer in bursts, as no fleet on machines of its own does, and what is measured then is
/// the burst. Here a thread waits for whichever ends next.
pub(crate) async fn sleep(time: Duration) {
    Delay::new(time).await;
}
