//! What comes out of an engine when, over a log that its test plays.

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::{
    Beat, Block, BlockHash, Capacity, Digest, Epoch, FromDispatcher, Grant, Height, Input, Limits,
    Outcome, PipelineSpec, ProgramSpec, Rejection, Report, ResultRef, Scheduler, Seq, StageSpec,
    Timestamp, ToDispatcher, Turn, Verdict,
};
use push0_engine::{
    Announcement, Askers, BLOCKS_SHARE, Engine, Output, Refused, Request, Room, Settings,
};

#[test]
fn a_grant_leaves_before_it_is_durable_and_its_verdict_after() {
    let mut world = World::leading();
    world.ask(Request::Add(vec![block(0)], "source"));
    let sent = world.turn();
    let [ToDispatcher::Grant(grant)] = &sent[..] else {
        panic!("a grant leaves at once: {sent:?}")
    };
    assert_eq!(world.answered(), [""; 0], "nothing is promised");
    world.ask(Request::Heard(vec![FromDispatcher::Report(proved(grant))]));
    assert_eq!(world.turn(), []);
    world.land();
    assert_eq!(world.answered(), ["source"]);
    world.now = world.now + Duration::from_secs(1); // it waits for company, and not for long
    let sent = world.turn();
    assert!(
        matches!(&sent[..], [ToDispatcher::Verdict(_, Verdict::Accepted(at))] if *at <= world.durable)
    );
    assert!(Scheduler::replay(Limits::default(), &world.log).is_ok());
}

#[test]
fn a_grant_that_did_not_come_is_sent_again_when_its_dispatcher_does_not_know_of_it() {
    let mut world = World::leading();
    world.ask(Request::Add(vec![block(0)], "source"));
    let sent = world.turn();
    let [ToDispatcher::Grant(grant)] = &sent[..] else { panic!("it leaves at once: {sent:?}") };
    world.land();
    let mut again = Vec::new();
    for _ in 0..5 {
        world.now = world.now + Duration::from_secs(1);
        world.ask(Request::Heard(vec![FromDispatcher::Beat(beat())]));
        again.extend(world.turn());
        world.land();
        again.extend(world.sent());
    }
    let is_it = |message: &ToDispatcher| matches!(message, ToDispatcher::Grant(it) if it.attempt == grant.attempt);
    assert!(again.iter().any(is_it), "{again:?}");
}

#[test]
fn nothing_is_promised_while_its_append_is_under_way() {
    let mut world = World::leading();
    world.ask(Request::Add(vec![block(0)], "source"));
    world.turn();
    let last = world.engine.poll_append(world.now).expect("it is to be appended").last();
    world.engine.handle_begun(last);
    world.engine.handle_landed(world.now, world.durable, &mut ());
    assert_eq!(world.answered(), [""; 0]);
    assert!(world.engine.has_undurable() && !world.engine.has_appends());
    world.engine.handle_landed(world.now, last, &mut ());
    assert_eq!(world.answered(), ["source"]);
}

#[test]
fn nothing_is_granted_before_the_claim_is_durable_and_all_of_it_at_once_then() {
    let mut world = World::new(RECORD);
    world.ask(Request::Ask(claim(), "start"));
    world.ask(Request::Heard(vec![FromDispatcher::Beat(beat())]));
    world.ask(Request::Add(vec![block(0)], "source"));
    assert_eq!(world.turn(), []);
    assert!(!world.engine.leads());
    world.land();
    assert!(world.engine.leads());
    assert!(matches!(&world.sent()[..], [ToDispatcher::Grant(_)]));
}

#[test]
fn a_look_is_at_what_is_durable_and_nothing_is_decided_behind_it() {
    let mut world = World::leading();
    world.ask(Request::Add(vec![block(0)], "source"));
    world.ask(Request::Look("reader"));
    world.turn();
    assert_eq!(world.engine.takes(world.now), 0, "it waits for the look");
    assert_eq!(world.answered(), [""; 0]);
    world.land();
    assert_eq!(world.answered(), ["source", "reader"]);
    assert_eq!(world.engine.scheduler().last(), world.durable);
    assert!(world.engine.takes(world.now) > 0);
}

