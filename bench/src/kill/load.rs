//! The load of the kill test. It goes on through all kills: it knows of every event whether it was
//! accepted, sends some twice on purpose, and sends again what was cut off before the answer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::Options;
use crate::clock::micros;
use crate::error::{During, Fault, Outcome};
use crate::event::Request;
use crate::id::BenchId;
use crate::load::{Line, PUSHED_BACK, SECOND_US};
use crate::rng::Rng;
use crate::server::{HOOK_PATH, SECRET};

/// How long a connection waits when nobody listens.
const NOBODY: Duration = Duration::from_millis(2);
/// One of so many events is sent twice on purpose.
const REPEAT_ONE_OF: u64 = 40;
/// How long the last events may take after the last start.
const END_MAX: Duration = Duration::from_secs(60);

/// What the sender knows of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It was never on the wire as a whole, or pushed back.
    Unsent,
    /// It was sent and the answer was lost.
    Doubt,
    /// It was answered with 2xx.
    Accepted,
}

/// Counts of the sender.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Tally {
    /// Answers that were lost.
    pub(super) cut_off: u64,
    /// Events that were sent again after that and then accepted.
    pub(super) resent: u64,
    /// Of those, how many the server knew already.
    pub(super) resent_known: u64,
    /// Accepted events that were sent again on purpose.
    pub(super) repeats: u64,
    /// Of those, how many were recognised.
    pub(super) repeats_recognised: u64,
    /// Answers that said "later".
    pub(super) pushed_back: u64,
}

#[derive(Debug, Default)]
struct Book {
    standings: Vec<Standing>,
    doubts: VecDeque<u32>,
    accepted: u64,
    tally: Tally,
    faults: Vec<Fault>,
    stop: bool,
    resend: bool,
}

/// What a connection does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    Fresh(u32),
    Again(u32),
    Repeat(u32),
}

/// The load while it runs, and its book afterwards.
#[derive(Debug)]
pub(super) struct Load {
    book: Arc<Mutex<Book>>,
    connections: JoinSet<()>,
}

/// The answer of the intake.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    duplicate: bool,
}

impl Load {
    /// Begins to send to `host`.
    pub(super) fn begin(host: &str, run: u16, options: &Options) -> Self {
        let book = Arc::new(Mutex::new(Book {
            resend: !options.no_resend,
            ..Book::default()
        }));
        let mut connections = JoinSet::new();
        for number in 0..options.connections {
            let rng = Rng::new(options.seed ^ (number as u64 + 1).wrapping_mul(0x5851_F42D));
            connections.spawn(connection(host.to_owned(), run, Arc::clone(&book), rng));
        }
        Self { book, connections }
    }

    /// Sends nothing new, clears up what is in doubt, and waits for that.
    pub(super) async fn end(&mut self) -> Outcome<()> {
        lock(&self.book).stop = true;
        let all = async { while self.connections.join_next().await.is_some() {} };
        tokio::time::timeout(END_MAX, all)
            .await
            .during("the restarted server does not take the last events")
    }

    /// How many events were accepted.
    pub(super) fn accepted(&self) -> u64 {
        lock(&self.book).accepted
    }

    /// The faults since this was last asked.
    pub(super) fn faults(&self) -> Vec<Fault> {
        std::mem::take(&mut lock(&self.book).faults)
    }

    /// The counts.
    pub(super) fn tally(&self) -> Tally {
        lock(&self.book).tally
    }

