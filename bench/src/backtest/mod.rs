//! The backtest: as many orders as are asked for are recorded by a flow that is on; then a changed
//! flow is played over the record, through the API, and what it says is held against a truth that
//! comes from the seed. Done with a tenth as well, so that growth shows.

mod truth;

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::clock::micros;
use crate::error::{During, Outcome, fault};
use crate::event::signed;
use crate::ground::Ground;
use crate::load::{Line, PUSHED_BACK, SECOND_US};
use crate::process::Folder;
use crate::progress::Progress;
use crate::rate::client;
use crate::server::{HOOK_PATH, Home, SECRET, Server};
use crate::sink::control::Sink;
use crate::stats::round;
use truth::{IS, Order, Truth, WAS};

/// Connections over which the orders come.
const CONNECTIONS: u64 = 64;
/// How often the server is asked how far it is.
const LOOK: Duration = Duration::from_millis(50);
/// How long the pushes of the record may take to leave, and a backtest to end.
const LONG: Duration = Duration::from_secs(900);
/// The memory of the large record's backtest may be so many times the small one's.
const GROWTH: f64 = 1.5;
const MB: f64 = 1e6;

/// What may be chosen on the command line.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Orders in the record.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) events: u64,
    /// Repeats the same orders.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) ground: Ground,
}

/// One record that was played.
#[derive(Debug, Default, Serialize)]
struct Played {
    events: u64,
    record_seconds: f64,
    seconds: f64,
    per_s: f64,
    /// Memory of the server before, and the most while it played.
    rss_before_mb: f64,
    rss_most_mb: f64,
    words: String,
}

/// What is printed.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    small: Played,
    large: Played,
    pub(crate) ok: bool,
    errors: Vec<String>,
}

/// Records, plays and compares.
pub(crate) async fn measure(options: Options) -> Outcome<Report> {
    if options.events < 1_000 {
        return fault("at least a thousand events are needed");
    }
    let (binary, folder) = options.ground.prepare().await?;
    let http = client()?;
    let sink = Sink::start(&http).await?;
    let mut progress = Progress::new(4);
    let mut errors = Vec::new();
    let mut all = Vec::new();
    for (name, events) in [("small", options.events / 10), ("large", options.events)] {
        progress.say(&format!("{events} events are recorded"));
        let home = home(&binary, &folder, name, &sink)?;
        let mut server = home.start()?;
        server.ready().await?;
        let bench = Bench {
            http: &http,
            home: &home,
            seed: options.seed,
            events,
        };
        let recorded = bench.record().await?;
        progress.step(&format!("the changed flow is played over {events} events"));
        let mut played = bench.play(&server, &mut errors).await?;
        played.record_seconds = recorded;
        progress.step("compared");
        server.child.kill().await?;
        all.push(played);
    }
    progress.end();
    let (Some(large), Some(small)) = (all.pop(), all.pop()) else {
        return fault("nothing was played");
    };
    let allowed = small.rss_most_mb * GROWTH;
    if large.rss_most_mb > allowed {
        errors.push(format!(
            "{} MB with {} events, {} MB with {}: it grows with the record",
            large.rss_most_mb, large.events, small.rss_most_mb, small.events
        ));
    }
    Ok(Report {
        ok: errors.is_empty(),
        small,
        large,
        errors,
    })
}

fn home(binary: &std::path::Path, folder: &Folder, name: &str, sink: &Sink) -> Outcome<Home> {
    let flows = [("orders".to_owned(), WAS.to_owned())];
    Home::with_flows(binary, folder.path().join(name), &sink.base_url(), &flows)
}

struct Bench<'a> {
    http: &'a reqwest::Client,
    home: &'a Home,
    seed: u64,
    events: u64,
}