#[test]
fn what_finds_no_room_in_a_turn_is_decided_in_the_next_in_its_order_and_answered_once() {
    let mut world = World::over(16_000);
    let inputs = (0..60).map(|number| Input::Submit(Box::new(block(number)))).collect();
    world.ask(Request::Ask(inputs, "many"));
    world.ask(Request::Add(vec![block(60)], "behind"));
    let mut turns = 0;
    while world.engine.has_requests() {
        assert!(world.engine.poll_timeout().is_some_and(|due| due <= world.now), "at once");
        world.turn();
        world.land();
        turns += 1;
    }
    assert!(turns > 2, "{turns}");
    assert_eq!(world.answered(), ["many", "behind"]);
    assert_eq!(world.engine.scheduler().chain().len(), 61);
    for turn in &world.log {
        let bytes: usize = turn.events.iter().map(push0_core::Event::bytes_max).sum();
        assert!(bytes <= 16_000, "{bytes}");
    }
}

#[test]
fn a_full_log_is_tried_again_and_meanwhile_it_says_that_it_leads_and_decides_nothing() {
    let mut world = World::leading();
    world.ask(Request::Add(vec![block(0)], "source"));
    world.turn();
    assert!(world.engine.handle_refused(world.now, Refused::Full, world.durable), "it waits");
    let last = world.engine.scheduler().last();
    world.ask(Request::Probe("beat"));
    world.ask(Request::Heard(vec![FromDispatcher::Beat(beat())]));
    world.ask(Request::Add(vec![block(1)], "later"));
    world.turn();
    assert!(world.engine.wants_probe());
    world.engine.handle_probed(true);
    assert_eq!(world.answered(), ["beat"]);
    assert_eq!(world.engine.scheduler().last(), last, "nothing is decided");
    assert!(world.engine.poll_append(world.now).is_none(), "not at once");
    world.now = world.engine.poll_timeout().expect("it tries again");
    world.turn();
    let again = world.engine.poll_append(world.now).map(Turn::last);
    world.engine.handle_begun(again.expect("it tries again"));
    world.ask(Request::Probe("next beat"));
    world.turn();
    assert!(!world.engine.wants_probe(), "first it is seen what becomes of the append");
    assert!(world.engine.handle_refused(world.now, Refused::Full, world.durable), "it waits");
    assert!(world.engine.wants_probe(), "who asked while it was tried again waits for no room");
    world.engine.handle_probed(true);
    assert_eq!(world.answered(), ["next beat"]);
    world.now = world.engine.poll_timeout().expect("it tries again");
    world.turn();
    assert!(world.engine.poll_append(world.now).is_some());
    world.land();
    assert_eq!(world.answered(), ["source"]);
    world.turn();
    world.land();
    assert_eq!(world.answered(), ["later"]);
    assert!(Scheduler::replay(Limits::default(), &world.log).is_ok());
}

#[test]
fn a_log_that_takes_nothing_for_ten_minutes_ends_its_engine_unless_another_would_find_no_more() {
    let mut world = World::leading();
    world.ask(Request::Add(vec![block(0)], "source"));
    world.turn();
    assert!(world.engine.handle_refused(world.now, Refused::Away, world.durable));
    assert_eq!(world.engine.takes(world.now), 0);
    world.now = world.now + push0_engine::ROOM_WAIT;
    assert!(!world.engine.handle_refused(world.now, Refused::Away, world.durable));
    world.engine.handle_room(world.now, Some(Room { bytes: 100, bytes_max: 100 }));
    assert!(world.engine.handle_refused(world.now, Refused::Full, world.durable));
}

#[test]
fn an_engine_that_waits_for_its_log_asks_for_one_time_at_which_to_try_again() {
    let mut world = World::leading();
    world.ask(Request::Add(vec![block(0)], "source"));
    world.turn();
    assert!(world.engine.handle_refused(world.now, Refused::Away, world.durable));
    let mut times = 0;
    while let Some(due) = world.engine.poll_timeout().filter(|_| times < 5) {
        assert!(due > world.now || times > 0, "it is not asked without end");
        world.now = world.now.max(due);
        world.turn();
        times += 1;
    }
    assert!(world.engine.is_appending(world.now), "it is tried again");
}

