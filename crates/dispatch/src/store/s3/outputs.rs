//! Outputs as objects beside the artifacts.

use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use bytes::Bytes;
use object_store::path::Path as Key;

use super::S3Store;
use crate::store::StoreError;
use crate::store::outputs::{OUTPUT, OUTPUT_BYTES_MAX};

impl S3Store {
    pub(in crate::store) fn put_output(&self, name: &str, text: &[u8]) -> Result<(), StoreError> {
        let key = self.output_key(name);
        let put = self.client.overwrite(&key, Bytes::copy_from_slice(text));
        put.map_err(|source| StoreError { path: PathBuf::from(key.to_string()), source })
    }

    pub(in crate::store) fn output(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(mut pieces) = self.client.get(&self.output_key(name))? else {
            return self.be_there().map(|()| None);
        };
        let mut text = Vec::new();
        while let Some(bytes) = self.client.next(&mut pieces)? {
            text.extend_from_slice(&bytes);
            if text.len() as u64 > OUTPUT_BYTES_MAX {
                break;
            }
        }
        Ok(Some(text))
    }

    pub(in crate::store) fn walk_outputs(
        &self,
        each: &mut dyn FnMut(&str, u64, SystemTime),
    ) -> io::Result<()> {
        self.client.walk(&self.named(OUTPUT), &mut |object| {
            if let Some(name) = object.location.filename() {
                each(name, object.size, object.last_modified.into());
            }
            Ok(())
        })
    }

    pub(in crate::store) fn remove_output(&self, name: &str) -> io::Result<()> {
        self.client.remove(&self.output_key(name))
    }

    fn output_key(&self, name: &str) -> Key {
        self.named(OUTPUT).join(name)
    }
}
