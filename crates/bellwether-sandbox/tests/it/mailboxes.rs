//! Mailboxes by the API: sending, threads, drafts, Message-ID, labels, search, uploads, limits.

use bellwether_sandbox::Options;
use serde_json::{Value, json};

use crate::gmail::{APPROVALS, ARIBA, Post, Smtp, bytes, escaped, header, letter, raw};
use crate::wire::call;

const ALICE: &str = "approver@example.com";

async fn send(post: &Post, text: &str, thread: Option<&str>) -> Value {
    let mut body = json!({"raw": raw(text)});
    if let Some(thread) = thread {
        body["threadId"] = json!(thread);
    }
    post.post(APPROVALS, "messages/send", body).await
}

#[tokio::test]
async fn a_sent_mail_gets_a_new_message_id_unless_switched_off() {
    let post = Post::start().await;
    let own = "Message-ID: <ours@bellwether.example>\r\nX-Mark: 1\r\n";
    let sent = send(&post, &letter(APPROVALS, ALICE, "hi", own), None).await;
    assert_eq!(sent["labelIds"], json!(["SENT"]));
    let kept = post.newest(APPROVALS).await;
    let got = post.newest(ALICE).await;
    assert_eq!(header(&kept, "Message-ID"), header(&got, "Message-ID"));
    assert!(!header(&kept, "Message-ID").contains("ours@bellwether"));
    assert_eq!(header(&got, "X-Mark"), "1", "other headers stay");
    assert_eq!(
        post.count(APPROVALS, "rfc822msgid:ours@bellwether.example")
            .await,
        0
    );
    post.admin("/admin/google", json!({"replace_message_id": false}))
        .await;
    send(&post, &letter(APPROVALS, ALICE, "hi", own), None).await;
    let got = post.newest(ALICE).await;
    assert_eq!(header(&got, "Message-ID"), "<ours@bellwether.example>");
}

#[tokio::test]
async fn sending_delivers_to_mailboxes_tags_and_the_outside_and_strips_bcc() {
    let post = Post::start().await;
    let more = "Cc: approver+tag@example.com\r\nBcc: deputy@example.com, x@elsewhere.example\r\n";
    send(
        &post,
        &letter("Boss <boss@evil.example>", ARIBA, "hi", more),
        None,
    )
    .await;
    for to in [ARIBA, ALICE, "deputy@example.com"] {
        let got = post.newest(to).await;
        assert_eq!(header(&got, "Bcc"), "", "{to}");
        assert_eq!(header(&got, "From"), "\"Boss\" <approvals@example.com>");
        let results = header(&got, "Authentication-Results");
        for verdict in ["spf=pass", "dkim=pass", "dmarc=pass (p=REJECT"] {
            assert!(results.contains(verdict), "{results}");
        }
    }
    let outside = post.admin("/admin/outside", Value::Null).await.json();
    assert_eq!(outside["messages"][0]["to"], "x@elsewhere.example");
    assert_eq!(outside["messages"].as_array().map(Vec::len), Some(1));
    let nobody = json!({"raw": raw("From: a\r\nSubject: nobody\r\n\r\n")});
    post.api(APPROVALS, "POST", "messages/send", nobody, 400)
        .await;
}

#[tokio::test]
async fn headers_must_be_encoded_or_arrive_garbled() {
    let post = Post::start().await;
    send(&post, &letter(APPROVALS, ALICE, "Gr\u{fc}n", ""), None).await;
    assert_eq!(
        header(&post.newest(ALICE).await, "Subject"),
        "Gr\u{c3}\u{bc}n"
    );
    send(
        &post,
        &letter(APPROVALS, ALICE, "=?utf-8?Q?Gr=C3=BCn?=", ""),
        None,
    )
    .await;
    assert_eq!(header(&post.newest(ALICE).await, "Subject"), "Gr\u{fc}n");
}

#[tokio::test]
async fn mail_to_oneself_is_one_message_with_both_labels() {
    let post = Post::start().await;
    send(&post, &letter(APPROVALS, APPROVALS, "note", ""), None).await;
    let list = post.get(APPROVALS, "messages").await;
    assert_eq!(list["messages"].as_array().map(Vec::len), Some(1));
    let labels = post.newest(APPROVALS).await["labelIds"].to_string();
    assert!(
        labels.contains("SENT") && labels.contains("INBOX"),
        "{labels}"
    );
}

