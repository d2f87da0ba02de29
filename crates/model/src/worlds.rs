//! The worlds by name: what each has, and what may go wrong in it.
//!
//! The small ones are gone through by every `cargo test`. The deep ones take long, and are gone
//! through by `cargo run --release -p push0-model -- --deep`.

use crate::setting::{Bus, May, Setting};

/// Nothing goes wrong.
const NOTHING: May = May {
    crash: 0,
    usurp: 0,
    late: 0,
    answer_lost: 0,
    lost: 0,
    doubled: 0,
    restart: 0,
    gone: 0,
    fail: 0,
    beat: 0,
};

const WORLD: Setting = Setting {
    name: "all goes well",
    engines: 1,
    dispatchers: 2,
    adds: &[3],
    bus: Bus::Late,
    is_three: true,
    is_led: true,
    may: NOTHING,
    seconds: 4,
    broken: None,
};

/// Worlds that are gone through in seconds.
pub const SMALL: &[Setting] = &[
    WORLD,
    Setting {
        name: "nobody leads, and nothing was said",
        engines: 2,
        adds: &[1],
        bus: Bus::GrantsLate,
        is_three: false,
        is_led: false,
        may: May { usurp: 1, ..NOTHING },
        ..WORLD
    },
    Setting {
        name: "one engine dies and starts again",
        bus: Bus::AtOnce,
        is_three: false,
        may: May { crash: 1, ..NOTHING },
        ..WORLD
    },
    Setting {
        name: "an engine dies, and another takes over",
        engines: 2,
        dispatchers: 1,
        bus: Bus::AtOnce,
        may: May { crash: 1, ..NOTHING },
        ..WORLD
    },
    Setting {
        name: "another takes over from an engine that lives, and an append lands late",
        engines: 2,
        dispatchers: 1,
        adds: &[2],
        bus: Bus::AtOnce,
        may: May { usurp: 1, late: 1, ..NOTHING },
        ..WORLD
    },
    Setting {
        name: "another takes over from an engine that lives, and grants come late",
        engines: 2,
        dispatchers: 1,
        adds: &[2],
        bus: Bus::GrantsLate,
        is_three: false,
        may: May { usurp: 1, ..NOTHING },
        ..WORLD
    },
    Setting {
        name: "the answer to an append is lost, or comes late",
        bus: Bus::GrantsLate,
        may: May { answer_lost: 1, late: 1, ..NOTHING },
        ..WORLD
    },
    Setting {
        name: "a message comes twice",
        is_three: false,
        may: May { doubled: 1, ..NOTHING },
        ..WORLD
    },
    Setting {
        name: "a message is lost",
        is_three: false,
        may: May { lost: 1, ..NOTHING },
        ..WORLD
    },
    Setting {
        name: "a dispatcher dies and starts again",
        bus: Bus::GrantsLate,
        may: May { restart: 1, ..NOTHING },
        ..WORLD
    },
    Setting {
        name: "a dispatcher dies for good",
        bus: Bus::GrantsLate,
        may: May { gone: 1, ..NOTHING },
        seconds: 16,
        ..WORLD
    },
    Setting {
        name: "a prover fails, and a beat comes early",
        adds: &[2],
        bus: Bus::GrantsLate,
        is_three: false,
        may: May { fail: 1, beat: 1, ..NOTHING },
        ..WORLD
    },
];

/// Worlds that take longer, the last of them long.
pub const DEEP: &[Setting] = &[
    Setting {
        name: "three blocks: one crash, and one lost answer",
        may: May { crash: 1, answer_lost: 1, ..NOTHING },
        ..LARGE
    },
    Setting {
        name: "two blocks: one crash, one lost answer, and one report that comes twice",
        adds: &[2],
        may: May { crash: 1, answer_lost: 1, doubled: 1, ..NOTHING },
        ..LARGE
    },
    Setting {
        name: "three blocks: one crash, one lost answer, and one report that comes twice",
        may: May { crash: 1, answer_lost: 1, doubled: 1, ..NOTHING },
        ..LARGE
    },
];

/// Two engines and two dispatchers.
const LARGE: Setting = Setting { engines: 2, bus: Bus::AtOnce, is_three: false, ..WORLD };
