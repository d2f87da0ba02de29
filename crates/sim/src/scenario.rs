//! A scenario: everything about a world that is drawn before it begins.

use std::collections::BTreeMap;
use std::time::Duration;

use push0_core::{
    Block, BlockHash, Capacity, Digest, FailureClass, Height, Limits, Pipeline, PipelineSpec,
};

use crate::chance::Chance;
use crate::pipelines;

/// What a world is made of.
pub(crate) struct Scenario {
    pub(crate) spec: PipelineSpec,
    pub(crate) limits: Limits,
    /// The canonical chain.
    pub(crate) blocks: Vec<Block>,
    pub(crate) dispatchers: Vec<Capacity>,
    /// How long faults go on.
    pub(crate) cruel: Duration,
    /// Between two submissions of the source.
    pub(crate) pace: Duration,
    /// The longest that a prover takes where nothing slows it.
    pub(crate) proving_max: Duration,
    /// Whether the dispatchers live and die with the engine, as in `push0 run`.
    pub(crate) is_one_process: bool,
    /// What the disk writes whole or not at all. Unit: bytes.
    pub(crate) sector: usize,
    /// A machine that proves nothing until somebody mends it, by its place, and what comes of all
    /// that it is granted.
    pub(crate) bad: Option<(usize, Bad)>,
    /// Whether the source says which blocks are its chain.
    pub(crate) says_heads: bool,
}

/// What comes of every attempt at a machine that is bad.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Bad {
    /// It fails so.
    Fails(FailureClass),
    /// It makes proofs of nothing.
    Lies,
    /// It begins nothing.
    Refuses,
}

impl Scenario {
    /// That of a seed, with fewer blocks where `blocks` says so.
    pub(crate) fn of(seed: u64, blocks: Option<u64>) -> Self {
        let chance = &mut Chance::of(seed, STREAM);
        let rare = &mut Chance::of(seed, RARE_STREAM);
        let mut spec = pipelines::draw(chance);
        let mut limits = limits(chance);
        let few = chance.within(1, 24);
        let drawn = if rare.permille(LONG_WORLDS) { rare.within(25, BLOCKS_MAX) } else { few };
        let count = blocks.map_or(drawn, |blocks| blocks.min(drawn));
        let mut dispatchers = dispatchers(chance, &spec);
        pipelines::declare(&mut spec, rare);
        equip(&mut dispatchers, &mut spec, rare);
        if rare.permille(250) {
            limits.report_grace = rare.millis(100, 2_000);
        }
        let bad = bad(rare, dispatchers.len());
        // Where a turn is soon full, what it leaves over is the next one's.
        let records = [SHORT_RECORDS, SHORT_RECORDS, SHORT_RECORDS / 2, LONG_RECORDS, LONG_RECORDS];
        let record_bytes = rare.pick(&records).copied().unwrap_or(SHORT_RECORDS);
        let says_heads = says_heads(&mut spec, &mut Chance::of(seed, HEADS_STREAM));
        Self {
            limits: limits.within(record_bytes),
            says_heads,
            bad,
            dispatchers,
            cruel: chance.millis(5_000, 40_000),
            pace: match chance.below(3) {
                0 => Duration::from_millis(1),
                1 => chance.millis(1, 200),
                _ => chance.millis(200, 2_000),
            },
            proving_max: chance.millis(50, 4_000),
            is_one_process: chance.permille(300),
            sector: chance.pick(&[32, 64, 512]).copied().unwrap_or(512),
            blocks: (0..count).map(canonical).collect(),
            spec,
        }
    }
}

impl Scenario {
    /// That of a seed's cluster: a smaller one, for what several engines do to each other is the
    /// same of few blocks.
    pub(crate) fn of_cluster(seed: u64, blocks: Option<u64>) -> Self {
        let chance = &mut Chance::of(seed, CLUSTER_STREAM);
        let drawn = chance.within(1, CLUSTER_BLOCKS_MAX);
        let blocks = Some(blocks.map_or(drawn, |blocks| blocks.min(drawn)));
        // Of a chain that goes on without end, each batch closes by a rule of its own; not every
        // pipeline has one.
        let drawn = (0..TRIES_MAX).map(|tried| Self::submitted(seed ^ (tried << 40), blocks));
        let mut scenario = drawn.flatten().next().expect("most pipelines may be of such a chain");
        scenario.is_one_process = false;
        scenario.cruel = chance.millis(3_000, 25_000);
        scenario.dispatchers.truncate(3);
        scenario.bad = scenario.bad.filter(|(who, _)| *who < scenario.dispatchers.len());
        scenario
    }

