//! Many people press at the same moment, each on another channel: one decision, one answer, and
//! everybody else is told what was decided.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::installed::Installed;
use super::support::{APPROVER, Place, SENDER, WATCHED, send, until};

/// Rounds with phone, page and console; and as many with mail, page and console.
const ROUNDS: usize = 25;
/// The orders in which three channels can start.
const ORDERS: [[usize; 3]; 6] = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
];

/// One way in, ready to be used at once.
#[derive(Clone, Debug)]
enum Channel {
    Phone {
        push: Value,
    },
    Page {
        link: String,
        act_token: String,
        shown: String,
    },
    Mail {
        run: String,
    },
    Console {
        run: String,
    },
}

/// What a channel was told: `decided` or `already_decided`, the choice, and who.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    channel: &'static str,
    result: String,
    choice: String,
    by: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_decision_whoever_presses_and_however() {
    let mut installed = Installed::make().await;
    let _server = installed.serve().await;
    let at = &installed.at;
    let mut winners = std::collections::BTreeMap::<&str, usize>::new();

    // Without a device the question comes by mail.
    let gone = r#"{"error":{"code":404,"details":[{"errorCode":"UNREGISTERED"}]}}"#;
    let fault = json!({
        "target": "opentext.mra", "kind": "status", "status": 404, "times": ROUNDS, "body": gone,
    });
    at.set("faults", fault).await;
    for round in 0..ROUNDS {
        at.order(&format!("MR-{}", 1000 + round), &format!("Mailer {round}."))
            .await;
    }
    until("every question went by mail", async || {
        let asked = at.mails(APPROVER, "MR-1").await.len();
        (asked == ROUNDS).then_some(())
    })
    .await;
    for round in 0..ROUNDS {
        at.order(&format!("PR-{}", 1000 + round), &format!("Pusher {round}."))
            .await;
    }
    let runs = until("every run waits", async || {
        let runs = at.api("/api/runs?status=open&limit=100").await;
        (runs["total"] == 2 * ROUNDS).then(|| runs["items"].clone())
    })
    .await;
    for round in 0..2 * ROUNDS {
        let winner = play(at, &runs, round).await;
        *winners.entry(winner).or_default() += 1;
    }
    at.none_open().await;
    assert_eq!(
        at.total("/api/dead-letters").await,
        0,
        "something was not delivered"
    );
    println!("decided by {winners:?}");
}

/// One round; the channel that won.
async fn play(at: &Place, runs: &Value, round: usize) -> &'static str {
    let by_mail = round < ROUNDS;
    let number = if by_mail {
        format!("MR-{}", 1000 + round)
    } else {
        format!("PR-{}", 1000 + round - ROUNDS)
    };
    let items = runs.as_array().expect("runs");
    let run = items.iter().find(|run| run["key"] == *number);
    let run = run
        .and_then(|run| run["id"].as_str())
        .expect("the run")
        .to_owned();
    let (first, link) = if by_mail {
        let mail = at
            .mails(APPROVER, &number)
            .await
            .pop()
            .expect("the question");
        // All but the mail's way through the provider is before the race.
        let link = link_in(mail["text"].as_str().unwrap_or_default());
        reply(at, &number, &mail, choice_of(round, 0)).await;
        (Channel::Mail { run: run.clone() }, link)
    } else {
        let push = at
            .push("alice", &format!("Pusher {}.", round - ROUNDS))
            .await;
        let link = push["data"]["link"].as_str().unwrap_or_default().to_owned();
        (Channel::Phone { push }, link)
    };
    let channels = [
        first,
        page(at, link).await,
        Channel::Console { run: run.clone() },
    ];

    let order = ORDERS[round % ORDERS.len()];
    // A mail takes a while through the provider: the others start somewhere on its way.
    let ahead = if by_mail && order[0] == 0 {
        round / 3 * 10
    } else {
        0
    };
    let ahead = Duration::from_millis(ahead as u64);
    let racing = order.map(|index| {
        let channel = channels[index].clone();
        async move {
            if index > 0 {
                tokio::time::sleep(ahead).await;
            }
            press(at, channel, choice_of(round, index)).await
        }
    });
    let told = join_all(racing).await;
    judge(at, &number, &run, &told).await
}

