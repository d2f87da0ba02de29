//! The disk under a data directory: its room, its kind, and how long it takes until a write is
//! durable.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use push0_dispatch::Room;

use super::bounded;
use crate::finding::Finding;

pub(super) fn look(dir: &Path) -> Vec<Finding> {
    let about = format!("disk of {}", dir.display());
    let dir = dir.to_owned();
    let looked = bounded(&about, DISK_MAX, move || {
        let there = existing(&dir);
        let (room, kind) = (Room::look(&there), rustix::fs::statfs(&there));
        (room, kind.ok().and_then(|found| kind_of(found.f_type)), syncs(&there))
    });
    let (room, kind, syncs) = match looked {
        Ok(looked) => looked,
        Err(finding) => return vec![finding],
    };
    let mut findings = vec![match room {
        Err(error) => {
            Finding::fail(&about, error.to_string(), "see to it, or name another (--data)")
        }
        Ok(room) if room.is_short() => {
            Finding::fail(&about, room.to_string(), "or name another directory (--data)")
        }
        Ok(room) => {
            let [free, reserve] = [room.free_bytes, room.reserve_bytes()].map(|bytes| bytes >> 20);
            let said = format!("{free} MiB are free; below {reserve} MiB nothing new is begun");
            Finding::ok(&about, said)
        }
    }];
    if let Some((kind, what, remedy)) = kind {
        findings.push(Finding::warn(&about, format!("it is {kind}: {what}"), remedy));
    }
    findings.push(match syncs {
        Err(error) => Finding::fail(
            &about,
            format!("a file cannot be written and synced there: {error}"),
            "give this user the right to write there, or name another directory (--data)",
        ),
        Ok(times) => sync_time(&about, times),
    });
    findings
}

fn sync_time(about: &str, mut times: Vec<Duration>) -> Finding {
    times.sort();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    let (median, late) = (at(50), at(95));
    let said = format!(
        "a write of 4 KiB is durable in {:.2} ms (median of {}; 95 of 100 within {:.2} ms); each task waits for two",
        median.as_secs_f64() * 1e3,
        times.len(),
        late.as_secs_f64() * 1e3
    );
    match median > SLOW {
        true => Finding::warn(about, said, "put the data directory on a local SSD"),
        false => Finding::ok(about, said),
    }
}

/// How long each of some writes takes until it is durable, in a file without a name.
fn syncs(dir: &Path) -> io::Result<Vec<Duration>> {
    let mut file = tempfile::tempfile_in(dir)?;
    let block = [0x5a; 4096];
    let (until, mut times) = (Instant::now() + SYNCS_FOR, Vec::new());
    while times.len() < SYNCS_MAX && (times.is_empty() || Instant::now() < until) {
        let began = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    Ok(times)
}

/// The directory, or the nearest above it that is there.
fn existing(dir: &Path) -> PathBuf {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let there = dir.ancestors().find(|above| above.is_dir()).map(Path::to_owned);
    there.unwrap_or(dir)
}

/// A kind of file system that is none for a log: its name, why, and what to do.
fn kind_of(magic: i64) -> Option<(&'static str, &'static str, &'static str)> {
    let another = "name a directory on a local disk (--data)";
    match magic {
        0x0102_1994 => Some(("tmpfs", "all of it is gone when the machine is", another)),
        0x6969 => Some((
            "NFS",
            "a log and a dispatcher's directory on it hang when its server does",
            "name a directory on a local disk (--data); a store may be there",
        )),
        0x794c_7630 => Some((
            "an overlay",
            "in a container all of it goes with the container",
            "mount a volume, and name a directory in it (--data)",
        )),
        _ => None,
    }
}

const SYNCS_MAX: usize = 100;

const SYNCS_FOR: Duration = Duration::from_secs(2);

/// For one sync of a disk that is asked for another's data meanwhile.
const DISK_MAX: Duration = Duration::from_secs(20);

/// A disk that turns takes some 8 ms; an SSD with a cache that outlives power, a tenth.
const SLOW: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Standing;

    #[test]
    fn a_disk_is_measured_and_nothing_is_left_on_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let findings = look(&dir.path().join("not/there/yet"));
        let synced = findings.last().expect("findings");
        assert!(
            synced.said.contains("durable in") && synced.said.contains("median of"),
            "{synced}"
        );
        assert_eq!(std::fs::read_dir(dir.path()).expect("it is there").count(), 0);
    }

    #[test]
    fn a_slow_disk_and_one_that_is_none_are_told_of() {
        let slow = sync_time("disk", vec![Duration::from_millis(9); 3]);
        assert_eq!(slow.standing, Standing::Warn);
        assert!(slow.remedy.is_some_and(|remedy| remedy.contains("SSD")));
        assert_eq!(sync_time("disk", vec![SLOW]).standing, Standing::Ok);
        assert!(kind_of(0x6969).is_some() && kind_of(0xef53).is_none());
    }
}
