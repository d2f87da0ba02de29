use std::os::unix::fs::PermissionsExt as _;

use push0_core::{AttemptId, TaskId};
use rustix::fs::{Mode, mkfifoat};

use super::super::Store;
use super::*;

#[test]
fn a_directory_of_something_else_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("photos")).expect("a directory");
    fs::write(dir.path().join("photos/a.jpg"), "precious").expect("written");
    let refused = Store::open(dir.path()).expect_err("it is not push0's");
    let told = refused.to_string();
    assert!(refused.is_final() && told.contains("photos"), "{told}");
    assert_eq!(names(dir.path()), ["photos"]);
}

#[test]
fn nothing_of_another_name_is_listed() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let digest = store.put(b"proof").expect("put");
    let other = digest.to_string();
    let misplaced = format!("zz/{other}");
    for path in [".ssh/id_rsa", "3f/x", "tmp/notes.txt", "ab/cd/e", &misplaced, "README"] {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a directory");
        fs::write(path, "theirs").expect("written");
    }
    let left = dir.path().join(format!("tmp/{:032x}-7", 1));
    fs::write(&left, "half").expect("written");
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("tmp/0-1")).expect("a link");
    let mut listed: Vec<_> = store.list().expect("a list").into_iter().map(|it| it.path).collect();
    listed.sort();
    let mut expected = [store.path(digest), fs::canonicalize(&left).expect("it is there")];
    expected.sort();
    assert_eq!(listed, expected);
}

#[test]
fn what_is_not_found_while_the_store_is_away_is_not_lost() {
    let dir = tempfile::tempdir().expect("a directory");
    let (place, away) = (dir.path().join("store"), dir.path().join("away"));
    let store = Store::open(&place).expect("a store");
    let digest = store.put(b"proof").expect("put");
    fs::rename(&place, &away).expect("renamed");
    fs::create_dir(&place).expect("the place of a mount stays");
    for _ in 0..2 {
        let read = store.read(digest);
        let Err(ReadError::Io { source, .. }) = read else { panic!("{read:?}") };
        assert!(source.to_string().contains(store.identity()), "{source}");
        assert_eq!(store.put(b"more").expect_err("it is away").remedy(), "mount it again");
        assert!(store.now().is_err() && store.list().is_err());
        assert_eq!(names(&place), [""; 0], "something was written where the store is not");
        // Another store in its place is as good as none; a damaged file there is none of this one.
        fs::remove_dir(&place).expect("it is empty");
        let other = Store::open(&place).expect("another store");
        fs::create_dir_all(other.path(digest).parent().expect("it has one")).expect("a directory");
        fs::write(other.path(digest), "damaged").expect("written");
        assert!(matches!(store.read(digest), Err(ReadError::Io { .. })));
        fs::remove_dir_all(&place).expect("removed");
        fs::create_dir(&place).expect("a directory");
    }
    fs::remove_dir(&place).expect("it is empty");
    fs::rename(&away, &place).expect("mounted again");
    assert_eq!(store.read(digest).expect("read"), b"proof");
}

#[test]
fn nobody_but_an_engine_makes_one() {
    let dir = tempfile::tempdir().expect("a directory");
    for access in [Access::Write, Access::Read] {
        for place in [dir.path().to_owned(), dir.path().join("absent")] {
            let refused = Store::open_as(&place, access).expect_err("there is none");
            assert_eq!(refused.source.kind(), io::ErrorKind::NotFound);
            assert!(refused.remedy().contains("start an engine"), "{}", refused.remedy());
        }
        assert_eq!(names(dir.path()), [""; 0]);
    }
    let made = Store::open(dir.path()).expect("a store");
    let there = Store::open_as(dir.path(), Access::Write).expect("it is there");
    assert_eq!(there.identity(), made.identity());
}