#[tokio::test]
async fn replies_thread_by_reference_and_subject() {
    let post = Post::start().await;
    post.mail(ARIBA, APPROVALS, "PO 1", "Message-ID: <po-1@ariba>\r\n")
        .await;
    let first = post.newest(APPROVALS).await;
    let thread = first["threadId"].as_str().expect("a thread");
    let refers = "In-Reply-To: <po-1@ariba>\r\nReferences: <x@y> <po-1@ariba>\r\n";
    post.mail(ARIBA, APPROVALS, "AW: Re:  po 1", refers).await;
    assert_eq!(post.newest(APPROVALS).await["threadId"], thread);
    post.mail(ARIBA, APPROVALS, "Something else", refers).await;
    assert_ne!(
        post.newest(APPROVALS).await["threadId"],
        thread,
        "the subject differs"
    );
    post.mail(ARIBA, APPROVALS, "PO 1", "").await;
    assert_ne!(
        post.newest(APPROVALS).await["threadId"],
        thread,
        "nothing is referred to"
    );
    let sent = send(
        &post,
        &letter(APPROVALS, ARIBA, "Re: PO 1", ""),
        Some(thread),
    )
    .await;
    assert_eq!(sent["threadId"], thread, "asked for");
    let other = send(&post, &letter(APPROVALS, ARIBA, "New", ""), Some(thread)).await;
    assert_ne!(
        other["threadId"], thread,
        "asked for, but the subject differs"
    );
    let missing =
        json!({"raw": raw(&letter(APPROVALS, ARIBA, "x", "")), "threadId": "00000000000000aa"});
    post.api(APPROVALS, "POST", "messages/send", missing, 404)
        .await;
    let whole = post.get(APPROVALS, &format!("threads/{thread}")).await;
    assert_eq!(whole["messages"].as_array().map(Vec::len), Some(3));
    assert_eq!(whole["messages"][0]["id"], first["id"], "oldest first");
}

#[tokio::test]
async fn an_answer_to_our_sent_mail_finds_its_thread_by_the_new_message_id() {
    let post = Post::start().await;
    let sent = send(&post, &letter(APPROVALS, ALICE, "Ask", ""), None).await;
    let id = header(&post.newest(ALICE).await, "Message-ID");
    post.mail(
        ALICE,
        APPROVALS,
        "Re: Ask",
        &format!("In-Reply-To: {id}\r\n"),
    )
    .await;
    assert_eq!(post.newest(APPROVALS).await["threadId"], sent["threadId"]);
}

#[tokio::test]
async fn sending_a_draft_deletes_it_and_makes_a_new_message() {
    let post = Post::start().await;
    post.mail(ARIBA, APPROVALS, "PO 2", "").await;
    let thread = post.newest(APPROVALS).await["threadId"].clone();
    let message =
        json!({"raw": raw(&letter(APPROVALS, ARIBA, "Re: PO 2", "")), "threadId": thread});
    let made = post
        .post(APPROVALS, "drafts", json!({"message": message}))
        .await;
    let draft = made["id"].as_str().expect("a draft").to_owned();
    assert_eq!(made["message"]["labelIds"], json!(["DRAFT"]));
    assert_eq!(made["message"]["threadId"], thread);
    let start = post.history_id(APPROVALS).await;
    let sent = post
        .post(APPROVALS, "drafts/send", json!({"id": draft}))
        .await;
    assert_ne!(sent["id"], made["message"]["id"]);
    assert_eq!(
        (&sent["labelIds"], &sent["threadId"]),
        (&json!(["SENT"]), &thread)
    );
    let path = format!("drafts/{draft}");
    post.api(APPROVALS, "GET", &path, Value::Null, 404).await;
    post.api(APPROVALS, "POST", "drafts/send", json!({"id": draft}), 404)
        .await;
    let old = format!(
        "messages/{}",
        made["message"]["id"].as_str().expect("an id")
    );
    post.api(APPROVALS, "GET", &old, Value::Null, 404).await;
    assert_eq!(post.count(ARIBA, "in:inbox").await, 1, "delivered once");
    let page = post
        .get(APPROVALS, &format!("history?startHistoryId={start}"))
        .await;
    let text = page["history"].to_string();
    assert!(
        text.contains("messagesDeleted") && text.contains("messagesAdded"),
        "{text}"
    );
}

#[tokio::test]
async fn a_draft_that_cannot_be_sent_stays() {
    let post = Post::start().await;
    let body = json!({"message": {"raw": raw("Subject: nobody\r\n\r\nx")}});
    let made = post.post(APPROVALS, "drafts", body).await;
    let id = json!({"id": made["id"]});
    post.api(APPROVALS, "POST", "drafts/send", id, 400).await;
    let list = post.get(APPROVALS, "drafts").await;
    assert_eq!(list["drafts"][0]["id"], made["id"]);
}

