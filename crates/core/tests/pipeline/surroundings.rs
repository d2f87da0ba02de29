//! What a program may have around it, and what is refused.

use crate::faults::{Case, refused};
use crate::specs::{chain, scroll, words};

#[test]
fn every_fault_of_a_programs_surroundings_is_named() {
    let faults: &[Case<'_>] = &[
        (
            |s| chain(s, |p| p.pass = words(&["AWS_SECRET_ACCESS_KEY"])),
            "pass",
            "`AWS_SECRET_ACCESS_KEY`, which may be a credential of push0's",
        ),
        (
            |s| chain(s, |p| p.pass = words(&["PUSH0_NATS_PASSWORD"])),
            "pass",
            "`PUSH0_NATS_PASSWORD`, which may be a credential of push0's",
        ),
        (|s| chain(s, |p| p.pass = words(&["A=B"])), "pass", "`A=B` is no variable's name"),
        (
            |s| chain(s, |p| p.env = [("PUSH0_TASK".into(), "x".into())].into()),
            "env",
            "`PUSH0_TASK`, which push0 itself sets",
        ),
        (
            |s| chain(s, |p| p.env = [("1A".into(), "x".into())].into()),
            "env",
            "`1A` is no variable's name",
        ),
        (
            |s| chain(s, |p| p.env = [("A".into(), "x\0".into())].into()),
            "env",
            "a value with a NUL in it",
        ),
        (
            |s| {
                chain(s, |p| {
                    p.env = [("A".into(), "x".into())].into();
                    p.pass = words(&["A"]);
                });
            },
            "pass",
            "`A`, which stands in `env` too",
        ),
        (|s| chain(s, |p| p.user = Some("a b".into())), "user", "no user's name"),
        (|s| chain(s, |p| p.wrap = words(&[""])), "wrap", "a wrapper without a name"),
    ];
    for (change, key, what) in faults {
        refused(scroll(), (*change, &format!("programs.chain.{key}"), what));
    }
}
