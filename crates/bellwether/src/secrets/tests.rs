//! Tests of secrets at rest, on real database files: what lies in them, byte by byte, and what
//! happens with wrong keys, moved envelopes and starts that are cut off.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bellwether_engine::run::Keyring;
use bellwether_engine::store::{Document, Registry, Rewrite};
use bellwether_model::connector::Vault as _;
use bellwether_model::failure::FailureClass;
use bellwether_model::secret::Secret;
use bellwether_model::time::Time;
use bellwether_store::Database;
use serde_json::{Value, json};

use super::seal::{Envelope, NotOpened, Place};
use super::{Lost, SealedRegistry, Seals, admit, keys_needed, look, seal_what_is_open};
use crate::clock::SystemClock;
use crate::vault::RegistryVault;

const AT: Time = Time(1_772_445_600_000_000);
const FILE: &str = "bellwether.key";
/// Long enough that no chance puts it into a file.
const PASSWORD: &str = "correct-horse-battery-staple-7101";
const REFRESH: &str = "1//refresh-token-of-the-mailbox-8832";
const MISTYPED: &str = "a-secret-under-a-mistyped-name-4419";

fn keys(ids: &[u8]) -> Keyring {
    Keyring::new(ids.iter().map(|id| (*id, [id ^ 0xA5; 32])).collect())
}

/// A folder with a database.
struct Kept(tempfile::TempDir);

impl Kept {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("record.db")
    }

    fn open(&self) -> Arc<Database> {
        let url = format!("sqlite:{}", self.path().display());
        Arc::new(bellwether_store::open(&url).unwrap())
    }

    /// A copy of the database and its log as they lie on the disk.
    fn as_left(&self) -> Self {
        let copy = Self::new();
        for name in ["record.db", "record.db-wal"] {
            std::fs::copy(self.0.path().join(name), copy.0.path().join(name)).unwrap();
        }
        copy
    }

    /// The files in which a text lies.
    fn files_with(&self, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.0.path()).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            if bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
            {
                found.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
        found
    }
}

fn sealed(db: &Arc<Database>, ids: &[u8]) -> SealedRegistry {
    let below = Arc::clone(db) as Arc<dyn Registry>;
    SealedRegistry::new(below, Arc::new(Seals::new(&keys(ids))))
}

fn phones(password: &str) -> Value {
    json!({
        "connector": "opentext_push",
        "settings": { "base_url": "https://push.example.com", "user": "alpenwerk",
            "password": password, "pasword": MISTYPED },
        "in_flight": 8,
    })
}

async fn put(registry: &dyn Registry, kind: &str, name: &str, body: Value) -> u64 {
    let put = registry.put(kind, name, None, body, "file", AT).await;
    put.unwrap()
}

async fn get(registry: &dyn Registry, kind: &str, name: &str) -> Document {
    registry.get(kind, name).await.unwrap().unwrap()
}

/// What a start of the server does.
async fn start(registry: &SealedRegistry, lost: Lost) -> Result<usize, String> {
    admit(registry, FILE, lost, AT).await?;
    seal_what_is_open(registry, lost, AT).await
}

/// An older release wrote: plain values in several versions, moved about and partly removed.
async fn write_plain(db: &Database) {
    for n in 0..40 {
        let mut body = phones(PASSWORD);
        body["settings"]["notes"] = "x".repeat(n * 97).into();
        put(db, "connection", &format!("phones-{}", n % 7), body).await;
        let kept = json!({ "secret": format!("{REFRESH}/{n}") });
        put(db, "secret", "mailbox/refresh_token", kept).await;
    }
    put(db, "connection", "phones-3", Value::Null).await;
    put(db, "flow", "approvals", json!({ "text": "bellwether: 1" })).await;
}

