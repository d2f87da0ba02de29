//! Outputs as files of a folder beside the artifacts'.

use std::fs::{self, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::SystemTime;

use super::{DirStore, is_absent};
use crate::bounded;
use crate::store::StoreError;
use crate::store::outputs::{OUTPUT, OUTPUT_BYTES_MAX};

impl DirStore {
    pub(in crate::store) fn put_output(&self, name: &str, text: &[u8]) -> Result<(), StoreError> {
        let path = self.dir.join(OUTPUT).join(name);
        close(&self.dir.join(OUTPUT));
        let put = self
            .be_there()
            .and_then(|()| self.write_as(&path, FOR_GROUP, |file| file.write_all(text)));
        put.map_err(|source| StoreError { path, source })
    }

    pub(in crate::store) fn output(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match bounded::open(&self.dir.join(OUTPUT).join(name)) {
            Err(error) if is_absent(&error) => self.be_there().map(|()| None),
            file => {
                let mut text = Vec::new();
                file?.take(OUTPUT_BYTES_MAX).read_to_end(&mut text)?;
                Ok(Some(text))
            }
        }
    }

    pub(in crate::store) fn walk_outputs(
        &self,
        each: &mut dyn FnMut(&str, u64, SystemTime),
    ) -> io::Result<()> {
        self.be_there()?;
        let entries = match fs::read_dir(self.dir.join(OUTPUT)) {
            Err(error) if is_absent(&error) => return Ok(()),
            entries => entries?,
        };
        for file in entries.flatten() {
            // What goes meanwhile is passed over.
            let (name, Ok(found)) = (file.file_name(), file.metadata()) else { continue };
            if let Some(name) = name.to_str().filter(|_| found.is_file()) {
                each(name, found.len(), found.modified()?);
            }
        }
        Ok(())
    }

    pub(in crate::store) fn remove_output(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.dir.join(OUTPUT).join(name)) {
            Err(error) if !is_absent(&error) => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Keeps others out of a folder that an older push0 made. Best effort: it may be another user's.
fn close(folder: &Path) {
    if let Ok(found) = fs::metadata(folder)
        && found.mode() & 0o007 != 0
    {
        let _ = fs::set_permissions(folder, Permissions::from_mode(found.mode() & 0o770));
    }
}

/// Of what failed attempts printed, which may hold more than artifacts do: nobody but the users of
/// the machines, and their group where they share one.
const FOR_GROUP: (u32, u32) = (0o770, 0o660);
