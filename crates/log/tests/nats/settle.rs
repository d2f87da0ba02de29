//! Appends whose answer never came: each is settled, and nothing is there twice.
//!
//! The engine is behind a wire that loses answers, or requests; everyone else is not.

use push0_log::{AppendError, Log as _, NatsConfig, NatsLog};
use push0_testbed::{Nats, Proxy, Wire};

use crate::world::{
    Admin, another, append, config, history, impatient, open, seen, settled, through, turn,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_of_unknown_fate_are_settled_on_one_server() {
    let nats = Nats::start(1);
    every_case(&nats).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_of_unknown_fate_are_settled_on_three_servers() {
    let nats = Nats::start(3);
    every_case(&nats).await;
}

async fn every_case(nats: &Nats) {
    landed_and_not_answered(&Case::begin(nats).await).await;
    landed_not_answered_and_followed_by_another(&Case::begin(nats).await).await;
    never_arrived(&Case::begin(nats).await).await;
    another_took_its_place(&Case::begin(nats).await).await;
    out_of_reach_and_repeated(&Case::begin(nats).await).await;
    out_of_reach_landed_and_repeated(&Case::begin(nats).await).await;
    out_of_reach_landed_and_something_else_appended(&Case::begin(nats).await).await;
}

async fn landed_and_not_answered(case: &Case) {
    let (mut engine, mut turns) = case.engine(&case.config).await;
    let next = turn(engine.last().next(), 3);
    case.wire.set(Wire::NoAnswers);
    let look = async {
        seen(&case.config, &next).await;
        case.wire.cut(Wire::Whole);
    };
    let (appended, ()) = tokio::join!(engine.append(&next), look);
    appended.expect("it landed");
    turns.push(next);
    turns.extend(append(&mut engine, [4]).await);
    assert_eq!(history(&case.config).await, turns);
}

/// Three servers answer the repeat with success, and one refuses it: neither says what is there.
async fn landed_not_answered_and_followed_by_another(case: &Case) {
    let (mut engine, mut turns) = case.engine(&case.config).await;
    let next = turn(engine.last().next(), 3);
    case.wire.set(Wire::NoAnswers);
    let look = async {
        seen(&case.config, &next).await;
        let overtaking = append(&mut open(&case.config).await, [9]).await;
        case.wire.cut(Wire::Whole);
        overtaking
    };
    let (appended, overtaking) = tokio::join!(engine.append(&next), look);
    appended.expect("it landed, whatever came after");
    turns.push(next);
    turns.extend(overtaking);
    let refused = engine.append(&turn(engine.last().next(), 4)).await;
    assert!(matches!(refused, Err(AppendError::Fenced { .. })), "{refused:?}");
    assert_eq!(history(&case.config).await, turns);
}

async fn never_arrived(case: &Case) {
    let (mut engine, mut turns) = case.engine(&case.config).await;
    let next = turn(engine.last().next(), 3);
    case.wire.set(Wire::NoRequests);
    let look = async { case.cut_once_lost(Wire::Whole) };
    let (appended, ()) = tokio::join!(engine.append(&next), look);
    appended.expect("it was repeated");
    turns.push(next);
    assert_eq!(history(&case.config).await, turns);
}

async fn another_took_its_place(case: &Case) {
    let (mut engine, mut turns) = case.engine(&case.config).await;
    let next = turn(engine.last().next(), 3);
    case.wire.set(Wire::NoRequests);
    let overtake = async {
        turns.extend(append(&mut open(&case.config).await, [9]).await);
        case.cut_once_lost(Wire::Whole);
    };
    let (refused, ()) = tokio::join!(engine.append(&next), overtake);
    let expected = next.last().next();
    let Err(AppendError::Fenced { expected: found, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(found, expected);
    assert_eq!(history(&case.config).await, turns);
}

async fn out_of_reach_and_repeated(case: &Case) {
    let (mut engine, mut turns) = case.engine(&impatient(&case.config)).await;
    let next = turn(engine.last().next(), 3);
    case.wire.cut(Wire::Down);
    for _ in 0..2 {
        let unknown = engine.append(&next).await;
        assert!(matches!(unknown, Err(AppendError::Unavailable(_))), "{unknown:?}");
    }
    case.wire.cut(Wire::Whole);
    settled(&mut engine, &next).await.expect("it lands, or has");
    turns.push(next);
    assert_eq!(history(&case.config).await, turns);
}

async fn out_of_reach_landed_and_repeated(case: &Case) {
    let (mut engine, mut turns) = case.engine(&impatient(&case.config)).await;
    let next = turn(engine.last().next(), 3);
    case.wire.set(Wire::NoAnswers);
    let unknown = engine.append(&next).await;
    assert!(matches!(unknown, Err(AppendError::Unavailable(_))), "{unknown:?}");
    seen(&case.config, &next).await;
    case.wire.cut(Wire::Whole);
    settled(&mut engine, &next).await.expect("it lands, or has");
    turns.push(next);
    turns.extend(append(&mut engine, [4]).await);
    assert_eq!(history(&case.config).await, turns);
}

/// What is unknown is settled first; then the other turn does not follow any more.
async fn out_of_reach_landed_and_something_else_appended(case: &Case) {
    let (mut engine, mut turns) = case.engine(&impatient(&case.config)).await;
    let (next, other) = (turn(engine.last().next(), 3), turn(engine.last().next(), 4));
    case.wire.set(Wire::NoAnswers);
    let unknown = engine.append(&next).await;
    assert!(matches!(unknown, Err(AppendError::Unavailable(_))), "{unknown:?}");
    seen(&case.config, &next).await;
    case.wire.cut(Wire::Whole);
    let refused = settled(&mut engine, &other).await;
    assert!(matches!(refused, Err(AppendError::Fenced { .. })), "{refused:?}");
    turns.push(next);
    assert_eq!(history(&case.config).await, turns);
}

/// Two engines that decide the same at the same moment write the same bytes.
#[tokio::test]
async fn of_two_engines_that_write_the_same_bytes_one_is_fenced() {
    for nodes in [1, 3] {
        let nats = Nats::start(nodes);
        let config = config(&nats);
        let (mut one, mut other) = (open(&config).await, open(&config).await);
        let same = turn(one.last().next(), 1);
        let (first, second) = tokio::join!(one.append(&same), other.append(&same));
        let is_fenced = |it: &Result<(), _>| matches!(it, Err(AppendError::Fenced { .. }));
        assert!(first.is_ok() && is_fenced(&second) || is_fenced(&first) && second.is_ok());
        assert_eq!(history(&config).await, [same]);
    }
}

/// The facts that all this is about: what servers answer to a message whose id was used, and whose
/// expected sequence is stale.
#[tokio::test]
async fn a_stale_append_with_a_used_id_is_a_success_on_three_servers_and_refused_on_one() {
    for (nodes, is_success) in [(1, false), (3, true)] {
        let nats = Nats::start(nodes);
        let config = another(&config(&nats));
        append(&mut open(&config).await, [1]).await;
        let admin = Admin::of(&nats).await;
        let subject = format!("{}.a.b", config.subject);
        let publish = |expected| {
            let headers = [("Nats-Msg-Id", "used"), ("Nats-Expected-Last-Sequence", expected)];
            let (admin, subject) = (&admin, &subject);
            async move { admin.publish(subject, &headers, b"x").await }
        };
        let landed = publish("2").await;
        assert_eq!(landed.pointer("/seq"), Some(&3.into()), "two records, and this one");
        let again = publish("1").await;
        assert_eq!(again.pointer("/duplicate") == Some(&true.into()), is_success, "{again}");
        assert_eq!(again.pointer("/error/err_code") == Some(&10_071.into()), !is_success);
    }
}

/// One engine behind a wire, on a log of its own.
struct Case {
    config: NatsConfig,
    wire: Proxy,
}

impl Case {
    async fn begin(nats: &Nats) -> Self {
        let config = another(&config(nats));
        drop(open(&config).await);
        Self { config, wire: Proxy::to(nats.port(0)) }
    }

    /// The engine, and what it has appended.
    async fn engine(&self, config: &NatsConfig) -> (NatsLog, Vec<push0_core::Turn>) {
        let mut engine = open(&through(self.wire.url(), config)).await;
        let turns = append(&mut engine, [1, 2]).await;
        (engine, turns)
    }

    /// Cuts the wire once the append was lost on it.
    fn cut_once_lost(&self, wire: Wire) {
        // More than the connection itself says at times.
        tokio::task::block_in_place(|| self.wire.wait_lost_requests(300));
        self.wire.cut(wire);
    }
}
