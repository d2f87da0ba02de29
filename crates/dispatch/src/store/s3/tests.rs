use std::fs;

use push0_testbed::{S3, until};

use super::super::conformance::{Ground as _, HOUR, age, config};
use super::*;

#[test]
fn a_server_that_says_404_to_all_has_lost_nothing() {
    let server = S3::start();
    let store = server.open();
    let digest = store.put(b"proof").expect("put");
    server.fail(404);
    let read = store.read(digest);
    assert!(matches!(read, Err(ReadError::Io { .. })), "{read:?}");
    server.heal();
    assert_eq!(store.read(digest).expect("read"), b"proof");
}

#[test]
fn errors_and_refusals_say_nothing_about_an_artifact() {
    let server = S3::start();
    let store = server.open();
    let digest = store.put(b"proof").expect("put");
    for status in [400, 401, 403, 500, 503] {
        server.fail(status);
        let read = store.read(digest);
        assert!(matches!(read, Err(ReadError::Io { .. })), "{status}: {read:?}");
        assert!(store.put(b"proof").is_err(), "{status}");
    }
    server.heal();
    assert_eq!(store.read(digest).expect("read"), b"proof");
}

#[test]
fn a_bucket_that_is_gone_or_replaced_has_lost_nothing() {
    let server = S3::start();
    let store = server.open();
    let digest = store.put(b"proof").expect("put");
    fs::remove_dir_all(server.objects()).expect("it is there");
    for _ in 0..2 {
        let read = store.read(digest);
        let Err(ReadError::Io { source, .. }) = read else { panic!("{read:?}") };
        let told = source.to_string();
        assert!(told.contains("not there any more") && told.contains(store.identity()), "{told}");
        fs::create_dir_all(server.objects()).expect("made again");
        assert_ne!(server.open().identity(), store.identity());
    }
}

#[test]
fn what_is_wrong_at_the_start_is_told() {
    let mut server = S3::start();
    let right = config(&server);
    let told = |config: &S3Config| {
        let error = Store::open_s3(config, Access::Make).expect_err("it is wrong");
        let told = error.to_string();
        assert!(told.contains(&server_of(config)), "{told}");
        assert!(!told.contains(S3::SECRET_ACCESS_KEY) && !told.contains("guessed"), "{told}");
        told
    };
    let guessed = S3Config { secret_access_key: "guessed".into(), ..right.clone() };
    assert!(told(&guessed).contains("refuses these credentials"));
    let unknown = S3Config { access_key_id: "AKIAOTHER".to_owned(), ..right.clone() };
    assert!(told(&unknown).contains("refuses these credentials"));
    let bucket = "s3://nobodys/a".parse().expect("it names one");
    let nobodys = S3Config { bucket, ..right.clone() };
    let said = told(&nobodys);
    assert!(said.contains("no such bucket") && said.contains("bucket nobodys"), "{said}");
    assert!(!server.objects().with_file_name("nobodys").exists(), "nothing was made");
    server.stop();
    let said = told(&right);
    assert!(said.contains("bucket artifacts") && said.contains("refused"), "{said}");
}

#[test]
fn a_prefix_of_somebody_else_is_refused_and_left_as_it_is() {
    let server = S3::start();
    let theirs = server.objects().join("a/b/photos/a.jpg");
    fs::create_dir_all(theirs.parent().expect("a folder")).expect("made");
    fs::write(&theirs, b"precious").expect("written");
    let refused = Store::open_s3(&config(&server), Access::Make).expect_err("it is theirs");
    let told = refused.to_string();
    assert!(refused.is_final() && told.contains("photos/a.jpg"), "{told}");
    assert_eq!(refused.remedy(), "name a prefix that nobody else uses");
    assert!(!server.objects().join("a/b/identity").exists(), "something was written");
}

#[test]
fn nobody_but_an_engine_makes_one() {
    let server = S3::start();
    for access in [Access::Write, Access::Read] {
        let refused = Store::open_s3(&config(&server), access).expect_err("there is none");
        assert!(refused.remedy().contains("start an engine"), "{}", refused.remedy());
    }
    let made = server.open();
    for access in [Access::Write, Access::Read] {
        let there = Store::open_s3(&config(&server), access).expect("it is there");
        assert_eq!(there.identity(), made.identity());
    }
    let files = fs::read_dir(server.objects().join("a/b")).expect("a folder").flatten();
    let files = files.filter(|entry| entry.path().is_file()).count();
    assert_eq!(files, 2, "an identity, and what shows that nothing is written over");
}

