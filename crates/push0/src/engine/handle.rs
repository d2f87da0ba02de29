//! How others ask the engine. A handle is cheap to clone; every call waits until its answer is durable.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use push0_core::{
    Block, DispatcherId, Epoch, Fleet, FromDispatcher, Input, Rejection, Scheduler, Seq,
};
use push0_engine::{Askers, Request, Taken};
use push0_log::Room;
use tokio::sync::{mpsc, oneshot, watch};

/// Something asked of the engine.
pub(super) enum Asked {
    /// As the engine takes it.
    Engine(Request<Replies>),
    /// This dispatcher's connection was seen to end then.
    Departed(DispatcherId, Instant),
    /// End after this turn.
    Stop,
}

/// Where answers go.
pub(super) struct Replies;

impl Askers for Replies {
    type Ask = oneshot::Sender<Result<(), Rejection>>;
    type Add = oneshot::Sender<Taken>;
    type Look = Look;
    type Probe = oneshot::Sender<(Epoch, Seq)>;
}

/// A look at durable state.
pub(super) type Look = Box<dyn FnOnce(&Scheduler, &Fleet) + Send>;

/// The engine has ended; its own result says why.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the engine has ended")]
pub struct Gone;

/// Asks the engine.
#[derive(Clone)]
pub struct Handle {
    requests: mpsc::Sender<Asked>,
    pulse: watch::Receiver<Seq>,
    room: watch::Receiver<Option<Room>>,
    is_stopping: Arc<AtomicBool>,
}

impl Handle {
    pub(super) const fn new(
        requests: mpsc::Sender<Asked>,
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
        let look: Look = Box::new(move |scheduler, fleet| {
            let _ = reply.send(look(scheduler, fleet)); // the asker may have hung up
        });
        self.send(Request::Look(look))?;
        Ok(answer)
    }

    /// As [`ask_all`](Self::ask_all), on a thread that runs async tasks.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn decide(&self, inputs: Vec<Input>) -> Result<Result<(), Rejection>, Gone> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Asked::Engine(Request::Ask(inputs, reply))).await.map_err(|_| Gone)?;
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
        self.requests.send(Asked::Engine(Request::Add(blocks, reply))).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// Has `inputs` decided; nobody waits for the answer. `false` if the engine is behind or gone, and nothing is
    /// decided.
    #[must_use]
    pub fn try_ask(&self, inputs: Vec<Input>) -> bool {
        let (reply, _) = oneshot::channel();
        self.requests.try_send(Asked::Engine(Request::Ask(inputs, reply))).is_ok()
    }

    /// As [`heard`](Self::heard), without waiting: `false` if the engine is behind or gone, and what was
    /// said is left out.
    #[must_use]
    pub fn try_heard(&self, said: Vec<FromDispatcher>) -> bool {
        self.requests.try_send(Asked::Engine(Request::Heard(said))).is_ok()
    }

    /// Tells that a dispatcher's connection ended at `when`, and did not come back.
    ///
    /// # Errors
    ///
    /// [`Gone`].
    pub async fn departed(&self, dispatcher: DispatcherId, when: Instant) -> Result<(), Gone> {
        self.requests.send(Asked::Departed(dispatcher, when)).await.map_err(|_| Gone)
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
        let look: Look = Box::new(move |scheduler, fleet| {
            let _ = reply.send(look(scheduler, fleet)); // the asker may have hung up
        });
        self.requests.send(Asked::Engine(Request::Look(look))).await.map_err(|_| Gone)?;
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
        self.requests.send(Asked::Engine(Request::Probe(reply))).await.map_err(|_| Gone)?;
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
        let _ = self.requests.blocking_send(Asked::Stop);
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

    fn send(&self, request: Request<Replies>) -> Result<(), Gone> {
        self.requests.blocking_send(Asked::Engine(request)).map_err(|_| Gone)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
