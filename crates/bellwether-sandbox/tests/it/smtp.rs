//! The mail door, the results it stamps, and messy mail.

use serde_json::{Value, json};

use crate::gmail::{APPROVALS, ARIBA, Post, Smtp, bytes, header, letter};

async fn results(post: &Post, from_ip: &str, mail_from: &str, header_from: &str) -> String {
    let text = letter(header_from, APPROVALS, "test", "");
    let mut smtp = Smtp::connect(post.smtp, Some(from_ip)).await;
    let answer = smtp.send(mail_from, &[APPROVALS], text.as_bytes()).await;
    assert!(answer.starts_with("250"), "{answer}");
    header(&post.newest(APPROVALS).await, "Authentication-Results")
}

/// Source address, MAIL FROM, From; then the verdict of SPF and the start of that of DMARC.
const CASES: [(&str, &str, &str, &str, &str); 9] = [
    (
        "127.0.0.1",
        "ariba@example.com",
        "ariba@example.com",
        "pass",
        "pass (p=REJECT",
    ),
    (
        "127.0.0.2",
        "ariba@example.com",
        "ariba@example.com",
        "fail",
        "fail (p=REJECT",
    ),
    (
        "127.0.0.9",
        "b@mailer.example",
        "ariba@example.com",
        "pass",
        "fail (p=REJECT",
    ),
    (
        "127.0.0.1",
        "x@sub.example.com",
        "a@example.com",
        "none",
        "fail (p=REJECT",
    ),
    (
        "127.0.0.1",
        "a@example.com",
        "a@sub.example.com",
        "pass",
        "pass (p=REJECT",
    ),
    (
        "127.0.0.9",
        "b@mailer.example",
        "b@mailer.example",
        "pass",
        "none header.from=mailer",
    ),
    (
        "127.0.0.1",
        "q@unknown.example",
        "q@unknown.example",
        "none",
        "none header.from=unknown",
    ),
    (
        "127.0.0.1",
        "",
        "ariba@example.com",
        "none",
        "fail (p=REJECT",
    ),
    (
        "127.0.0.1",
        "ariba@example.com",
        "\"x@example.com\" <e@evil.example>",
        "pass",
        "none",
    ),
];

#[tokio::test]
async fn spf_follows_the_source_address_and_dmarc_the_alignment() {
    let post = Post::start().await;
    let other = json!({"domain": "mailer.example", "spf": ["127.0.0.9"], "dmarc": null});
    assert_eq!(post.admin("/admin/domains", other).await.status, 200);
    for (ip, mail_from, from, spf, dmarc) in CASES {
        let got = results(&post, ip, mail_from, from).await;
        assert!(got.starts_with("mx.google.com;"), "{got}");
        assert!(
            got.contains(&format!("spf={spf} ")),
            "{ip} {mail_from} {from}: {got}"
        );
        assert!(
            got.contains(&format!("dmarc={dmarc}")),
            "{ip} {mail_from} {from}: {got}"
        );
    }
}

#[tokio::test]
async fn forged_results_stay_below_the_real_ones() {
    let post = Post::start().await;
    let forged = "Authentication-Results: mx.google.com; spf=pass; dkim=pass; \
        dmarc=pass (p=REJECT) header.from=example.com\r\n";
    let text = letter(ARIBA, APPROVALS, "forged", forged);
    let mut smtp = Smtp::connect(post.smtp, Some("127.0.0.7")).await;
    smtp.send(ARIBA, &[APPROVALS], text.as_bytes()).await;
    let message = post.newest(APPROVALS).await;
    assert!(header(&message, "Authentication-Results").contains("dmarc=fail"));
    let count = message["payload"]["headers"]
        .to_string()
        .matches("Authentication-Results")
        .count();
    assert_eq!(count, 2);
}

#[tokio::test]
async fn an_envelope_cannot_write_headers() {
    let post = Post::start().await;
    let mut smtp = Smtp::connect(post.smtp, None).await;
    smtp.command("EHLO x\ty Authentication-Results:z;").await;
    let answer = smtp
        .command("MAIL FROM:<a@b;dmarc=pass(x)@example.com>")
        .await;
    if answer.starts_with("250") {
        smtp.command(&format!("RCPT TO:<{APPROVALS}>")).await;
        smtp.command("DATA").await;
        smtp.command(&format!(
            "{}.",
            letter("x@evil.example", APPROVALS, "x", "")
        ))
        .await;
        let got = header(&post.newest(APPROVALS).await, "Authentication-Results");
        let verdicts = got
            .split(';')
            .filter(|part| part.trim().starts_with("dmarc="));
        assert_eq!(verdicts.count(), 1, "{got}");
        assert!(got.contains(";       dmarc=none header.from=evil"), "{got}");
    }
}