/// Who presses what: both choices are there in every round, in all their arrangements.
fn choice_of(round: usize, channel: usize) -> &'static str {
    let arrangement = 1 + (round / 6 + round) % 6;
    if arrangement >> channel & 1 == 1 {
        "approve"
    } else {
        "reject"
    }
}

async fn judge(at: &Place, number: &str, run: &str, told: &[Told]) -> &'static str {
    let deciding: Vec<&Told> = told.iter().filter(|one| one.result == "decided").collect();
    assert_eq!(deciding.len(), 1, "{number}: {told:?}");
    let winner = deciding[0];
    for one in told {
        assert!(
            matches!(&*one.result, "decided" | "already_decided"),
            "{number}: {told:?}"
        );
        assert_eq!(
            (&one.choice, &one.by),
            (&winner.choice, &winner.by),
            "{number}: {told:?}"
        );
    }
    let journal = journal(at, run).await;
    let said = |entry: &&Value| entry["said"]["result"] == "decided";
    let decided: Vec<&Value> = journal.iter().filter(said).collect();
    assert_eq!(decided.len(), 1, "{number}: {journal:?}");
    assert_eq!(decided[0]["said"]["choice"], *winner.choice, "{number}");

    let words = if winner.choice == "approve" {
        "Approved by Alice Arnold"
    } else {
        "Rejected by Alice Arnold"
    };
    at.answered(number, words).await;
    let mails = at.mails(SENDER, number).await;
    let answers = mails.iter().filter(|mail| {
        let text = mail["text"].as_str().unwrap_or_default();
        text.contains("Approved by") || text.contains("Rejected by")
    });
    assert_eq!(answers.count(), 1, "{number} has one answer");
    if told.iter().any(|one| one.channel == "mail") && winner.channel != "mail" {
        late_reply_is_answered(at, number, words).await;
    }
    winner.channel
}

/// Who replied too late reads once what was decided.
async fn late_reply_is_answered(at: &Place, number: &str, decided: &str) {
    let subject = format!("Re: Question {number}");
    let late = until(
        &format!("{number}: the late reply is answered"),
        async || {
            let mut mails = at.mails(APPROVER, &subject).await;
            mails.retain(|mail| mail["text"].to_string().contains("came too late"));
            (!mails.is_empty()).then_some(mails)
        },
    )
    .await;
    assert_eq!(late.len(), 1, "{number}: {late:?}");
    assert!(
        late[0]["text"].to_string().contains(decided),
        "{number}: {late:?}"
    );
}

async fn journal(at: &Place, run: &str) -> Vec<Value> {
    let run = at.api(&format!("/api/runs/{run}")).await;
    let turns = run["journal"].as_array().expect("a journal").iter();
    turns.map(|turn| turn["body"].clone()).collect()
}

/// Presses on one channel; what it was told.
async fn press(at: &Place, channel: Channel, choice: &str) -> Told {
    match channel {
        Channel::Phone { push } => {
            let answer = at.act("alice", &push, choice).await;
            let message = answer["message"].as_str().unwrap_or_default();
            let result = answer["result"].as_str().unwrap_or_default();
            in_words("phone", result, message)
        }
        Channel::Page {
            link,
            act_token,
            shown,
        } => {
            let fields = [
                ("act_token", &*act_token),
                ("shown", &*shown),
                ("choice", choice),
                ("comment", "as said"),
            ];
            let request = at.http.post(format!("{link}/act")).form(&fields);
            let answer = send(request.header("origin", "null")).await;
            let note = answer
                .cookies
                .iter()
                .find(|cookie| cookie.starts_with("bw_note="));
            let result = match note.and_then(|note| note.split('.').nth(1)) {
                Some("decided") => "decided",
                Some("late") => "already_decided",
                _ => "something else",
            };
            in_words(
                "page",
                result,
                &words_of(&send(at.http.get(&link)).await.text),
            )
        }
        Channel::Mail { run } => {
            at.call("/api/connections/approvals/read", &Value::Null)
                .await;
            let said = until("the reply's turn", async || {
                let journal = journal(at, &run).await;
                let of_mail = |entry: &&Value| {
                    entry["in"]["type"] == "gmail.message.received" && entry["said"].is_object()
                };
                journal
                    .iter()
                    .rev()
                    .find(of_mail)
                    .map(|entry| entry["said"].clone())
            })
            .await;
            plain("mail", &said)
        }
        Channel::Console { run } => {
            let body = json!({ "person": "alice", "choice": choice, "comment": "as said" });
            let said = at.call(&format!("/api/runs/{run}/decide"), &body).await;
            plain("console", &said)
        }
    }
}

