//! How many GPUs provers share: what is said, else what this machine shows.
//!
//! ```text
//!   --gpus, [dispatch] gpus   >   CUDA_VISIBLE_DEVICES   >   /dev/nvidia0, /dev/nvidia1, …
//! ```
//!
//! Not here: which attempt has which of them (`push0_dispatch`).

use std::fs;

use push0_core::Pipeline;

/// How many there are, and what a person should know of how that is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Gpus {
    pub(crate) count: u32,
    pub(crate) warning: Option<String>,
}

impl Gpus {
    /// `said`: by whoever started push0. `wanted`: by the greediest program.
    pub(crate) fn find(said: Option<u32>, wanted: u32) -> Self {
        let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok();
        Self::of(said, wanted, visible.as_deref(), devices())
    }

    /// What the greediest program of a pipeline reserves.
    pub(crate) fn wanted(pipeline: &Pipeline) -> u32 {
        pipeline.programs.values().map(|program| program.gpus).max().unwrap_or_default()
    }

    fn of(said: Option<u32>, wanted: u32, visible: Option<&str>, devices: u32) -> Self {
        let named = visible.map(named);
        let count = said.or(named).unwrap_or(devices);
        let warning = (wanted > 0).then(|| match (said, named) {
            (Some(_), Some(named)) if count > named => Some(format!(
                "{count} GPUs are to be used, and CUDA_VISIBLE_DEVICES names {named}: name them all"
            )),
            (None, Some(named)) if named > 0 && devices == 0 => Some(format!(
                "CUDA_VISIBLE_DEVICES names {named} GPUs, and there is no /dev/nvidia*: {named} are used on \
                 its word"
            )),
            (None, _) if count == 0 => Some(format!(
                "a program reserves {wanted} GPUs, and none is found here (no CUDA_VISIBLE_DEVICES, no \
                 /dev/nvidia*): say how many there are with --gpus"
            )),
            (Some(_) | None, _) => None,
        });
        Self { count, warning: warning.flatten() }
    }
}

/// How many devices such a list makes visible: as CUDA has it, none after the first that cannot be one.
fn named(list: &str) -> u32 {
    let is_one = |name: &&str| !name.is_empty() && !name.starts_with('-') && *name != "NoDevFiles";
    u32::try_from(list.split(',').map(str::trim).take_while(is_one).count()).unwrap_or(u32::MAX)
}

fn devices() -> u32 {
    let names = fs::read_dir("/dev").into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_one = |name: &String| {
        let number = name.strip_prefix("nvidia").unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    u32::try_from(names.filter(is_one).count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_comes_first_then_the_variable_then_the_devices() {
        let count = |said, visible, devices| Gpus::of(said, 1, visible, devices).count;
        assert_eq!(count(Some(2), Some("0,1,2,3"), 8), 2);
        assert_eq!(count(None, Some("0, 1,GPU-8f3e,MIG-1/2/3"), 8), 4);
        assert_eq!(count(None, Some("0,1,-1,3"), 8), 2);
        assert_eq!([count(None, Some(""), 8), count(None, Some("NoDevFiles"), 8)], [0, 0]);
        assert_eq!(count(None, None, 8), 8);
    }

    #[test]
    fn a_count_that_cannot_be_seen_to_be_right_is_told_of() {
        let warning =
            |said, wanted, visible, devices| Gpus::of(said, wanted, visible, devices).warning;
        assert!(warning(None, 1, None, 0).is_some_and(|text| text.contains("--gpus")));
        assert!(warning(None, 1, Some("0,1"), 0).is_some_and(|text| text.contains("names 2 GPUs")));
        assert!(warning(Some(4), 1, Some("0"), 8).is_some_and(|text| text.contains("names 1")));
        assert_eq!(warning(None, 1, Some("0,1"), 2), None);
        assert_eq!(warning(None, 0, None, 0), None);
    }
}
