//! The bytes of a file, as far as a bound: what is larger, or endless, is not read to its end, and
//! what is no file is not waited for.
//!
//! To open a FIFO waits until somebody writes to it, which may be never; a device may have no end.
//! Whoever may write to a directory can put one there.
//!
//! Not here: what the bytes mean.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags, fcntl_setfl, fstatfs, open as open_at};
use rustix::io::Errno;

/// All bytes of the file.
///
/// # Errors
///
/// It cannot be read, is no file, or holds more than `bytes_max` ([`io::ErrorKind::FileTooLarge`]).
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        let words = format!("more than {bytes_max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, words));
    }
    Ok(bytes)
}

/// The same of text.
///
/// # Errors
///
/// As [`read`]; or it is not UTF-8.
pub fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    let bytes = read(path, bytes_max)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"))
}

/// Opens the file to read it; a pipe too that a shell has made (`<(…)`), to which somebody writes.
///
/// # Errors
///
/// It cannot be opened, or is no file.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(open_at(path, flags, Mode::empty())?);
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    if kind.is_dir() {
        return Err(Errno::ISDIR.into());
    }
    if fstatfs(&file)?.f_type == PIPES {
        fcntl_setfl(&file, OFlags::empty())?;
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, NO_FILE))
}

/// Of an identity, a number, a process's name. Unit: bytes.
pub(crate) const LINE_BYTES_MAX: u64 = 4 << 10;

/// Of a report, of what a dispatcher says of itself, of the processes that it runs: more than the
/// largest. Unit: bytes.
pub(crate) const REPORT_BYTES_MAX: u64 = 4 << 20;

/// Where pipes without a name are: `PIPEFS_MAGIC` of linux/magic.h.
const PIPES: rustix::fs::FsWord = 0x5049_5045;

const NO_FILE: &str = "a FIFO, a device or a socket, and no file";

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, mkfifoat};

    use super::*;

    #[test]
    fn what_has_no_end_or_no_writer_is_refused_and_not_waited_for() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        mkfifoat(CWD, path("fifo"), Mode::RUSR | Mode::WUSR).expect("a FIFO");
        for path in [path("fifo"), "/dev/zero".into(), "/dev/null".into()] {
            let refused = read(&path, 10).expect_err("it is no file");
            assert_eq!(refused.to_string(), NO_FILE, "{}", path.display());
        }
        assert_eq!(
            read(dir.path(), 10).expect_err("a directory").kind(),
            io::ErrorKind::IsADirectory
        );
        std::fs::write(path("file"), "12345").expect("a writable directory");
        assert_eq!(read(&path("file"), 5).expect("it fits"), b"12345");
        let large = read(&path("file"), 4).expect_err("it is too large");
        assert_eq!(large.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_pipe_that_a_shell_has_made_is_read() {
        use std::io::Write as _;
        use std::os::fd::AsRawFd as _;

        let (from, mut to) = io::pipe().expect("a pipe");
        let path = format!("/proc/self/fd/{}", from.as_raw_fd());
        let writer = std::thread::spawn(move || to.write_all(b"12345"));
        assert_eq!(read(Path::new(&path), 10).expect("it is read to its end"), b"12345");
        writer.join().expect("no panic").expect("it is read");
    }
}
