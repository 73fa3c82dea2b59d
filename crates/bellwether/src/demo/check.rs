//! What must have come of the story, looked up at the stand-ins, not in our own record; and what
//! our record must say about itself.

use serde_json::Value;

use super::mails;
use super::outside::{Mail, Outside};

/// One expectation.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) what: String,
    pub(super) ok: bool,
    pub(super) saw: String,
}

impl Line {
    pub(super) fn of(what: &str, ok: bool, saw: impl Into<String>) -> Self {
        Self {
            what: what.to_owned(),
            ok,
            saw: saw.into(),
        }
    }

    pub(super) fn failed(what: &str, saw: String) -> Self {
        Self::of(what, false, saw)
    }
}

/// Every matter with the mailbox that gets the answer and the words that it must hold.
const ANSWERS: [(&str, &str, &str); 10] = [
    ("PO-4711", "ariba@example.com", "Approved by Alice Arnold"),
    (
        "PO-4712",
        "ariba@example.com",
        "Rejected by Alice Arnold: We have two offers",
    ),
    ("PO-4713", "ariba@example.com", "Approved by Carl Conrad"),
    ("PO-4721", "ariba@example.com", "Nobody decided in time"),
    ("PO-4722", "ariba@example.com", "Approved by Alice Arnold"),
    ("PO-4723", "ariba@example.com", "Rejected by Carl Conrad"),
    ("PO-4724", "ariba@example.com", "Approved by Alice Arnold"),
    (
        "BE-1001",
        "requester@example.com",
        "Approved by Alice Arnold",
    ),
    ("CR-208", "requester@example.com", "Approved by Lena Lang"),
    ("EX-77", "requester@example.com", "Approved by Alice Arnold"),
];

/// Who may be asked: everybody else's phone stays dark.
const ASKED: [(&str, usize); 5] = [
    ("alice", 7),
    ("carl", 2),
    ("lena", 2),
    ("dora", 1),
    ("ivan", 1),
];

/// Compares the stand-ins' view with the story.
pub(super) async fn check(outside: &Outside) -> Vec<Line> {
    let mut lines = Vec::new();
    answers(outside, &mut lines).await;
    phones(outside, &mut lines).await;
    record(outside, &mut lines).await;
    lines
}

async fn answers(outside: &Outside, lines: &mut Vec<Line>) {
    for (number, address, words) in ANSWERS {
        let what = format!("{number}: the thread at {address} got one answer");
        let fits = |mail: &Mail| mail.subject.contains(number) && mail.text.contains(words);
        let found = outside.mail(address, number, fits).await;
        let line = match found {
            Err(error) => Line::failed(&what, error),
            Ok(mail) => {
                let all = outside.mailbox(address).await.unwrap_or_default();
                let verdicts = all.iter().filter(|mail| {
                    mail.subject.contains(number)
                        && ["Approved by", "Rejected by", "Nobody decided"]
                            .iter()
                            .any(|words| mail.text.contains(words))
                });
                let count = verdicts.count();
                let first = mail.text.lines().next().unwrap_or_default().to_owned();
                Line::of(&what, count == 1, format!("{count} · {first}"))
            }
        };
        lines.push(line);
    }
    let withdrawn = outside
        .mailbox("ariba@example.com")
        .await
        .unwrap_or_default();
    let answered = withdrawn.iter().any(|mail| {
        mail.subject.contains("PO-4720")
            && mail.text.contains(" by ")
            && !mail.text.contains("Number")
    });
    lines.push(Line::of(
        "PO-4720: withdrawn, so nothing is answered",
        !answered,
        "",
    ));
}

async fn phones(outside: &Outside, lines: &mut Vec<Line>) {
    for (person, matters) in ASKED {
        let pushes = outside.phone(person).await.unwrap_or_default();
        let mut seen: Vec<String> = Vec::new();
        for push in pushes.iter().filter(|push| push.kind != "update") {
            if !seen.contains(&push.notification) {
                seen.push(push.notification.clone());
            }
        }
        let what = format!("{person}'s phone was asked, each notification once");
        let doubled =
            pushes.len() - pushes.iter().filter(|p| p.kind == "update").count() - seen.len();
        let ok = doubled == 0 && seen.len() >= matters;
        lines.push(Line::of(
            &what,
            ok,
            format!("{} pushes, {doubled} doubled", seen.len()),
        ));
        let open = pushes.iter().filter(|push| {
            !["update", "notify"].contains(&&*push.kind) && push.state == "received"
        });
        let open: Vec<&str> = open.map(|push| push.title.as_str()).collect();
        let what = format!("{person}'s phone shows nothing that still asks");
        lines.push(Line::of(&what, open.is_empty(), open.join(", ")));
    }
}

async fn record(outside: &Outside, lines: &mut Vec<Line>) {
    let what = "missing mails, counted against the mailbox's own listing";
    match outside
        .api_post("/api/connections/approvals/recount", &Value::Null)
        .await
    {
        Ok(answer) => {
            let gaps = answer.get("missing").and_then(Value::as_u64);
            lines.push(Line::of(what, gaps == Some(0), answer.to_string()));
        }
        Err(error) => lines.push(Line::failed(what, error)),
    }
    let received = outside
        .api("/api/events?type=gmail.message.received&limit=1000")
        .await;
    let of_approvals = |list: &Value| {
        let items = list["items"].as_array().into_iter().flatten();
        items.filter(|event| event["source"] == "approvals").count() as u64
    };
    // The story, the repeated delivery, the withdrawal, the answer to Lena, Alice's reply and her
    // order.
    let sent = mails::story().len() as u64 + 5;
    let what = "every mail that was sent is in the record, once";
    let found = received.as_ref().ok().map(of_approvals);
    lines.push(Line::of(
        what,
        found == Some(sent),
        format!("{found:?} of {sent}"),
    ));
    for (what, path) in [
        (
            "nothing is left undelivered",
            "/api/dead-letters?flow=approval-mail&limit=50",
        ),
        (
            "no matter is left open",
            "/api/runs?status=open&flow=approval-mail&limit=50",
        ),
    ] {
        lines.push(match outside.emptied(path).await {
            Ok(left) => Line::of(what, left.is_empty(), left),
            Err(error) => Line::failed(what, error),
        });
    }
}