fn plain(channel: &'static str, said: &Value) -> Told {
    let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
    Told {
        channel,
        result: text("result"),
        choice: text("choice"),
        by: text("by"),
    }
}

/// Reads choice and person out of a sentence for people.
fn in_words(channel: &'static str, result: &str, sentence: &str) -> Told {
    let lower = sentence.to_lowercase();
    let choice = match (lower.contains("approved"), lower.contains("rejected")) {
        (true, false) => "approve",
        (false, true) => "reject",
        _ => "unclear",
    };
    let you = [
        "you approved",
        "you rejected",
        "approved by you",
        "rejected by you",
    ];
    let named = ["approved by alice arnold", "rejected by alice arnold"];
    let hers = you.iter().chain(&named).any(|words| lower.contains(words));
    Told {
        channel,
        result: result.to_owned(),
        choice: choice.to_owned(),
        by: if hers {
            "alice".to_owned()
        } else {
            sentence.to_owned()
        },
    }
}

/// Opens the hosted page and takes what its form holds.
async fn page(at: &Place, link: String) -> Channel {
    let browser = "Mozilla/5.0 (Linux; Android 16) Chrome/142 Mobile";
    let page = send(at.http.get(&link).header("user-agent", browser)).await;
    let field = |name: &str| {
        let rest = page.text.split(&format!("name=\"{name}\"")).nth(1)?;
        let value = rest.split("value=\"").nth(1)?;
        value.split('"').next().map(str::to_owned)
    };
    let act_token = field("act_token").unwrap_or_else(|| panic!("no form: {}", page.text));
    let shown = field("shown").expect("the form says what it shows");
    Channel::Page {
        link,
        act_token,
        shown,
    }
}

/// The words of a page's state, without its markup.
fn words_of(page: &str) -> String {
    let main = page.split("<main").nth(1).unwrap_or(page);
    let state = main.split("class=\"state").nth(1).unwrap_or(main);
    let state = state.split("</p>").next().unwrap_or_default();
    let parts = state.split('<').filter_map(|part| part.split_once('>'));
    let words: Vec<&str> = parts.map(|(_, text)| text).collect();
    words
        .concat()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn link_in(text: &str) -> String {
    let mut words = text.split_whitespace();
    let link = words.find(|word| word.starts_with("http") && word.contains("/n/"));
    link.expect("the question links its page").to_owned()
}

async fn reply(at: &Place, number: &str, question: &Value, choice: &str) {
    let headers = question["headers"].as_object().expect("headers");
    let header = |name: &str| {
        let found = headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        let value = found.map(|(_, value)| value.get(0).unwrap_or(value));
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let to = header("reply-to");
    let to = to
        .split(['<', '>'])
        .find(|part| part.contains('@'))
        .expect("an address")
        .trim();
    assert!(to != WATCHED, "the address to reply to carries a token");
    let message = format!(
        "From: Alice Arnold <{APPROVER}>\nTo: {to}\nSubject: Re: Question {number}\n\
         In-Reply-To: {}\n\
         Message-ID: <reply-{number}@example.com>\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n{choice}\nas said\n\n\
         On Mon, Mar 2, 2026 at 9:30 AM Approvals <{WATCHED}> wrote:\n> {number}\n",
        header("message-id"),
    );
    at.mail(APPROVER, to, &message).await;
}
