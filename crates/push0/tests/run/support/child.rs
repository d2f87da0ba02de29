//! push0 as a child: what it says is awaited, never slept for.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A push0 that runs. Dropped, it is killed.
pub(crate) struct Push0 {
    child: Child,
    said: Arc<Said>,
    stdout: Option<JoinHandle<String>>,
}

/// What a process came to.
#[derive(Debug)]
pub(crate) struct Ended {
    /// None: killed.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Its stderr, as far as it came.
#[derive(Default)]
struct Said {
    text: Mutex<Text>,
    more: Condvar,
}

#[derive(Default)]
struct Text {
    lines: Vec<String>,
    has_ended: bool,
}

impl Push0 {
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("push0 starts");
        let said = Arc::new(Said::default());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut stdout = stdout.expect("it is piped");
        let stdout = thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).expect("text");
            text
        });
        let (heard, stderr) = (Arc::clone(&said), stderr.expect("it is piped"));
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                heard.lock().lines.push(line.expect("text"));
                heard.more.notify_all();
            }
            heard.lock().has_ended = true;
            heard.more.notify_all();
        });
        Self { child, said, stdout: Some(stdout) }
    }

    /// Waits for a line on stderr that contains `words`.
    pub(crate) fn await_line(&self, words: &str) {
        self.await_lines(words, 1);
    }

    /// Waits for so many of them.
    pub(crate) fn await_lines(&self, words: &str, count: usize) {
        let is_there =
            |text: &Text| text.lines.iter().filter(|line| line.contains(words)).count() >= count;
        let text = self.said.wait(PATIENCE, |text| is_there(text) || text.has_ended);
        assert!(is_there(&text), "{count} times {words:?} awaited:\n{}", text.lines.join("\n"));
    }

    /// Whether it ends by itself within `time`.
    pub(crate) fn ends_within(&self, time: Duration) -> bool {
        self.said.wait(time, |text| text.has_ended).has_ended
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGHUP.
    pub(crate) fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// `kill -9`.
    pub(crate) fn kill(self) -> Ended {
        self.signal(Signal::KILL);
        self.end()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let text = self.said.wait(PATIENCE, |text| text.has_ended);
        assert!(text.has_ended, "it does not end:\n{}", text.lines.join("\n"));
        let stderr = text.lines.iter().map(|line| format!("{line}\n")).collect();
        drop(text);
        let code = self.child.wait().expect("it is a child").code();
        let stdout = self.stdout.take().expect("it ends once").join().expect("text");
        Ended { code, stdout, stderr }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it has not been waited for");
    }
}

impl Drop for Push0 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Said {
    fn wait(&self, time: Duration, until: impl Fn(&Text) -> bool) -> MutexGuard<'_, Text> {
        let give_up = Instant::now() + time;
        let mut text = self.lock();
        while !until(&text) {
            let left = give_up.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            text = self.more.wait_timeout(text, left).expect("no reader panics").0;
        }
        text
    }

    fn lock(&self) -> MutexGuard<'_, Text> {
        self.text.lock().expect("no reader panics")
    }
}

impl Ended {
    /// Itself, if it ended with this code.
    pub(crate) fn with(self, code: i32) -> Self {
        let Self { code: found, stdout, stderr } = &self;
        assert_eq!(*found, Some(code), "\n-- stdout\n{stdout}\n-- stderr\n{stderr}");
        self
    }

    /// Its stdout, one JSON object.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }

    /// The lines of stderr that contain `words`.
    pub(crate) fn said(&self, words: &str) -> Vec<&str> {
        self.stderr.lines().filter(|line| line.contains(words)).collect()
    }

    /// As it is said to a person: `ERROR …` and all that follows.
    pub(crate) fn error(&self) -> &str {
        self.stderr.find(" ERROR ").and_then(|at| self.stderr.get(at..)).unwrap_or_default()
    }
}

/// More than anything here takes on a machine that does three other things.
const PATIENCE: Duration = Duration::from_secs(300);
