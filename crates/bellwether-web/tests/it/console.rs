//! The console's pages: headers, escaping, empty states, buttons.

use bellwether_engine::store::EffectState;
use serde_json::{Value, json};

use crate::client::{Answer, Server, send, start};
use crate::hostile::{HOSTILE, hostile};
use crate::stand_in::fake::{document, lock};
use crate::stand_in::samples::{empty, id, morning};

const FORM: &str = "content-type: application/x-www-form-urlencoded";

fn pages() -> Vec<String> {
    let mut all: Vec<String> = [
        "/",
        "/cases",
        "/cases?status=open",
        "/notifications",
        "/not-delivered",
        "/connections",
        "/people",
        "/people?show=unreachable",
        "/people/person/alice",
        "/people/person/dora",
        "/people/groups",
        "/recipes",
        "/recipes/opened-late",
        "/people/rotas",
        "/people/customers",
        "/people/unknown",
        "/people/unknown?status=known",
        "/people/usages",
        "/flows",
        "/events",
        "/events/4",
        "/tour",
    ]
    .map(str::to_owned)
    .to_vec();
    all.push(format!("/cases/{}", id(11)));
    all
}

#[tokio::test]
async fn every_page_has_the_headers_and_loads_nothing_foreign() {
    let server = start(morning(), "").await;
    let mut answers = Vec::new();
    for path in pages()
        .iter()
        .map(String::as_str)
        .chain(["/nope", "/cases/77", "/events?what=1"])
    {
        answers.push((path.to_owned(), server.get(path).await));
    }
    for token in [
        "waiting", "german", "late", "mine", "code", "over", "notice", "refused", "unknown",
    ] {
        let path = format!("/n/{token}");
        answers.push((path.clone(), server.open(&path, &[]).await));
    }
    answers.push((
        "act".to_owned(),
        server.press("/n/waiting/act", &[], "").await,
    ));
    for (path, answer) in &answers {
        let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self'"),
            "{path}"
        );
        let hosted = path.starts_with("/n/") || path == "act";
        assert_eq!(policy.contains("script-src"), !hosted, "{path}");
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
            "{path}"
        );
        for bad in [
            "style=\"",
            "<style",
            "onclick",
            "src=\"http",
            "href=\"https",
            "//cdn",
        ] {
            assert!(!answer.body.contains(bad), "{path} has {bad}");
        }
        assert!(
            answer.body.contains("<html lang=") && answer.body.contains("<title>"),
            "{path}"
        );
        assert!(answer.body.contains("id=\"main\""), "{path}");
    }
    assert!(
        answers
            .iter()
            .filter(|(_, answer)| answer.status == 200)
            .count()
            >= 18
    );
}

#[tokio::test]
async fn no_link_of_the_console_is_dead() {
    let server = start(morning(), "").await;
    let mut seen = std::collections::BTreeSet::from(["/".to_owned()]);
    let mut next = vec!["/".to_owned()];
    while let Some(path) = next.pop() {
        let page = server.get(&path).await;
        assert_eq!(page.status, 200, "{path}");
        for href in page.body.split("href=\"").skip(1) {
            let href = href
                .split(['"', '#'])
                .next()
                .unwrap_or_default()
                .replace("&amp;", "&");
            if href.starts_with('/') && seen.insert(href.clone()) {
                next.push(href);
            }
        }
    }
    assert!(seen.len() > 20, "{seen:?}");
}

