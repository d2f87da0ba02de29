//! The bytes of a small text file, bounded.
//!
//! Not here: what the text says.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::{FileFault, PipelineFileError};

/// The file's text, without a byte order mark.
pub(super) fn read(path: &Path) -> Result<String, PipelineFileError> {
    let mut bytes = Vec::new();
    let read = open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes));
    if let Err(source) = read {
        return Err(unreadable(path, source));
    }
    if bytes.len() as u64 > BYTES_MAX {
        return Err(PipelineFileError::Unreadable {
            path: path.to_owned(),
            what: format!("more than {BYTES_MAX} bytes"),
            remedy: "name a pipeline file, which is a page of text",
            source: None,
        });
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        PipelineFileError::Faulty(vec![FileFault {
            file: path.to_owned(),
            line: 1 + valid.iter().filter(|byte| **byte == b'\n').count(),
            key: None,
            what: "not UTF-8".to_owned(),
            remedy: "save the file as UTF-8".to_owned(),
        }])
    })?;
    Ok(text.strip_prefix('\u{feff}').map(ToOwned::to_owned).unwrap_or(text))
}

/// Not what a shell's `<(…)` leads to, but a FIFO that has a name may never be written to, and a
/// device may never end.
fn open(path: &Path) -> io::Result<File> {
    let named = path.canonicalize().and_then(|named| named.symlink_metadata());
    match named.map(|it| it.file_type()) {
        Ok(kind) if !kind.is_file() && !kind.is_dir() => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, NO_FILE))
        }
        Ok(_) | Err(_) => File::open(path),
    }
}

fn unreadable(path: &Path, source: io::Error) -> PipelineFileError {
    let (what, remedy) = if source.kind() == io::ErrorKind::NotFound {
        ("no such file".to_owned(), "name a pipeline file that is there")
    } else if source.kind() == io::ErrorKind::IsADirectory {
        ("a directory".to_owned(), "name the pipeline file in it")
    } else if source.kind() == io::ErrorKind::PermissionDenied {
        ("not allowed to read".to_owned(), "give this user the right to read it")
    } else {
        (format!("cannot read: {source}"), "name a pipeline file that can be read")
    };
    PipelineFileError::Unreadable { path: path.to_owned(), what, remedy, source: Some(source) }
}

const NO_FILE: &str = "a FIFO, a device or a socket, and no file";

/// A thousand times a long pipeline. Unit: bytes.
const BYTES_MAX: u64 = 1 << 20;