#[test]
fn a_probe_is_answered_by_what_lands_or_else_by_a_question_to_the_log() {
    let mut world = World::leading();
    world.ask(Request::Probe("idle"));
    world.turn();
    assert!(world.engine.wants_probe());
    world.engine.handle_probed(false);
    assert_eq!(world.answered(), [""; 0], "nobody is told that it is well");
    world.ask(Request::Probe("busy"));
    world.ask(Request::Add(vec![block(0)], "source"));
    world.turn();
    assert!(!world.engine.wants_probe(), "an append is under way, and tells");
    world.land();
    assert_eq!(world.answered(), ["source", "busy"]);
}

#[test]
fn no_block_is_taken_where_the_log_has_no_room_for_what_it_leads_to() {
    let mut world = World::leading();
    let bytes_max = 10 << 20;
    let room = Room { bytes: bytes_max / 100 * BLOCKS_SHARE, bytes_max };
    world.engine.handle_room(world.now, Some(room));
    world.ask(Request::Add(vec![block(0)], "source"));
    world.turn();
    world.land();
    assert_eq!(world.answered(), ["source"]);
    assert!(matches!(world.refused[..], [Rejection::NoRoom { .. }]), "{:?}", world.refused);
}

#[test]
fn one_that_drains_decides_all_and_grants_nothing() {
    let mut world = World::leading();
    world.ask(Request::Drain);
    world.ask(Request::Add(vec![block(0)], "source"));
    assert_eq!(world.turn(), []);
    world.land();
    assert_eq!(world.answered(), ["source"]);
}

#[test]
fn a_dispatcher_whose_connection_ended_has_its_work_given_to_others() {
    let mut world = World::leading();
    world.ask(Request::Add(vec![block(0)], "source"));
    assert!(matches!(&world.turn()[..], [ToDispatcher::Grant(_)]));
    world.now = world.now + Duration::from_secs(2);
    world.ask(Request::Departed(beat().dispatcher, world.now));
    world.turn();
    world.land();
    let lost = |turn: &Turn| turn.events.iter().any(|event| event.name() == "lost");
    assert!(world.log.iter().any(lost), "{:?}", world.log);
}

#[test]
fn people_are_told_of_each_event_of_a_durable_turn() {
    let mut world = World::leading();
    world.told.clear();
    world.ask(Request::Add(vec![block(0)], "source"));
    world.turn();
    assert_eq!((world.answered(), world.told.len()), (vec![], 0));
    world.land();
    assert_eq!(world.answered(), ["source"]);
    let events = world.log.last().expect("it was appended").events.len();
    assert_eq!(world.told, (0..events).map(Announcement::Event).collect::<Vec<_>>());
}

/// An engine, and the log that its test plays.
struct World {
    engine: Engine<Names>,
    now: Timestamp,
    log: Vec<Turn>,
    durable: Seq,
    refused: Vec<Rejection>,
    told: Vec<Announcement>,
}

/// Who asks has a name.
struct Names;

impl Askers for Names {
    type Ask = &'static str;
    type Add = &'static str;
    type Look = &'static str;
    type Probe = &'static str;
}

impl World {
    fn new(record_bytes_max: usize) -> Self {
        let scheduler = Scheduler::new(Limits::default());
        let settings = Settings { record_bytes_max, durable: Seq(0), tells: true };
        Self {
            engine: Engine::new(scheduler, settings),
            now: Timestamp(1_000_000),
            log: Vec::new(),
            durable: Seq(0),
            refused: Vec::new(),
            told: Vec::new(),
        }
    }

    fn over(record_bytes_max: usize) -> Self {
        let mut world = Self::new(record_bytes_max);
        world.ask(Request::Ask(claim(), "start"));
        world.ask(Request::Heard(vec![FromDispatcher::Beat(beat())]));
        world.turn();
        world.land();
        assert_eq!(world.answered(), ["start"]);
        world
    }

