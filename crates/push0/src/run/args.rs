//! What `push0 run` is asked, and the defaults of what it is not.
//!
//! Not here: what it does (`run`).

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io, thread};

use clap::Args;

use push0_pipeline::unit;

use crate::telemetry::TelemetryArgs;

/// Proves what the pipeline's source gives, until it ends; goes on where it was
///
/// Engine and dispatcher are this one process; it starts the provers. Everything it knows is in the
/// data directory: after a crash, a kill or Ctrl-C the same command goes on from there. Ctrl-C lets
/// running provers finish; a second one stops them.
///
/// stderr shows a bar for each stage, or a line for each event where it is no terminal. stdout gets
/// the result: a table, or one JSON object with --json.
#[derive(Args, Clone, Debug, Eq, PartialEq)]
#[command(after_long_help = EXAMPLES)]
pub struct RunArgs {
    /// The pipeline's file
    pub pipeline: PathBuf,
    /// Where the log, the artifacts and the provers' output are kept [default: ./NAME.push0, after
    /// the pipeline's name]
    #[arg(long, value_name = "DIR", value_parser = crate::directory::named)]
    pub data: Option<PathBuf>,
    /// Where final proofs are written [default: `proofs` in the data directory]
    #[arg(long, value_name = "DIR", value_parser = crate::directory::named)]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub machine: MachineArgs,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
    /// Go on with this pipeline where the data directory has run another
    #[arg(long)]
    pub apply: bool,
    /// Try again what is parked
    #[arg(long)]
    pub retry_parked: bool,
    /// How long to go on while a program is held: several tasks have failed, and none was proved
    /// since
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5m")]
    pub patience: Duration,
    /// End after this block, where blocks come from nodes: no block follows it then
    #[arg(long, value_name = "HEIGHT")]
    pub until: Option<u64>,
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// What of this machine provers may use.
#[derive(Args, Clone, Copy, Debug, Eq, PartialEq)]
pub struct MachineArgs {
    /// How many attempts run at once [default: the cores of this machine]
    #[arg(long, value_name = "N", value_parser = slots)]
    pub slots: Option<NonZeroU32>,
    /// The memory that provers share, in bytes or with a unit (16GiB); each attempt takes what its
    /// program reserves [default: all of this machine, or the limit of the cgroup around it]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub memory: Option<u64>,
    /// How many GPUs provers share; each attempt sees those alone that its program reserves
    /// [default: those that CUDA_VISIBLE_DEVICES names, or all /dev/nvidia*]
    #[arg(long, value_name = "N")]
    pub gpus: Option<u32>,
}

impl RunArgs {
    /// The data directory of a pipeline of this name.
    #[must_use]
    pub fn data_dir(&self, name: &impl std::fmt::Display) -> PathBuf {
        self.data.clone().unwrap_or_else(|| PathBuf::from(format!("./{name}.push0")))
    }

    /// Where final proofs go, beside this data directory.
    #[must_use]
    pub fn out_dir(&self, data: &Path) -> PathBuf {
        self.out.clone().unwrap_or_else(|| data.join("proofs"))
    }
}

impl MachineArgs {
    /// How many attempts run at once.
    #[must_use]
    pub fn slots(&self) -> u32 {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        self.slots.map_or_else(|| u32::try_from(cores()).unwrap_or(u32::MAX), NonZeroU32::get)
    }

    /// The memory that provers share. Unit: bytes.
    ///
    /// # Errors
    ///
    /// Where it is not given and the system does not tell: `--memory` must be given.
    pub fn memory_bytes(&self) -> io::Result<u64> {
        self.memory.map_or_else(machine_memory_bytes, Ok)
    }
}

fn slots(text: &str) -> Result<NonZeroU32, &'static str> {
    text.parse().map_err(|_| "write 1 or more")
}

/// A plain number, or one with a unit.
pub(crate) fn bytes(text: &str) -> Result<u64, &'static str> {
    let plain = text.parse().ok();
    let bytes = plain.or_else(|| unit::size(text)).filter(|bytes| *bytes > 0);
    bytes.ok_or("a number of bytes, or a size like 16GiB, is needed")
}

/// All of the machine, or what a control group around this process leaves of it.
fn machine_memory_bytes() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|total| total.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    let bytes = kib.map(|kib| kib << 10).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "/proc/meminfo has no MemTotal")
    })?;
    Ok(push0_dispatch::memory_limit_bytes().map_or(bytes, |limit| limit.min(bytes)))
}

const EXAMPLES: &str = "\
Examples:
  push0 run examples/scroll/pipeline.toml
  push0 run pipeline.toml --data /var/lib/push0 --slots 4 --memory 64GiB
  push0 run pipeline.toml --retry-parked";