#[test]
fn a_directory_with_a_file_of_that_name_is_no_store_and_is_left_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let identity = "ab".repeat(16);
    for text in ["mine", &identity] {
        fs::write(dir.path().join("identity"), text).expect("a file");
        let refused = Store::open_as(dir.path(), Access::Write).expect_err("it is no store");
        assert!(refused.to_string().contains("no push0.mark"), "{refused}");
        assert_eq!(names(dir.path()), ["identity"]);
    }
    fs::create_dir(dir.path().join("tmp")).expect("as of an older push0");
    let older = Store::open_as(dir.path(), Access::Write).expect("it is one");
    assert_eq!(older.identity(), identity);
}

#[test]
fn one_that_is_removed_under_its_run_is_made_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let (place, log) = (dir.path().join("store"), dir.path().join("log"));
    fs::create_dir(&log).expect("a directory");
    let store = Store::open_own(&place, &log).expect("a store");
    let owner = Owner { log: "ab".repeat(16), pipeline: "demo".to_owned() };
    store.tie(&owner).expect("nobody's");
    let digest = store.put(b"proof").expect("put");
    fs::remove_dir_all(&place).expect("removed");
    // What was there is lost now, and that is sure: it is made again, and can be put.
    assert!(matches!(store.read(digest), Err(ReadError::Missing { .. })));
    assert_eq!(store.times_made_again(), 1);
    store.put(b"proof").expect("put again");
    for name in ["identity", "tmp"] {
        let path = place.join(name);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("gone");
    }
    store.put(b"more").expect("what somebody has half removed will do again");
    assert_eq!((store.times_made_again(), store.owner().expect("read")), (2, Some(owner)));
    assert_eq!(Store::open(&place).expect("a store").identity(), store.identity());
}

#[test]
fn another_store_in_its_place_is_left_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let (place, log) = (dir.path().join("store"), dir.path().join("log"));
    fs::create_dir(&log).expect("a directory");
    let store = Store::open_own(&place, &log).expect("a store");
    let owner = |log: &str| Owner { log: log.repeat(16), pipeline: "demo".to_owned() };
    store.tie(&owner("ab")).expect("nobody's");
    fs::remove_dir_all(&place).expect("removed");
    let other = Store::open(&place).expect("another store");
    other.tie(&owner("cd")).expect("nobody's");
    assert!(store.put(b"proof").is_err() && store.now().is_err() && store.list().is_err());
    assert_eq!(other.owner().expect("it is there"), Some(owner("cd")));
    fs::remove_file(place.join("identity")).expect("removed");
    assert!(store.put(b"proof").is_err(), "what is left is of another log");
    assert!(store.times_made_again() == 0 && !place.join("identity").exists());
}

#[test]
fn none_is_made_again_without_its_log_or_beside_something_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let (place, log) = (dir.path().join("store"), dir.path().join("log"));
    fs::create_dir(&log).expect("a directory");
    let store = Store::open_own(&place, &log).expect("a store");
    fs::remove_dir_all(&place).expect("removed");
    fs::create_dir(&place).expect("a directory");
    fs::write(place.join("notes.txt"), "theirs").expect("written");
    assert!(store.put(b"proof").is_err());
    assert_eq!(names(&place), ["notes.txt"]);
    fs::remove_file(place.join("notes.txt")).expect("removed");
    fs::remove_dir(&log).expect("it is empty");
    fs::create_dir(&log).expect("another one");
    assert!(store.put(b"proof").is_err() && store.times_made_again() == 0);
    let shared = Store::open(&dir.path().join("shared")).expect("a store");
    fs::remove_dir_all(dir.path().join("shared")).expect("removed");
    assert!(shared.put(b"proof").is_err(), "several machines share it");
}