#[tokio::test]
async fn hostile_texts_are_escaped_on_every_page() {
    let server = start(hostile(), "").await;
    let mut all = pages();
    // The cards of recipes, and the tour, hold only what ships with the server.
    all.retain(|path| path != "/recipes" && path != "/tour");
    let name: String = HOSTILE.bytes().map(|byte| format!("%{byte:02X}")).collect();
    all.push(format!("/connections/{name}"));
    for path in all {
        let page = server.get(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        let scripts = page.body.matches("<script").count();
        assert_eq!(
            scripts,
            usize::from(path == "/"),
            "{path} runs something: {}",
            page.body
        );
        assert!(
            !page.body.contains("<img") && !page.body.contains("\"'>"),
            "{path}"
        );
        assert!(
            page.body.contains("&lt;script&gt;alert(1)"),
            "{path} does not show it"
        );
        assert!(
            !page.body.contains('\u{202E}') || page.body.contains("value="),
            "{path}"
        );
    }
}

#[tokio::test]
async fn empty_lists_say_what_to_do() {
    let server = start(empty(), "").await;
    let said = [
        ("/", "Nothing has happened yet."),
        ("/cases", "No cases yet."),
        ("/cases?status=open", "No open cases."),
        ("/notifications", "Nobody was notified yet."),
        ("/not-delivered", "Everything has been delivered."),
        ("/connections", "Nothing is connected yet."),
        ("/connections", "It needs ten minutes."),
        ("/flows", "No flow is on. Start from a"),
        ("/events", "Nothing has happened yet."),
    ];
    for (path, words) in said {
        let page = server.get(path).await;
        assert!(page.body.contains(words), "{path}");
        assert!(
            !page.body.contains('!') || !visible(&page.body).contains('!'),
            "{path} shouts"
        );
    }
}

/// The text between tags.
fn visible(html: &str) -> String {
    html.split('<')
        .skip(2)
        .filter_map(|part| part.split_once('>'))
        .map(|(_, text)| text)
        .collect()
}

#[tokio::test]
async fn the_overview_names_its_numbers_and_shows_the_road_in_order() {
    let server = start(morning(), "").await;
    let page = server.get("/").await.body;
    for piece in [
        "waiting for people",
        "oldest 12 min",
        "needs you",
        "missing mails",
        "may have been sent",
        "Mail: PO-4712 €18,900.00 Steiner AG, from Ariba",
        "Dora pressed approve on the phone",
        "€4,200.00 · Huber GmbH → Alice’s phone, opened",
        "approval-mails began: PO-4711",
    ] {
        assert!(page.contains(piece), "{piece}");
    }
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}"));
    assert!(place("PO-4712 €18,900") < place("PO-4711 €4,200"));
    assert!(
        page.contains(r#"<li class="lane-0 tone-plain"><time datetime="2026-03-02T09:38:00Z""#)
    );
}

#[tokio::test]
async fn a_case_tells_a_silent_update_from_the_question() {
    let fake = morning();
    {
        let mut runs = lock(&fake.runs);
        let case = runs.iter_mut().find(|case| case.run.id == id(11));
        let effects = &mut case.expect("the case").effects;
        let mut update = effects[0].clone();
        let args = json!({"title": "€4,200.00", "kind": "update", "text": "Approved by Dora Dorn"});
        update.args = args.to_string().into();
        effects.push(update);
    }
    let server = start(fake, "").await;
    let page = server.get(&format!("/cases/{}", id(11))).await.body;
    assert_eq!(
        page.matches("Silent update: Approved by Dora Dorn").count(),
        1
    );
}

#[tokio::test]
async fn a_line_of_a_list_is_said_in_words() {
    let fake = morning();
    {
        let mut events = lock(&fake.events);
        for (source, person) in [("engine", "alice"), ("shop", "dora")] {
            let mut line = events[0].clone();
            line.envelope.source = source.to_owned();
            line.envelope.kind = "digest.licence-watch/tell".to_owned();
            let row = json!([["Name", "Market day"], ["Why", "ends"]]);
            line.envelope.data = json!({"line": {"person": person, "row": row}}).into();
            events.push(line);
        }
    }
    let server = start(fake, "").await;
    let page = server.get("/events").await.body;
    assert!(page.contains("On Alice’s list: Market day"), "{page}");
    assert!(
        !page.contains("On Dora’s list"),
        "only the server itself says so"
    );
}

#[tokio::test]
async fn what_was_not_sent_says_why() {
    for (reason, pill, why) in [
        (
            "shadow",
            "would have been sent",
            "Because its flow is in shadow",
        ),
        ("on_list", "on a list", "Because it leaves with the list"),
        ("at_most", "not sent", "Because at_most."),
    ] {
        let fake = morning();
        {
            let mut runs = lock(&fake.runs);
            let case = runs.iter_mut().find(|case| case.run.id == id(11));
            let effect = &mut case.expect("the case").effects[0];
            effect.state = EffectState::Suppressed;
            effect.reason = Some(reason.to_owned());
        }
        let server = start(fake, "").await;
        let page = server.get(&format!("/cases/{}", id(11))).await.body;
        for words in [pill, why] {
            assert!(page.contains(words), "{words}\nis not in\n{page}");
        }
    }
}

#[tokio::test]
async fn a_case_tells_its_story_in_words() {
    let server = start(morning(), "").await;
    let page = server.get(&format!("/cases/{}", id(11))).await.body;
    for piece in [
        "<h1>€4,200.00 · Huber GmbH</h1>",
        "Message received",
        "Carl is away",
        "Asked Alice: for Carl",
        "Dora approved by phone",
        "Told: it was decided before",
        "The time came: remind or pass on, approval",
        "given to OpenText",
        "may have been sent, we cannot know",
        "remind or pass on <span class=\"meta\">(step approval)</span>",
        r#"<option value="alice" selected>Alice Arnold</option>"#,
        r#"name="choice" value="approve">Approve</button>"#,
    ] {
        assert!(page.contains(piece), "{piece}\nis not in\n{page}");
    }
}

async fn post(server: &Server, path: &str, fields: &str) -> Answer {
    let page = server.get("/").await.body;
    let (_, rest) = page
        .split_once(r#"name="form_token" value=""#)
        .expect("a form");
    let token = rest.split('"').next().expect("its value");
    let body = format!("form_token={token}&{fields}");
    let answer = send(server.internal, "POST", path, &[FORM], &body).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let cookie = answer
        .cookie("bw_note")
        .map(|note| format!("cookie: {note}"));
    let place = answer.header("location").expect("a place");
    let headers: Vec<&str> = ["accept: text/html"]
        .into_iter()
        .chain(cookie.as_deref())
        .collect();
    send(server.internal, "GET", place, &headers, "").await
}

#[tokio::test]
async fn buttons_do_and_say_what_they_did() {
    let server = start(morning(), "").await;
    let retried = post(&server, &format!("/not-delivered/{}/retry", id(1)), "")
        .await
        .body;
    assert!(retried.contains("It is tried again."));
    assert!(!retried.contains("Try again</button>"));
    let again = post(&server, &format!("/not-delivered/{}/retry", id(1)), "")
        .await
        .body;
    assert!(again.contains("It was settled before; nothing was tried again."));
    let tested = post(&server, "/connections/approvals/test", "").await.body;
    assert!(tested.contains("It works. Connected as approvals@example.com"));
    let failed = post(&server, "/connections/opentext/test", "").await.body;
    assert!(
        failed.contains(
            "The test failed. OpenText refuses the password; set it again (bad_password)"
        )
    );
    let counted = post(&server, "/connections/approvals/recount", "")
        .await
        .body;
    assert!(counted.contains("Counted. Missing: 2"));
    assert!(counted.contains("2 of 214"));
    let decided = post(
        &server,
        &format!("/cases/{}/decide", id(11)),
        "person=alice&choice=approve",
    )
    .await
    .body;
    assert!(decided.contains("Decided for Alice: approve."));
    assert_eq!(lock(&server.fake.decided_for).len(), 1);
}

#[tokio::test]
async fn the_theme_is_kept_in_a_cookie_without_a_flash() {
    let server = start(morning(), "").await;
    let dark = send(server.internal, "GET", "/", &["cookie: bw_theme=dark"], "")
        .await
        .body;
    assert!(dark.contains(r#"<html lang="en" data-theme="dark">"#));
    let odd = send(server.internal, "GET", "/", &["cookie: bw_theme=\"><x"], "")
        .await
        .body;
    assert!(odd.contains(r#"<html lang="en">"#));
    let page = server.get("/").await.body;
    let (_, rest) = page
        .split_once(r#"name="form_token" value=""#)
        .expect("a form");
    let body = format!(
        "form_token={}&theme=dark&back=/cases",
        rest.split('"').next().expect("value")
    );
    let chosen = send(server.internal, "POST", "/theme", &[FORM], &body).await;
    assert_eq!(chosen.header("location"), Some("/cases"));
    assert_eq!(chosen.cookie("bw_theme").as_deref(), Some("bw_theme=dark"));
}

#[tokio::test]
async fn a_flow_file_that_cannot_be_read_is_shown_with_its_mistakes() {
    let fake = morning();
    let flow = json!({ "file": "flows/a.yaml", "text": "flow: a", "position": "on" });
    let broken = |line: &str| json!({ "problems": [line] });
    lock(&fake.documents).extend([
        document("flow", "approvals-a", flow),
        document(
            "broken_flow",
            "flows/a.yaml",
            broken("flows/a.yaml:3:5: no <verb>"),
        ),
        document(
            "broken_flow",
            "flows/b.yaml",
            broken("flows/b.yaml:1:1: no flow"),
        ),
    ]);
    let server = start(fake, "").await;
    let page = server.get("/flows").await.body;
    for piece in [
        "cannot be read",
        "flows/a.yaml:3:5: no &lt;verb&gt;",
        "<strong>approvals-a</strong>, version 1, goes on as it was",
        "flows/b.yaml:1:1: no flow",
        "Nothing of it runs.",
    ] {
        assert!(page.contains(piece), "{piece}\nis not in\n{page}");
    }
}

#[tokio::test]
async fn what_was_not_delivered_is_written_otherwise_or_tried_again_together() {
    let server = start(morning(), "").await;
    let path = format!("/not-delivered/{}", id(1));
    let page = server.get(&path).await.body;
    assert!(page.contains("Change and try again"), "{page}");
    assert!(page.contains("Send it like this"), "{page}");
    let refused = post(&server, &format!("{path}/retry"), "to=nobody")
        .await
        .body;
    assert!(
        refused.contains("This was not done. that is no mail address"),
        "{refused}"
    );
    let none = post(&server, "/not-delivered/retry", "").await.body;
    assert!(none.contains("Nothing was marked."), "{none}");
    let both = format!("letter={}&letter={}&letter=nonsense", id(1), id(2));
    let tried = post(&server, "/not-delivered/retry", &both).await.body;
    assert!(
        tried.contains("1 are tried again; 1 were settled before."),
        "{tried}"
    );
}

#[tokio::test]
async fn a_case_says_whether_it_is_as_it_was_written_and_is_a_file() {
    let fake = morning();
    let runs: Vec<_> = lock(&fake.runs).iter().map(|run| run.run.id).collect();
    let server = start(fake, "").await;
    let good = server.get(&format!("/cases/{}", runs[0])).await.body;
    assert!(
        good.contains("4 entries, unchanged since written"),
        "{good}"
    );
    let bad = server.get(&format!("/cases/{}", runs[1])).await.body;
    assert!(bad.contains("changed afterwards"), "{bad}");
    assert!(
        bad.contains("Entry 3: what came in was changed afterwards"),
        "{bad}"
    );
    let file = server.get(&format!("/cases/{}/file", runs[1])).await;
    let name = file.header("content-disposition").unwrap_or_default();
    assert!(name.starts_with("attachment; filename=\"case-"), "{name}");
    let file: Value = serde_json::from_str(&file.body).unwrap();
    assert_eq!(file["seals"]["checked"]["flaws"][0][1], "event_changed");
    assert!(file["what_happened"][0]["because"].is_string(), "{file}");
    let none = server.get(&format!("/cases/{}/file", id(99))).await;
    assert_eq!(none.status, 404);
}

#[tokio::test]
async fn the_tour_ticks_off_what_the_record_has() {
    let fake = morning();
    for detail in lock(&fake.runs).iter_mut() {
        detail.run.flow = "approval-mail".to_owned();
    }
    let full = start(fake, "").await.get("/tour").await.body;
    let bare = start(empty(), "").await.get("/tour").await.body;
    let ticked = |page: &str| page.matches("<span>done</span>").count();
    assert!(ticked(&full) > ticked(&bare), "{full}");
    assert_eq!(ticked(&bare), 0);
    for page in [&full, &bare] {
        assert_eq!(page.matches("<span>next</span>").count(), 1);
        assert!(page.contains("Use it for real"));
    }
}
