//! How others ask the engine. A handle is cheap to clone; every call waits until its answer is durable.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use push0_core::{
    Arrival, Block, DispatcherId, Epoch, Fleet, FromDispatcher, Input, Rejection, Scheduler, Seq,
};
use push0_log::Room;
use tokio::sync::{mpsc, oneshot, watch};

/// Something asked of the engine.
pub enum Request {
    /// Decide these, in one turn; the answer is the first refusal.
    Ask(Vec<Input>, Reply),
    /// Decide what is left of some that began before, with the answer so far where somebody waits for it.
    Rest(Vec<Input>, Option<Answered>),
    /// Add these blocks in one turn, up to the first that is refused or finds no room in it.
    InOrder(Vec<Block>, oneshot::Sender<Taken>),
    /// Take what a dispatcher says.
    Heard(Vec<FromDispatcher>),
    /// This dispatcher's connection was seen to end then.
    Departed(DispatcherId, Instant),
    /// Show the state, as of the end of a turn.
    Look(Look),
    /// Say how far the log is durable, once it has answered.
    Probe(Pulse),
    /// Grant nothing more.
    Drain,
    /// End after this turn.
    Stop,
}

/// What became of some inputs, in order.
#[derive(Debug, Default)]
pub struct Taken {
    /// How each block that was taken stood to the chain when it came; one for each input that was taken.
    pub arrivals: Vec<Arrival>,
    /// Why the next one was not.
    pub refused: Option<Rejection>,
}

/// An answer, and who waits for it.
pub(super) type Answered = (Reply, Result<(), Rejection>);

/// Where an answer goes.
pub(super) type Reply = oneshot::Sender<Result<(), Rejection>>;

/// Where the epoch goes, and the position of the last durable event.
pub(super) type Pulse = oneshot::Sender<(Epoch, Seq)>;

/// A look at durable state.
pub(super) type Look = Box<dyn FnOnce(&Scheduler, &Fleet) + Send>;

/// The engine has ended; its own result says why.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the engine has ended")]
pub struct Gone;

/// Asks the engine.
#[derive(Clone)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
    pulse: watch::Receiver<Seq>,
    room: watch::Receiver<Option<Room>>,
    is_stopping: Arc<AtomicBool>,
}

impl Handle {
    pub(super) const fn new(
        requests: mpsc::Sender<Request>,
        pulse: watch::Receiver<Seq>,
        room: watch::Receiver<Option<Room>>,
        is_stopping: Arc<AtomicBool>,
    ) -> Self {
        Self { requests, pulse, room, is_stopping }
    }

    /// Has `input` decided and made durable. Blocks; never call it on a thread that runs async tasks.
    ///
    /// # Errors
    ///
    /// [`Gone`]; within, the engine's refusal.
    pub fn ask(&self, input: Input) -> Result<Result<(), Rejection>, Gone> {
        self.ask_all(vec![input])
    }

