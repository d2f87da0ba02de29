//! How others ask the engine. A handle is cheap to clone; every call waits until its answer is
//! durable.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use push0_core::{
    Block, DispatcherId, Epoch, Fleet, FromDispatcher, Input, Rejection, Scheduler, Seq,
};
use push0_engine::{Admission, Askers, Request};
use push0_log::Room;
use tokio::sync::{mpsc, oneshot, watch};

/// Something asked of the engine.
pub(super) enum EngineRequest {
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
    type Add = oneshot::Sender<Admission>;
    type Look = Look;
    type Probe = oneshot::Sender<(Epoch, Seq)>;
}

/// A look at durable state.
pub(super) type Look = Box<dyn FnOnce(&Scheduler, &Fleet) + Send>;

/// The engine has ended; its own result says why.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the engine has ended")]
pub struct EngineGone;

/// Asks the engine.
#[derive(Clone)]
pub struct Handle {
    requests: mpsc::Sender<EngineRequest>,
    pulse: watch::Receiver<Seq>,
    room: watch::Receiver<Option<Room>>,
    is_stopping: Arc<AtomicBool>,
}

impl Handle {
    pub(super) const fn new(
        requests: mpsc::Sender<EngineRequest>,
        pulse: watch::Receiver<Seq>,
        room: watch::Receiver<Option<Room>>,
        is_stopping: Arc<AtomicBool>,
    ) -> Self {
        Self { requests, pulse, room, is_stopping }
    }

    /// Has `input` decided and made durable. Blocks; never call it on a thread that runs async
    /// tasks.
    ///
    /// # Errors
    ///
    /// [`EngineGone`]; within, the engine's refusal.
    pub fn ask(&self, input: Input) -> Result<Result<(), Rejection>, EngineGone> {
        self.ask_all(vec![input])
    }

    /// Has `inputs` decided in one turn. Blocks as [`ask`](Self::ask) does.
    ///
    /// # Errors
    ///
    /// [`EngineGone`]; within, the engine's first refusal, which keeps none of the others from
    /// being decided.
    pub fn ask_all(&self, inputs: Vec<Input>) -> Result<Result<(), Rejection>, EngineGone> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Ask(inputs, reply))?;
        answer.blocking_recv().map_err(|_| EngineGone)
    }

    /// Hands on what a dispatcher says. Blocks while the engine is behind.
    ///
    /// # Errors
    ///
    /// [`EngineGone`].
    pub fn heard(&self, message: FromDispatcher) -> Result<(), EngineGone> {
        self.send(Request::Heard(vec![message]))
    }

    /// Has the engine look at its state, as far as it is durable. Blocks.
    ///
    /// # Errors
    ///
    /// [`EngineGone`].
    pub fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Scheduler, &Fleet) -> T + Send + 'static,
    ) -> Result<T, EngineGone> {
        self.begin_look(look)?.recv().map_err(|_| EngineGone)
    }

    /// As [`look`](Self::look), for who has something else to do until the answer is there. An
    /// engine whose log's disk is full answers once there is room.
    ///
    /// # Errors
    ///
    /// [`EngineGone`].
    pub fn begin_look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Scheduler, &Fleet) -> T + Send + 'static,
    ) -> Result<Receiver<T>, EngineGone> {
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
    pub async fn decide(&self, inputs: Vec<Input>) -> Result<Result<(), Rejection>, EngineGone> {
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(EngineRequest::Engine(Request::Ask(inputs, reply)))
            .await
            .map_err(|_| EngineGone)?;
        answer.await.map_err(|_| EngineGone)
    }

    /// Has `blocks` added in one turn, up to the first that is refused or finds no room in it;
    /// answers how each stood that was taken, and the refusal.
    ///
    /// # Errors
    ///
    /// [`EngineGone`].
    pub async fn add(&self, blocks: Vec<Block>) -> Result<Admission, EngineGone> {
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(EngineRequest::Engine(Request::Add(blocks, reply)))
            .await
            .map_err(|_| EngineGone)?;
        answer.await.map_err(|_| EngineGone)
    }

    /// Has `inputs` decided; nobody waits for the answer. `false` if the engine is behind or gone,
    /// and nothing is decided.
    #[must_use]
    pub fn try_ask(&self, inputs: Vec<Input>) -> bool {
        let (reply, _) = oneshot::channel();
        self.requests.try_send(EngineRequest::Engine(Request::Ask(inputs, reply))).is_ok()
    }

    /// As [`heard`](Self::heard), without waiting: `false` if the engine is behind or gone, and
    /// what was said is left out.
    #[must_use]
    pub fn try_heard(&self, said: Vec<FromDispatcher>) -> bool {
        self.requests.try_send(EngineRequest::Engine(Request::Heard(said))).is_ok()
    }

    /// Tells that a dispatcher's connection ended at `when`, and did not come back.
    ///
    /// # Errors
    ///
    /// [`EngineGone`].
    pub async fn departed(
        &self,
        dispatcher: DispatcherId,
        when: Instant,
    ) -> Result<(), EngineGone> {
        self.requests.send(EngineRequest::Departed(dispatcher, when)).await.map_err(|_| EngineGone)
    }

    /// As [`look`](Self::look), on a thread that runs async tasks.
    ///
    /// # Errors
    ///
    /// [`EngineGone`].
    pub async fn see<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Scheduler, &Fleet) -> T + Send + 'static,
    ) -> Result<T, EngineGone> {
        let (reply, answer) = oneshot::channel();
        let look: Look = Box::new(move |scheduler, fleet| {
            let _ = reply.send(look(scheduler, fleet)); // the asker may have hung up
        });
        self.requests
            .send(EngineRequest::Engine(Request::Look(look)))
            .await
            .map_err(|_| EngineGone)?;
        answer.await.map_err(|_| EngineGone)
    }

    /// The engine's epoch and the position of the last durable event, once its log has confirmed
    /// that both stand: an append that landed, or a question that changes nothing.
    ///
    /// # Errors
    ///
    /// [`EngineGone`]: it has ended, or its log does not answer.
    pub async fn probe(&self) -> Result<(Epoch, Seq), EngineGone> {
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(EngineRequest::Engine(Request::Probe(reply)))
            .await
            .map_err(|_| EngineGone)?;
        answer.await.map_err(|_| EngineGone)
    }

    /// As [`probe`](Self::probe), where nothing else is to be known. Blocks.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn confirm(&self) -> Result<(), EngineGone> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Probe(reply))?;
        answer.blocking_recv().map(drop).map_err(|_| EngineGone)
    }

    /// Has the engine grant nothing more.
    ///
    /// # Errors
    ///
    /// [`EngineGone`].
    pub fn drain(&self) -> Result<(), EngineGone> {
        self.send(Request::Drain)
    }

    /// Has the engine end, also one that waits for room. Nothing happens if it has.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        let _ = self.requests.blocking_send(EngineRequest::Stop);
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

    fn send(&self, request: Request<Replies>) -> Result<(), EngineGone> {
        self.requests.blocking_send(EngineRequest::Engine(request)).map_err(|_| EngineGone)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
