//! What an engine is asked and told over the bus: whatever it is, the engine decides or refuses it,
//! and each record fits.

use push0::cluster::Ask;
use push0_core::{
    Epoch, FromDispatcher, Input, Limits, PipelineSpec, ProgramSpec, Scheduler, Seq, StageSpec,
    Timestamp,
};
use push0_engine::{Askers, Engine, Request, Settings};

/// Messages, a line each: questions of clients and operators, and what dispatchers say together. An
/// empty line is a second.
///
/// # Panics
///
/// If what was decided does not fit the state, or a record is larger than the log takes.
pub fn engine(bytes: &[u8]) {
    let mut world = World::new();
    for line in bytes.split(|byte| *byte == b'\n').take(LINES_MAX) {
        if line.is_empty() {
            world.now = world.now + std::time::Duration::from_secs(1);
        } else if let Ok(said) = serde_json::from_slice::<Vec<FromDispatcher>>(line) {
            world.asks(Request::Heard(said));
        } else if let Ok(ask) = serde_json::from_slice::<Ask>(line) {
            request(ask).into_iter().for_each(|request| world.asks(request));
        }
        world.goes_on();
    }
    world.ends();
}

/// As a cluster's engine is asked it.
fn request(ask: Ask) -> Vec<Request<Nobody>> {
    let input = match ask {
        Ask::Submit(blocks) | Ask::Add(blocks) => return vec![Request::Add(blocks, ())],
        Ask::Head { block, head } => Input::Head { head, block },
        Ask::Finish => Input::EndSource,
        Ask::Unfinish { by, why } => Input::ResumeSource { by, why },
        Ask::Remake(task) => Input::Remake(task),
        Ask::Apply(spec) => Input::Configure(spec),
        Ask::Unpin { program, by, why, .. } => Input::Unpin { program, by, why },
        Ask::Cordon { dispatchers, by, why } => {
            let cordon =
                |dispatcher| Input::Cordon { dispatcher, by: by.clone(), why: why.clone() };
            return vec![Request::Ask(dispatchers.into_iter().map(cordon).collect(), ())];
        }
        Ask::Uncordon { dispatchers, by, why } => {
            let uncordon =
                |dispatcher| Input::Uncordon { dispatcher, by: by.clone(), why: why.clone() };
            return vec![Request::Ask(dispatchers.into_iter().map(uncordon).collect(), ())];
        }
        // What is looked up first, and what changes nothing.
        Ask::Reads(_)
        | Ask::Final(_)
        | Ask::Leave { .. }
        | Ask::Status
        | Ask::Position
        | Ask::Retry(_)
        | Ask::RetryAll
        | Ask::Explain(_)
        | Ask::Discard { .. } => return vec![Request::Look(())],
    };
    vec![Request::Ask(vec![input], ())]
}

/// An engine over a log that takes everything.
struct World {
    engine: Engine<Nobody>,
    now: Timestamp,
    durable: Seq,
}

struct Nobody;

impl Askers for Nobody {
    type Ask = ();
    type Add = ();
    type Look = ();
    type Probe = ();
}

impl World {
    /// One that leads.
    fn new() -> Self {
        let settings =
            Settings { record_bytes_max: RECORD_BYTES_MAX, durable: Seq(0), tells: true };
        let engine = Engine::new(Scheduler::new(Limits::default()), settings);
        let mut world = Self { engine, now: Timestamp(1_000_000), durable: Seq(0) };
        let begins = vec![Input::Claim(Epoch(1)), Input::Configure(Box::new(pipeline()))];
        world.asks(Request::Ask(begins, ()));
        world.goes_on();
        assert!(world.engine.leads(), "it leads");
        world
    }

    fn asks(&mut self, request: Request<Nobody>) {
        if self.engine.takes(self.now) > 0 {
            self.engine.handle_request(request);
        }
    }

    /// Takes turns as long as there is something to do now; all that was decided is durable at
    /// once.
    fn goes_on(&mut self) {
        for _ in 0..TURNS_MAX {
            let is_turn = self.engine.handle_timeout(self.now, &mut ());
            let is_turn = is_turn.expect("what is decided fits the state");
            while let Some(turn) = self.engine.poll_append(self.now) {
                let bytes = rmp_serde::to_vec_named(turn).expect("facts are made of what it has");
                assert!(bytes.len() <= RECORD_BYTES_MAX, "a record of {} bytes", bytes.len());
                assert_eq!(turn.first, self.durable.next(), "turns come in order, and once");
                self.durable = turn.last();
                let last = self.durable;
                self.engine.handle_begun(last);
            }
            self.engine.handle_landed(self.now, self.durable, &mut ());
            while self.engine.poll_output().is_some() {}
            while self.engine.poll_transmit(self.now).is_some() {}
            if !is_turn {
                return;
            }
        }
    }

    /// An hour later all that was under way has run out.
    fn ends(&mut self) {
        self.now = self.now + std::time::Duration::from_secs(3_600);
        self.goes_on();
        assert!(!self.engine.has_undurable(), "it waits for nothing");
    }
}

/// One stage over each block, and one over all of some.
fn pipeline() -> PipelineSpec {
    let mut spec = PipelineSpec { push0: Some(1), name: "fuzz".into(), ..PipelineSpec::default() };
    (spec.source.kind, spec.source.chain) = ("submit".into(), Some(1));
    let program = ProgramSpec {
        command: vec!["prover".into()],
        contract: Some("serve".into()),
        memory: Some(1),
        ..ProgramSpec::default()
    };
    spec.programs.insert("prover".into(), program);
    let stage = StageSpec {
        inputs: vec!["blocks".into()],
        program: Some("prover".into()),
        ..StageSpec::default()
    };
    spec.stages.insert("prove".into(), stage);
    spec.release.inputs = vec!["prove".into()];
    spec
}

/// What one message of a NATS server holds by default, less some for what stands around a record.
/// Unit: bytes.
const RECORD_BYTES_MAX: usize = 1_000_000;

/// Messages of one input: what comes later finds the state that these have made.
const LINES_MAX: usize = 256;

/// Turns at one time, far more than what is due then takes.
const TURNS_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    /// Else the corpus tries nothing.
    #[test]
    fn every_line_of_the_corpus_is_understood() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/engine");
        for input in std::fs::read_dir(folder).expect("a corpus").flatten() {
            let text = std::fs::read_to_string(input.path()).expect("an input");
            for line in text.lines().filter(|line| !line.is_empty()) {
                let is_said = serde_json::from_str::<Vec<FromDispatcher>>(line).is_ok();
                let is_asked = serde_json::from_str::<Ask>(line).is_ok();
                assert!(is_said || is_asked, "{:?}: {line}", input.path());
            }
        }
    }
}
