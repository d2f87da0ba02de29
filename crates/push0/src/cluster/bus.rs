//! Publishing and listening. Everything here may be lost, and nobody depends on one message.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, HeaderMap, Message, Subscriber};
use futures_util::{FutureExt as _, StreamExt as _};
use push0_core::{Beat, DispatcherId, Epoch, FromDispatcher, Life, Outcome, Report, ToDispatcher};
use push0_log::nats_client;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::timeout;

use super::error::ClusterError;
use super::lives::Origin;
use super::right::Right;
use super::role::{INBOX, is_inbox};
use super::settings::Settings;
use super::trace::Trace;
use super::wire::{Answer, Ask, Down, Present};
use crate::engine::Post;
use crate::tell::Repeats;

/// The subjects of one prefix.
#[derive(Clone, Debug)]
pub struct Bus {
    client: Client,
    prefix: Arc<str>,
    /// What the servers last refused; none where the connection is the caller's.
    refusals: Option<watch::Receiver<String>>,
    /// What goes with a dispatcher's beats.
    origin: Origin,
    /// Whether all is asked by the right to operate, which is for operators alone.
    operates: bool,
}

/// Where the leader says that it leads.
pub const BEAT: &str = "engine.beat";
/// Who is there?
pub(super) const PRESENT: &str = "present";

impl Bus {
    pub(super) async fn connect(settings: &Settings) -> Result<Self, ClusterError> {
        let (client, mut refusals) = nats_client(&settings.nats).await?;
        let seen = Some(refusals.clone());
        tokio::spawn(async move {
            let mut troubles = Repeats::default();
            while refusals.changed().await.is_ok() {
                let words = refusals.borrow_and_update().clone();
                let is_of_rights = words.to_lowercase();
                let is_of_rights =
                    is_of_rights.contains("permission") || is_of_rights.contains("authoriz");
                let hint =
                    if is_of_rights { " (docs/nats.md has what each role needs)" } else { "" };
                troubles.fails(&format!("NATS refuses: {words}{hint}"));
            }
        });
        Ok(Self {
            client,
            prefix: Arc::from(&*settings.prefix),
            refusals: seen,
            origin: Origin::default(),
            operates: settings.operates,
        })
    }

    /// Over a connection of the caller's, with this prefix of all subjects.
    #[must_use]
    pub fn over(client: Client, prefix: &str) -> Self {
        let (prefix, origin) = (Arc::from(prefix), Origin::default());
        Self { client, prefix, refusals: None, origin, operates: false }
    }

