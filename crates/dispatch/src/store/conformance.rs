//! What holds for every place of artifacts, tried in a directory and in a bucket.
//!
//! Not here: what a bucket alone can do wrong (`s3/tests`).

use std::fs;
use std::sync::Barrier;
use std::thread;

use push0_testbed::S3;

use super::*;

macro_rules! conform {
    ($($claim:ident),* $(,)?) => {
        mod dir {
            $(#[test] fn $claim() { super::$claim::<super::Dir>(); })*
        }
        mod s3 {
            $(#[test] fn $claim() { super::$claim::<super::S3>(); })*
        }
    };
}

conform!(
    what_was_put_is_read_back,
    what_is_large_is_put_and_copied_in_pieces,
    a_missing_artifact_is_missing,
    a_damaged_artifact_is_refused_until_it_is_put_again,
    what_is_large_and_damaged_is_replaced,
    a_store_that_does_not_answer_has_lost_nothing,
    a_copy_that_cannot_be_written_is_no_loss,
    what_is_old_is_swept_and_what_was_put_again_is_not,
    a_store_keeps_its_identity,
    the_first_of_several_identities_wins,
    several_may_put_the_same,
    it_may_be_used_on_a_thread_of_a_runtime,
    it_belongs_to_the_first_log_that_it_is_tied_to,
    outputs_are_kept_by_attempt_beside_the_artifacts,
);

/// A place for a store, whose disk a test can reach.
pub(super) trait Ground {
    fn new() -> Self;
    fn open(&self) -> Store;
    /// Where the bytes of an artifact are.
    fn file(&self, digest: Digest) -> PathBuf;
    /// Has the store answer nothing of this artifact.
    fn silence(&mut self, digest: Digest);
    fn answer_again(&mut self, digest: Digest);
}

pub(super) struct Dir(tempfile::TempDir);

impl Ground for Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn open(&self) -> Store {
        Store::open(self.0.path()).expect("it opens")
    }

    fn file(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        self.0.path().join(&name[..2]).join(name)
    }

    fn silence(&mut self, digest: Digest) {
        let file = self.file(digest);
        fs::rename(&file, file.with_extension("away")).expect("it is there");
        fs::create_dir(file).expect("a directory in its place");
    }

    fn answer_again(&mut self, digest: Digest) {
        let file = self.file(digest);
        fs::remove_dir(&file).expect("it is there");
        fs::rename(file.with_extension("away"), file).expect("it is there");
    }
}

impl Ground for S3 {
    fn new() -> Self {
        Self::start()
    }

    fn open(&self) -> Store {
        Store::open_s3(&config(self), Access::Make).expect("it opens")
    }

    fn file(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        self.objects().join("a/b").join(&name[..2]).join(name)
    }

    fn silence(&mut self, _: Digest) {
        self.stop();
    }

    fn answer_again(&mut self, _: Digest) {
        self.restart();
    }
}

pub(super) fn config(server: &S3) -> S3Config {
    S3Config {
        bucket: format!("s3://{}/a/b", S3::BUCKET).parse().expect("it names one"),
        endpoint: Some(server.endpoint()),
        region: "us-east-1".to_owned(),
        access_key_id: S3::ACCESS_KEY_ID.to_owned(),
        secret_access_key: S3::SECRET_ACCESS_KEY.into(),
        session_token: None,
        path_style: true,
    }
}

fn it_belongs_to_the_first_log_that_it_is_tied_to<G: Ground>() {
    let ground = G::new();
    let stores = [ground.open(), ground.open(), ground.open()];
    let owner = |store: &Store| stores.iter().position(|it| std::ptr::eq(it, store));
    let owner = |store: &Store| Owner {
        log: format!("{:032x}", owner(store).unwrap_or_default()),
        pipeline: "demo".to_owned(),
    };
    assert_eq!(stores[0].owner().expect("read"), None);
    let tie = |store: &Store| store.tie(&owner(store)).is_ok();
    let tied = thread::scope(|scope| {
        let ties: Vec<_> = stores.iter().map(|store| scope.spawn(move || tie(store))).collect();
        ties.into_iter().map(|tied| tied.join().expect("no panic")).collect::<Vec<_>>()
    });
    assert_eq!(tied.iter().filter(|is_tied| **is_tied).count(), 1, "{tied:?}");
    let again: Vec<_> = stores.iter().map(tie).collect();
    assert_eq!(again, tied);
    let there = stores[0].owner().expect("read").expect("it is tied");
    let refused = stores.iter().map(|store| store.tie(&owner(store)));
    for error in refused.filter_map(Result::err) {
        assert!(matches!(&error, TieError::Other { owner } if *owner == there), "{error}");
    }
}

fn what_was_put_is_read_back<G: Ground>() {
    let ground = G::new();
    let store = ground.open();
    for bytes in [&b"proof"[..], b""] {
        let digest = store.put(bytes).expect("put");
        assert_eq!(digest, Digest::of(bytes));
        assert_eq!(store.put(bytes).expect("put again"), digest);
        assert_eq!(store.read(digest).expect("read"), bytes);
        assert_eq!(fs::read(ground.file(digest)).expect("it is where it should be"), bytes);
    }
}

fn what_is_large_is_put_and_copied_in_pieces<G: Ground>() {
    let ground = G::new();
    let store = ground.open();
    let bytes = large();
    let digest = store.put(&bytes).expect("put");
    assert!(store.read(digest).expect("read") == bytes, "other bytes");
    fs::remove_file(ground.file(digest)).expect("it is there");
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), &bytes).expect("written");
    for _ in 0..2 {
        assert_eq!(store.put_file(file.path()).expect("put, or found"), digest);
        let mut copy = Vec::new();
        assert_eq!(store.copy(digest, &mut copy).expect("copied"), bytes.len() as u64);
        assert!(copy == bytes, "other bytes");
    }
}