async fn is_clean(kept: &Kept, registry: &SealedRegistry) {
    for secret in [PASSWORD, REFRESH, MISTYPED] {
        assert_eq!(kept.files_with(secret), Vec::<String>::new(), "{secret}");
    }
    let body = get(registry, "connection", "phones-1").await.body;
    let text = body.to_string();
    assert!(!text.contains(PASSWORD), "{text}");
    let open = registry.open("connection", "phones-1", body).unwrap();
    assert_eq!(open["settings"]["password"], PASSWORD);
    assert_eq!(open["settings"]["user"], "alpenwerk");
    let body = get(registry, "secret", "mailbox/refresh_token").await.body;
    let open = registry.open("secret", "mailbox/refresh_token", body);
    assert_eq!(open.unwrap()["secret"], format!("{REFRESH}/39"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_release_wrote_openly_is_sealed_and_no_byte_of_it_stays() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../bellwether-store/tests/fixtures/format-1.db");
    let kept = Kept::new();
    std::fs::copy(fixture, kept.path()).unwrap();
    let db = kept.open();
    write_plain(&db).await;
    // The test can fail: all of it is there before.
    for secret in [PASSWORD, REFRESH, MISTYPED] {
        assert!(!kept.files_with(secret).is_empty(), "{secret}");
    }
    let registry = sealed(&db, &[1]);
    let written = start(&registry, Lost::Refuse).await.unwrap();
    assert_eq!(written, 80, "every version of both kinds");
    // While the database is open, log included, and after it was closed.
    is_clean(&kept, &registry).await;
    let history = registry
        .history("connection", "phones-1", 99)
        .await
        .unwrap();
    assert_eq!(history.len(), 6);
    for version in history {
        let open = registry
            .open("connection", "phones-1", version.body)
            .unwrap();
        assert_eq!(
            open["settings"]["password"], PASSWORD,
            "{}",
            version.version
        );
    }
    let audit = registry.audit(0, 1000).await.unwrap();
    let last: Vec<&str> = audit
        .iter()
        .map(|row| row.what.as_str())
        .rev()
        .take(2)
        .collect();
    let sealed_rows = [
        "seal 40 versions of secret with key 1",
        "seal 40 versions of connection with key 1",
    ];
    assert_eq!(last, sealed_rows);
    assert_eq!(
        db.get("flow", "approval-mail")
            .await
            .unwrap()
            .unwrap()
            .version,
        1
    );
    let size = std::fs::metadata(kept.path()).unwrap().len();
    assert_eq!(
        start(&registry, Lost::Refuse).await,
        Ok(0),
        "nothing is left to do"
    );
    assert_eq!(std::fs::metadata(kept.path()).unwrap().len(), size);
    db.close();
    assert_eq!(kept.files_with(PASSWORD), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_cut_off_is_taken_up_by_the_next() {
    let kept = Kept::new();
    let db = kept.open();
    write_plain(&db).await;
    let registry = sealed(&db, &[1]);
    // The first dies after some versions were written anew and before the file was freed.
    admit(&registry, FILE, Lost::Refuse, AT).await.unwrap();
    let page = db.versions("connection", ("", 0), 10).await.unwrap();
    let changes: Vec<Rewrite> = page
        .into_iter()
        .map(|seen| Rewrite {
            body: seen.body.clone(),
            seen,
        })
        .collect();
    let again = changes.clone();
    let done = registry
        .rewrite(changes, "seal 10 versions", "server", AT)
        .await;
    done.unwrap();
    let refused = registry.rewrite(again, "again", "server", AT).await;
    assert!(refused.unwrap_err().to_string().contains("begin again"));
    assert!(!kept.files_with(PASSWORD).is_empty());
    db.close();
    // The second dies when all is written anew, right before the file is freed.
    let db = kept.open();
    let registry = sealed(&db, &[1]);
    for kind in ["connection", "secret"] {
        for seen in db.versions(kind, ("", 0), 1000).await.unwrap() {
            let changes = vec![Rewrite {
                body: seen.body.clone(),
                seen,
            }];
            registry
                .rewrite(changes, "seal", "server", AT)
                .await
                .unwrap();
        }
    }
    db.close();
    assert!(!kept.files_with(PASSWORD).is_empty(), "the test can fail");
    let db = kept.open();
    let registry = sealed(&db, &[1]);
    assert_eq!(
        start(&registry, Lost::Refuse).await,
        Ok(0),
        "only freeing was left"
    );
    is_clean(&kept, &registry).await;
    assert_eq!(db.scrub().await, Ok(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_writes_writes_sealed_and_the_same_again_writes_nothing() {
    let kept = Kept::new();
    let db = kept.open();
    let registry = sealed(&db, &[1]);
    start(&registry, Lost::Refuse).await.unwrap();
    assert_eq!(
        put(&registry, "connection", "phones", phones(PASSWORD)).await,
        1
    );
    assert_eq!(
        put(&registry, "connection", "phones", phones(PASSWORD)).await,
        1
    );
    assert_eq!(
        put(&registry, "connection", "phones", phones("another")).await,
        2
    );
    // Somebody changes another field and hands the envelope back as it was shown.
    let mut body = get(&registry, "connection", "phones").await.body;
    assert_eq!(
        put(&registry, "connection", "phones", body.clone()).await,
        2
    );
    body["settings"]["user"] = "other".into();
    assert_eq!(put(&registry, "connection", "phones", body).await, 3);
    let body = get(&registry, "connection", "phones").await.body;
    assert!(
        Envelope::of(&body["settings"]["password"]).is_some(),
        "{body}"
    );
    assert!(
        Envelope::of(&body["settings"]["pasword"]).is_some(),
        "{body}"
    );
    assert_eq!(body["settings"]["base_url"], "https://push.example.com");
    let open = registry.open("connection", "phones", body).unwrap();
    assert_eq!(open["settings"]["password"], "another");
    assert_eq!(open["settings"]["user"], "other");
    // Never seen: refused as it always was.
    let stale = registry.put("connection", "phones", Some(1), phones("x"), "file", AT);
    assert!(stale.await.is_err());
    for secret in [PASSWORD, MISTYPED] {
        assert_eq!(kept.files_with(secret), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_moved_or_changed_does_not_open() {
    let kept = Kept::new();
    let db = kept.open();
    let registry = sealed(&db, &[1]);
    start(&registry, Lost::Refuse).await.unwrap();
    put(&registry, "connection", "phones", phones(PASSWORD)).await;
    let body = get(&registry, "connection", "phones").await.body;

    // To another connection, to another field, and back to what it was for.
    let error = registry.open("connection", "tablets", body.clone());
    assert!(
        error
            .unwrap_err()
            .contains("brought there from another place")
    );
    let mut moved = body.clone();
    moved["settings"]["otag_app_key"] = body["settings"]["password"].clone();
    let error = registry
        .open("connection", "phones", moved.clone())
        .unwrap_err();
    assert!(
        error.contains("`otag_app_key` of connection phones"),
        "{error}"
    );
    let refused = registry.put("connection", "phones", None, moved, "admin", AT);
    assert!(refused.await.is_err(), "nor is it taken in there");

    let envelope = body["settings"]["password"].clone();
    let text = envelope["$sealed"].as_str().unwrap();
    let place = Place {
        kind: "connection",
        name: "phones",
        field: "password",
    };
    let seals = registry.seals();
    let open = |text: &str| {
        let value = json!({ "$sealed": text });
        seals.open(place, &Envelope::of(&value).unwrap())
    };
    assert_eq!(open(text), Ok(json!(PASSWORD)));
    // Each character of it matters; the last may carry bits that nothing reads.
    for at in 0..text.len() - 1 {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(bytes).unwrap();
        assert!(open(&forged).is_err(), "{forged}");
    }
    for forged in ["", "1", "1.1", "1.1.", "2.1.AAAA", "1.x.AAAA", &text[..40]] {
        assert_eq!(open(forged), Err(NotOpened::Changed), "{forged}");
    }
    assert_eq!(open("1.9.AAAA"), Err(NotOpened::NoKey(9)));
    let again = seals.seal(place, &json!(PASSWORD)).unwrap();
    assert_ne!(again, envelope, "a fresh nonce each time");
    // Neither the value nor a key shows when something is printed.
    let printed = format!("{registry:?} {seals:?} {:?}", keys(&[1]));
    assert!(printed.contains("Seals[1]"), "{printed}");
    assert!(!printed.contains("164, 164"), "{printed}");
    let config: crate::config::ConnectionConfig = serde_json::from_value(phones(PASSWORD)).unwrap();
    let printed = format!("{config:?}");
    assert!(
        printed.contains("password") && !printed.contains(PASSWORD),
        "{printed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_refused_before_anything_is_changed() {
    let kept = Kept::new();
    let db = kept.open();
    let registry = sealed(&db, &[1]);
    start(&registry, Lost::Refuse).await.unwrap();
    put(&registry, "connection", "phones", phones(PASSWORD)).await;
    let rows = db.audit(0, 100).await.unwrap().len();

    let below = Arc::clone(&db) as Arc<dyn Registry>;
    let other = Keyring::new(vec![(1, [9; 32])]);
    let wrong = SealedRegistry::new(below, Arc::new(Seals::new(&other)));
    for lost in [Lost::Refuse, Lost::Drop] {
        let error = start(&wrong, lost).await.unwrap_err();
        assert!(
            error.contains("key 1 in bellwether.key is not the key 1"),
            "{error}"
        );
    }
    let error = start(&sealed(&db, &[2]), Lost::Refuse).await.unwrap_err();
    assert!(error.contains("sealed with key 1"), "{error}");
    assert!(
        error.contains("`password` of connection phones, `pasword` of connection phones"),
        "{error}"
    );
    assert_eq!(
        db.audit(0, 100).await.unwrap().len(),
        rows,
        "nothing was written"
    );

    // The key is lost for good: what it sealed is dropped, everything else stays.
    let registry = sealed(&db, &[2]);
    assert_eq!(start(&registry, Lost::Drop).await, Ok(1));
    let body = get(&registry, "connection", "phones").await.body;
    assert_eq!(body["settings"]["password"], Value::Null);
    assert_eq!(body["settings"]["user"], "alpenwerk");
    assert_eq!(super::known_keys(&*db).await.unwrap(), [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_takes_over_and_the_old_one_can_go() {
    let kept = Kept::new();
    let db = kept.open();
    let registry = sealed(&db, &[1]);
    start(&registry, Lost::Refuse).await.unwrap();
    put(&registry, "connection", "phones-1", phones(PASSWORD)).await;
    put(
        &registry,
        "secret",
        "mailbox/refresh_token",
        json!({ "secret": format!("{REFRESH}/39") }),
    )
    .await;
    assert_eq!(keys_needed(&registry).await.unwrap(), [1].into());

    let registry = sealed(&db, &[2, 1]);
    // What the old key sealed opens before it was sealed anew, as it does for `doctor`.
    admit(&registry, FILE, Lost::Refuse, AT).await.unwrap();
    let all = look(&registry).await.unwrap();
    let says: Vec<_> = all.iter().map(|kept| kept.says.clone().unwrap()).collect();
    assert_eq!(
        says,
        [
            "password, pasword: opened with key 1",
            "secret: opened with key 1"
        ]
    );
    assert_eq!(seal_what_is_open(&registry, Lost::Refuse, AT).await, Ok(2));
    assert_eq!(keys_needed(&registry).await.unwrap(), [2].into());
    assert_eq!(super::known_keys(&*db).await.unwrap(), [1, 2]);

    let registry = sealed(&db, &[2]);
    assert_eq!(start(&registry, Lost::Refuse).await, Ok(0));
    is_clean(&kept, &registry).await;
    assert_eq!(super::known_keys(&*db).await.unwrap(), [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_token_is_durable_and_sealed_when_it_may_be_used() {
    let kept = Kept::new();
    let db = kept.open();
    let registry = sealed(&db, &[1]);
    start(&registry, Lost::Refuse).await.unwrap();
    let vault = |registry| RegistryVault {
        registry,
        clock: Arc::new(SystemClock),
    };
    let mine = vault(registry);
    assert_eq!(mine.get("mailbox", "refresh_token").await, Ok(None));
    for n in 0..3 {
        let token = format!("{REFRESH}/{n}");
        mine.put("mailbox", "refresh_token", Secret::new(&token))
            .await
            .unwrap();
        // What a crash of ours would leave right now, as another process finds it.
        let left = kept.as_left();
        let there = left.open();
        let theirs = vault(sealed(&there, &[1]));
        let found = theirs
            .get("mailbox", "refresh_token")
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.expose(), token);
        there.close();
    }
    assert_eq!(kept.files_with(REFRESH), Vec::<String>::new());
    let blind = vault(sealed(&db, &[2]))
        .get("mailbox", "refresh_token")
        .await;
    let failure = blind.unwrap_err();
    assert_eq!(failure.class, FailureClass::Misconfigured, "{failure}");
    // What cannot be kept is not said to be kept, so its access token is not used.
    db.close();
    let refused = mine.put("mailbox", "refresh_token", Secret::new("x")).await;
    assert!(refused.is_err());
}
