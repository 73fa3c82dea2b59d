//! What is believed: Authentication-Results, our marker, reply tokens; and what forgers try.

use super::{data, mail, with_header};

const GOOGLE: &str = "Authentication-Results: mx.google.com;\n\
    \x20      dkim=pass header.i=@example.com header.s=s1 header.b=abc;\n\
    \x20      spf=pass (google.com: domain of approver@example.com designates 192.0.2.1 as \
    permitted sender) smtp.mailfrom=approver@example.com;\n\
    \x20      dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=example.com\n";
const HOP: &str = "Received: from mail.example.com (mail.example.com. [192.0.2.1])\n\
    \x20       by mx.google.com with ESMTPS id x1 for <approvals@example.com>;\n\
    \x20       Mon, 02 Mar 2026 01:15:00 -0800 (PST)\n";
const INNER: &str = "Delivered-To: approvals@example.com\n\
    Received: by 2002:a05:6a10:8c0a:b0:1:2:3 with SMTP id x2; Mon, 02 Mar 2026 01:15:01 -0800\n\
    X-Received: by 2002:a17:902:x with SMTP id x3; Mon, 02 Mar 2026 01:15:00 -0800\n";
const FORGED: &str = "Authentication-Results: mx.google.com; dmarc=pass header.from=example.com\n";

fn dmarc(header: &str) -> Option<String> {
    data(with_header(header))["auth"]["dmarc"]
        .as_str()
        .map(str::to_owned)
}

#[test]
fn googles_own_results_are_read() {
    let mail = data(with_header(&format!("{INNER}{HOP}{GOOGLE}")));
    assert_eq!(mail["auth"]["authserv"], "mx.google.com");
    assert_eq!(mail["auth"]["spf"], "pass");
    assert_eq!(mail["auth"]["dkim"], "pass");
    assert_eq!(mail["auth"]["dmarc"], "pass");
    assert_eq!(mail["auth"]["domain"], "example.com");
    assert_eq!(
        dmarc(GOOGLE).as_deref(),
        Some("pass"),
        "without any hop above"
    );
}

#[test]
fn a_lower_field_is_never_read() {
    let fail = GOOGLE.replace("dmarc=pass", "dmarc=fail");
    assert_eq!(
        dmarc(&format!("{HOP}{fail}{FORGED}")).as_deref(),
        Some("fail")
    );
    let other = FORGED.replace("mx.google.com", "mx.evil.example");
    assert_eq!(
        dmarc(&format!("{HOP}{other}{FORGED}")),
        None,
        "another server stands on top"
    );
}

#[test]
fn a_field_below_a_foreign_hop_is_never_read() {
    let foreign =
        "Received: from a by mx.evil.example with ESMTP; Mon, 02 Mar 2026 01:15:00 -0800\n";
    assert_eq!(dmarc(&format!("{HOP}{foreign}{FORGED}")), None);
    let named = "Received: from a by mx.google.com.evil.example; Mon, 02 Mar 2026 01:15:00 -0800\n";
    assert_eq!(dmarc(&format!("{named}{FORGED}")), None);
    let bare = "Received: from evil by 2002:a05:: with SMTP; Mon, 02 Mar 2026 01:15:00 -0800\n";
    assert_eq!(
        dmarc(&format!("{bare}{FORGED}")),
        None,
        "an inner hop names no sender"
    );
    let hidden = "Received: from evil (by mx.google.com) for x; Mon, 02 Mar 2026 01:15:00 -0800\n";
    assert_eq!(
        dmarc(&format!("{hidden}{FORGED}")),
        None,
        "a comment is no clause"
    );
}

#[test]
fn texts_of_the_sender_add_no_verdict() {
    let comment = "Authentication-Results: mx.google.com; spf=fail (domain of \
        ; dmarc=pass header.from=example.com) smtp.mailfrom=x; dmarc=fail header.from=example.com\n";
    assert_eq!(dmarc(comment).as_deref(), Some("fail"));
    let quoted = "Authentication-Results: mx.google.com; spf=fail smtp.mailfrom=\"; dmarc=pass \
        header.from=example.com; \"@evil.example; dmarc=fail header.from=example.com\n";
    assert_eq!(dmarc(quoted).as_deref(), Some("fail"));
    let escape = "Authentication-Results: mx.google.com; spf=fail (domain of \"a) ; dmarc=pass \
        header.from=example.com (\"@evil.example) smtp.mailfrom=x; dmarc=fail header.from=example.com\n";
    assert_eq!(dmarc(escape).as_deref(), Some("ambiguous"));
}