fn a_missing_artifact_is_missing<G: Ground>() {
    let ground = G::new();
    let read = ground.open().read(Digest::of(b"never put"));
    assert!(matches!(read, Err(ReadError::Missing { .. })), "{read:?}");
}

fn a_damaged_artifact_is_refused_until_it_is_put_again<G: Ground>() {
    let ground = G::new();
    let store = ground.open();
    let digest = store.put(b"proof").expect("put");
    for damage in [&b"prooF"[..], b"proo", b""] {
        fs::write(ground.file(digest), damage).expect("damage");
        let read = store.read(digest);
        assert!(matches!(read, Err(ReadError::Damaged { .. })), "{read:?}");
        store.put(b"proof").expect("put again");
        assert_eq!(store.read(digest).expect("read"), b"proof");
    }
}

fn what_is_large_and_damaged_is_replaced<G: Ground>() {
    let ground = G::new();
    let store = ground.open();
    let bytes = large();
    let digest = store.put(&bytes).expect("put");
    let (_, most) = bytes.split_at(1);
    fs::write(ground.file(digest), most).expect("damage");
    assert!(matches!(store.read(digest), Err(ReadError::Damaged { .. })));
    store.put(&bytes).expect("put again");
    assert!(store.read(digest).expect("read") == bytes, "other bytes");
}

fn a_store_that_does_not_answer_has_lost_nothing<G: Ground>() {
    let mut ground = G::new();
    let store = ground.open();
    let digest = store.put(b"proof").expect("put");
    ground.silence(digest);
    let read = store.read(digest);
    assert!(matches!(read, Err(ReadError::Io { .. })), "{read:?}");
    assert!(store.put(b"proof").is_err());
    ground.answer_again(digest);
    assert_eq!(store.read(digest).expect("read"), b"proof");
    assert_eq!(store.put(b"proof").expect("put again"), digest);
}

fn a_copy_that_cannot_be_written_is_no_loss<G: Ground>() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let ground = G::new();
    let store = ground.open();
    let digest = store.put(b"proof").expect("put");
    let copied = store.copy(digest, &mut Full);
    assert!(matches!(copied, Err(ReadError::Write { .. })), "{copied:?}");
}