#[test]
fn what_a_directory_cannot_do_is_told_by_name() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("tmp"), "").expect("written");
    let cannot = probe(&dir.path().join("tmp/a-0")).expect_err("there is no such directory");
    let (told, error) =
        (cannot.to_string(), StoreError { path: dir.path().into(), source: cannot });
    assert!(told.contains("push0 cannot make a file there"), "{told}");
    assert!(error.remedy().contains("use another file system"), "{}", error.remedy());
    let denied = probe::cannot("rename a file", &io::ErrorKind::PermissionDenied.into());
    let error = StoreError { path: dir.path().into(), source: denied };
    assert_eq!(error.remedy(), "give this user the right to read and write there");
    let mode = fs::metadata(dir.path()).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o700, 0o700, "nothing was changed");
    Store::open(&dir.path().join("good")).expect("this one will do");
    assert_eq!(names(&dir.path().join("good/tmp")), [""; 0], "the probe left something");
}

#[test]
fn one_of_an_older_push0_is_opened_and_marked() {
    let dir = tempfile::tempdir().expect("a directory");
    let identity = "0123456789abcdef0123456789abcdef";
    fs::create_dir(dir.path().join("tmp")).expect("a directory");
    fs::write(dir.path().join("identity"), format!("{identity}\n")).expect("written");
    let store = Store::open(dir.path()).expect("an older one");
    assert_eq!((store.identity(), store.owner().expect("read")), (identity, None));
    let owner = |log: &str| Owner { log: log.to_owned(), pipeline: "demo".to_owned() };
    store.tie(&owner("a")).expect("nobody's");
    let refused = store.tie(&owner("b")).expect_err("it is another's");
    assert!(matches!(refused, TieError::Other { .. }), "{refused}");
    assert!(mark::bears(dir.path(), Kind::Store).expect("a mark"));
}

/// Whoever may write to the store can put something else there.
#[test]
fn what_stands_in_the_place_of_a_file_is_neither_waited_for_nor_read_to_its_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let digest = store.put(b"proof").expect("put");
    let fifo = |path: &Path| {
        fs::remove_file(path).expect("it was there");
        mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).expect("a FIFO");
    };
    fifo(&store.path(digest));
    assert!(matches!(store.read(digest), Err(ReadError::Damaged { .. })));
    store.put(b"proof").expect("it is put again");
    assert_eq!(store.read(digest).expect("it is there again"), b"proof");
    let owner = Owner { log: "a log".to_owned(), pipeline: "demo".to_owned() };
    store.tie(&owner).expect("it is tied to none");
    let huge = |path: &Path| {
        let file = File::create(path).expect("it was there");
        file.set_len(800 << 20).expect("it takes no room");
    };
    for (put, says) in [(&huge as &dyn Fn(&Path), "more than 4096 bytes"), (&fifo, "a FIFO")] {
        put(&dir.path().join(OWNER));
        let refused = store.owner().expect_err("it is none").to_string();
        assert!(refused.contains(says), "{refused}");
    }
    for (put, says) in [(&huge as &dyn Fn(&Path), "more than 4096 bytes"), (&fifo, "a FIFO")] {
        put(&dir.path().join(IDENTITY));
        let refused = store.now().expect_err("it is none").to_string();
        assert!(refused.contains(says), "{refused}");
        for access in [Access::Read, Access::Make] {
            let refused = Store::open_as(dir.path(), access).expect_err("it is none").to_string();
            assert!(refused.contains(says), "{refused}");
        }
    }
}

#[test]
fn what_failed_attempts_printed_is_kept_from_all_but_user_and_group() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let mode = |path: PathBuf| fs::metadata(path).expect("it is there").permissions().mode();
    let output = dir.path().join("output");
    for is_old in [false, true] {
        if is_old {
            fs::set_permissions(&output, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        store.put_output((AttemptId(1), TaskId([1; 32])), b"hush").expect("it is put");
        let file = names(&output).into_iter().next().expect("it is there");
        assert_eq!(mode(output.clone()) & 0o007, 0, "{is_old}");
        assert_eq!(mode(output.join(file)) & 0o007, 0, "{is_old}");
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
