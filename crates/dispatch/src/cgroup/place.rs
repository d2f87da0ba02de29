//! Where this process stands among control groups: `/proc/self/cgroup` and `/proc/self/mountinfo`.
//!
//! Not here: what is made there.

use std::fs;
use std::path::{Path, PathBuf};

/// Which cgroups (cgroups(7)).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Version {
    One,
    Two,
}

impl Version {
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }
}

/// The group of this process that memory is counted in.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) version: Version,
    pub(super) path: PathBuf,
}

impl Place {
    /// Where it is.
    ///
    /// # Errors
    ///
    /// Why there is none, for a person.
    pub(super) fn find() -> Result<Self, String> {
        let read =
            |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
        let (groups, mounts) = (read("/proc/self/cgroup")?, read("/proc/self/mountinfo")?);
        let place = Self::parse(&groups, &mounts).ok_or("no memory cgroups are mounted here")?;
        if place.version == Version::Two && !has_memory(&place.path) {
            return Err(format!(
                "the memory controller is not delegated to {}",
                place.path.display()
            ));
        }
        match place.path.is_dir() {
            true => Ok(place),
            false => Err(format!("{} is not mounted here", place.path.display())),
        }
    }

    /// The least that it, or a group around it, may use. Unit: bytes; none, where nobody has set a
    /// limit.
    pub(super) fn limit_bytes() -> Option<u64> {
        let read = |path: &str| fs::read_to_string(path).ok();
        let place = Self::parse(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?)?;
        let file = match place.version {
            Version::One => "memory.limit_in_bytes",
            Version::Two => "memory.max",
        };
        // `max`, or in version 1 a number that no machine has, is no limit.
        let limit = |dir: &Path| fs::read_to_string(dir.join(file)).ok()?.trim().parse().ok();
        place.path.ancestors().filter_map(limit).min()
    }

    fn parse(groups: &str, mounts: &str) -> Option<Self> {
        let find = |version, is_wanted: &dyn Fn(&str, &str) -> bool, kind, option: &str| {
            let group = groups.lines().find_map(|line| {
                let mut fields = line.splitn(3, ':');
                let (number, controllers) = (fields.next()?, fields.next()?);
                is_wanted(number, controllers).then(|| fields.next())?
            })?;
            let path = mounts.lines().find_map(|line| mounted(line, kind, option, group))?;
            Some(Self { version, path })
        };
        // A machine may have both: then memory is counted in the old one.
        let is_one = |_: &str, controllers: &str| controllers.split(',').any(|it| it == "memory");
        let is_two = |number: &str, controllers: &str| number == "0" && controllers.is_empty();
        find(Version::One, &is_one, "cgroup", "memory")
            .or_else(|| find(Version::Two, &is_two, "cgroup2", ""))
    }
}

/// The folder of `group`, if `line` of `mountinfo` (proc_pid_mountinfo(5)) shows where it is
/// mounted.
fn mounted(line: &str, kind: &str, option: &str, group: &str) -> Option<PathBuf> {
    let (before, after) = line.split_once(" - ")?;
    let mut after = after.split(' ');
    let (is_kind, options) = (after.next()? == kind, after.nth(1)?);
    let has_option = option.is_empty() || options.split(',').any(|it| it == option);
    let mut before = before.split(' ').skip(3);
    let (root, point) = (before.next()?, before.next()?);
    let beneath = Path::new(group).strip_prefix(root).ok()?;
    (is_kind && has_option).then(|| Path::new(point).join(beneath))
}

fn has_memory(group: &Path) -> bool {
    let controllers = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
    controllers.split_whitespace().any(|it| it == "memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_version_is_found() {
        let mounts = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
            33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
            34 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let one = Place::parse("4:memory:/a/b\n0::/c\n", mounts);
        let path = PathBuf::from("/sys/fs/cgroup/memory/a/b");
        assert_eq!(one, Some(Place { version: Version::One, path }));
        let two = Place::parse("0::/c\n", mounts);
        let path = PathBuf::from("/sys/fs/cgroup/unified/c");
        assert_eq!(two, Some(Place { version: Version::Two, path }));
        assert_eq!(Place::parse("0::/c\n", ""), None);
    }

    #[test]
    fn the_limit_of_a_group_around_this_process_is_known() {
        // What it is depends on the machine; in version 1 there always is one.
        let is_one = Place::find().is_ok_and(|place| place.version == Version::One);
        assert!(!is_one || Place::limit_bytes().is_some_and(|limit| limit > 0));
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_root() {
        let mounts = "34 31 0:31 /docker/7 /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        let place = Place::parse("0::/docker/7/x\n", mounts);
        let path = PathBuf::from("/sys/fs/cgroup/x");
        assert_eq!(place, Some(Place { version: Version::Two, path }));
    }
}
