//! The load: a closed loop per keep-alive connection. Each loop sends the next event as soon as the
//! answer to the one before has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::clock::micros;
use crate::error::{During, Fault, Outcome};
use crate::event::Request;
use crate::http::Inbox;
use crate::id::BenchId;
use crate::server::{HOOK_PATH, SECRET};

/// Microseconds in a second.
pub(crate) const SECOND_US: u64 = 1_000_000;
/// The most faults that one connection keeps; the rest is only counted.
const FAULTS_MAX: usize = 3;

/// What all connections of a run share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    next: AtomicU32,
    stop: AtomicBool,
    /// Events that were accepted.
    pub(crate) accepted: AtomicU64,
}

/// One event that was accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    /// Its number within the run.
    pub(crate) number: u32,
    /// When the POST was sent, in microseconds since 1970.
    pub(crate) at: u64,
    /// How long the answer took, in microseconds.
    pub(crate) answered_us: u64,
}

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    /// Events that were accepted.
    pub(crate) sent: Vec<Sent>,
    /// Answers that said "later" (503).
    pub(crate) pushed_back: u64,
    /// What went wrong, at most a few per connection.
    pub(crate) faults: Vec<Fault>,
}

/// A load that runs.
#[derive(Debug)]
pub(crate) struct Load {
    /// What its connections share.
    pub(crate) shared: Arc<Shared>,
    connections: JoinSet<Sum>,
}

impl Load {
    /// Begins to send events of `run` to `host` over so many connections.
    pub(crate) fn begin(host: &str, run: u16, connections: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let mut set = JoinSet::new();
        for _ in 0..connections {
            set.spawn(connection(host.to_owned(), run, Arc::clone(&shared)));
        }
        Self {
            shared,
            connections: set,
        }
    }

    /// Lets every connection finish the event that it is at.
    pub(crate) async fn end(mut self) -> Sum {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut sum = Sum::default();
        while let Some(part) = self.connections.join_next().await {
            match part {
                Ok(part) => {
                    sum.sent.extend(part.sent);
                    sum.pushed_back += part.pushed_back;
                    sum.faults.extend(part.faults);
                }
                Err(error) => sum.faults.push(Fault(format!("a connection: {error}"))),
            }
        }
        sum
    }
}

async fn connection(host: String, run: u16, shared: Arc<Shared>) -> Sum {
    let mut sum = Sum::default();
    while !shared.stop.load(Ordering::Relaxed) && sum.faults.len() < FAULTS_MAX {
        if let Err(fault) = talk(&host, run, &shared, &mut sum).await {
            sum.faults.push(fault);
        }
    }
    sum
}

async fn talk(host: &str, run: u16, shared: &Shared, sum: &mut Sum) -> Outcome<()> {
    let mut line = Line::open(host).await?;
    let mut request = Request::new(host, HOOK_PATH, SECRET)?;
    while !shared.stop.load(Ordering::Relaxed) {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        let id = BenchId { run, number };
        loop {
            let at = micros();
            let answer = line.post(request.fill(id, at / SECOND_US)).await?;
            match answer {
                200..=299 => {
                    shared.accepted.fetch_add(1, Ordering::Relaxed);
                    let answered_us = micros().saturating_sub(at);
                    sum.sent.push(Sent {
                        number,
                        at,
                        answered_us,
                    });
                    break;
                }
                503 => {
                    sum.pushed_back += 1;
                    tokio::time::sleep(PUSHED_BACK).await;
                }
                status => {
                    let words = line.words();
                    return Err(Fault(format!(
                        "POST {HOOK_PATH} answered {status}: {words}"
                    )));
                }
            }
            if shared.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// How long a connection waits after "later".
pub(crate) const PUSHED_BACK: std::time::Duration = std::time::Duration::from_millis(20);

/// One keep-alive connection.
#[derive(Debug)]
pub(crate) struct Line {
    stream: TcpStream,
    inbox: Inbox,
    body: (usize, usize),
}

impl Line {
    /// Connects.
    pub(crate) async fn open(host: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(host)
            .await
            .during(&format!("{host} takes no connection"))?;
        stream.set_nodelay(true).during("nodelay cannot be set")?;
        Ok(Self {
            stream,
            inbox: Inbox::default(),
            body: (0, 0),
        })
    }

    /// Sends a whole request and reads the whole answer; gives its status.
    pub(crate) async fn post(&mut self, request: &[u8]) -> Outcome<u16> {
        self.inbox.clear();
        self.stream
            .write_all(request)
            .await
            .during("the connection broke while sending")?;
        match self.inbox.message(&mut self.stream).await? {
            Some(message) => {
                self.body = (message.body_at, message.end);
                Ok(self.inbox.status())
            }
            None => Err(Fault(
                "the connection was closed before the answer".to_owned(),
            )),
        }
    }

    /// The body of the latest answer.
    pub(crate) fn body(&self) -> &[u8] {
        let (from, to) = self.body;
        self.inbox.bytes().get(from..to).unwrap_or_default()
    }

    /// The beginning of the latest answer's body as text.
    fn words(&self) -> String {
        String::from_utf8_lossy(self.body())
            .chars()
            .take(200)
            .collect()
    }
}
