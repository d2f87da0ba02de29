//! What devices are called: what the environment says, what is there, and what one device is called
//! by everybody.
//!
//! Not here: who has which (`gpus`).

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;

/// Devices by the names of a driver, and the variable that it reads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Visible {
    /// What a process is told by which it may see.
    pub variable: &'static str,
    /// A number or a UUID each.
    pub names: Vec<String>,
}

impl Default for Visible {
    fn default() -> Self {
        Self::numbered(0)
    }
}

impl Visible {
    /// What the environment of this process makes visible; `None` where it says nothing.
    #[must_use]
    pub fn own() -> Option<Self> {
        VARIABLES.into_iter().find_map(|variable| {
            let list = env::var(variable).ok()?;
            Some(Self::listed(variable, &list))
        })
    }

    /// What such a list makes visible: as drivers have it, none after the first that cannot be one,
    /// and each once.
    #[must_use]
    pub fn listed(variable: &'static str, list: &str) -> Self {
        let is_one =
            |name: &&str| !name.is_empty() && !name.starts_with('-') && *name != "NoDevFiles";
        let mut seen = BTreeSet::new();
        let names = list.split(',').map(str::trim).take_while(is_one);
        let names = names.filter(|name| seen.insert(*name)).map(str::to_owned).collect();
        Self { variable, names }
    }

    /// So many from 0 on, of the vendor whose devices are there.
    pub(super) fn numbered(count: usize) -> Self {
        let is_amds = devices(Path::new("/dev")) == 0 && amds() > 0;
        let variable = if is_amds { "HIP_VISIBLE_DEVICES" } else { "CUDA_VISIBLE_DEVICES" };
        let names = (0..count.min(NUMBERED_MAX)).map(|number| number.to_string()).collect();
        Self { variable, names }
    }
}

/// How many devices this machine shows.
#[must_use]
pub fn present() -> u32 {
    match devices(Path::new("/dev")) {
        0 => amds(),
        some => some,
    }
}

/// What each is called by everybody on this machine: an NVIDIA device by its UUID, where its driver
/// tells it.
pub(super) fn identities(visible: &Visible) -> Vec<String> {
    let uuids = match visible.variable {
        "CUDA_VISIBLE_DEVICES" => uuids(Path::new("/proc/driver/nvidia/gpus")),
        _ => Vec::new(),
    };
    // HIP counts those that are left by the layer below it.
    let below = env::var("ROCR_VISIBLE_DEVICES").ok().filter(|_| visible.variable == HIP);
    let below = below.map(|list| Visible::listed("ROCR_VISIBLE_DEVICES", &list).names);
    let uuids = below.unwrap_or(uuids);
    let names = visible.names.iter().map(|name| identity(visible.variable, name, &uuids));
    names.collect()
}

/// `known`: the devices, in the order of their numbers.
fn identity(variable: &str, name: &str, known: &[String]) -> String {
    if variable != "CUDA_VISIBLE_DEVICES" {
        let numbered = name.parse::<usize>().ok().and_then(|number| known.get(number));
        return format!("amd-{}", numbered.map_or(name, String::as_str));
    }
    let uuids = known;
    let numbered = name.parse::<usize>().ok().and_then(|number| uuids.get(number));
    let mut begun = uuids.iter().filter(|uuid| uuid.starts_with(name)); // CUDA takes the beginning of one
    let begun = begun.next().filter(|_| name.starts_with("GPU-") && begun.next().is_none());
    numbered.or(begun).map_or(name, String::as_str).to_owned()
}

/// Those of NVIDIA's devices, in the order of their buses.
fn uuids(folder: &Path) -> Vec<String> {
    let mut devices: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    devices.sort();
    let uuid = |path: std::path::PathBuf| {
        let text = fs::read_to_string(path.join("information")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("GPU UUID:"))?;
        Some(line.trim().to_owned())
    };
    devices.into_iter().filter_map(uuid).collect()
}

/// `/dev/nvidia0`, `/dev/nvidia1`, …
fn devices(folder: &Path) -> u32 {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_one = |name: &String| {
        let number = name.strip_prefix("nvidia").unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    u32::try_from(names.filter(is_one).count()).unwrap_or(u32::MAX)
}

/// AMD's, by the nodes of its driver; a node that is a processor has no number.
fn amds() -> u32 {
    let nodes = fs::read_dir("/sys/class/kfd/kfd/topology/nodes").into_iter().flatten().flatten();
    let number = |node: fs::DirEntry| fs::read_to_string(node.path().join("gpu_id")).ok();
    let is_gpu = |number: &String| number.trim().parse::<u64>().is_ok_and(|number| number > 0);
    u32::try_from(nodes.filter_map(number).filter(is_gpu).count()).unwrap_or(u32::MAX)
}

const HIP: &str = "HIP_VISIBLE_DEVICES";

/// The first that is set counts.
const VARIABLES: [&str; 3] =
    ["CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"];

/// More than any machine has: a claim of more is cut by the engine too.
const NUMBERED_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_drivers_read_it() {
        let names = |list| Visible::listed("CUDA_VISIBLE_DEVICES", list).names;
        assert_eq!(names("0, 1,GPU-8f3e,MIG-1/2/3").len(), 4);
        assert_eq!(names("0,1,-1,3"), ["0", "1"]);
        assert_eq!(names("1,1,0"), ["1", "0"]);
        assert_eq!([names(""), names("NoDevFiles")], [Vec::<String>::new(), Vec::new()]);
    }

    #[test]
    fn a_device_has_one_name_whoever_names_it() {
        let dir = tempfile::tempdir().expect("a directory");
        for (bus, uuid) in [("0000:0a:00.0", "GPU-aa01"), ("0000:0b:00.0", "GPU-aa02")] {
            let device = dir.path().join(bus);
            fs::create_dir(&device).expect("made");
            let text = format!("Model: \t\t H100\nGPU UUID: \t {uuid}\nDevice Minor: \t 0\n");
            fs::write(device.join("information"), text).expect("written");
        }
        let uuids = uuids(dir.path());
        let called = |name| identity("CUDA_VISIBLE_DEVICES", name, &uuids);
        assert_eq!([called("1"), called("GPU-aa02")], ["GPU-aa02", "GPU-aa02"]);
        assert_eq!(
            [called("GPU-aa"), called("7"), called("MIG-aa01")],
            ["GPU-aa", "7", "MIG-aa01"]
        );
        let called = |known: &[String]| identity("HIP_VISIBLE_DEVICES", "1", known);
        assert_eq!([called(&[]), called(&["2".into(), "3".into()])], ["amd-1", "amd-3"]);
    }
}
