//! Two people are asked at once, one on her phone and one by mail, and four answers come at the
//! same moment: on the phone, on a page, by mail and from the console. One decision, one answer,
//! and everybody else is told what was decided, by whom and when.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::installed::{Installed, person};
use super::support::{APPROVER, Place, SENDER, WATCHED, send, until};

/// The orders in which four channels can start: each is played three times.
const ORDERS: usize = 24;
const ROUNDS: usize = 3 * ORDERS;
/// Who is asked by mail.
const ON_PAPER: &str = "deputy@example.com";
/// The mailbox is read when the race says so, not by itself.
const NEVER: u32 = 3600;
/// A mail takes a while through the provider: where it starts first, the others start up to so much
/// later, so that it wins at times.
const AHEAD: Duration = Duration::from_millis(8);

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
        reader: &'static str,
    },
    Mail,
    Console {
        run: String,
    },
}

/// What a channel was told: `decided` or `already_decided`, the choice, who and at what time.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    channel: &'static str,
    result: String,
    choice: String,
    by: String,
    when: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_decision_whoever_presses_and_however() {
    let people = json!({
        "alice": person("Alice Arnold", APPROVER, Some("device-alice")),
        "dora": person("Dora Dorn", ON_PAPER, None),
    });
    let mut installed = Installed::with(&people, NEVER).await;
    let _server = installed.serve().await;
    let at = &installed.at;
    for round in 0..ROUNDS {
        at.order(&number_of(round), &format!("Vendor {round}."))
            .await;
    }
    read(at).await;
    let runs = until("every run waits", async || {
        let runs = at.api("/api/runs?status=open&limit=100").await;
        (runs["total"] == ROUNDS).then(|| runs["items"].clone())
    })
    .await;
    let mut winners = std::collections::BTreeMap::<&str, usize>::new();
    for round in 0..ROUNDS {
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
    assert!(winners.len() > 1, "no race: {winners:?}");
}

fn number_of(round: usize) -> String {
    format!("PO-{}", 1000 + round)
}

/// Has the mailbox read to its end.
async fn read(at: &Place) {
    at.call("/api/connections/approvals/read", &Value::Null)
        .await;
}

/// One round; the channel that won.
async fn play(at: &Place, runs: &Value, round: usize) -> &'static str {
    let number = number_of(round);
    let items = runs.as_array().expect("runs");
    let run = items.iter().find(|run| run["key"] == *number);
    let run = run
        .and_then(|run| run["id"].as_str())
        .expect("the run")
        .to_owned();
    let push = at.push("alice", &format!("Vendor {round}.")).await;
    let question = until("the question went by mail", async || {
        at.mails(ON_PAPER, &number).await.pop()
    })
    .await;
    // The page is hers in one round and his in the next.
    let (link, reader) = if round.is_multiple_of(2) {
        (push["data"]["link"].as_str().unwrap_or_default(), "alice")
    } else {
        (
            link_in(question["text"].as_str().unwrap_or_default()),
            "dora",
        )
    };
    let page = page(at, link.to_owned(), reader).await;
    // All but the mail's way out of the mailbox is before the race.
    reply(at, &number, &question, choice_of(round, 2)).await;
    let channels = [
        Channel::Phone { push },
        page,
        Channel::Mail,
        Channel::Console { run: run.clone() },
    ];
    let mut told = race(at, channels, round).await;
    told.push(told_by_mail(at, &run).await);
    judge(at, &number, &run, &told).await
}

/// Lets all channels go at the same moment, in the order of this round. What those were told that
/// are answered at once.
async fn race(at: &Place, channels: [Channel; 4], round: usize) -> Vec<Told> {
    let order = order_of(round);
    let ahead = if order[0] == 2 {
        AHEAD * u32::try_from(round).unwrap_or_default()
    } else {
        Duration::ZERO
    };
    let start = Arc::new(Barrier::new(channels.len()));
    let mut racing = JoinSet::new();
    for index in order {
        let (at, channel, start) = (at.clone(), channels[index].clone(), Arc::clone(&start));
        racing.spawn(async move {
            start.wait().await;
            if index != 2 {
                tokio::time::sleep(ahead).await;
            }
            press(&at, channel, choice_of(round, index)).await
        });
    }
    racing.join_all().await.into_iter().flatten().collect()
}

