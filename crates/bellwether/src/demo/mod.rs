//! The demo: stand-ins, server, the sixteen flows and a story in one process, over real HTTP and
//! SMTP. The mails of the approvals are in `mails`, who does what with them in `script`, what must
//! have come of it in `check`; the week of the licence tenant is in `agency`, every other scene in
//! `scenes`.

mod aftermath;
mod agency;
mod check;
mod company;
mod mails;
mod outside;
mod patience;
mod scenes;
mod script;
mod senders;
mod sixteen;
mod stage;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::cli::{Failed, asked_to_end};
use crate::output;
use agency::Agency;
use outside::Outside;
use scenes::Scenes;
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
    output::say(&format!("  Start here             {console}/tour"));
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
    let bar = output::progress(mails.len() as u64 + 4, "the story plays");
    let mut agency = Agency::new(stage, outside);
    let mut scenes = Scenes::new(stage, outside);
    let played = script::play_alone(stage, outside, &mut agency, &mut scenes, &bar).await;
    bar.finish_and_clear();
    let mut approvals = check::check(outside).await;
    if let Err(error) = played {
        approvals.push(check::Line::failed("the story plays to its end", error));
    }
    let mut week = agency.check().await;
    let mut ok = true;
    let mut flows = Vec::new();
    for (id, recipe) in sixteen::FLOWS {
        let mut lines = scenes.of(id);
        match id {
            "G1" => lines.append(&mut approvals),
            "S7" => lines.append(&mut week),
            _ => {}
        }
        let holds = !lines.is_empty() && lines.iter().all(|line| line.ok);
        ok &= holds;
        if json {
            flows.push(json!({
                "id": id, "recipe": recipe, "ok": holds, "saw": listed(&lines),
            }));
        } else {
            show(id, recipe, &lines);
        }
    }
    if json {
        let seen = outside.totals().await.unwrap_or(Value::Null);
        output::json(&json!({ "ok": ok, "flows": flows, "stand_ins": seen }));
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
