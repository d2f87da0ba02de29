//! Formats that an administrator had the kernel hand to an interpreter (binfmt_misc): an emulator,
//! say.
//!
//! Not here: what the kernel runs by itself.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

/// Whether the file that begins with `head` is run by some registered interpreter.
pub(super) fn is_registered(path: &Path, head: &[u8]) -> bool {
    let entries = fs::read_dir("/proc/sys/fs/binfmt_misc").into_iter().flatten().flatten();
    let texts = entries.take(ENTRIES_MAX).filter_map(|entry| fs::read_to_string(entry.path()).ok());
    texts.into_iter().any(|text| is_for(&text, path, head))
}

fn is_for(entry: &str, path: &Path, head: &[u8]) -> bool {
    let field = |name: &str| entry.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if !entry.starts_with("enabled") {
        return false;
    }
    if let Some(extension) = field("extension .") {
        return path.extension() == Some(OsStr::new(extension));
    }
    let offset = field("offset ").and_then(|text| text.parse().ok()).unwrap_or(0_usize);
    let Some(magic) = field("magic ").and_then(bytes) else { return false };
    let mask = field("mask ").and_then(bytes).unwrap_or_else(|| vec![0xff; magic.len()]);
    let Some(own) = head.get(offset..offset.saturating_add(magic.len())) else { return false };
    let mut all = own.iter().zip(&magic).zip(&mask);
    all.all(|((own, magic), mask)| own & mask == magic & mask)
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Far more than anybody registers.
const ENTRIES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulators_format_is_known() {
        let entry = "enabled\ninterpreter /usr/bin/qemu-aarch64\nflags: F\noffset 0\n\
            magic 7f454c460201010000000000000000000200b700\n\
            mask ffffffffffffff00fffffffffffffffffeffffff\n";
        let mut head = b"\x7fELF\x02\x01\x01\x00\0\0\0\0\0\0\0\0\x03\x00\xb7\x00\x01".to_vec();
        assert!(is_for(entry, Path::new("p"), &head));
        assert!(!is_for(&entry.replace("enabled", "disabled"), Path::new("p"), &head));
        if let Some(machine) = head.get_mut(18) {
            *machine = 0x3e;
        }
        assert!(!is_for(entry, Path::new("p"), &head));
    }
}