#[tokio::test]
async fn commands_follow_the_protocol() {
    let post = Post::start().await;
    let mut smtp = Smtp::connect(post.smtp, None).await;
    let hello = smtp.command("EHLO client.example").await;
    for extension in ["SIZE 52428800", "8BITMIME", "SMTPUTF8", "PIPELINING"] {
        assert!(hello.contains(extension), "{hello}");
    }
    for (command, code) in [
        ("RCPT TO:<approvals@example.com>", "503"),
        ("DATA", "503"),
        ("MAIL FROM:<a@b.example> SIZE=99999999", "552"),
        ("MAIL FROM:", "250"),
        ("RSET", "250"),
        ("MAIL FROM:<> BODY=8BITMIME SMTPUTF8", "250"),
        ("RCPT TO:<nobody@example.com>", "550"),
        ("RCPT TO:<approvals@elsewhere.example>", "550"),
        ("RCPT TO:<Approvals+tag@Example.com>", "250"),
        ("NOOP", "250"),
        ("VRFY approvals", "252"),
        ("BOGUS", "502"),
        ("HELO client", "250"),
        ("DATA", "503"),
        ("QUIT", "221"),
    ] {
        let answer = smtp.command(command).await;
        assert!(answer.starts_with(code), "{command}: {answer}");
    }
    assert!(smtp.closed().await);
}

#[tokio::test]
async fn at_most_a_hundred_recipients_and_pipelining_works() {
    let post = Post::start().await;
    let mut smtp = Smtp::connect(post.smtp, None).await;
    let mut all = "MAIL FROM:<a@b.example>\r\n".to_owned();
    for n in 0..101 {
        all.push_str(&format!("RCPT TO:<approvals+{n}@example.com>\r\n"));
    }
    smtp.write(all.as_bytes()).await;
    for n in 0..101 {
        assert!(smtp.answer().await.starts_with("250"), "answer {n}");
    }
    assert!(smtp.answer().await.starts_with("452"));
}

