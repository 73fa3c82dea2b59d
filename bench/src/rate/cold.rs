//! Cold starts: from the start of the process to the first accepted event, and the memory of a
//! server that has nothing to do. The pushes that come of it tell how large a push is.

use std::time::{Duration, Instant};

use super::Bench;
use crate::clock::micros;
use crate::error::{Outcome, fault};
use crate::event::Request;
use crate::id::BenchId;
use crate::load::{Line, SECOND_US};
use crate::server::{HOOK_PATH, Home, SECRET, Server};

/// How many starts are measured.
const STARTS: usize = 5;
/// How long the server idles before its memory is read.
const IDLE: Duration = Duration::from_secs(5);
/// How long the pushes of the starts may take.
const PUSH_MAX: Duration = Duration::from_secs(10);
/// How long a failing server may take to say why.
const LOG_WAIT: Duration = Duration::from_millis(500);
/// How often the sink is asked.
const ASK: Duration = Duration::from_millis(20);

/// What the starts showed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cold {
    /// Milliseconds of each start on an empty folder.
    pub(crate) fresh_ms: Vec<f64>,
    /// Milliseconds of each start on an existing database.
    pub(crate) again_ms: Vec<f64>,
    /// Memory after idling, in bytes.
    pub(crate) idle_rss: u64,
    /// Bytes of one push as the provider gets it.
    pub(crate) push_bytes: usize,
}

/// Starts servers, one after another.
pub(super) async fn measure(bench: &mut Bench) -> Outcome<Cold> {
    let mut cold = Cold::default();
    for start in 0..STARTS {
        let folder = bench.folder.path().join(format!("cold-{start}"));
        let home = Home::make(&bench.binary, folder, &bench.sink.base_url())?;
        let (server, ms) = first_event(bench, &home).await?;
        cold.fresh_ms.push(ms);
        // One event each, so what was accepted before must be pushed before the process goes.
        pushed(bench, 2 * start as u64 + 1).await?;
        server.child.kill().await?;
        let (server, ms) = first_event(bench, &home).await?;
        cold.again_ms.push(ms);
        pushed(bench, 2 * start as u64 + 2).await?;
        server.child.kill().await?;
    }
    let folder = bench.folder.path().join("idle");
    let home = Home::make(&bench.binary, folder, &bench.sink.base_url())?;
    let mut server = home.start()?;
    server.ready().await?;
    tokio::time::sleep(IDLE).await;
    cold.idle_rss = server.child.usage().rss;
    server.child.kill().await?;
    let totals = bench.sink.totals().await?;
    cold.push_bytes = usize::try_from(totals.bytes / totals.pushes.max(1)).unwrap_or(0);
    bench.sink.receipts().await?;
    Ok(cold)
}

/// Starts a server and sends it one event; gives the milliseconds until it was accepted.
async fn first_event(bench: &mut Bench, home: &Home) -> Outcome<(Server, f64)> {
    let id = BenchId {
        run: bench.next_run(),
        number: 0,
    };
    let mut request = Request::new(&home.public, HOOK_PATH, SECRET)?;
    let began = Instant::now();
    let mut server = home.start()?;
    server.listening().await?;
    let mut line = Line::open(&home.public).await?;
    let status = match line.post(request.fill(id, micros() / SECOND_US)).await {
        Ok(status) => status,
        Err(why) => {
            // A server that ends while it starts says why only in its log, and a little later.
            tokio::time::sleep(LOG_WAIT).await;
            let log = home.log_end();
            return fault(format!("the first event: {why}; the log ends:\n{log}"));
        }
    };
    let ms = began.elapsed().as_secs_f64() * 1000.0;
    if !(200..300).contains(&status) {
        let words = String::from_utf8_lossy(line.body()).into_owned();
        return fault(format!(
            "the first event was answered {status}: {words}; the log ends:\n{}",
            home.log_end()
        ));
    }
    Ok((server, ms))
}

async fn pushed(bench: &Bench, wanted: u64) -> Outcome<()> {
    let began = Instant::now();
    loop {
        let totals = bench.sink.totals().await?;
        if totals.unreadable > 0 {
            return fault("a push came whose payload holds no bench id (title or notification)");
        }
        if totals.pushes >= wanted {
            return Ok(());
        }
        if began.elapsed() > PUSH_MAX {
            return fault(format!(
                "event {wanted} was accepted, but no push came within {PUSH_MAX:?}"
            ));
        }
        tokio::time::sleep(ASK).await;
    }
}
