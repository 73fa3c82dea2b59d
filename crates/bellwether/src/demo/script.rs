//! The script: who does what with which matter, over the wires that people use.

use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::agency::Agency;
use super::company;
use super::mails::{self, StoryMail, address_of};
use super::outside::Outside;
use super::scenes::Scenes;
use super::stage::Stage;
use crate::output;

/// Flow seconds in one second while nobody is expected to answer.
const FAST: f64 = 40_000.0;
/// The pause between the mails of the story that plays for people.
pub(super) const BETWEEN: std::time::Duration = std::time::Duration::from_secs(6);

const WATCHED: &str = "approvals@example.com";
const REQUESTER: &str = "requester@example.com";

async fn send(outside: &Outside, mail: &StoryMail) -> Result<(), String> {
    outside.send(mail.from, WATCHED, &mail.text).await
}

/// The story for people who look on: mails come in one by one, and whoever looks on decides about
/// the approvals. Everybody else in the company does his own part.
pub(super) async fn play_for_people(stage: &Stage, outside: &Outside) -> Result<(), String> {
    for (connection, _) in company::WATCHED {
        outside.watched(connection).await?;
    }
    let mut agency = Agency::new(stage, outside);
    let mut scenes = Scenes::aloud(stage, outside);
    let company = async {
        scenes.morning().await;
        agency.play_for_people().await
    };
    tokio::try_join!(the_post(stage, outside), company)?;
    output::say(
        "That was the post, the company's morning and the agency's week. Send more yourself, or by \
         SMTP; Ctrl-C ends it.",
    );
    std::future::pending().await
}

async fn the_post(stage: &Stage, outside: &Outside) -> Result<(), String> {
    for mail in mails::story() {
        send(outside, &mail).await?;
        let subject = mail
            .text
            .lines()
            .find_map(|line| line.strip_prefix("Subject: "));
        let clock = clock_in_vienna(stage.now());
        output::say(&format!(
            "{clock}  mail  {}",
            subject.unwrap_or("(no subject)")
        ));
        tokio::time::sleep(BETWEEN).await;
    }
    Ok(())
}

/// The story without people: every scene is played by the script.
pub(super) async fn play_alone(
    stage: &Stage,
    outside: &Outside,
    agency: &mut Agency<'_>,
    scenes: &mut Scenes<'_>,
    bar: &ProgressBar,
) -> Result<(), String> {
    for (connection, _) in company::WATCHED {
        outside.watched(connection).await?;
    }
    agency.watched().await?;
    scenes.morning().await;
    bar.inc(1);
    for mail in mails::story() {
        send(outside, &mail).await?;
        bar.inc(1);
    }
    // The same mail again, as a second delivery would bring it: nobody is asked twice.
    let first = &mails::story()[0];
    send(outside, first).await?;
    on_the_phone(outside).await?;
    on_the_page(outside).await?;
    with_a_code(outside).await?;
    asked_back(outside).await?;
    from_the_console(outside).await?;
    taken_back(outside).await?;
    by_mail(outside).await?;
    bar.inc(1);
    agency.play(scenes).await?;
    bar.inc(1);
    // Nobody answers PO-4721: reminder, deputy, owner, end; a week of flow time.
    stage.run_at(FAST).await?;
    outside
        .mail("ariba@example.com", "the end of PO-4721", |mail| {
            mail.subject.contains("PO-4721") && mail.text.contains("Nobody decided")
        })
        .await?;
    stage.run_at(60.0).await?;
    scenes.evening().await;
    bar.inc(1);
    Ok(())
}

/// PO-4711, BE-1001 and EX-77 are approved on Alice's phone; a second tap comes too late.
async fn on_the_phone(outside: &Outside) -> Result<(), String> {
    let push = outside.push("alice", "4,200.00").await?;
    said(
        &outside.act("alice", &push, "approve", "").await?,
        "decided",
    )?;
    said(
        &outside.act("alice", &push, "reject", "too late").await?,
        "already_decided",
    )?;
    for title in ["1,900.00", "310.00"] {
        let push = outside.push("alice", title).await?;
        said(
            &outside.act("alice", &push, "approve", "").await?,
            "decided",
        )?;
    }
    Ok(())
}

/// PO-4712 is rejected on the hosted page, with a reason.
async fn on_the_page(outside: &Outside) -> Result<(), String> {
    let push = outside.push("alice", "3,150.00").await?;
    let page = outside
        .decide(&push.link, "reject", "We have two offers below that.", None)
        .await?;
    if !page.contains("ejected") {
        return Err("the page does not say that PO-4712 was rejected".to_owned());
    }
    Ok(())
}