/// Messages as they come in the wild, made here.
fn messy() -> Vec<(&'static str, Vec<u8>)> {
    let deep: String = (0..500)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n"))
        .collect();
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(200) + "Subject: core\r\n\r\nx";
    vec![
        ("empty", Vec::new()),
        ("a line without headers", b"Just some words.\r\n".to_vec()),
        ("body only", b"\r\nNo headers at all.\r\n".to_vec()),
        (
            "headers only",
            b"From: a@b.example\r\nSubject: no body".to_vec(),
        ),
        ("all bytes", (0..=255).cycle().take(5_000).collect()),
        (
            "latin 1",
            b"Subject: Gr\xfc\xdfe\r\n\r\nsch\xf6n \xe4\r\n".to_vec(),
        ),
        (
            "bare line feeds",
            b"From: a@b.example\nSubject: unix\n\nline\n.\n..dots\n".to_vec(),
        ),
        ("dots", b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n".to_vec()),
        (
            "mbox line",
            b"From a@b Thu Jan  1 00:00:00 2026\r\nSubject: mbox\r\n\r\nx\r\n".to_vec(),
        ),
        (
            "no end of parts",
            b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ny".to_vec(),
        ),
        (
            "no boundary",
            b"Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\ny\r\n".to_vec(),
        ),
        (
            "bad base64",
            b"Content-Transfer-Encoding: base64\r\n\r\n***\r\n".to_vec(),
        ),
        (
            "bad charset",
            b"Content-Type: text/plain; charset=\"k\0\"\r\n\r\n\xff\xfe\r\n".to_vec(),
        ),
        (
            "bad words",
            b"Subject: =?utf-8?B?####?= =?x?Q?=ZZ?=\r\n\r\n".to_vec(),
        ),
        (
            "bad date",
            b"Date: yesterday\r\nFrom: <>, ,;\r\nTo: undisclosed:;\r\n\r\n".to_vec(),
        ),
        (
            "long header",
            format!("X-Long: {}\r\n\r\n", "y".repeat(100_000)).into_bytes(),
        ),
        ("many headers", "X-A: 1\r\n".repeat(5_000).into_bytes()),
        ("deep parts", deep.into_bytes()),
        ("nested messages", nested.into_bytes()),
    ]
}

#[tokio::test]
async fn messy_mail_is_taken_unchanged_and_can_be_read_in_every_format() {
    let post = Post::start().await;
    let mut smtp = Smtp::connect(post.smtp, None).await;
    for (what, sent) in messy() {
        let answer = smtp.send("bounce@example.com", &[APPROVALS], &sent).await;
        assert!(answer.starts_with("250"), "{what}: {answer}");
        let message = post.newest(APPROVALS).await;
        assert!(message["payload"]["mimeType"].is_string(), "{what}");
        let results = header(&message, "Authentication-Results");
        assert!(results.starts_with("mx.google.com;"), "{what}: {results}");
        let id = message["id"].as_str().expect("an id");
        for format in ["minimal", "metadata"] {
            post.get(APPROVALS, &format!("messages/{id}?format={format}"))
                .await;
        }
        let raw = bytes(
            &post
                .get(APPROVALS, &format!("messages/{id}?format=raw"))
                .await["raw"],
        );
        let wanted = if sent.is_empty() || sent.ends_with(b"\n") {
            sent
        } else {
            [sent.as_slice(), b"\r\n"].concat()
        };
        assert!(raw.ends_with(&wanted), "{what}: the bytes changed");
    }
    let seen = post
        .admin(&format!("/admin/mailboxes/{APPROVALS}"), Value::Null)
        .await;
    assert_eq!(seen.status, 200);
    let count = seen.json()["messages"].as_array().map(Vec::len);
    assert_eq!(count, Some(messy().len()));
    assert_eq!(post.count(APPROVALS, "subject:mbox").await, 1);
}

#[tokio::test]
async fn a_client_of_bare_line_feeds_is_understood() {
    let post = Post::start().await;
    let mut smtp = Smtp::connect(post.smtp, None).await;
    let talk = format!("MAIL FROM:<a@b.example>\nRCPT TO:<{APPROVALS}>\nDATA\n");
    smtp.write(talk.as_bytes()).await;
    for code in ["250", "250", "354"] {
        assert!(smtp.answer().await.starts_with(code));
    }
    smtp.write(b"Subject: unix\n\n..dot\n.\n").await;
    assert!(smtp.answer().await.starts_with("250"));
    let message = post.newest(APPROVALS).await;
    assert_eq!(header(&message, "Subject"), "unix");
    assert_eq!(bytes(&message["payload"]["body"]["data"]), b".dot\n");
}

#[tokio::test]
async fn a_second_message_cannot_be_smuggled_in() {
    let post = Post::start().await;
    let mut smtp = Smtp::connect(post.smtp, None).await;
    smtp.command("MAIL FROM:<a@b.example>").await;
    smtp.command(&format!("RCPT TO:<{APPROVALS}>")).await;
    smtp.command("DATA").await;
    let smuggled = "Subject: one\r\n\r\nx\n.\nMAIL FROM:<b@c.example>\r\n.\r\n";
    smtp.write(smuggled.as_bytes()).await;
    assert!(smtp.answer().await.starts_with("250"));
    assert!(smtp.command("NOOP").await.starts_with("250 2.0.0"));
    assert_eq!(post.count(APPROVALS, "").await, 1);
}

#[tokio::test]
async fn thirty_megabytes_pass_and_too_much_does_not() {
    let post = Post::start().await;
    let mut smtp = Smtp::connect(post.smtp, None).await;
    let line = "x".repeat(998) + "\r\n";
    let mut big = letter(ARIBA, APPROVALS, "big", "") + &line.repeat(30_000);
    let answer = smtp.send(ARIBA, &[APPROVALS], big.as_bytes()).await;
    assert!(answer.starts_with("250"), "{answer}");
    big.push_str(&line.repeat(25_000));
    let answer = smtp.send(ARIBA, &[APPROVALS], big.as_bytes()).await;
    assert!(answer.starts_with("552"), "{answer}");
    let answer = smtp
        .send(ARIBA, &[APPROVALS], b"Subject: after\r\n\r\n")
        .await;
    assert!(
        answer.starts_with("250"),
        "the connection goes on: {answer}"
    );
    assert_eq!(post.count(APPROVALS, "").await, 2);
}

#[tokio::test]
async fn mail_over_the_control_surface_is_stamped_like_smtp() {
    let post = Post::start().await;
    let mail = json!({"from": "Ariba <ariba@example.com>", "to": [APPROVALS, "x@out.example"],
        "subject": "Gr\u{fc}\u{df}e\r\nX-Evil: 1", "text": "one\ntwo",
        "headers": {"Reply-To": "requester@example.com"}, "source_ip": "127.0.0.66"});
    let reply = post.admin("/admin/mail", mail).await.json();
    assert_eq!(reply["delivered"][1]["outside"], true);
    let message = post.newest(APPROVALS).await;
    assert_eq!(message["id"], reply["delivered"][0]["id"]);
    assert!(header(&message, "Authentication-Results").contains("dmarc=fail"));
    assert_eq!(header(&message, "Reply-To"), "requester@example.com");
    assert_eq!(header(&message, "X-Evil"), "");
    assert_eq!(bytes(&message["payload"]["body"]["data"]), b"one\r\ntwo");
}