#[tokio::test]
async fn drafts_update_list_and_delete() {
    let post = Post::start().await;
    let body = |text: &str| json!({"message": {"raw": raw(&letter(APPROVALS, ARIBA, text, ""))}});
    let made = post.post(APPROVALS, "drafts", body("one")).await;
    let path = format!("drafts/{}", made["id"].as_str().expect("an id"));
    let changed = post.api(APPROVALS, "PUT", &path, body("two"), 200).await;
    assert_eq!(changed["id"], made["id"]);
    assert_ne!(changed["message"]["id"], made["message"]["id"]);
    let got = post.get(APPROVALS, &path).await;
    assert_eq!(header(&got["message"], "Subject"), "two");
    assert_eq!(post.count(APPROVALS, "in:drafts").await, 1);
    assert_eq!(post.count(APPROVALS, "-in:drafts").await, 0);
    post.api(APPROVALS, "DELETE", &path, Value::Null, 204).await;
    assert_eq!(post.get(APPROVALS, "drafts").await.get("drafts"), None);
}

#[tokio::test]
async fn labels_change_within_gmails_rules() {
    let post = Post::start().await;
    post.mail(ARIBA, APPROVALS, "one", "").await;
    let id = post.newest(APPROVALS).await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("messages/{id}/modify");
    for bad in ["SENT", "DRAFT", "Label_99"] {
        post.api(APPROVALS, "POST", &path, json!({"addLabelIds": [bad]}), 400)
            .await;
    }
    post.api(APPROVALS, "POST", &path, json!({}), 400).await;
    post.api(APPROVALS, "POST", &path, json!({"labels": ["X"]}), 400)
        .await;
    let many: Vec<String> = (0..101).map(|n| format!("Label_{n}")).collect();
    post.api(APPROVALS, "POST", &path, json!({"addLabelIds": many}), 400)
        .await;
    post.api(
        APPROVALS,
        "POST",
        &format!("messages/{id}/trash"),
        Value::Null,
        200,
    )
    .await;
    assert_eq!(post.count(APPROVALS, "").await, 0, "trash is not listed");
    assert_eq!(post.count(APPROVALS, "in:trash").await, 1);
    assert_eq!(post.count(APPROVALS, "in:anywhere subject:one").await, 1);
    assert_eq!(post.count(APPROVALS, "in:inbox").await, 0);
}

#[tokio::test]
async fn parts_and_attachments_are_faithful_though_ids_change() {
    let post = Post::start().await;
    let mail = "From: a@b.example\r\nTo: approvals@example.com\r\n\
        subject: =?iso-8859-1?Q?Gr=FC=DFe?=\r\nX-Twice: 1\r\nX-TWICE: 2\r\n\
        Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n\
        Content-Type: text/plain; charset=iso-8859-1\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n--q\r\n\
        Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\
        Content-Disposition: attachment; filename=a.pdf\r\n\r\nAAECAw==\r\n--q--\r\n";
    Smtp::connect(post.smtp, None)
        .await
        .send("a@b.example", &[APPROVALS], mail.as_bytes())
        .await;
    let message = post.newest(APPROVALS).await;
    assert_eq!(header(&message, "Subject"), "Gr\u{fc}\u{df}e");
    let headers = message["payload"]["headers"].to_string();
    let (one, two) = (headers.find("X-Twice"), headers.find("X-TWICE"));
    assert!(one.is_some() && one < two, "order and case stay: {headers}");
    let parts = &message["payload"]["parts"];
    assert_eq!(
        bytes(&parts[0]["body"]["data"]),
        "Gr\u{fc}\u{df}e".as_bytes()
    );
    let pdf = &parts[1];
    assert_eq!(
        (&pdf["partId"], &pdf["filename"]),
        (&json!("1"), &json!("a.pdf"))
    );
    assert_eq!(pdf["body"]["size"], 4);
    let again = post.newest(APPROVALS).await;
    let (id, other) = (
        &pdf["body"]["attachmentId"],
        &again["payload"]["parts"][1]["body"],
    );
    assert_ne!(*id, other["attachmentId"], "attachment ids are not stable");
    let message_id = message["id"].as_str().expect("an id");
    for id in [id, &other["attachmentId"]] {
        let path = format!(
            "messages/{message_id}/attachments/{}",
            id.as_str().expect("an id")
        );
        assert_eq!(
            bytes(&post.get(APPROVALS, &path).await["data"]),
            [0, 1, 2, 3]
        );
    }
    let path = format!("messages/{message_id}?format=metadata&metadataHeaders=from");
    let picked = post.get(APPROVALS, &path).await;
    let from = json!([{"name": "From", "value": "a@b.example"}]);
    assert_eq!(picked["payload"]["headers"], from);
}