/// PO-4713 and PO-4723 are above the limit: the CFO must prove who he is, with a code by mail.
async fn with_a_code(outside: &Outside) -> Result<(), String> {
    let push = outside.push("carl", "12,400.00").await?;
    said(
        &outside.act("carl", &push, "approve", "").await?,
        "sign_in_required",
    )?;
    let cookie = outside.sign_in(&push.link, "cfo@example.com").await?;
    outside
        .decide(&push.link, "approve", "", Some(&cookie))
        .await?;
    let push = outside.push("carl", "Unbekannt").await?;
    outside
        .decide(
            &push.link,
            "reject",
            "No amount, no approval.",
            Some(&cookie),
        )
        .await?;
    Ok(())
}

/// CR-208: Lena asks back, the requester answers by mail, then she approves.
async fn asked_back(outside: &Outside) -> Result<(), String> {
    let push = outside.push("lena", "Aufzug Meier").await?;
    let cookie = outside.sign_in(&push.link, "legal@example.com").await?;
    let question = "What is the liability cap?";
    outside
        .decide(&push.link, "question", question, Some(&cookie))
        .await?;
    let mail = outside
        .mail(REQUESTER, "Lena's question", |mail| {
            mail.text.contains(question)
        })
        .await?;
    let text = mails::answer(
        "cr-208-answer",
        REQUESTER,
        "J. Berger",
        &mail,
        "Two million euros.",
    );
    outside
        .send(REQUESTER, &address_of(&mail.reply_to), &text)
        .await?;
    let first = push.notification.clone();
    let again = outside
        .push_such("lena", "Aufzug Meier", |push| push.notification != first)
        .await?;
    outside
        .decide(&again.link, "approve", "", Some(&cookie))
        .await?;
    Ok(())
}

/// PO-4724 is decided for Alice in the console.
async fn from_the_console(outside: &Outside) -> Result<(), String> {
    outside.push("alice", "1,020.00").await?;
    let runs = outside.api("/api/runs?limit=100").await?;
    let items = runs
        .get("items")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let run = items.iter().find(|run| run["key"] == "PO-4724");
    let id = run
        .and_then(|run| run["id"].as_str())
        .ok_or("the API lists no run of PO-4724")?;
    let body = json!({ "person": "alice", "choice": "approve", "comment": "" });
    let answer = outside
        .api_post(&format!("/api/runs/{id}/decide"), &body)
        .await?;
    said(&answer, "decided")
}

/// PO-4720 is withdrawn by its sender while it waits.
async fn taken_back(outside: &Outside) -> Result<(), String> {
    outside.push("alice", "780.50").await?;
    send(outside, &mails::withdrawal()).await?;
    let replaced = |push: &super::outside::Push| push.state == "replaced";
    outside
        .push_such("alice", "780.50", replaced)
        .await
        .map(drop)
}

/// PO-4722: the push is refused for good, the question comes by mail, and the reply decides.
async fn by_mail(outside: &Outside) -> Result<(), String> {
    let refused = json!({
        "error": { "code": 404, "status": "NOT_FOUND", "message": "UNREGISTERED",
                   "details": [{ "errorCode": "UNREGISTERED" }] },
    });
    outside
        .fault(&json!({
            "target": "opentext.mra", "kind": "status", "status": 404, "times": 1,
            "body": refused.to_string(),
        }))
        .await?;
    send(outside, &mails::unreachable()).await?;
    let mail = outside
        .mail(
            "approver@example.com",
            "the question about PO-4722",
            |mail| mail.text.contains("PO-4722") || mail.subject.contains("640.00"),
        )
        .await?;
    let text = mails::answer(
        "po-4722-yes",
        "approver@example.com",
        "Alice Arnold",
        &mail,
        "Approved",
    );
    outside
        .send("approver@example.com", &address_of(&mail.reply_to), &text)
        .await?;
    outside
        .mail("ariba@example.com", "the answer to PO-4722", |mail| {
            mail.subject.contains("PO-4722") && mail.text.contains("Approved by Alice")
        })
        .await
        .map(drop)
}

/// Whether the server said what the scene needs.
fn said(answer: &Value, result: &str) -> Result<(), String> {
    let found = answer
        .get("result")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if found == result {
        return Ok(());
    }
    Err(format!(
        "the server said {answer} where \"{result}\" was expected"
    ))
}

/// The time of day where the company is.
pub(super) fn clock_in_vienna(now: bellwether_model::time::Time) -> String {
    let zone = jiff::tz::TimeZone::get("Europe/Vienna").unwrap_or(jiff::tz::TimeZone::UTC);
    let local = now.timestamp().to_zoned(zone);
    format!("{:02}:{:02}", local.hour(), local.minute())
}