    /// Has `inputs` decided in one turn. Blocks as [`ask`](Self::ask) does.
    ///
    /// # Errors
    ///
    /// [`Gone`]; within, the engine's first refusal, which keeps none of the others from being decided.
    pub fn ask_all(&self, inputs: Vec<Input>) -> Result<Result<(), Rejection>, Gone> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Ask(inputs, reply))?;
        answer.blocking_recv().map_err(|_| Gone)
    }

    /// Hands on what a dispatcher says. Blocks while the engine is behind.
    ///
    /// # Errors
    ///
    /// [`Gone`].
    pub fn heard(&self, message: FromDispatcher) -> Result<(), Gone> {
        self.send(Request::Heard(vec![message]))
    }

    /// Has the engine look at its state, as far as it is durable. Blocks.
    ///
    /// # Errors
    ///
    /// [`Gone`].
    pub fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Scheduler, &Fleet) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        self.begin_look(look)?.recv().map_err(|_| Gone)
    }

    /// As [`look`](Self::look), for who has something else to do until the answer is there. An engine
    /// whose log's disk is full answers once there is room.
    ///
    /// # Errors
    ///
    /// [`Gone`].
    pub fn begin_look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Scheduler, &Fleet) -> T + Send + 'static,
    ) -> Result<Receiver<T>, Gone> {
        let (reply, answer) = sync_channel(1);
        let look = move |scheduler: &Scheduler, fleet: &Fleet| {
            let _ = reply.send(look(scheduler, fleet)); // the asker may have hung up
        };
        self.send(Request::Look(Box::new(look)))?;
        Ok(answer)
    }

    /// As [`ask_all`](Self::ask_all), on a thread that runs async tasks.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn decide(&self, inputs: Vec<Input>) -> Result<Result<(), Rejection>, Gone> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Ask(inputs, reply)).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// Has `blocks` added in one turn, up to the first that is refused or finds no room in it; answers how each stood that
    /// was taken, and the refusal.
    ///
    /// # Errors
    ///
    /// [`Gone`].
    pub async fn add(&self, blocks: Vec<Block>) -> Result<Taken, Gone> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::InOrder(blocks, reply)).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// Has `inputs` decided; nobody waits for the answer. `false` if the engine is behind or gone, and nothing is
    /// decided.
    #[must_use]
    pub fn try_ask(&self, inputs: Vec<Input>) -> bool {
        let (reply, _) = oneshot::channel();
        self.requests.try_send(Request::Ask(inputs, reply)).is_ok()
    }

    /// As [`heard`](Self::heard), without waiting: `false` if the engine is behind or gone, and what was
    /// said is left out.
    #[must_use]
    pub fn try_heard(&self, said: Vec<FromDispatcher>) -> bool {
        self.requests.try_send(Request::Heard(said)).is_ok()
    }

    /// Tells that a dispatcher's connection ended at `when`, and did not come back.
    ///
    /// # Errors
    ///
    /// [`Gone`].
    pub async fn departed(&self, dispatcher: DispatcherId, when: Instant) -> Result<(), Gone> {
        self.requests.send(Request::Departed(dispatcher, when)).await.map_err(|_| Gone)
    }

    /// As [`look`](Self::look), on a thread that runs async tasks.
    ///
    /// # Errors
    ///
    /// [`Gone`].
    pub async fn see<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Scheduler, &Fleet) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        let look = move |scheduler: &Scheduler, fleet: &Fleet| {
            let _ = reply.send(look(scheduler, fleet)); // the asker may have hung up
        };
        self.requests.send(Request::Look(Box::new(look))).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// The engine's epoch and the position of the last durable event, once its log has confirmed that both
    /// stand: an append that landed, or a question that changes nothing.
    ///
    /// # Errors
    ///
    /// [`Gone`]: it has ended, or its log does not answer.
    pub async fn probe(&self) -> Result<(Epoch, Seq), Gone> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Probe(reply)).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// As [`probe`](Self::probe), where nothing else is to be known. Blocks.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn confirm(&self) -> Result<(), Gone> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Probe(reply))?;
        answer.blocking_recv().map(drop).map_err(|_| Gone)
    }

    /// Has the engine grant nothing more.
    ///
    /// # Errors
    ///
    /// [`Gone`].
    pub fn drain(&self) -> Result<(), Gone> {
        self.send(Request::Drain)
    }

    /// Has the engine end, also one that waits for room. Nothing happens if it has.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        let _ = self.send(Request::Stop);
    }

    /// Waits until the engine has ended.
    pub async fn ended(&self) {
        self.requests.closed().await;
    }

    /// Whether the engine has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.requests.is_closed()
    }

    /// The position of the last durable event, and a way to wait for the next.
    #[must_use]
    pub fn pulse(&self) -> watch::Receiver<Seq> {
        self.pulse.clone()
    }

    /// How full the log is, where that is known.
    #[must_use]
    pub fn room(&self) -> Option<Room> {
        self.room.borrow().clone()
    }

    fn send(&self, request: Request) -> Result<(), Gone> {
        self.requests.blocking_send(request).map_err(|_| Gone)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(inputs, _) => f.debug_tuple("Ask").field(inputs).finish(),
            Self::Rest(inputs, _) => f.debug_tuple("Rest").field(inputs).finish(),
            Self::InOrder(inputs, _) => f.debug_tuple("InOrder").field(inputs).finish(),
            Self::Heard(message) => f.debug_tuple("Heard").field(message).finish(),
            Self::Departed(dispatcher, _) => f.debug_tuple("Departed").field(dispatcher).finish(),
            Self::Look(_) => f.write_str("Look"),
            Self::Probe(_) => f.write_str("Probe"),
            Self::Drain => f.write_str("Drain"),
            Self::Stop => f.write_str("Stop"),
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