#[tokio::test]
async fn import_stamps_and_insert_does_not() {
    let post = Post::start().await;
    let text = letter(
        "x@example.com",
        APPROVALS,
        "in",
        "Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n",
    );
    post.post(APPROVALS, "messages/import", json!({"raw": raw(&text)}))
        .await;
    let message = post.newest(APPROVALS).await;
    assert!(header(&message, "Authentication-Results").contains("dmarc=pass"));
    assert_eq!(
        message["internalDate"], "1767225600000",
        "the Date header counts"
    );
    let put = post
        .post(APPROVALS, "messages", json!({"raw": raw(&text)}))
        .await;
    assert_eq!(put.get("labelIds"), None, "no labels");
    let path = format!("messages/{}?format=raw", put["id"].as_str().expect("an id"));
    assert_eq!(
        bytes(&post.get(APPROVALS, &path).await["raw"]),
        text.as_bytes()
    );
}

#[tokio::test]
async fn an_upload_over_the_limit_is_refused() {
    let post = Post::start().await;
    let token = format!("Bearer {}", post.token(APPROVALS).await);
    let headers = [
        ("authorization", token.as_str()),
        ("content-type", "message/rfc822"),
    ];
    let path = "/upload/gmail/v1/users/me/messages/send?uploadType=media";
    let mut text = letter(APPROVALS, ARIBA, "big", "");
    text.push_str(&"x".repeat(36_700_160 - text.len()));
    let good = call(post.google, "POST", path, &headers, &text)
        .await
        .expect("an answer");
    assert_eq!(good.status, 200, "{}", good.text);
    text.push('x');
    let bad = call(post.google, "POST", path, &headers, &text)
        .await
        .expect("an answer");
    assert_eq!(bad.status, 413, "{}", bad.text);
    assert_eq!(post.count(ARIBA, "larger:30M").await, 1);
}

#[tokio::test]
async fn a_full_mailbox_refuses_mail_and_keeps_what_it_has() {
    let options = Options {
        port: 0,
        mailbox_bytes: 100_000,
        ..Options::default()
    };
    let post = Post::with(options).await;
    let big = letter(ARIBA, APPROVALS, "big", "") + &"x".repeat(30_000);
    let mut smtp = Smtp::connect(post.smtp, None).await;
    let mut taken = 0;
    let refusal = loop {
        let answer = smtp.send(ARIBA, &[APPROVALS], big.as_bytes()).await;
        if !answer.starts_with("250") {
            break answer;
        }
        taken += 1;
        assert!(taken < 10, "the limit holds");
    };
    assert!(refusal.starts_with("452 4.2.2"), "{refusal}");
    assert_eq!(taken, 2);
    let body = json!({"raw": raw(&"x".repeat(60_000))});
    post.api(APPROVALS, "POST", "messages", body, 403).await;
    assert_eq!(post.count(APPROVALS, "").await, taken);
    let newest = post.newest(APPROVALS).await;
    let path = format!("messages/{}", newest["id"].as_str().expect("an id"));
    post.api(APPROVALS, "DELETE", &path, Value::Null, 204).await;
    let answer = smtp.send(ARIBA, &[APPROVALS], big.as_bytes()).await;
    assert!(answer.starts_with("250"), "room again: {answer}");
}

#[tokio::test]
async fn bodies_in_either_alphabet_are_taken_and_rubbish_is_not() {
    let post = Post::start().await;
    for text in [
        raw(&letter("a@b", "c@d", "\u{fe}\u{ff}?>", "")).replace('=', ""),
        {
            let text = letter("a@b", "c@d", "\u{fe}\u{ff}?>", "");
            raw(&text).replace('-', "+").replace('_', "/")
        },
    ] {
        post.post(APPROVALS, "messages", json!({"raw": text})).await;
    }
    for bad in [
        json!({"raw": "%%"}),
        json!({}),
        json!({"rawr": "eA"}),
        json!([]),
    ] {
        post.api(APPROVALS, "POST", "messages", bad, 400).await;
    }
    let long = format!("messages?q={}", escaped(&"x ".repeat(5_000)));
    assert_eq!(post.get(APPROVALS, &long).await["resultSizeEstimate"], 0);
}