    /// One that leads, and has heard of a dispatcher.
    fn leading() -> Self {
        Self::over(RECORD)
    }

    fn ask(&mut self, request: Request<Names>) {
        self.engine.handle_request(request);
    }

    /// Takes a turn, if one is due; answers what is sent.
    fn turn(&mut self) -> Vec<ToDispatcher> {
        self.engine.handle_timeout(self.now, &mut ()).expect("what is decided fits");
        self.engine.handle_landed(self.now, self.durable, &mut ());
        self.sent()
    }

    fn sent(&mut self) -> Vec<ToDispatcher> {
        let letters = std::iter::from_fn(|| self.engine.poll_transmit(self.now));
        letters.flat_map(|(_, messages)| messages).collect()
    }

    /// All that was decided becomes durable.
    fn land(&mut self) {
        while let Some(turn) = self.engine.poll_append(self.now).cloned() {
            assert_eq!(turn.first, self.durable.next(), "turns come in order, and once");
            self.engine.handle_begun(turn.last());
            self.durable = turn.last();
            self.log.push(turn);
        }
        self.engine.handle_landed(self.now, self.durable, &mut ());
    }

    /// Who was answered.
    fn answered(&mut self) -> Vec<&'static str> {
        let mut names = Vec::new();
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Answered(name, answer) => {
                    names.push(name);
                    self.refused.extend(answer.err());
                }
                Output::Added(name, taken) => {
                    names.push(name);
                    self.refused.extend(taken.refused);
                }
                Output::Look(name) | Output::Probed(name, ..) => names.push(name),
                Output::Durable(durable) => self.told.extend(durable.told),
                Output::AskSource(_) => {}
            }
        }
        names
    }
}

fn claim() -> Vec<Input> {
    let mut spec = PipelineSpec { push0: Some(1), name: "turns".into(), ..PipelineSpec::default() };
    (spec.source.kind, spec.source.chain) = ("submit".into(), Some(1));
    let program = ProgramSpec {
        command: vec!["prover".into()],
        contract: Some("serve".into()),
        memory: Some(1),
        ..ProgramSpec::default()
    };
    spec.programs = BTreeMap::from([("prover".into(), program)]);
    let (inputs, program) = (vec!["blocks".into()], Some("prover".into()));
    let stage = StageSpec { inputs, program, ..StageSpec::default() };
    spec.stages = BTreeMap::from([("prove".into(), stage)]);
    spec.release.inputs = vec!["prove".into()];
    vec![Input::Claim(Epoch(1)), Input::Configure(Box::new(spec))]
}

fn block(number: u64) -> Block {
    let hash = |number: u64| BlockHash(Digest::of(&number.to_be_bytes()).0);
    Block {
        number: Height(number),
        hash: hash(number),
        parent: hash(number.wrapping_sub(1)),
        payload: Digest::of(b"payload"),
        bytes: 1,
        fields: BTreeMap::new(),
    }
}

fn beat() -> Beat {
    let programs = std::iter::once("prover".parse().expect("a name")).collect();
    Beat {
        dispatcher: "one".parse().expect("a name"),
        incarnation: 1,
        capacity: Capacity { programs, slots: 2, memory_bytes: 1 << 40, gpus: 0 },
        running: BTreeMap::new(),
        held: BTreeMap::new(),
        leaving: false,
    }
}

fn proved(grant: &Grant) -> Report {
    let Beat { dispatcher, incarnation, .. } = beat();
    let (output, statement) = (Digest::of(b"proof"), Digest::of(b"values"));
    let result =
        ResultRef { output, bytes: 5, statement, vkey: None, mock: false, parts: Vec::new() };
    let (outcome, ran) = (Outcome::Proved(result), Duration::ZERO);
    Report { dispatcher, incarnation, attempt: grant.attempt, task: grant.task, outcome, ran }
}

/// What logs take for one record by default. Unit: bytes.
const RECORD: usize = 1_000_000;
