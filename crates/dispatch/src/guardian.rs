//! Ends the provers' process groups when the dispatcher is killed and cannot.
//!
//! The kernel kills a prover with the thread that spawned it, but not what a prover (a wrapper
//! script, say) has started itself. So a shell is kept beside the dispatcher that knows all groups
//! and reads a pipe; when the pipe ends without a word, the dispatcher is dead, and it kills what
//! is on its list. On an orderly end the list is empty. Where provers have control groups it ends
//! what is in those, too, and removes them.
//!
//! Not here: what left its group, which the next life ends (`lives`).

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::Pid;

use crate::procfs::raw;

/// The shell, if there is one to be had; without it only the next life ends what is left.
#[derive(Debug)]
pub(crate) struct Guardian(Mutex<Option<Shell>>);

#[derive(Debug)]
struct Shell {
    child: Child,
    list: ChildStdin,
}

impl Guardian {
    /// `cgroups`: the folder of the provers' control groups, where there are any.
    pub(crate) fn start(cgroups: Option<&Path>) -> Self {
        Self(Mutex::new(Shell::start(cgroups).ok()))
    }

    /// Puts a group on the list.
    pub(crate) fn add(&self, group: Pid) {
        self.say(&format!("+ {}\n", raw(group)));
    }

    /// Takes it off: all of it has ended.
    pub(crate) fn remove(&self, group: Pid) {
        self.say(&format!("- {}\n", raw(group)));
    }

    fn say(&self, line: &str) {
        let mut shell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shell) = shell.as_mut() {
            // It reads, or it is gone. The pipe does not block: nothing may wait for it.
            let _ = shell.list.write_all(line.as_bytes());
        }
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        let shell = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Shell { mut child, list }) = shell {
            drop(list);
            let _ = child.wait();
        }
    }
}

impl Shell {
    fn start(cgroups: Option<&Path>) -> io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "push0-guardian"]).args(cgroups);
        command.current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let list = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        fcntl_setfl(&list, OFlags::NONBLOCK)?;
        Ok(Self { child, list })
    }
}

const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
groups=" "
while read -r sign group; do
    case $sign in
    +) groups="$groups$group " ;;
    -) groups="${groups%% $group *} ${groups#* $group }" ;;
    esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
[ -n "$1" ] || exit 0
for try in 1 2 3 4 5 6 7 8 9 10; do
    for group in "$1"/*/; do
        while read -r pid; do kill -s KILL "$pid"; done < "$group/cgroup.procs"
        rmdir "$group"
    done
    rmdir "$1" && exit 0
    [ -d "$1" ] || exit 0
    sleep 0.1
done
"#;
