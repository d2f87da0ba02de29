use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn what_starts_has_no_fault() {
    let env = [("PATH".into(), "/usr/bin:/bin".into())].into();
    assert_eq!(unstartable(Path::new("/bin/sh"), &env), None);
    let dir = tempfile::tempdir().expect("a directory");
    for line in ["#!/bin/sh", "#! /bin/sh -e", "#!/usr/bin/env sh", "#!/usr/bin/env -S A=b sh -e"] {
        assert_eq!(
            unstartable(&program(dir.path(), format!("{line}\nexit 0\n").as_bytes()), &env),
            None
        );
    }
}

#[test]
fn what_cannot_start_says_which_file_is_missing_or_whose_it_is() {
    let mut arm = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0".to_vec();
    arm.extend([if cfg!(target_arch = "aarch64") { 62 } else { 183 }, 0]);
    arm.resize(64, 0);
    let cases: &[(&[u8], &str)] = &[
        (b"#!/opt/nowhere/python3.12\n", "/opt/nowhere/python3.12 is not there"),
        (b"#!/bin/sh\r\nexit 0\r\n", "line ends of Windows"),
        (
            b"#!/usr/bin/env no-such-interpreter\n",
            "`no-such-interpreter`, which is nowhere in PATH",
        ),
        (b"#!python3\n", "without a path"),
        (b"#!\n", "names no interpreter"),
        (&arm, "another architecture"),
        (b"\x7fELF\x02\x01", "cut off"),
        (b"\xef\xbb\xbf#!/bin/sh\n", "byte order mark"),
        (b"echo hello\n", "without a first line that names its interpreter"),
        (b"MZ\x90\0", "for Windows"),
        (b"\xcf\xfa\xed\xfe\x07\0\0\x01", "for macOS"),
        (b"\x01\xff\0\x02", "not a program"),
        (b"", "is empty"),
    ];
    let dir = tempfile::tempdir().expect("a directory");
    let env = [("PATH".into(), "/usr/bin:/bin".into())].into();
    for (bytes, said) in cases {
        let path = program(dir.path(), bytes);
        let fault = unstartable(&path, &env).expect("it cannot start");
        assert!(fault.contains(said), "{fault}");
        assert!(fault.starts_with(&path.display().to_string()), "it names the program: {fault}");
    }
}

#[test]
fn a_program_whose_loader_is_missing_names_it() {
    let own = fs::read("/bin/sh").expect("a shell");
    let name = b"/ld-";
    let Some(at) = own.windows(name.len()).position(|bytes| bytes == name).filter(|at| *at < 4000)
    else {
        return;
    };
    let mut other = own;
    other.splice(at..at + name.len(), *b"/no-");
    let dir = tempfile::tempdir().expect("a directory");
    let fault =
        unstartable(&program(dir.path(), &other), &Environment::new()).expect("it cannot start");
    assert!(fault.contains("needs the loader /") && fault.contains("/no-"), "{fault}");
}

#[test]
fn a_file_that_nobody_may_run_is_told_as_such() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = program(dir.path(), b"#!/bin/sh\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("its own");
    assert!(
        unstartable(&path, &Environment::new()).is_some_and(|fault| fault.contains("chmod +x"))
    );
    assert!(
        unstartable(dir.path(), &Environment::new())
            .is_some_and(|fault| fault.contains("not a file"))
    );
}

fn program(dir: &Path, bytes: &[u8]) -> PathBuf {
    let path = dir.join("program");
    let _ = fs::remove_file(&path);
    fs::write(&path, bytes).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its own");
    path
}
