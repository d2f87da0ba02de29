//! A setting: how many are in a world, what may go wrong in it and how often, and what is broken in
//! it on purpose.
//!
//! The named ones are the table of `worlds`.

/// What a world is made of.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Engines.
    pub engines: usize,
    /// Dispatchers, of one slot each.
    pub dispatchers: usize,
    /// How many blocks the client submits, at once each.
    pub adds: &'static [usize],
    /// What of the bus takes time.
    pub bus: Bus,
    /// Whether the stream is on three servers: then an append is under way for a while, and every
    /// other is refused.
    pub is_three: bool,
    /// Whether one engine leads at the beginning, and hears every dispatcher; else nothing was said
    /// yet.
    pub is_led: bool,
    /// What may go wrong.
    pub may: May,
    /// How often everything waits for a second to pass, at most.
    pub seconds: u8,
    /// What is wrong on purpose.
    pub broken: Option<Broken>,
}

/// Which messages between engines, dispatchers and client are under way for as long as they like;
/// the others arrive at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bus {
    /// None. What is said when a prover has ended comes late where the prover takes long.
    AtOnce,
    /// What engines say to dispatchers, but for verdicts alone.
    GrantsLate,
    /// All.
    Late,
}

/// How often each thing may go wrong.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct May {
    /// An engine's process dies; it is started again.
    pub crash: u8,
    /// An engine that stands by takes a leader for gone that is not.
    pub usurp: u8,
    /// An append is taken for lost that is on its way, and lands late.
    pub late: u8,
    /// An append is lost, or the answer to it.
    pub answer_lost: u8,
    /// A message between engines, dispatchers and client is lost.
    pub lost: u8,
    /// A message comes twice.
    pub doubled: u8,
    /// A dispatcher's process dies; it is started again.
    pub restart: u8,
    /// A dispatcher dies for good.
    pub gone: u8,
    /// A prover fails.
    pub fail: u8,
    /// A dispatcher beats at any time, beside once each second.
    pub beat: u8,
}

/// What is wrong on purpose, around the engine, to see that the checks bite.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Broken {
    /// The engine is told that its log is durable as far as it was begun.
    BegunIsDurable,
    /// An append that is refused is taken for one that landed.
    RefusedIsLanded,
    /// A dispatcher obeys whichever engine says something.
    ObeysAnybody,
    /// A dispatcher lets go of a result once it has sent it.
    SentOnce,
    /// A dispatcher starts what it is granted, though it has started it before.
    StartsAgain,
    /// An append whose answer is lost is not asked for again.
    NeverAsksAgain,
    /// An engine that takes over reads all but the last record.
    ReadsTooLittle,
}

impl Setting {
    /// How many blocks there are.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.adds.iter().sum()
    }

    /// The same with something wrong in it.
    #[must_use]
    pub const fn with(self, broken: Broken) -> Self {
        Self { broken: Some(broken), ..self }
    }

    pub(crate) fn is(&self, broken: Broken) -> bool {
        self.broken == Some(broken)
    }
}