    /// The same for a dispatcher that says this of itself with each beat.
    pub(super) fn speaking_as(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// Tells a life of a dispatcher that it is not heard, since another has its name.
    pub(super) async fn refuse(&self, of: &Life) {
        let down = Down { epoch: Epoch(0), messages: Vec::new(), name_is_taken: true, leave: None };
        self.publish(&life(of), &down).await;
    }

    /// Asks a life of a dispatcher to leave, in the name of the engine that leads in `epoch`.
    pub(super) async fn ask_to_leave(&self, epoch: Epoch, of: &Life, by: &str) {
        let leave = Some(by.to_owned());
        let down = Down { epoch, messages: Vec::new(), name_is_taken: false, leave };
        self.publish(&life(of), &down).await;
    }

    /// Sends `message` now or never: later it would be stale. Answers whether it leaves.
    pub async fn publish(&self, tail: &str, message: &impl Serialize) -> bool {
        self.publish_traced(tail, message, HeaderMap::new()).await
    }

    /// Sends what a dispatcher has to say, in as few messages as there is room for, each part with
    /// its trace. Answers whether all leave.
    pub async fn say(&self, tail: &str, said: Vec<FromDispatcher>) -> bool {
        let mut leaves = true;
        let bytes_max = self.bytes_max();
        let said = said.into_iter().map(|said| fitting(said, bytes_max)).collect();
        for parcel in parcels(said, weight_up) {
            let mut headers = Trace::headers_of(parcel.iter().filter_map(Trace::of_up));
            if parcel.iter().any(|said| matches!(said, FromDispatcher::Beat(_))) {
                self.origin.write(&mut headers);
            }
            leaves &= self.publish_traced(tail, &parcel, headers).await;
        }
        leaves
    }

    async fn publish_traced(
        &self,
        tail: &str,
        message: &impl Serialize,
        traces: HeaderMap,
    ) -> bool {
        let Ok(json) = serde_json::to_vec(message) else { return false };
        let publish = self.client.publish_with_headers(self.subject(tail), traces, json.into());
        self.is_connected() && matches!(timeout(PUBLISH_MAX, publish).await, Ok(Ok(())))
    }

    /// The longest message that its server takes. Unit: bytes.
    pub(super) fn bytes_max(&self) -> usize {
        self.client.max_payload()
    }

    /// Whether there is a server, as far as is known.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// How often it was connected.
    pub(super) fn connects(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }

    /// Waits until what was published has left, for a moment.
    pub async fn flush(&self) {
        let _ = timeout(FLUSH_MAX, self.client.flush()).await;
    }

    /// Listens from here on, across lost connections.
    pub async fn subscribe(&self, tail: &str) -> Subscriber {
        loop {
            if let Ok(messages) = self.client.subscribe(self.subject(tail)).await {
                return messages;
            }
            tokio::time::sleep(PUBLISH_MAX).await; // its own queue was full
        }
    }

    /// The right by which this is asked: the least that it needs, or that of an operator.
    pub(super) const fn right(&self, ask: &Ask) -> Right {
        if self.operates { Right::Operate } else { Right::for_asking(ask) }
    }

    /// Asks whoever leads, once, on the subject of the right that this needs.
    pub async fn ask(&self, ask: &Ask) -> Option<Answer> {
        let json = serde_json::to_vec(ask).ok()?;
        let headers = Trace::of_question().headers();
        let subject = self.subject(self.right(ask).subject());
        let answer = self.client.request_with_headers(subject, headers, json.into());
        let answer = timeout(ANSWER_MAX, answer).await.ok()?.ok()?;
        read(&answer.payload)
    }

    /// Asks one that is no engine, once. The servers' words, where this user may not; else none.
    pub(super) async fn request<A: DeserializeOwned>(
        &self,
        tail: &str,
        ask: &impl Serialize,
    ) -> Option<Result<A, String>> {
        let (json, headers) = (serde_json::to_vec(ask).ok()?, Trace::of_question().headers());
        let subject = self.subject(tail);
        let answer = self.client.request_with_headers(subject.clone(), headers, json.into());
        if let Ok(Ok(answer)) = timeout(ANSWER_MAX, answer).await {
            return read(&answer.payload).map(Ok);
        }
        let words = self.refusals.as_ref()?.borrow().clone();
        let is_it =
            words.contains(&format!("\"{subject}\"")) || words.contains(&format!("\"{INBOX}."));
        is_it.then_some(Err(words))
    }

    /// The servers' words, where they let this user not ask that, or not hear the answer.
    pub(super) fn forbids(&self, ask: &Ask) -> Option<String> {
        let words = self.refusals.as_ref()?.borrow().clone();
        let subject = format!("\"{}\"", self.subject(self.right(ask).subject()));
        let is_it = words.contains(&subject) || words.contains(&format!("\"{INBOX}."));
        is_it.then_some(words)
    }

    /// Asks who is there, and takes the answers that come within `wait`.
    pub(super) async fn roll_call(&self, wait: Duration) -> Vec<Present> {
        let mut there = Vec::new();
        let inbox = self.client.new_inbox();
        let Ok(mut answers) = self.client.subscribe(inbox.clone()).await else { return there };
        let (subject, headers) = (self.subject(PRESENT), Trace::of_question().headers());
        let asked =
            self.client.publish_with_reply_and_headers(subject, inbox, headers, "".into()).await;
        if asked.is_err() {
            return there;
        }
        let ends = tokio::time::Instant::now() + wait;
        while let Ok(Some(answer)) = tokio::time::timeout_at(ends, answers.next()).await {
            there.extend(read::<Present>(&answer.payload));
            if there.len() >= PRESENT_MAX {
                break;
            }
        }
        there
    }

    /// Answers to inboxes alone: whoever may ask could else have this write to the log.
    pub(super) async fn answer(&self, question: &Message, answer: &impl Serialize) {
        let to = question.reply.clone().filter(|to| is_inbox(to));
        if let (Some(to), Ok(json)) = (to, serde_json::to_vec(answer)) {
            let trace = Trace::of_headers(question.headers.as_ref());
            let headers = trace.map(Trace::headers).unwrap_or_default();
            let publish = self.client.publish_with_headers(to, headers, json.into());
            let _ = timeout(PUBLISH_MAX, publish).await;
        }
    }

    fn subject(&self, tail: &str) -> String {
        format!("{}.{tail}", self.prefix)
    }
}

/// The subject of one life of a dispatcher.
pub fn life(of: &Life) -> String {
    format!("dispatcher.{}.{}", of.dispatcher, of.incarnation)
}

/// The subject of what a dispatcher says. Its name is in it, so that a server can keep others from
/// speaking for it.
pub fn hear(of: &DispatcherId) -> String {
    format!("{HEAR}.{of}")
}

/// The subject on which a dispatcher is asked what its attempts print.
pub(super) fn output(of: &DispatcherId) -> String {
    format!("output.{of}")
}

/// The subject of what all dispatchers say.
pub(super) fn hear_all() -> String {
    format!("{HEAR}.*")
}

/// The dispatcher that says it, by its subject.
pub(super) fn speaker(message: &Message) -> &str {
    message.subject.rsplit('.').next().unwrap_or_default()
}

/// What a dispatcher says, as far as it says it itself.
pub(super) fn heard(message: &Message) -> Vec<FromDispatcher> {
    let mut said: Vec<FromDispatcher> = read(&message.payload).unwrap_or_default();
    let by = speaker(message);
    said.retain(|said| {
        let (FromDispatcher::Beat(Beat { dispatcher, .. })
        | FromDispatcher::Report(Report { dispatcher, .. })) = said;
        dispatcher.as_str() == by
    });
    said
}

/// What is said, or where no message could hold it, that its result cannot be taken: else it would
/// be said for ever, and never heard.
fn fitting(said: FromDispatcher, bytes_max: usize) -> FromDispatcher {
    match said {
        FromDispatcher::Report(report)
            if parts_of(&report) * PART_BYTES + REST_BYTES > bytes_max =>
        {
            let message = format!(
                "a result of {} parts is too long for a message of the NATS servers, which take {bytes_max} bytes: raise \
                 max_payload in their configuration",
                parts_of(&report)
            );
            FromDispatcher::Report(Report { outcome: Outcome::Rejected { message }, ..report })
        }
        said @ (FromDispatcher::Report(_) | FromDispatcher::Beat(_)) => said,
    }
}

fn parts_of(report: &Report) -> usize {
    match &report.outcome {
        Outcome::Proved(result) => result.parts.len(),
        Outcome::Rejected { .. }
        | Outcome::Failed { .. }
        | Outcome::NotRun { .. }
        | Outcome::InputLost { .. }
        | Outcome::Cancelled => 0,
    }
}

/// What is said together, cut so that no message is too large: what is short shares one.
fn parcels<T>(said: Vec<T>, bytes: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let (mut parcels, mut room) = (Vec::new(), 0_usize);
    for one in said {
        let needs = bytes(&one);
        match parcels.last_mut() {
            Some(last) if needs <= room => Vec::push(last, one),
            _ => {
                parcels.push(vec![one]);
                room = PARCEL_BYTES;
            }
        }
        room = room.saturating_sub(needs);
    }
    parcels
}

/// How long a report or a beat is in JSON, roughly.
fn weight_up(message: &FromDispatcher) -> usize {
    match message {
        FromDispatcher::Beat(beat) => 512 + 96 * beat.running.len() + 96 * beat.held.len(),
        FromDispatcher::Report(report) => match &report.outcome {
            Outcome::Proved(result) => 1_024 + 72 * result.parts.len(),
            // It holds what a prover has printed, with escapes.
            Outcome::Rejected { message }
            | Outcome::Failed { message, .. }
            | Outcome::NotRun { message } => 1_024 + 6 * message.len(),
            Outcome::InputLost { .. } | Outcome::Cancelled => 1_024,
        },
    }
}

/// How long a message to a dispatcher is in JSON, roughly.
fn weight_down(message: &ToDispatcher) -> usize {
    match message {
        ToDispatcher::Grant(grant) => 1_024 + 512 * grant.inputs.len(),
        ToDispatcher::Cancel(_) | ToDispatcher::Verdict(..) => 64,
    }
}

/// What a message says; nothing where it says nothing that is known here.
pub fn read<T: DeserializeOwned>(payload: &[u8]) -> Option<T> {
    serde_json::from_slice(payload).ok()
}

/// Messages of the engine that leads in this epoch, on their way to dispatchers.
pub(super) struct NatsPost {
    epoch: Epoch,
    bus: Bus,
}

impl NatsPost {
    pub(super) const fn new(bus: Bus, epoch: Epoch) -> Self {
        Self { epoch, bus }
    }
}

impl Post for NatsPost {
    /// Into the client's own queue, at once: a task in between would be one more to wake.
    fn send(&self, to: &Life, messages: Vec<ToDispatcher>) {
        if !self.bus.is_connected() {
            return;
        }
        let subject = self.bus.subject(&life(to));
        for messages in parcels(messages, weight_down) {
            let headers = Trace::headers_of(messages.iter().filter_map(Trace::of_down));
            let down = Down { epoch: self.epoch, messages, name_is_taken: false, leave: None };
            let Ok(json) = serde_json::to_vec(&down) else { return };
            let publish =
                self.bus.client.publish_with_headers(subject.clone(), headers, json.into());
            // Without room in the queue it is left out. Unconstrained, since a task that has sent
            // to a hundred has used up its turn, and would find no room where there is some.
            let _ = tokio::task::unconstrained(publish).now_or_never();
        }
    }
}

const HEAR: &str = "engine.hear";

/// A part of a result, in JSON.
const PART_BYTES: usize = 68;

/// What a report says beside, and the headers of its message.
const REST_BYTES: usize = 4 << 10;

/// Much less than a server takes for one message (1 MiB, unless it is told otherwise).
const PARCEL_BYTES: usize = 128 << 10;

/// How long a message waits for room in the client's queue.
const PUBLISH_MAX: Duration = Duration::from_millis(100);

const FLUSH_MAX: Duration = Duration::from_secs(1);

/// How long the answer to one question is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Answers to a roll call.
const PRESENT_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use push0_core::{AttemptId, Capacity};

