//! What a dispatcher is and has to say of itself, told to people.
//!
//! Not here: when it says so (`push0_dispatch`), and what follows of it (`run`, `cluster`).

use push0_dispatch::{Config, Notice};

use crate::tell::{self, counted};

/// Tells it: somebody should see to what keeps work from being done.
pub(crate) fn tell(notice: &Notice) {
    match notice.is_trouble() {
        true => tell::warn(notice),
        false => tell::info(notice),
    }
}

/// Tells, as a detail, what a dispatcher begins with.
pub(crate) fn begins(config: &Config) {
    let Config { id, slots, memory_bytes, gpus, store, dir, .. } = config;
    let (slots, gpus) = (counted(slots, "slot"), counted(gpus.count(), "GPU"));
    let (mib, dir) = (memory_bytes >> 20, dir.display());
    tell::debug(format_args!("{id}: {slots}, {mib} MiB, {gpus}; {store}; its files are in {dir}"));
}