/// The order of a round: each of the twenty-four, in turn.
fn order_of(round: usize) -> [usize; 4] {
    let mut left = vec![0, 1, 2, 3];
    let mut rest = round % ORDERS;
    [6, 2, 1, 1].map(|below| {
        let place = rest / below;
        rest %= below;
        left.remove(place)
    })
}

/// Who presses what: both choices are there in every round, in all their arrangements.
fn choice_of(round: usize, channel: usize) -> &'static str {
    let arrangement = 1 + round % 14;
    if arrangement >> channel & 1 == 1 {
        "approve"
    } else {
        "reject"
    }
}

async fn judge(at: &Place, number: &str, run: &str, told: &[Told]) -> &'static str {
    assert_eq!(told.len(), 4, "{number}: {told:?}");
    let deciding: Vec<&Told> = told.iter().filter(|one| one.result == "decided").collect();
    assert_eq!(deciding.len(), 1, "{number}: {told:?}");
    let winner = deciding[0];
    for one in told {
        assert!(
            matches!(&*one.result, "decided" | "already_decided"),
            "{number}: {told:?}"
        );
        assert_eq!(
            (&one.choice, &one.by, &one.when),
            (&winner.choice, &winner.by, &winner.when),
            "{number}: {told:?}"
        );
    }
    let journal = journal(at, run).await;
    let said = |entry: &&Value| entry["said"]["result"] == "decided";
    let decided: Vec<&Value> = journal.iter().filter(said).collect();
    assert_eq!(decided.len(), 1, "{number}: {journal:?}");
    assert_eq!(decided[0]["said"]["choice"], *winner.choice, "{number}");

    let past = if winner.choice == "approve" {
        "Approved"
    } else {
        "Rejected"
    };
    let words = format!("{past} by {}", name_of(&winner.by));
    at.answered(number, &words).await;
    let mails = at.mails(SENDER, number).await;
    let answers = mails.iter().filter(|mail| {
        let text = mail["text"].as_str().unwrap_or_default();
        text.contains("Approved by") || text.contains("Rejected by")
    });
    assert_eq!(answers.count(), 1, "{number} has one answer");
    if winner.channel != "mail" {
        late_reply_is_answered(at, number, &words, &winner.when).await;
    }
    winner.channel
}

fn name_of(person: &str) -> &str {
    match person {
        "alice" => "Alice Arnold",
        "dora" => "Dora Dorn",
        other => other,
    }
}

/// Who replied too late reads once what was decided, by whom and when.
async fn late_reply_is_answered(at: &Place, number: &str, decided: &str, when: &str) {
    let subject = format!("Re: Question {number}");
    let late = until(
        &format!("{number}: the late reply is answered"),
        async || {
            let mut mails = at.mails(ON_PAPER, &subject).await;
            mails.retain(|mail| mail["text"].to_string().contains("came too late"));
            (!mails.is_empty()).then_some(mails)
        },
    )
    .await;
    assert_eq!(late.len(), 1, "{number}: {late:?}");
    let text = late[0]["text"].to_string();
    assert!(
        text.contains(decided) && text.contains(when),
        "{number}: {text}"
    );
}

async fn journal(at: &Place, run: &str) -> Vec<Value> {
    let run = at.api(&format!("/api/runs/{run}")).await;
    let turns = run["journal"].as_array().expect("a journal").iter();
    turns.map(|turn| turn["body"].clone()).collect()
}

