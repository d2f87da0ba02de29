//! What an ELF header says about where its program runs (elf(5)).
//!
//! Not here: any other format.

use std::path::Path;

/// How each begins.
pub(super) const MAGIC: &[u8] = b"\x7fELF";

/// Why this machine cannot run it, and what to do, to be said after its name.
pub(super) fn fault(head: &[u8]) -> Option<String> {
    let Some(elf) = Elf::read(head) else {
        return Some("is cut off within its ELF header: copy it again".to_owned());
    };
    if elf.machine != OWN && !COMPATIBLE.contains(&elf.machine) {
        let (theirs, ours) = (name(elf.machine), name(OWN));
        return Some(format!(
            "is a program for another architecture ({theirs}), and this machine is {ours}: build it for this one"
        ));
    }
    let loader = elf.loader(head)?;
    (!Path::new(&loader).exists()).then(|| {
        format!(
            "needs the loader {loader}, which is not there: it was built for another system or libc: install that \
             one, or build it here"
        )
    })
}

struct Elf {
    is_wide: bool,
    is_big: bool,
    machine: u16,
    table: u64,
    entry_bytes: u64,
    entries: u64,
}

impl Elf {
    fn read(head: &[u8]) -> Option<Self> {
        let (is_wide, is_big) = (head.get(4)? == &2, head.get(5)? == &2);
        let number = |at: usize, bytes: usize| number(head, at, bytes, is_big);
        let (table, sizes) = if is_wide { (number(32, 8)?, 54) } else { (number(28, 4)?, 42) };
        Some(Self {
            is_wide,
            is_big,
            machine: u16::try_from(number(18, 2)?).ok()?,
            table,
            entry_bytes: number(sizes, 2)?,
            entries: number(sizes + 2, 2)?,
        })
    }

    /// The program that loads its libraries, if it names one in what was read.
    fn loader(&self, head: &[u8]) -> Option<String> {
        let number =
            |at: u64, bytes: usize| number(head, usize::try_from(at).ok()?, bytes, self.is_big);
        (0..self.entries).find_map(|entry| {
            let at = self.table.checked_add(entry.checked_mul(self.entry_bytes)?)?;
            if number(at, 4)? != INTERPRETER {
                return None;
            }
            let (offset, bytes) = match self.is_wide {
                true => (number(at.checked_add(8)?, 8)?, number(at.checked_add(32)?, 8)?),
                false => (number(at.checked_add(4)?, 4)?, number(at.checked_add(16)?, 4)?),
            };
            let start = usize::try_from(offset).ok()?;
            let text = head.get(start..start.checked_add(usize::try_from(bytes).ok()?)?)?;
            let text = text.split(|byte| *byte == 0).next()?;
            String::from_utf8(text.to_vec()).ok().filter(|path| path.starts_with('/'))
        })
    }
}

fn number(head: &[u8], at: usize, bytes: usize, is_big: bool) -> Option<u64> {
    let digits = head.get(at..at.checked_add(bytes)?)?;
    let add = |sum: u64, digit: &u8| (sum << 8) | u64::from(*digit);
    Some(if is_big { digits.iter().fold(0, add) } else { digits.iter().rev().fold(0, add) })
}

fn name(machine: u16) -> String {
    match NAMES.iter().find(|(number, _)| *number == machine) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("machine {machine}"),
    }
}

const NAMES: &[(u16, &str)] = &[
    (3, "x86"),
    (8, "MIPS"),
    (20, "PowerPC"),
    (21, "PowerPC 64"),
    (22, "S/390"),
    (40, "ARM"),
    (62, "x86-64"),
    (183, "ARM64"),
    (243, "RISC-V"),
    (258, "LoongArch"),
];

/// `PT_INTERP`.
const INTERPRETER: u64 = 3;

/// This machine's.
const OWN: u16 = if cfg!(target_arch = "x86_64") {
    62
} else if cfg!(target_arch = "aarch64") {
    183
} else if cfg!(target_arch = "riscv64") {
    243
} else {
    0
};

/// What its kernel may run beside: nobody can tell without trying.
const COMPATIBLE: &[u16] = if cfg!(target_arch = "x86_64") {
    &[3]
} else if cfg!(target_arch = "aarch64") {
    &[40]
} else {
    &[62, 183, 21, 22, 3, 40, 8, 20, 258]
};