#[test]
fn what_is_there_whole_and_young_is_not_written_again() {
    let server = S3::start();
    let store = server.open();
    let digest = store.put(b"proof").expect("put");
    let file = server.file(digest);
    let date = || fs::metadata(&file).expect("it is there").modified().expect("a time");
    let now = store.now().expect("a time");
    age(&file, now - Store::FRESH / 2);
    let young = date();
    store.put(b"proof").expect("put again");
    assert_eq!(date(), young);
    age(&file, now - Store::FRESH - HOUR);
    store.put(b"proof").expect("put again");
    assert!(date() > young);
}

#[test]
fn a_put_waits_for_a_sweep_that_may_remove_what_it_found() {
    let server = S3::start();
    let store = server.open();
    let digest = store.put(b"proof").expect("put");
    let (file, mark) = (server.file(digest), mark(&server, digest));
    let old = store.now().expect("a time") - 4 * HOUR;
    age(&file, old);
    // A sweep has looked at the date, and will remove it.
    fs::create_dir_all(mark.parent().expect("a folder")).expect("made");
    fs::write(&mark, b"doomed\n").expect("written");
    thread::scope(|scope| {
        let put = scope.spawn(|| store.put(b"proof"));
        until("it is not written again", || {
            let date = fs::metadata(&file).expect("it is there").modified().expect("a time");
            (date > old + HOUR).then_some(())
        });
        assert!(!put.is_finished(), "the sweep is not done");
        fs::remove_file(&file).expect("it is there");
        fs::remove_file(&mark).expect("it is there");
        put.join().expect("no panic").expect("put");
    });
    assert_eq!(store.read(digest).expect("read"), b"proof");
}

#[test]
fn the_mark_of_a_sweep_that_died_keeps_nobody_for_ever() {
    let server = S3::start();
    let store = server.open();
    let digest = store.put(b"proof").expect("put");
    let now = store.now().expect("a time");
    let mark = mark(&server, digest);
    fs::create_dir_all(mark.parent().expect("a folder")).expect("made");
    fs::write(&mark, b"doomed\n").expect("written");
    let sweep = || {
        let listed = store.list().expect("a list");
        let stored = listed.iter().find(|stored| stored.digest.is_some()).expect("listed");
        store.sweep(stored, now - HOUR).expect("swept")
    };
    age(&server.file(digest), now - 4 * HOUR);
    assert!(!sweep() && mark.exists(), "another is at it");
    age(&mark, now - 2 * DOOMED_MAX);
    store.put(b"proof").expect("it does not wait");
    age(&server.file(digest), now - 4 * HOUR);
    assert!(!sweep() && !mark.exists(), "the mark goes first");
    assert!(sweep());
    assert!(matches!(store.read(digest), Err(ReadError::Missing { .. })));
    assert!(!mark.exists());
}

#[test]
fn what_others_keep_in_the_bucket_is_neither_listed_nor_swept() {
    let server = S3::start();
    let store = server.open();
    let digest = store.put(b"proof").expect("put");
    let other = server.objects().join("a/b/c").join(digest.to_string());
    fs::create_dir_all(other.parent().expect("a folder")).expect("made");
    fs::write(&other, b"theirs").expect("written");
    let listed = store.list().expect("a list");
    let digests: Vec<_> = listed.iter().map(|stored| stored.digest).collect();
    assert_eq!(digests, [Some(digest)], "{listed:?}");
}

#[test]
fn a_file_that_changes_while_it_is_stored_leaves_nothing() {
    let server = S3::start();
    let store = server.open();
    let Store(super::super::Place::S3(own)) = &store else { panic!("it is one") };
    let claimed = Digest::of(b"what it was");
    for length in [5, PIECE_BYTES as u64 + 5] {
        let bytes = vec![7; usize::try_from(length).expect("small")];
        let put = own.put_as(claimed, length, || Ok(&bytes[..]));
        assert!(put.is_err());
        assert!(matches!(store.read(claimed), Err(ReadError::Missing { .. })));
    }
}

fn mark(server: &S3, digest: Digest) -> PathBuf {
    server.objects().join("a/b/doomed").join(digest.to_string())
}

fn server_of(config: &S3Config) -> String {
    config.endpoint.clone().expect("it has one")
}
