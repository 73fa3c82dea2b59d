//! The page behind a link, used as a phone without JavaScript uses it.

use bellwether_engine::seam::{CardState, OpenGrade};

use crate::client::{Answer, Server, send, start};
use crate::hostile::{HOSTILE, hostile};
use crate::stand_in::fake::lock;
use crate::stand_in::samples::{ask, morning};

const APPROVE: &str = "act_token=act-waiting&shown=hash-1&choice=approve&needs_comment=reject";
const REJECT: &str = "act_token=act-waiting&shown=hash-1&choice=reject&needs_comment=reject";

/// Presses, follows the redirect with its cookies, and returns the page.
async fn press(server: &Server, token: &str, path: &str, form: &str) -> Answer {
    let pressed = server.press(&format!("/n/{token}/{path}"), &[], form).await;
    assert_eq!(pressed.status, 303, "{}", pressed.body);
    let place = pressed.header("location").expect("a place");
    assert_eq!(place, format!("/n/{token}"));
    let cookies: Vec<String> = ["bw_note", "bw_person"]
        .iter()
        .filter_map(|name| pressed.cookie(name))
        .collect();
    server
        .open(place, &[&format!("cookie: {}", cookies.join("; "))])
        .await
}

#[tokio::test]
async fn a_waiting_card_has_facts_deadline_and_two_equal_buttons() {
    let server = start(morning(), "").await;
    let page = server.open("/n/waiting", &[]).await;
    assert_eq!(page.status, 200);
    let pieces = [
        r#"<html lang="en">"#,
        "<h1>€4,200.00 · Huber GmbH</h1>",
        "<dt>Supplier</dt><dd>Huber GmbH</dd>",
        r#"Waits until <time datetime="2026-03-02T15:42:00Z">Mon 16:42</time>, 6 h left."#,
        r#"<details class="quoted"><summary>The mail behind it</summary>"#,
        r#"<input type="hidden" name="act_token" value="act-waiting">"#,
        r#"<input type="hidden" name="shown" value="hash-1">"#,
        r#"<label for="comment">Comment <span class="meta">needed for Reject</span></label>"#,
        // Reject stands at the left; both are plain buttons of one grid.
        concat!(
            r#"<div class="choices">"#,
            r#"<button type="submit" name="choice" value="reject">Reject</button>"#,
            r#"<button type="submit" name="choice" value="approve">Approve</button></div>"#
        ),
        r#"<details class="other"><summary>Ask a question</summary>"#,
    ];
    for piece in pieces {
        assert!(
            page.body.contains(piece),
            "{piece}\nis not in\n{}",
            page.body
        );
    }
    assert!(!page.body.contains("<script"));
}

#[tokio::test]
async fn one_press_decides_says_so_and_a_reload_presses_nothing() {
    let server = start(morning(), "").await;
    let page = press(
        &server,
        "waiting",
        "act",
        &format!("{APPROVE}&comment=fine"),
    )
    .await;
    assert!(page.body.contains("Done. Your decision is recorded."));
    assert!(
        page.body
            .contains("Approved by you, <time datetime=\"2026-03-02T09:42:00Z\">Mon 10:42</time>")
    );
    assert!(page.body.contains("With the comment: <q>fine</q>"));
    assert!(!page.body.contains("<button"));
    let again = server.open("/n/waiting", &[]).await;
    assert!(!again.body.contains("Done."));
    assert!(again.body.contains("Approved by you"));
    let presses = lock(&server.fake.presses);
    assert_eq!(presses.len(), 1);
    assert_eq!(
        (presses[0].comment.as_str(), presses[0].shown.as_str()),
        ("fine", "hash-1")
    );
}

#[tokio::test]
async fn a_late_tap_reads_who_decided_and_when_in_the_readers_zone() {
    let server = start(morning(), "").await;
    let late = server.open("/n/late", &[]).await;
    assert!(late.body.contains(
        "Approved by Dora Dorn, <time datetime=\"2026-03-02T09:42:00Z\">Mon 10:42</time>"
    ));
    let form = APPROVE.replace("act-waiting", "act-late");
    let page = press(&server, "late", "act", &form).await;
    assert!(
        page.body
            .contains("Somebody had decided before. Your press changed nothing.")
    );
    let over = server.open("/n/over", &[]).await;
    assert!(over.body.contains(
        "Too late: this ended without a decision, <time datetime=\"2026-03-02T09:12:00Z\">Mon 10:12"
    ));
    assert!(
        server
            .open("/n/withdrawn", &[])
            .await
            .body
            .contains("Taken back by the sender")
    );
    assert!(
        server
            .open("/n/refused", &[])
            .await
            .body
            .contains("because Carl took this over")
    );
}