    /// What is known of each event, by number.
    pub(super) fn standings(&self) -> Vec<Standing> {
        lock(&self.book).standings.clone()
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    // A panic while the book was open leaves counts that are still whole.
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Book {
    /// What to do next; None when there is nothing left.
    fn next(&mut self, rng: &mut Rng, latest: Option<u32>) -> Option<Job> {
        if let Some(number) = self.doubts.pop_front() {
            return Some(Job::Again(number));
        }
        if self.stop {
            return None;
        }
        match latest {
            Some(number) if rng.between(0, REPEAT_ONE_OF) == 0 => Some(Job::Repeat(number)),
            _ => {
                let number = u32::try_from(self.standings.len()).unwrap_or(u32::MAX);
                self.standings.push(Standing::Unsent);
                Some(Job::Fresh(number))
            }
        }
    }

    /// The event was accepted, and the server said whether it knew it.
    fn accepted(&mut self, job: Job, known: bool) {
        let number = job.number();
        match (job, known) {
            (Job::Fresh(_), true) => self.fault(format!(
                "event {number} was new and was answered as a duplicate"
            )),
            (Job::Fresh(_), false) => {}
            (Job::Again(_), known) => {
                self.tally.resent += 1;
                self.tally.resent_known += u64::from(known);
            }
            (Job::Repeat(_), known) => {
                self.tally.repeats += 1;
                self.tally.repeats_recognised += u64::from(known);
                if !known {
                    self.fault(format!("event {number} was repeated and taken as new"));
                }
            }
        }
        if let Some(standing) = self.standings.get_mut(number as usize) {
            self.accepted += u64::from(*standing != Standing::Accepted);
            *standing = Standing::Accepted;
        }
    }

    /// The answer was lost.
    fn cut_off(&mut self, job: Job) {
        self.tally.cut_off += 1;
        if matches!(job, Job::Repeat(_)) {
            return;
        }
        if let Some(standing) = self.standings.get_mut(job.number() as usize) {
            *standing = Standing::Doubt;
        }
        if self.resend {
            self.doubts.push_back(job.number());
        }
    }

    fn fault(&mut self, sentence: String) {
        self.faults.push(Fault(sentence));
    }
}

impl Job {
    fn number(self) -> u32 {
        match self {
            Self::Fresh(number) | Self::Again(number) | Self::Repeat(number) => number,
        }
    }
}

async fn connection(host: String, run: u16, book: Arc<Mutex<Book>>, mut rng: Rng) {
    let mut request = match Request::new(&host, HOOK_PATH, SECRET) {
        Ok(request) => request,
        Err(why) => return lock(&book).faults.push(why),
    };
    let mut line = None;
    let mut latest = None;
    loop {
        let Some(job) = lock(&book).next(&mut rng, latest) else {
            return;
        };
        let id = BenchId {
            run,
            number: job.number(),
        };
        loop {
            let open = match line.take() {
                Some(open) => open,
                None => connected(&host).await,
            };
            match send(open, request.fill(id, micros() / SECOND_US)).await {
                Sending::Accepted { line: open, known } => {
                    line = Some(open);
                    lock(&book).accepted(job, known);
                    latest = Some(job.number());
                    break;
                }
                Sending::Later(open) => {
                    line = Some(open);
                    lock(&book).tally.pushed_back += 1;
                    tokio::time::sleep(PUSHED_BACK).await;
                }
                Sending::CutOff => {
                    lock(&book).cut_off(job);
                    break;
                }
                Sending::Refused(why) => {
                    lock(&book).fault(format!("{id} was refused: {why}"));
                    break;
                }
            }
        }
    }
}

/// What came of one POST.
enum Sending {
    Accepted { line: Line, known: bool },
    Later(Line),
    CutOff,
    Refused(String),
}

/// Connects, however long the server is away. Nothing is sent before that, so nothing is in doubt.
async fn connected(host: &str) -> Line {
    loop {
        match Line::open(host).await {
            Ok(line) => return line,
            Err(_) => tokio::time::sleep(NOBODY).await,
        }
    }
}

async fn send(mut line: Line, request: &[u8]) -> Sending {
    match line.post(request).await {
        Ok(200..=299) => match serde_json::from_slice::<Answer>(line.body()) {
            Ok(answer) => Sending::Accepted {
                known: answer.duplicate,
                line,
            },
            Err(why) => Sending::Refused(format!("the answer is not JSON: {why}")),
        },
        Ok(503) => Sending::Later(line),
        Ok(status) => {
            let words = String::from_utf8_lossy(line.body()).into_owned();
            Sending::Refused(format!("{status} {words}"))
        }
        Err(_) => Sending::CutOff,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_book_tells_fresh_from_repeated_and_keeps_what_is_in_doubt() {
        let mut book = Book {
            resend: true,
            ..Book::default()
        };
        let mut rng = Rng::new(1);
        let first = book.next(&mut rng, None).unwrap();
        assert_eq!(first, Job::Fresh(0));
        book.cut_off(first);
        assert_eq!(book.standings, [Standing::Doubt]);
        let again = book.next(&mut rng, None).unwrap();
        assert_eq!(again, Job::Again(0));
        book.accepted(again, true);
        assert_eq!((book.accepted, book.tally.resent_known), (1, 1));
        book.accepted(Job::Repeat(0), false);
        book.accepted(Job::Fresh(0), true);
        assert_eq!((book.accepted, book.faults.len()), (1, 2));
        book.stop = true;
        assert_eq!(book.next(&mut rng, Some(0)), None);
    }
}