impl Bench<'_> {
    fn address(&self) -> String {
        format!("http://{}/api/backtest", self.home.listen)
    }

    /// Sends all orders and waits until their pushes have left. How long that took.
    async fn record(&self) -> Outcome<f64> {
        let began = Instant::now();
        let mut senders = JoinSet::new();
        for first in 0..CONNECTIONS {
            let numbers = (first..self.events).step_by(CONNECTIONS as usize);
            senders.spawn(send(self.home.public.clone(), self.seed, numbers));
        }
        while let Some(sender) = senders.join_next().await {
            sender.during("a sender failed")??;
        }
        let api = crate::server::api::Api::new(self.http, self.home);
        while api.counters().await?.get("effects_outstanding")? > 0.0 {
            if began.elapsed() > LONG {
                return fault("the pushes of the record do not leave");
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(round(began.elapsed().as_secs_f64()))
    }

    async fn play(&self, server: &Server, errors: &mut Vec<String>) -> Outcome<Played> {
        let before = server.child.usage().rss;
        let mut most = before;
        let began = Instant::now();
        let body = json!({ "flow": "orders", "text": IS, "file": "orders.yaml" });
        let begun = self.http.post(self.address()).json(&body).send().await;
        let begun = begun.during("the backtest cannot be begun")?;
        if !begun.status().is_success() {
            let words = begun.text().await.unwrap_or_default();
            return fault(format!("the backtest was not begun: {words}"));
        }
        let latest = loop {
            let latest = self.http.get(self.address()).send().await;
            let latest = latest.during("the server does not answer")?.json().await;
            let latest: Value = latest.during("the backtest's state is not JSON")?;
            most = most.max(server.child.usage().rss);
            if latest["state"] != "running" {
                break latest;
            }
            if began.elapsed() > LONG {
                return fault("the backtest does not end");
            }
            tokio::time::sleep(LOOK).await;
        };
        let seconds = began.elapsed().as_secs_f64();
        errors.extend(self.compared(&latest));
        Ok(Played {
            events: self.events,
            seconds: round(seconds),
            per_s: round(self.events as f64 / seconds),
            rss_before_mb: round(before as f64 / MB),
            rss_most_mb: round(most as f64 / MB),
            words: latest["words"].as_str().unwrap_or_default().to_owned(),
            ..Played::default()
        })
    }

    /// What was found, against what is true.
    fn compared(&self, latest: &Value) -> Vec<String> {
        let mut errors = Vec::new();
        let truth = Truth::of(self.seed, self.events);
        let report = &latest["report"];
        let mut same = |what: &str, found: &Value, wanted: Value| {
            if *found != wanted {
                errors.push(format!("{what}: {found} was found, {wanted} is true"));
            }
        };
        same("state", &latest["state"], json!("done"));
        same("events that came", &report["events"], json!(self.events));
        same("sent", &report["sent"], json!(truth.sent));
        same(
            "would be sent",
            &report["would_send"],
            json!(truth.would_send),
        );
        same("differences", &report["counts"], json!(truth.counts));
        let listed = report["differences"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let all: u64 = truth.counts.values().sum();
        same("listed", &json!(listed.is_empty()), json!(all == 0));
        let mut seen = std::collections::BTreeSet::new();
        for one in &listed {
            let title = one["message"]["title"].as_str().unwrap_or_default();
            let number = title.get(2..9).and_then(|digits| digits.parse().ok());
            let number: u64 = number.unwrap_or(u64::MAX);
            let wanted = Order::of(self.seed, number).differs();
            if number >= self.events || one["kind"].as_str() != wanted || !seen.insert(number) {
                errors.push(format!(
                    "{title} is listed as {}, not as {wanted:?}",
                    one["kind"]
                ));
            }
        }
        errors.truncate(20);
        errors
    }
}

async fn send(host: String, seed: u64, numbers: impl Iterator<Item = u64> + Send) -> Outcome<()> {
    let mut line = Line::open(&host).await?;
    for number in numbers {
        let body = Order::of(seed, number).body(number);
        loop {
            let now = micros() / SECOND_US;
            let request = signed(&host, HOOK_PATH, SECRET, &Order::name(number), now, &body)?;
            match line.post(&request).await? {
                200..=299 => break,
                503 => tokio::time::sleep(PUSHED_BACK).await,
                status => return fault(format!("an order was answered with {status}")),
            }
        }
    }
    Ok(())
}

impl Report {
    /// The lines for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |played: &Played| {
            format!(
                "{} events (recorded in {} s): played in {} s, {} events/s, memory {} MB, {} MB before",
                played.events,
                played.record_seconds,
                played.seconds,
                played.per_s,
                played.rss_most_mb,
                played.rss_before_mb
            )
        };
        let mut out = vec![
            line(&self.small),
            line(&self.large),
            self.large.words.clone(),
        ];
        if self.ok {
            out.push("every count and every listed difference is as the seed has it".to_owned());
        }
        out.extend(self.errors.iter().map(|why| format!("ERROR {why}")));
        out
    }
}
