//! What the tests share: a host with clocks and a vault in memory, a small HTTP server that also
//! breaks on demand, and polling with a deadline.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bellwether_connectors::http::{HttpClient, Policy, Private};
use bellwether_model::BoxFuture;
use bellwether_model::clock::Clock;
use bellwether_model::connector::{
    Action, Connection, ConnectorDef, Host, Progress, Signer, Vault,
};
use bellwether_model::failure::Failure;
use bellwether_model::id::{Id, hash, hex};
use bellwether_model::secret::Secret;
use bellwether_model::time::{Millis, Time};
use serde_json::{Map, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A clock that stands until it is moved.
#[derive(Debug)]
pub(crate) struct StillClock(AtomicI64);

impl StillClock {
    pub(crate) fn at(text: &str) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(Time::parse(text).expect("a time").0)))
    }

    pub(crate) fn advance(&self, by: Millis) {
        self.0.store((self.now() + by).0, Ordering::SeqCst);
    }
}

impl Clock for StillClock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }

    fn wait_until(&self, _due: Time) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// The machine's time.
#[derive(Debug)]
pub(crate) struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Time {
        jiff::Timestamp::now().into()
    }

    fn wait_until(&self, _due: Time) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Secrets in memory, and what was put, in order.
#[derive(Debug, Default)]
pub(crate) struct MemoryVault(
    pub(crate) Mutex<BTreeMap<(String, String), Secret>>,
    AtomicBool,
);

impl MemoryVault {
    pub(crate) fn refuse_puts(&self, refuse: bool) {
        self.1.store(refuse, Ordering::SeqCst);
    }
}

impl Vault for MemoryVault {
    fn get<'a>(
        &'a self,
        connection: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Secret>, Failure>> {
        let key = (connection.to_owned(), name.to_owned());
        let found = self.0.lock().expect("vault").get(&key).cloned();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn put<'a>(
        &'a self,
        connection: &'a str,
        name: &'a str,
        secret: Secret,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        if self.1.load(Ordering::SeqCst) {
            let closed = Failure::retry("vault_closed", "the test closed the vault", None);
            return Box::pin(std::future::ready(Err(closed)));
        }
        let key = (connection.to_owned(), name.to_owned());
        self.0.lock().expect("vault").insert(key, secret);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A signer with a fixed key.
#[derive(Debug)]
pub(crate) struct TestSigner;

impl Signer for TestSigner {
    fn sign(&self, purpose: &str, parts: &[&str]) -> String {
        let mut all = vec![b"test key".as_slice(), purpose.as_bytes()];
        all.extend(parts.iter().map(|part| part.as_bytes()));
        hex(&hash(&all))[..22].to_owned()
    }

    fn verify(&self, purpose: &str, parts: &[&str], mac: &str) -> bool {
        self.sign(purpose, parts) == mac
    }
}

/// Progress that nobody keeps.
#[derive(Debug)]
pub(crate) struct NoProgress;

impl Progress for NoProgress {
    fn save(&self, _saved: Value) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// One client for all tests: reading the machine's certificates takes longer than most tests.
pub(crate) fn local_client() -> Arc<HttpClient> {
    static CLIENT: LazyLock<Arc<HttpClient>> = LazyLock::new(|| {
        let policy = Policy {
            allow_private: Private::Anywhere,
        };
        Arc::new(HttpClient::new(policy).expect("a client"))
    });
    Arc::clone(&CLIENT)
}

pub(crate) fn host(clock: Arc<dyn Clock>) -> Host {
    Host {
        connection: "test".to_owned(),
        http: local_client(),
        clock,
        vault: Arc::new(MemoryVault::default()),
        signer: Arc::new(TestSigner),
    }
}

pub(crate) fn connector(name: &str) -> &'static ConnectorDef {
    let found = bellwether_connectors::all()
        .iter()
        .find(|def| def.name == name);
    found.expect("a connector of that name")
}

/// A connection with the given settings, or why there is none.
pub(crate) fn try_connect(
    name: &str,
    settings: Value,
    host: Host,
) -> Result<Arc<dyn Connection>, Failure> {
    let def = connector(name);
    let Value::Object(settings) = settings else {
        panic!("settings are an object")
    };
    let settings = (def.settings)().read(&settings).expect("settings that fit");
    (def.connect)(settings, host)
}

pub(crate) fn connect(name: &str, settings: Value, host: Host) -> Arc<dyn Connection> {
    try_connect(name, settings, host).expect("a connection")
}

/// An action as the engine hands it over.
pub(crate) fn action<'a>(name: &'a str, args: &'a Value) -> Action<'a> {
    let since = Time::parse("2026-03-02T08:00:00Z").expect("a time");
    Action {
        name,
        effect: Id::derive(since, &[name.as_bytes(), args.to_string().as_bytes()]),
        attempt: 1,
        since,
        args,
        saved: None,
        progress: &NoProgress,
    }
}

/// Polls until a value is there; fails the test after ten seconds.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let search = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), search)
        .await
        .unwrap_or_else(|_| panic!("never came: {what}"))
}

/// A request as the small server read it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// What the small server does with a request.
pub(crate) enum Reply {
    /// A whole answer; the connection stays open.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// A whole answer, then the connection is closed without a word.
    AnswerAndClose(String),
    /// Exactly these bytes, then the end.
    Raw(String),
    /// Nothing, ever.
    Silence,
    /// A reset.
    Reset,
}

pub(crate) fn json(status: u16, body: &Value) -> Reply {
    let media = vec![("Content-Type", "application/json".to_owned())];
    Reply::Answer(status, media, body.to_string())
}

/// A small HTTP server.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub(crate) async fn start(
        reply: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = Self {
            address: listener.local_addr().expect("an address"),
            seen: Arc::default(),
        };
        let seen = Arc::clone(&server.seen);
        let reply = Arc::new(reply);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, reply) = (Arc::clone(&seen), Arc::clone(&reply));
                tokio::spawn(async move {
                    talk(stream, &seen, reply.as_ref()).await;
                });
            }
        });
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("seen").clone()
    }
}

async fn talk(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Seen>>,
    reply: &(dyn Fn(&Seen, usize) -> Reply + Send + Sync),
) {
    while let Some(request) = read_request(&mut stream).await {
        let number = {
            let mut all = seen.lock().expect("seen");
            all.push(request.clone());
            all.len()
        };
        let (text, more) = match reply(&request, number) {
            Reply::Answer(status, headers, body) => (whole(status, &headers, &body), true),
            Reply::AnswerAndClose(body) => (whole(200, &[], &body), false),
            Reply::Raw(text) => (text, false),
            Reply::Silence => {
                std::future::pending::<()>().await;
                return;
            }
            Reply::Reset => {
                stream.set_zero_linger().expect("linger");
                return;
            }
        };
        let last = !more
            || request
                .headers
                .get("connection")
                .is_some_and(|word| word == "close");
        if stream.write_all(text.as_bytes()).await.is_err() || last {
            return;
        }
    }
}

fn whole(status: u16, headers: &[(&str, String)], body: &str) -> String {
    let mut text = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text + "\r\n" + body
}

async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let line = lines.next()?.to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .map_or(0, |n| n.parse().unwrap_or(0));
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    Some(Seen {
        line,
        headers,
        body,
    })
}

/// The object of a JSON value.
pub(crate) fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}