    /// That of a seed, if its pipeline may be of blocks that are submitted.
    fn submitted(seed: u64, blocks: Option<u64>) -> Option<Self> {
        let mut scenario = Self::of(seed, blocks);
        let source = &mut scenario.spec.source;
        (source.kind, source.path, source.start) = ("submit".to_owned(), None, Some(START));
        (source.heads, scenario.says_heads) = (false, false);
        Pipeline::check(&scenario.spec).is_ok().then_some(scenario)
    }
}

/// In some worlds the source says heads, where its pipeline may be of such a chain.
fn says_heads(spec: &mut PipelineSpec, chance: &mut Chance) -> bool {
    let mut other = spec.clone();
    (other.source.kind, other.source.path) = ("submit".to_owned(), None);
    (other.source.start, other.source.heads) = (Some(START), true);
    let says_heads = chance.permille(300) && Pipeline::check(&other).is_ok();
    if says_heads {
        *spec = other;
    }
    says_heads
}

/// The canonical block `index` places after the first.
fn canonical(index: u64) -> Block {
    block(START + index, hash(START + index - 1, 0), 0)
}

/// A block at `number` after `parent`; another `salt` is another block.
pub(crate) fn block(number: u64, parent: BlockHash, salt: u64) -> Block {
    Block {
        number: Height(number),
        hash: hash(number, salt),
        parent,
        payload: payload(number, salt),
        bytes: 300 + number * 7919 % 500,
        fields: BTreeMap::from([("gasUsed".to_owned(), 1 + number * 31 % 7)]),
    }
}

/// The payload of a block, of which there are many.
pub(crate) fn payload(number: u64, salt: u64) -> Digest {
    digest(3, number, salt)
}

fn hash(number: u64, salt: u64) -> BlockHash {
    BlockHash(digest(2, number, salt).0)
}

/// A digest that nothing else has. Not a hash: nobody here tries to find another text for it.
fn digest(kind: u64, number: u64, salt: u64) -> Digest {
    let mut bytes = [0; 32];
    let mut chance = Chance::of(number ^ (salt << 32), kind);
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&chance.below(u64::MAX).to_be_bytes());
    }
    Digest(bytes)
}

/// Now wide, now so narrow that everything is reached.
fn limits(chance: &mut Chance) -> Limits {
    let wide = Limits {
        parts_max: 4,
        report_grace: chance.millis(2_000, 20_000),
        resupply_max: chance.millis(2_000, 30_000),
        backoff_min: chance.millis(20, 500),
        backoff_max: chance.millis(500, 5_000),
        message_bytes_max: 40,
        dispatchers_max: usize::try_from(chance.within(1, 3)).unwrap_or(1),
        remakes_max: u32::try_from(chance.within(1, 3)).unwrap_or(1),
        decision_max: 32,
        inputs_max: 64,
        ..Limits::default()
    };
    let small = |chance: &mut Chance, low, high| {
        usize::try_from(chance.within(low, high)).unwrap_or(usize::MAX)
    };
    match chance.below(4) {
        0 | 1 => wide,
        2 => Limits {
            tasks_max: small(chance, 3, 9),
            inputs_max: small(chance, 4, 7),
            decision_max: small(chance, 2, 6),
            ..wide
        },
        _ => Limits {
            blocks_max: small(chance, 2, 10),
            strays_max: small(chance, 1, 4),
            reorder_max: chance.within(1, 4),
            decision_max: small(chance, 3, 9),
            ..wide
        },
    }
}

/// One to four machines; the first can run everything.
fn dispatchers(chance: &mut Chance, spec: &PipelineSpec) -> Vec<Capacity> {
    let programs =
        |names: &[&str]| names.iter().map(|name| name.parse().expect("a name")).collect();
    let needed = spec.programs.values().filter_map(|program| program.memory).max();
    let able = Capacity {
        programs: programs(&["small", "large"]),
        slots: u32::try_from(chance.within(1, 4)).unwrap_or(1),
        memory_bytes: needed.unwrap_or_default() + (chance.below(8) << 30),
        gpus: 0,
    };
    let others = (0..chance.below(4)).map(|_| Capacity {
        programs: match chance.flip() {
            true => programs(&["small", "large"]),
            false => programs(&["small"]),
        },
        slots: u32::try_from(chance.within(1, 4)).unwrap_or(1),
        memory_bytes: chance.within(1, 12) << 30,
        gpus: 0,
    });
    let others: Vec<_> = others.collect();
    std::iter::once(able).chain(others).collect()
}

