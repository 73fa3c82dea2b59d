//! The demo: stand-ins, server, the approval flow and a story in one process, over real HTTP and
//! SMTP. The story's mails are in `mails`, who does what with them in `script`, what must have come
//! of it in `check`; the week of the licence tenant is in `agency`.

mod aftermath;
mod agency;
mod check;
mod company;
mod mails;
mod outside;
mod patience;
mod script;
mod stage;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::cli::{Failed, asked_to_end};
use crate::output;
use agency::Agency;
use outside::Outside;
use stage::Stage;

/// How the demo is started.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) port: u16,
    pub(crate) public_port: u16,
    pub(crate) sandbox_port: u16,
    pub(crate) data: Option<PathBuf>,
    pub(crate) story: bool,
    pub(crate) once: bool,
    pub(crate) json: bool,
}

/// The seeds of the mission whose flows the demo plays: approvals, and the outage in the agency's
/// week.
const SEED: &str = "G1";
const WEEK_SEED: &str = "S7";

/// Runs the demo.
///
/// # Errors
/// What could not be started, or an expectation of the story that did not hold.
pub(crate) async fn run(settings: Settings) -> Result<(), Failed> {
    let stage = Stage::set(&settings).await?;
    let outside = Outside::new(&stage)?;
    if settings.once {
        let played = play_once(&stage, &outside, settings.json).await;
        stage.strike().await;
        return played;
    }
    greet(&stage, settings.json);
    let playing = async {
        if settings.story {
            script::play_for_people(&stage, &outside).await
        } else {
            std::future::pending().await
        }
    };
    let mut ended = Ok(());
    tokio::select! {
        result = playing => {
            if let Err(error) = result {
                output::say(&format!(
                    "the story stopped: {error}. All else goes on until Ctrl-C."
                ));
                ended = Err(Failed::Quietly);
            }
            asked_to_end().await;
        }
        () = asked_to_end() => {}
    }
    stage.strike().await;
    ended
}

fn greet(stage: &Stage, json: bool) {
    let (console, pages, sandbox) = stage.urls();
    if json {
        output::json(&json!({
            "ready": true, "console": console, "public": pages, "sandbox": sandbox,
        }));
        return;
    }
    output::say("Everything runs on this machine, nothing leaves it.");
    output::say("");
    output::say(&format!("  Phones and mailboxes   {sandbox}"));
    output::say(&format!("  Licences at Smint.io   {sandbox}/smintio"));
    output::say(&format!("  Console                {console}"));
    output::say(&format!("  Pages behind pushes    {pages}"));
    output::say("");
    output::say(
        "Mail for approvals@example.com becomes a push on Alice's phone. Press Approve there.",
    );
    output::say("Ctrl-C ends it.");
    output::say("");
}

/// Plays the story without a person and compares what the stand-ins saw with what must have come of
/// it.
async fn play_once(stage: &Stage, outside: &Outside, json: bool) -> Result<(), Failed> {
    let mails = mails::story();
    let bar = output::progress(mails.len() as u64 + 3, "the story plays");
    let mut agency = Agency::new(stage, outside);
    let played = script::play_alone(stage, outside, &mut agency, &bar).await;
    bar.finish_and_clear();
    let approvals = match played {
        Ok(()) => check::check(stage, outside).await,
        Err(error) => vec![check::Line::failed("the story plays to its end", error)],
    };
    let week = agency.check().await;
    let is_ok = |lines: &[check::Line]| lines.iter().all(|line| line.ok);
    let ok = is_ok(&approvals) && is_ok(&week);
    if json {
        let seen = outside.totals().await.unwrap_or(Value::Null);
        output::json(&json!({
            "ok": ok,
            "flows": [{
                "seed": SEED, "flow": "approval-mail", "ok": is_ok(&approvals),
                "mails": mails.len(), "seen_by_stand_ins": seen, "checks": listed(&approvals),
            }, {
                "seed": WEEK_SEED, "flow": "sync-outage", "ok": is_ok(&week),
                "checks": listed(&week),
            }],
        }));
    } else {
        show(SEED, "approval-mail", &approvals);
        show(WEEK_SEED, "sync-outage", &week);
    }
    if ok { Ok(()) } else { Err(Failed::Quietly) }
}

fn listed(lines: &[check::Line]) -> Vec<Value> {
    let each = lines.iter();
    each.map(|line| json!({ "what": line.what, "ok": line.ok, "saw": line.saw }))
        .collect()
}

fn show(seed: &str, flow: &str, lines: &[check::Line]) {
    for line in lines {
        let mark = if line.ok { "ok " } else { "BAD" };
        output::data(&format!("{mark}  {:<66} {}", line.what, line.saw));
    }
    let good = lines.iter().filter(|line| line.ok).count();
    output::data(&format!(
        "{seed} {flow}: {good} of {} checks hold",
        lines.len()
    ));
}
