//! push0's engine in a program of one's own: no server, no process but this one, and nothing is
//! lost when it is killed.
//!
//!     cargo run --release -p push0-embedded -- examples/scroll/pipeline.toml DIR

mod prover;

use std::error::Error;
use std::io::{Write as _, stdout};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use push0_core::{Epoch, FromDispatcher, Input, Limits, Scheduler, ToDispatcher};
use push0_engine::{Askers, Engine, Request, Settings};
use push0_log::conformance::finish;
use push0_log::{FileLog, Log as _};
use push0_source::{BlockFile, Rules};

use crate::prover::{InProcess, now};

/// Nobody waits for an answer: what became of it stands in the engine.
struct Nobody;

impl Askers for Nobody {
    type Ask = ();
    type Add = ();
    type Look = ();
    type Probe = ();
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().collect();
    let [_, pipeline, dir] = &args[..] else {
        return Err("give a pipeline and a directory".into());
    };
    let loaded = push0_pipeline::load(Path::new(pipeline))?;
    let file = Path::new(pipeline).with_file_name("scroll-mainnet-16525000-20.jsonl");
    let blocks =
        BlockFile::open(&file, &Rules::of(&loaded.pipeline))?.collect::<Result<Vec<_>, _>>()?;
    let (mut log, history, _) = FileLog::open(Path::new(dir))?;
    let mut scheduler = Scheduler::new(Limits::default());
    history.iter().try_for_each(|turn| scheduler.replay_turn(turn))?;
    let mut prover = InProcess::new(&loaded.pipeline, Path::new(dir).join("store"))?;
    blocks.iter().try_for_each(|block| prover.keep(&block.payload).map(drop))?;
    let epoch = Epoch(scheduler.epoch().0 + 1); // above that of the life before
    let settings =
        Settings { record_bytes_max: log.record_bytes_max(), durable: log.last(), tells: false };
    let mut engine = Engine::<Nobody>::new(scheduler, settings);
    engine.handle_request(Request::Ask(
        vec![Input::Claim(epoch), Input::Configure(Box::new(loaded.spec))],
        (),
    ));
    engine.handle_request(Request::Add(blocks.into_iter().map(|block| block.block).collect(), ()));
    engine.handle_request(Request::Ask(vec![Input::EndSource], ()));
    while engine.scheduler().totals().blocks_released < 20 {
        engine.handle_request(Request::Heard(vec![FromDispatcher::Beat(prover.beat())]));
        engine.handle_timeout(now(), &mut ())?; // a turn: it decides what was handed in
        while let Some(turn) = engine.poll_append(now()) {
            let last = turn.last();
            finish(log.append(turn))?; // a file is written when this returns: nothing is awaited
            engine.handle_begun(last);
        }
        engine.handle_landed(now(), log.last(), &mut ()); // what rests on it may leave
        let sent: Vec<_> = std::iter::from_fn(|| engine.poll_transmit(now())).collect();
        for message in sent.into_iter().flat_map(|(_, messages)| messages) {
            match message {
                ToDispatcher::Grant(grant) => {
                    let report = prover.prove(&grant)?;
                    writeln!(stdout(), "{} {}", grant.stage, grant.key)?;
                    engine.handle_request(Request::Heard(vec![FromDispatcher::Report(report)]));
                }
                ToDispatcher::Verdict(attempt, _) => prover.forget(attempt),
                ToDispatcher::Cancel(_) => {} // what is proved on this thread is never under way here
            }
        }
        while engine.poll_output().is_some() {} // nobody asked
        if !engine.has_requests() {
            sleep(Duration::from_millis(50));
        }
    }
    writeln!(stdout(), "20 blocks are proved by one proof")?;
    Ok(finish(log.close())?)
}
