//! What the kernel alone offers, and the standard library does not.

#![expect(unsafe_code, reason = "a system call that no library wraps")]

/// Asks the kernel to let this thread run soon after it wakes, beside provers that fill every core.
///
/// A normal thread with a short slice (here 100 us) is picked before ones with a long one when it wakes
/// (EEVDF, `sched_setattr(2)`; the kernel heeds the slice of `SCHED_OTHER` from Linux 6.12 on). It takes
/// no privilege and no larger share of the processor. Where it is refused, or older, nothing changes: turns
/// take some milliseconds longer on full cores.
pub fn ask_for_short_slices() {
    let attributes = SchedAttr {
        size: u32::try_from(size_of::<SchedAttr>()).unwrap_or_default(),
        policy: 0, // SCHED_OTHER
        flags: 0,
        nice: 0,
        priority: 0,
        runtime: SLICE_NS,
        deadline: 0,
        period: 0,
    };
    let this_thread = 0;
    // SAFETY: the kernel reads `size` bytes from a struct that lives across the call, and writes none.
    unsafe {
        libc::syscall(libc::SYS_sched_setattr, this_thread, &raw const attributes, 0_u32);
    }
}

/// `struct sched_attr` as of `SCHED_ATTR_SIZE_VER0` (linux/sched/types.h).
#[repr(C)]
struct SchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// The shortest slice the kernel grants. Unit: nanoseconds (`sched_setattr(2)`: 0.1 ms to 100 ms).
const SLICE_NS: u64 = 100_000;
