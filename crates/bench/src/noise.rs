//! Other work on the machine: processes of the lowest priority that keep every core busy.

use std::process::{Child, Command, Stdio};

use crate::fault::Fault;

/// Ends them when it is dropped.
pub(crate) struct Noise(Vec<Child>);

impl Noise {
    /// What is asked for under this name: `busy`, or none.
    ///
    /// # Errors
    ///
    /// That a process cannot be started.
    pub(crate) fn of(name: &str) -> Result<Option<Self>, Fault> {
        (name == "busy").then(Self::start).transpose()
    }

    /// One process (nice 19) for each core.
    fn start() -> Result<Self, Fault> {
        let cores = std::thread::available_parallelism()?.get();
        let mut noise = Self(Vec::new());
        for _ in 0..cores {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg("burn").stdin(Stdio::null()).stdout(Stdio::null());
            push0_dispatch::die_with_parent(&mut command);
            noise.0.push(command.spawn()?);
        }
        Ok(noise)
    }
}

impl Drop for Noise {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What such a process does until it is killed.
pub(crate) fn burn() {
    let _ = rustix::process::nice(19);
    let mut number = 1_u64;
    loop {
        number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005) + 1);
    }
}