#[test]
fn a_verdict_counts_only_for_the_one_sender_in_from() {
    let other = GOOGLE.replace("header.from=example.com", "header.from=evil.example");
    assert_eq!(dmarc(&other).as_deref(), Some("mismatch"));
    let second = format!("{GOOGLE}From: Mallory <m@evil.example>\n");
    assert_eq!(
        dmarc(&second).as_deref(),
        Some("ambiguous"),
        "two From fields"
    );
    let listed = data(mail(&format!(
        "{GOOGLE}From: approver@example.com, m@evil.example\nSubject: x\n\napprove\n"
    )));
    assert_eq!(
        listed["auth"]["dmarc"], "ambiguous",
        "two addresses in From"
    );
}

#[test]
fn undecodable_bytes_do_not_hide_the_topmost_field() {
    let mut raw = b"Authentication-Results: mx.google.com; dmarc=fail (\xff\xfe)\r\n".to_vec();
    raw.extend(FORGED.replace('\n', "\r\n").bytes());
    raw.extend(b"From: approver@example.com\r\n\r\napprove\r\n");
    assert_eq!(data(super::mail_of(&raw))["auth"]["dmarc"], "fail");
}

#[test]
fn the_reply_token_is_read_from_our_own_address_only() {
    let to = |address: &str| {
        let mail = data(mail(&format!(
            "From: a@b.example\nTo: {address}\nSubject: x\n\nyes\n"
        )));
        mail["reply_token"].as_str().map(str::to_owned)
    };
    assert_eq!(
        to("approvals+AbC-9_z@example.com").as_deref(),
        Some("AbC-9_z")
    );
    assert_eq!(
        to("\"Approvals\" <Approvals+tok@EXAMPLE.com>").as_deref(),
        Some("tok")
    );
    assert_eq!(
        to("x@y.example, approvals+tok@example.com").as_deref(),
        Some("tok")
    );
    assert_eq!(to("other+tok@example.com"), None);
    assert_eq!(to("approvals+tok@evil.example"), None);
    assert_eq!(to("approvals@example.com"), None);
    let delivered = data(with_header("Delivered-To: approvals+zz9@example.com\n"));
    assert_eq!(delivered["reply_token"], "zz9");
}

#[test]
fn links_and_reply_addresses_that_come_back_are_not_kept() {
    let link = format!("https://push.example.com/n/{}", "dgEBmY9-_pQ3".repeat(5));
    let tag = "abcdefghij234567".repeat(3);
    let read = data(mail(&format!(
        "From: a@b.example\nTo: approvals+{tag}@example.com\nCc: approvals+{tag}@example.com\n\
         Reply-To: approvals+{tag}@example.com\nSubject: Re: {link}\nIn-Reply-To: <x@y>\n\n\
         approve, see {link}\n\nOn Monday, Approvals <approvals+{tag}@example.com> wrote:\n\
         > Open {link}\n"
    )));
    assert_eq!(read["reply_token"], tag.as_str(), "by it the case is found");
    let mut rest = read.clone();
    rest["reply_token"] = serde_json::Value::Null;
    let rest = rest.to_string();
    assert!(!rest.contains(&tag) && !rest.contains("dgEBmY9"), "{rest}");
    let gone = "approve, see https://push.example.com/n/removed-by-bellwether";
    assert_eq!(read["new_text"], gone);
    assert_eq!(
        read["to"][0]["address"],
        "approvals+removed-by-bellwether@example.com"
    );
}

#[test]
fn a_forwarded_sender_is_named_and_not_verified() {
    let block = "FYI, please look.\n\n---------- Forwarded message ---------\n\
        From: J. Berger <requester@example.com>\nDate: Mon, 2 Mar 2026\nSubject: PO-4711\n\
        To: <alice@example.com>\n\nPlease approve.\n";
    let forward = data(mail(&format!(
        "From: a@b.example\nSubject: Fwd: PO-4711\n\n{block}"
    )));
    assert_eq!(forward["forwarded_from"]["name"], "J. Berger");
    assert_eq!(
        forward["forwarded_from"]["address"],
        "requester@example.com"
    );
    assert_eq!(forward["forwarded_from"]["unverified"], true);
    let outlook = data(mail(
        "From: a@b.example\nSubject: WG: Bestellung\n\nBitte ansehen\n\n\
         ________________________________\nVon: Berger, J. [mailto:Requester@example.com]\n\
         Gesendet: Montag, 2. März 2026 10:15\nAn: Alice\nBetreff: Bestellung\n\nText\n",
    ));
    assert_eq!(
        outlook["forwarded_from"]["address"],
        "requester@example.com"
    );
    assert_eq!(outlook["forwarded_from"]["name"], "Berger, J.");
    let reply = data(mail(
        "From: a@b.example\nSubject: AW: Bestellung\nIn-Reply-To: <x@y>\n\nok\n\n\
         Von: B <b@example.com>\nGesendet: Montag\nAn: Alice\nBetreff: Bestellung\n\nText\n",
    ));
    assert!(
        reply.get("forwarded_from").is_none(),
        "an answer is not a forward"
    );
}
