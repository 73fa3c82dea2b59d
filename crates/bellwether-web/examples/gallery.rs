//! Serves every page with sample data, to look at: `cargo run -p bellwether-web --example gallery`.
//! The console is on port 8180, the hosted pages on 8181: /n/waiting, /n/german, /n/late, /n/mine,
//! /n/code, /n/over, /n/withdrawn, /n/notice, /n/refused. An empty console is on 8182, one
//! that asks for its token (`letmein`) on 8183.

#![expect(clippy::print_stdout, reason = "it says where to look")]

#[path = "../tests/it/stand_in/mod.rs"]
mod stand_in;

use std::future::pending;

use bellwether_engine::seam::{LiveKind, LiveLine};
use bellwether_web::{routers, serve};
use stand_in::{fake, samples};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let full = fake::app(&samples::morning(), "");
    let empty = fake::app(&samples::empty(), "");
    let locked = fake::app(&samples::morning(), "letmein");
    println!("console http://127.0.0.1:8180/ · pages http://127.0.0.1:8181/n/waiting");
    let console = TcpListener::bind("127.0.0.1:8180").await?;
    let pages = TcpListener::bind("127.0.0.1:8181").await?;
    let nothing = TcpListener::bind("127.0.0.1:8182").await?;
    let door = TcpListener::bind("127.0.0.1:8183").await?;
    tokio::spawn(happen(full.clone()));
    let both = routers(full);
    let served = tokio::try_join!(
        serve(console, both.internal, pending()),
        serve(pages, both.public, pending()),
        serve(nothing, routers(empty).internal, pending()),
        serve(door, routers(locked).internal, pending()),
    );
    served.map(|_| ())
}

/// Something happens every two seconds.
async fn happen(app: bellwether_engine::seam::App) {
    let lines = [
        (
            LiveKind::Event,
            vec!["gmail.message.received", "approvals", "1"],
            Some(4),
        ),
        (LiveKind::Notification, vec!["push", "alice"], None),
        (LiveKind::Delivery, vec!["push", "alice", "accepted"], None),
        (
            LiveKind::Decision,
            vec!["alice", "approve by phone", "PO-4711"],
            None,
        ),
    ];
    for (kind, words, event) in lines.iter().cycle() {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        app.live.say(LiveLine {
            at: app.flow_clock.now(),
            kind: *kind,
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            run: Some(samples::id(11)),
            event: *event,
        });
    }
}