/// Presses on one channel; what it was told, if at once.
async fn press(at: &Place, channel: Channel, choice: &str) -> Option<Told> {
    let told = match channel {
        Channel::Phone { push } => {
            let answer = at.act("alice", &push, choice).await;
            let message = answer["message"].as_str().unwrap_or_default();
            let result = answer["result"].as_str().unwrap_or_default();
            in_words("phone", result, message, "alice")
        }
        Channel::Page {
            link,
            act_token,
            shown,
            reader,
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
            let words = words_of(&send(at.http.get(&link)).await.text);
            in_words("page", result, &words, reader)
        }
        Channel::Mail => {
            read(at).await;
            return None;
        }
        Channel::Console { run } => {
            let body = json!({ "person": "alice", "choice": choice, "comment": "as said" });
            let said = at.call(&format!("/api/runs/{run}/decide"), &body).await;
            plain("console", &said)
        }
    };
    Some(told)
}

/// What became of the reply, as the journal has it.
async fn told_by_mail(at: &Place, run: &str) -> Told {
    let said = until("the reply's turn", async || {
        let journal = journal(at, run).await;
        let of_mail = |entry: &&Value| {
            entry["in"]["type"] == "gmail.message.received" && entry["said"].is_object()
        };
        let entry = journal.iter().rev().find(of_mail);
        entry.map(|entry| entry["said"].clone())
    })
    .await;
    plain("mail", &said)
}

fn plain(channel: &'static str, said: &Value) -> Told {
    let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
    // The journal has microseconds, the API an instant in words.
    let at = said["at"].as_i64().map(jiff::Timestamp::from_microsecond);
    let at = at.unwrap_or_else(|| text("at").parse());
    let at = at
        .expect("an instant")
        .in_tz("Europe/Vienna")
        .expect("a zone");
    Told {
        channel,
        result: text("result"),
        choice: text("choice"),
        by: text("by"),
        when: at.strftime("%H:%M").to_string(),
    }
}

/// Reads choice, person and time out of a sentence for people.
fn in_words(channel: &'static str, result: &str, sentence: &str, reader: &str) -> Told {
    let lower = sentence.to_lowercase();
    let choice = match (lower.contains("approved"), lower.contains("rejected")) {
        (true, false) => "approve",
        (false, true) => "reject",
        _ => "unclear",
    };
    let named = ["alice", "dora"].into_iter().find(|person| {
        let words = format!("by {}", name_of(person).to_lowercase());
        lower.contains(&words)
    });
    let you = ["you approved", "you rejected", "by you"];
    let his = you.iter().any(|words| lower.contains(words));
    let by = named.or(his.then_some(reader)).unwrap_or(sentence);
    let clock = |word: &&str| {
        let digits = word.trim_matches(|c: char| !c.is_ascii_digit());
        digits.len() == 5 && digits.as_bytes()[2] == b':'
    };
    let when = sentence.split_whitespace().find(clock).unwrap_or_default();
    Told {
        channel,
        result: result.to_owned(),
        choice: choice.to_owned(),
        by: by.to_owned(),
        when: when.trim_matches(|c: char| !c.is_ascii_digit()).to_owned(),
    }
}

/// Opens the hosted page and takes what its form holds.
async fn page(at: &Place, link: String, reader: &'static str) -> Channel {
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
        reader,
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

fn link_in(text: &str) -> &str {
    let mut words = text.split_whitespace();
    let link = words.find(|word| word.starts_with("http") && word.contains("/n/"));
    link.expect("the question links its page")
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
        "From: Dora Dorn <{ON_PAPER}>\nTo: {to}\nSubject: Re: Question {number}\n\
         In-Reply-To: {}\n\
         Message-ID: <reply-{number}@example.com>\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n{choice}\nas said\n\n\
         On Mon, Mar 2, 2026 at 9:30 AM Approvals <{WATCHED}> wrote:\n> {number}\n",
        header("message-id"),
    );
    at.mail(ON_PAPER, to, &message).await;
}