    use super::*;

    #[test]
    fn a_dispatcher_speaks_for_itself_alone() {
        let one: DispatcherId = "gpu-1".parse().expect("a name");
        let beat = FromDispatcher::Beat(Beat {
            dispatcher: one.clone(),
            incarnation: 7,
            capacity: Capacity::default(),
            running: [].into(),
            held: [].into(),
            leaving: false,
        });
        let said_on = |subject: &str| Message {
            subject: format!("push0.{subject}").into(),
            reply: None,
            payload: serde_json::to_vec(&[&beat]).expect("it is JSON").into(),
            headers: None,
            status: None,
            description: None,
            length: 0,
        };
        assert_eq!(heard(&said_on(&hear(&one))), std::slice::from_ref(&beat));
        assert_eq!(heard(&said_on("engine.hear.gpu-2")), []);
        assert_eq!(heard(&said_on("engine.hear")), []);
    }

    /// A task may do some 128 things before it must let others run; a channel with room counts, and
    /// seems full then.
    #[test]
    fn one_turn_reaches_a_thousand_dispatchers() {
        let nats = push0_testbed::Nats::start(1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let client = async_nats::connect(&nats.urls()[..]).await.expect("it runs");
            let mut heard = client.subscribe("push0.dispatcher.>").await.expect("it is connected");
            client.flush().await.expect("it is connected");
            let post = NatsPost::new(Bus::over(client, "push0"), Epoch(1));
            for number in 0..1_000 {
                let dispatcher = format!("gpu-{number}").parse().expect("a name");
                let cancel = ToDispatcher::Cancel(AttemptId(1));
                post.send(&Life { dispatcher, incarnation: 1 }, vec![cancel]);
            }
            for number in 0..1_000 {
                let next = timeout(Duration::from_secs(10), heard.next()).await;
                let subject = next.expect("none is left out").expect("it is connected").subject;
                assert_eq!(subject.as_str(), format!("push0.dispatcher.gpu-{number}.1"));
            }
        });
    }

    #[test]
    fn what_is_short_shares_a_message_and_what_is_long_has_its_own() {
        let long = PARCEL_BYTES + 1;
        let parcels = parcels(vec![1, 2, long, 3, PARCEL_BYTES - 3, 1], |bytes| *bytes);
        assert_eq!(parcels, [vec![1, 2], vec![long], vec![3, PARCEL_BYTES - 3], vec![1]]);
    }
}
