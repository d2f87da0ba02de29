//! What the simulator's own tests break, to see that the checks bite. Nothing here is in a world
//! otherwise.
//!
//! Not here: broken rules of the core and of the engine. They are patches (`crates/sim/mutants`).

/// Something that is wrong on purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Broken {
    /// The engine's clock goes back with the wall's.
    ClockGoesBack,
    /// The engine goes on after its log says that what is on disk is unknown.
    SyncRepeated,
    /// The dispatcher lets go of a result as soon as it has sent it.
    ResultSentOnce,
    /// The dispatcher's beats come from the thread that waits for provers.
    BeatByProver,
    /// The dispatcher starts an attempt whenever it is granted.
    StartsAgain,
    /// The log's disk says that it has synced, and has not.
    LyingDisk,
}