/// Some programs need GPUs in some worlds, and some machines have them; the first has what each
/// needs.
fn equip(dispatchers: &mut [Capacity], spec: &mut PipelineSpec, rare: &mut Chance) {
    if !rare.permille(250) {
        return;
    }
    for program in spec.programs.values_mut() {
        program.gpus = rare.below(3);
    }
    let needed = spec.programs.values().map(|program| program.gpus).max().unwrap_or_default();
    for (capacity, least) in dispatchers.iter_mut().zip([needed, 0, 0, 0]) {
        capacity.gpus = u32::try_from(least + rare.below(3)).unwrap_or_default();
    }
}

/// In some worlds one machine is bad; never the first, which can run everything.
fn bad(rare: &mut Chance, machines: usize) -> Option<(usize, Bad)> {
    let is_there = rare.permille(120) && machines > 1;
    let who = usize::try_from(rare.within(1, 3)).unwrap_or(1);
    let ways = [
        Bad::Fails(FailureClass::Failed),
        Bad::Fails(FailureClass::Resource),
        Bad::Fails(FailureClass::Transient),
        Bad::Fails(FailureClass::Unjudged),
        Bad::Lies,
        Bad::Refuses,
    ];
    let way = rare.pick(&ways).copied()?;
    is_there.then_some((who.min(machines - 1), way))
}

/// Where the canonical chain starts.
pub(crate) const START: u64 = 100;

/// The largest record of a log: a turn is full at a fourth of it. In some worlds there is half as
/// much. Unit: bytes.
const SHORT_RECORDS: usize = 32_000;

/// Likewise, where a turn has room for all that a decision may hold. Unit: bytes.
const LONG_RECORDS: usize = 128_000;

/// Above those of the faults and the swarm.
const STREAM: u64 = 1001;

/// What few worlds have, apart, so that it moves nothing of what all have.
const RARE_STREAM: u64 = 1004;

/// Pipelines that are drawn for a cluster, at most.
const TRIES_MAX: u64 = 100;

/// Likewise for clusters.
const CLUSTER_STREAM: u64 = 1006;

/// Likewise for whether heads are said.
const HEADS_STREAM: u64 = 1007;

/// The most blocks that a cluster has.
const CLUSTER_BLOCKS_MAX: u64 = 12;

/// So many of a thousand worlds have many blocks.
const LONG_WORLDS: u64 = 25;

/// The most blocks that a world has.
const BLOCKS_MAX: u64 = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_few_worlds_have_is_drawn_in_some_seeds_and_not_in_most() {
        let mut counts = BTreeMap::<_, u32>::new();
        for seed in 0..SEEDS {
            let world = Scenario::of(seed, None);
            let programs = || world.spec.programs.values();
            let way = |bad: Bad| world.bad.is_some_and(|(_, it)| it == bad);
            let drawn = [
                ("many blocks", world.blocks.len() > 24),
                ("most blocks", world.blocks.len() > 150),
                ("needs gpus", programs().any(|program| program.gpus > 0)),
                ("declares keys", programs().any(|program| program.vkey.is_some())),
                ("waits of its own", world.spec.stages.values().any(|it| it.backoff.is_some())),
                ("little time to report", world.limits.report_grace < Duration::from_secs(2)),
                ("a machine fails", way(Bad::Fails(FailureClass::Failed))),
                ("a machine has no memory", way(Bad::Fails(FailureClass::Resource))),
                ("a machine has no store", way(Bad::Fails(FailureClass::Transient))),
                ("a machine has no verdict", way(Bad::Fails(FailureClass::Unjudged))),
                ("a machine lies", way(Bad::Lies)),
                ("a machine refuses", way(Bad::Refuses)),
                ("says heads", world.says_heads),
                ("long records", world.limits.record_bytes_max == LONG_RECORDS),
            ];
            for (what, is_drawn) in drawn {
                *counts.entry(what).or_default() += u32::from(is_drawn);
            }
        }
        for (what, count) in counts {
            assert!((1..SEEDS_HALF).contains(&count), "{what}: {count} of {SEEDS} seeds");
        }
    }

    const SEEDS: u64 = 1_000;
    const SEEDS_HALF: u32 = 500;
}