fn what_is_old_is_swept_and_what_was_put_again_is_not<G: Ground>() {
    let ground = G::new();
    let store = ground.open();
    let now = store.now().expect("a time");
    let [kept, again, gone] =
        [b"kept", b"more", b"gone"].map(|bytes| store.put(bytes).expect("put"));
    age(&ground.file(again), now - 4 * HOUR);
    age(&ground.file(gone), now - 4 * HOUR);
    let listed = store.list().expect("a list");
    assert_eq!(listed.len(), 3, "{listed:?}");
    store.put(b"more").expect("put again");
    let swept = |digest| {
        let stored = listed.iter().find(|stored| stored.digest == Some(digest));
        store.sweep(stored.expect("listed"), now - HOUR).expect("swept")
    };
    assert_eq!([kept, again, gone].map(swept), [false, false, true]);
    assert!(!swept(gone), "it is gone");
    assert!(matches!(store.read(gone), Err(ReadError::Missing { .. })));
    assert!(store.read(kept).is_ok() && store.read(again).is_ok());
}

fn a_store_keeps_its_identity<G: Ground>() {
    let ground = G::new();
    let store = ground.open();
    assert_eq!(ground.open().identity(), store.identity());
    assert_eq!(store.identity().len(), 32);
    assert_ne!(G::new().open().identity(), store.identity());
}

fn the_first_of_several_identities_wins<G: Ground + Sync>() {
    let ground = G::new();
    let together = Barrier::new(THREADS);
    let identities: Vec<_> = thread::scope(|scope| {
        let open = || {
            together.wait();
            ground.open().identity().to_owned()
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().expect("it opens")).collect()
    });
    let last = ground.open();
    assert!(identities.iter().all(|own| own == last.identity()), "{identities:?}");
}

fn several_may_put_the_same<G: Ground>() {
    let ground = G::new();
    let store = ground.open();
    let bytes = [b"proof".to_vec(), large()];
    let together = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                together.wait();
                for bytes in &bytes {
                    assert_eq!(store.put(bytes).expect("put"), Digest::of(bytes));
                }
            });
        }
    });
    for bytes in &bytes {
        assert!(store.read(Digest::of(bytes)).expect("read") == *bytes, "other bytes");
    }
    assert_eq!(store.list().expect("a list").len(), bytes.len());
}

fn it_may_be_used_on_a_thread_of_a_runtime<G: Ground>() {
    let ground = G::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let store = ground.open();
        let digest = store.put(b"proof").expect("put");
        assert_eq!(store.read(digest).expect("read"), b"proof");
        // The last of it goes here too.
        drop(store);
    });
}

pub(super) fn age(file: &Path, to: SystemTime) {
    let file = File::options().append(true).open(file).expect("a file");
    file.set_modified(to).expect("its time");
}

/// More than is sent at once, and not a whole number of pieces.
fn large() -> Vec<u8> {
    (0..(20_u32 << 20) + 7).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

pub(super) const HOUR: Duration = Duration::from_secs(3600);
const THREADS: usize = 6;

fn outputs_are_kept_by_attempt_beside_the_artifacts<G: Ground>() {
    use push0_core::{AttemptId, TaskId};
    let store = G::new();
    let store = store.open();
    let artifact = store.put(b"artifact").expect("it is put");
    let (one, two) = ((AttemptId(7), TaskId([1; 32])), (AttemptId(8), TaskId([1; 32])));
    assert_eq!(store.output(one).expect("it answers"), None);
    assert_eq!(store.outputs().expect("it answers"), []);
    for (of, text) in [(one, "first"), (two, "second"), (one, "first again")] {
        store.put_output(of, text.as_bytes()).expect("it is put");
    }
    assert_eq!(store.output(one).expect("it answers").as_deref(), Some(&b"first again"[..]));
    let artifacts = store.list().expect("it answers");
    let artifacts: Vec<_> = artifacts.into_iter().filter_map(|stored| stored.digest).collect();
    assert_eq!(artifacts, [artifact], "no sweep of artifacts sees an output");
    let mut kept = store.outputs().expect("it answers");
    kept.sort_by_key(|kept| kept.attempt);
    let named: Vec<_> = kept.iter().map(|kept| (kept.attempt, kept.task, kept.bytes)).collect();
    assert_eq!(named, [(one.0, one.1, 11), (two.0, two.1, 6)]);
    for _ in 0..2 {
        store.remove_output(kept.first().expect("two")).expect("gone, or it was");
    }
    assert_eq!(store.output(one).expect("it answers"), None);
    assert_eq!(store.outputs().expect("it answers").len(), 1);
}
