//! How many GPUs provers share: what is said, else what this machine shows.
//!
//! ```text
//!   --gpus, [dispatch] gpus   >   CUDA_VISIBLE_DEVICES   >   /dev/nvidia0, /dev/nvidia1, …
//! ```
//!
//! AMD's likewise: by `HIP_VISIBLE_DEVICES` or `ROCR_VISIBLE_DEVICES`, else by what its driver
//! shows.
//!
//! Not here: which attempt has which of them, and that no other dispatcher has (`push0_dispatch`).

use push0_core::Pipeline;
use push0_dispatch::{Gpus as Devices, Visible, gpus_present};

/// How many there are, and what a person should know of how that is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Gpus {
    pub(crate) count: u32,
    pub(crate) warning: Option<String>,
    /// Which those are.
    pub(crate) devices: Devices,
}

impl Gpus {
    /// `said`: by whoever started push0. `wanted`: by the greediest program.
    pub(crate) fn find(said: Option<u32>, wanted: u32) -> Self {
        Self::of(said, wanted, Visible::own(), gpus_present())
    }

    /// What the greediest program of a pipeline reserves.
    pub(crate) fn wanted(pipeline: &Pipeline) -> u32 {
        pipeline.programs.values().map(|program| program.gpus).max().unwrap_or_default()
    }

    fn of(said: Option<u32>, wanted: u32, visible: Option<Visible>, devices: u32) -> Self {
        let named = visible.as_ref().map(|visible| visible.names.len());
        let named = named.map(|named| u32::try_from(named).unwrap_or(u32::MAX));
        let variable = visible.as_ref().map_or("CUDA_VISIBLE_DEVICES", |visible| visible.variable);
        let said_count = said.or(named).unwrap_or(devices);
        let warning = (wanted > 0).then(|| match (said, named) {
            (Some(_), Some(named)) if said_count > named => Some(format!(
                "{said_count} GPUs are to be used, and {variable} names {named}: {named} are used; name them all"
            )),
            (None, Some(named)) if named > 0 && devices == 0 => Some(format!(
                "{variable} names {named} GPUs, and there is no /dev/nvidia*: {named} are used on its word"
            )),
            (None, _) if said_count == 0 => Some(format!(
                "a program reserves GPUs ({wanted}), and none is found here (no CUDA_VISIBLE_DEVICES, no \
                 /dev/nvidia*): say how many there are with --gpus"
            )),
            (Some(_) | None, _) => None,
        });
        let devices = Devices::of(said_count, visible);
        Self { count: devices.count(), warning: warning.flatten(), devices }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(list: Option<&str>) -> Option<Visible> {
        list.map(|list| Visible::listed("CUDA_VISIBLE_DEVICES", list))
    }

    #[test]
    fn what_is_said_comes_first_then_the_variable_then_the_devices() {
        let count = |said, visible, devices| Gpus::of(said, 1, listed(visible), devices).count;
        assert_eq!(count(Some(2), Some("0,1,2,3"), 8), 2);
        assert_eq!(count(None, Some("0, 1,GPU-8f3e,MIG-1/2/3"), 8), 4);
        assert_eq!(count(Some(4), Some("0,1"), 8), 2);
        assert_eq!(count(None, Some(""), 8), 0);
        assert_eq!(count(None, None, 8), 8);
    }

    #[test]
    fn a_count_that_cannot_be_seen_to_be_right_is_told_of() {
        let warning = |said, wanted, visible, devices| {
            Gpus::of(said, wanted, listed(visible), devices).warning
        };
        assert!(warning(None, 1, None, 0).is_some_and(|text| text.contains("--gpus")));
        assert!(warning(None, 1, Some("0,1"), 0).is_some_and(|text| text.contains("names 2 GPUs")));
        assert!(warning(Some(4), 1, Some("0"), 8).is_some_and(|text| text.contains("names 1")));
        assert_eq!(warning(None, 1, Some("0,1"), 2), None);
        assert_eq!(warning(None, 0, None, 0), None);
    }
}
