//! The machine's name as a name of a dispatcher: whatever makes it another than its neighbours'
//! stays.

use push0_core::Digest;

/// The machine's name, as a name of a dispatcher.
pub(super) fn host() -> String {
    named(&std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default())
}

/// Names of pods begin alike and end in what tells them apart, so a long one loses its middle.
/// Where a letter was replaced or cut out the whole is hashed too, for that letter may be what
/// differs.
fn named(host: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' }
    };
    let name: String = host.trim().chars().map(plain).collect();
    if name.is_empty() {
        return "dispatcher".to_owned();
    }
    if name == host.trim() && name.len() <= BYTES_MAX {
        return name;
    }
    let hash = Digest::of(host.trim().as_bytes()).to_string();
    let hash = hash.get(..8).unwrap_or_default();
    if name.len() + 1 + hash.len() <= BYTES_MAX {
        return format!("{name}-{hash}");
    }
    let (head, _) = name.split_at_checked(HEAD).unwrap_or((&name, ""));
    let (_, tail) = name.split_at_checked(name.len() - TAIL).unwrap_or(("", &name));
    format!("{head}-{hash}-{tail}")
}

/// What a name of a dispatcher may have, and a little room in messages.
const BYTES_MAX: usize = 40;

/// What of a long name stays at its beginning, and at its end: with the hash and two dashes, all
/// there is.
const HEAD: usize = 13;
const TAIL: usize = BYTES_MAX - HEAD - 10;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use push0_core::DispatcherId;

    use super::*;

    #[test]
    fn pods_of_one_set_have_names_of_their_own() {
        let pods = [
            "scroll-mainnet-prover-gpu-a100-eu-west-1-7d9f8c6b5d-x2v4q",
            "scroll-mainnet-prover-gpu-a100-eu-west-1-7d9f8c6b5d-k8s7m",
            "scroll-mainnet-prover-gpu-a100-eu-west-2-7d9f8c6b5d-x2v4q",
            "scroll-mainnet-prover-gpu-a100-eu-west-1-7d9f8c6b5d-x2v4q.pods.svc.cluster.local",
            "scroll-mainnet-prover-gpu-a100-eu-west-2-7d9f8c6b5d-x2v4q.pods.svc.cluster.local",
        ];
        let names: BTreeSet<_> = pods.into_iter().map(named).collect();
        assert_eq!(names.len(), pods.len(), "{names:?}");
        for name in &names {
            assert!(name.len() <= BYTES_MAX && name.parse::<DispatcherId>().is_ok(), "{name}");
        }
        assert!(named(pods[0]).ends_with("-x2v4q"), "a person finds the pod");
    }

    #[test]
    fn a_short_name_stays_as_it_is() {
        assert_eq!(named("gpu-1\n"), "gpu-1");
        assert_eq!(named(""), "dispatcher");
        let just = "g".repeat(BYTES_MAX);
        assert_eq!(named(&just), just);
    }

    #[test]
    fn names_that_differ_in_a_letter_that_no_dispatcher_may_have_stay_apart() {
        let hosts = ["gpu.10", "gpu_10", "gpu-10", "GPU-10", "Gpu-10", "\u{fc}1", "\u{f6}1", "-1"];
        let names: BTreeSet<_> = hosts.into_iter().map(named).collect();
        assert_eq!(names.len(), hosts.len(), "{names:?}");
        for host in hosts.map(|host| host.repeat(6)) {
            let name = named(&host);
            assert!(name.len() <= BYTES_MAX && name.parse::<DispatcherId>().is_ok(), "{name}");
        }
        assert!(named("gpu.1.example").starts_with("gpu-1-example-"), "a person finds the machine");
    }
}