#[tokio::test]
async fn a_needed_comment_is_asked_for_before_anything_is_decided() {
    let server = start(morning(), "").await;
    let page = press(&server, "waiting", "act", &format!("{REJECT}&comment=++")).await;
    assert!(
        page.body
            .contains("Please write a comment, then press again.")
    );
    assert!(page.body.contains(r#"aria-invalid="true""#));
    assert!(lock(&server.fake.presses).is_empty());
    let page = press(
        &server,
        "waiting",
        "act",
        &format!("{REJECT}&comment=too+dear"),
    )
    .await;
    assert!(page.body.contains("Rejected by you"));
}

#[tokio::test]
async fn what_changed_is_shown_again_and_questions_leave_it_open() {
    let server = start(morning(), "").await;
    let form = APPROVE.replace("hash-1", "old-hash");
    let page = press(&server, "waiting", "act", &form).await;
    assert!(
        page.body
            .contains("The matter has changed since you opened it. Look again, please.")
    );
    assert!(page.body.contains(r#"value="approve""#));
    let form = "act_token=act-waiting&shown=hash-1&choice=ask&comment=which+machine";
    let page = press(&server, "waiting", "act", form).await;
    assert!(page.body.contains("Passed on. The matter stays open"));
    let form = format!("{APPROVE}&comment=refuse+me");
    let page = press(&server, "waiting", "act", &form).await;
    assert!(
        page.body
            .contains("This was not accepted. Four eyes are needed &lt;b&gt;here&lt;/b&gt;.")
    );
}

#[tokio::test]
async fn a_deputy_reads_german_with_the_talk_and_for_whom() {
    let server = start(morning(), "").await;
    let page = server.open("/n/german", &[]).await.body;
    for piece in [
        "<html lang=\"de\">",
        "Für Alice Arnold",
        "Wartet auf Sie",
        "Mo 16:42</time>, noch 6 h.",
        "Fragen und Antworten",
        "Gibt es ein zweites Angebot?",
        "nötig für Reject",
    ] {
        assert!(page.contains(piece), "{piece}\nis not in\n{page}");
    }
}

#[tokio::test]
async fn a_code_by_mail_opens_the_buttons_on_this_device() {
    let server = start(morning(), "").await;
    let page = server.open("/n/code", &[]).await.body;
    assert!(page.contains("Send me a code") && !page.contains("value=\"approve\""));
    let page = press(&server, "code", "code", "").await.body;
    assert!(page.contains("A code is on its way to a…@example.com"));
    let page = press(&server, "code", "verify", "code=000000").await.body;
    assert!(page.contains("This code is not right."));
    let page = press(&server, "code", "verify", "code=111111").await.body;
    assert!(page.contains("Too many wrong codes"));
    let proven = server.press("/n/code/verify", &[], "code=123+456").await;
    let cookie = proven
        .headers
        .iter()
        .find(|(_, value)| value.starts_with("bw_person="));
    let expected = "bw_person=cHJvdmVu; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax";
    assert_eq!(cookie.map(|(_, value)| value.as_str()), Some(expected));
    let page = server
        .open("/n/code", &["cookie: bw_person=cHJvdmVu"])
        .await
        .body;
    assert!(page.contains("value=\"approve\""));
}

#[tokio::test]
async fn scanners_and_previews_fetch_and_never_press() {
    let server = start(morning(), "").await;
    let programs = [
        vec!["user-agent: WhatsApp/2.23"],
        vec![
            "user-agent: Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        ],
        vec!["user-agent: Mozilla/5.0 (Windows NT 10.0) SkypeUriPreview Preview/0.5"],
        vec!["user-agent: Mozilla/5.0 HeadlessChrome/120"],
        vec!["user-agent: python-requests/2.31"],
        vec![],
        vec![crate::client::BROWSER, "sec-purpose: prefetch;prerender"],
        vec![crate::client::BROWSER, "purpose: prefetch"],
    ];
    for headers in &programs {
        send(server.public, "GET", "/n/waiting", headers, "").await;
    }
    let head = send(
        server.public,
        "HEAD",
        "/n/waiting",
        &[crate::client::BROWSER],
        "",
    )
    .await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let fetched = vec![("waiting".to_owned(), OpenGrade::Fetched); programs.len() + 1];
    assert_eq!(*lock(&server.fake.opens), fetched);
    server.open("/n/waiting", &[]).await;
    assert_eq!(
        lock(&server.fake.opens).last().map(|(_, grade)| *grade),
        Some(OpenGrade::Rendered)
    );

    // Neither looking at the form's address nor posting without its token decides.
    for path in [
        "/n/waiting/act",
        "/n/waiting/act?choice=approve&act_token=act-waiting",
    ] {
        assert_eq!(send(server.public, "GET", path, &[], "").await.status, 405);
        assert_eq!(send(server.public, "HEAD", path, &[], "").await.status, 405);
    }
    let bare = server
        .press("/n/waiting/act", &[], "choice=approve&shown=hash-1")
        .await;
    assert_eq!(bare.status, 400);
    let own = server
        .press("/n/waiting/act", &[], "act_token=waiting&choice=approve")
        .await;
    assert_eq!(own.status, 403);
    let foreign = server
        .press("/n/waiting/act", &["sec-fetch-site: cross-site"], APPROVE)
        .await;
    assert_eq!(foreign.status, 403);
    assert!(lock(&server.fake.presses).is_empty());
    let cards = lock(&server.fake.cards);
    assert_eq!(cards["waiting"].state, CardState::Waiting(ask("waiting")));
}

#[tokio::test]
async fn a_scanner_between_press_and_look_does_not_eat_the_words() {
    let server = start(morning(), "").await;
    let pressed = server.press("/n/waiting/act", &[], APPROVE).await;
    let note = format!("cookie: {}", pressed.cookie("bw_note").expect("a note"));
    let fetched = send(
        server.public,
        "GET",
        "/n/waiting",
        &["user-agent: bot", &note],
        "",
    )
    .await;
    assert!(fetched.header("set-cookie").is_none());
    // The note belongs to one link: another page does not say it.
    let other = server.open("/n/notice", &[&note]).await;
    assert!(!other.body.contains("Done."));
    let page = server.open("/n/waiting", &[&note]).await;
    assert!(page.body.contains("Done.") && page.header("set-cookie").is_some());
}

#[tokio::test]
async fn links_that_lead_nowhere_say_why_and_what_next() {
    let server = start(morning(), "").await;
    let cases = [
        ("/n/unknown", 404, "This link is not valid."),
        ("/n/expired", 410, "This link is too old."),
        ("/n/gone", 410, "This is no longer kept."),
        (
            "/n/broken",
            503,
            "Nothing was lost and nothing was decided.",
        ),
        ("/elsewhere", 404, "This link is not valid."),
    ];
    for (path, status, said) in cases {
        let page = server.open(path, &[]).await;
        assert_eq!(page.status, status, "{path}");
        assert!(page.body.contains(said), "{path}: {}", page.body);
    }
    let german = server
        .open("/n/unknown", &["accept-language: de-AT,de;q=0.9"])
        .await;
    assert!(german.body.contains("Dieser Link ist nicht gültig."));
}

#[tokio::test]
async fn hostile_texts_are_shown_and_never_run() {
    let server = start(hostile(), "").await;
    for token in ["waiting", "late", "refused"] {
        let page = server.open(&format!("/n/{token}"), &[]).await;
        assert_eq!(page.status, 200);
        assert!(
            !page.body.contains("<script") && !page.body.contains("<img"),
            "{}",
            page.body
        );
        assert!(
            !page.body.contains("\"'>"),
            "an attribute was left: {}",
            page.body
        );
        assert!(
            !page.body.contains('\u{202E}') || page.body.contains("value="),
            "{token}"
        );
        assert!(page.body.contains("&lt;script&gt;"));
    }
    assert!(HOSTILE.contains('\u{202E}'));
    let late = server.open("/n/late", &[]).await.body;
    assert!(!late.contains('\u{202E}'), "direction controls must go");
}

#[tokio::test]
async fn a_person_whose_id_no_cookie_may_hold_is_known_again() {
    let server = start(morning(), "").await;
    let proven = server.press("/n/code/verify", &[], "code=654321").await;
    let cookie = proven.cookie("bw_person").expect("an enrolled device");
    let held = "0123456789-_=".to_owned();
    let plain = |c: char| c.is_ascii_alphanumeric() || held.contains(c);
    assert!(cookie.chars().all(plain), "{cookie}");
    let page = server
        .open("/n/code", &[&format!("cookie: {cookie}")])
        .await;
    assert!(page.body.contains("value=\"approve\""));
    // A value of somebody else's making is no proof and no error.
    let page = server
        .open("/n/code", &["cookie: bw_person=j\u{fc}rgen"])
        .await;
    assert!(page.status == 200 && !page.body.contains("value=\"approve\""));
}

#[tokio::test]
async fn a_form_can_be_sent_so_often_and_no_more() {
    let server = start(morning(), "").await;
    for _ in 0..20 {
        let answer = server.press("/n/waiting/act", &[], APPROVE).await;
        assert_eq!(answer.status, 303);
    }
    let answer = server.press("/n/waiting/act", &[], APPROVE).await;
    assert_eq!(answer.status, 429);
    assert!(answer.body.contains("pressed too often"), "{}", answer.body);
    assert_eq!(lock(&server.fake.presses).len(), 20);
    // What was decided can be seen all the same, and later it may be pressed again.
    assert_eq!(server.open("/n/waiting", &[]).await.status, 200);
    let now = crate::stand_in::samples::now() + bellwether_model::time::Millis::minutes(11);
    *lock(&server.fake.now) = now;
    let answer = server.press("/n/waiting/act", &[], APPROVE).await;
    assert_eq!(answer.status, 303);
}
