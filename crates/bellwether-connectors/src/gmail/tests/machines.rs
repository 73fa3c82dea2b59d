//! Who wrote it: absence notices, bounces, receipts and lists, and people who only look like them.

use super::{data, mail, with_header};

fn flags(header: &str) -> (String, bool, bool, bool) {
    let mail = data(with_header(header));
    let flag = |name: &str| mail[name].as_bool().unwrap_or_default();
    let auto = mail["auto_submitted"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    (auto, flag("auto_reply"), flag("bulk"), flag("dsn"))
}

#[test]
fn a_person_is_a_person() {
    let person = ("no".to_owned(), false, false, false);
    assert_eq!(flags(""), person);
    assert_eq!(
        flags("Auto-Submitted: no\nReturn-Path: <approver@example.com>\n"),
        person
    );
    assert_eq!(
        flags("X-Auto-Response-Suppress: All\n"),
        person,
        "a wish, not a sign"
    );
    assert_eq!(flags("Precedence: normal\nX-Autoreply: no\n"), person);
}

#[test]
fn machines_may_write_but_their_answers_are_marked() {
    let generated = flags("Auto-Submitted: auto-generated\n");
    assert_eq!(
        generated,
        ("auto-generated".to_owned(), false, false, false)
    );
    let notified = flags("Auto-Submitted: auto-notified; owner-email=\"x@y\"\n");
    assert_eq!(notified.0, "auto-generated");
    for answer in [
        "Auto-Submitted: auto-replied\n",
        "Auto-Submitted: Auto-Replied (vacation)\n",
        "X-Autoreply: yes\n",
        "X-Autorespond: vacation\n",
        "Precedence: auto_reply\n",
        "Return-Path: <>\n",
    ] {
        assert!(flags(answer).1, "{answer}");
    }
    for subject in [
        "Automatic reply: PO-4711",
        "Automatische Antwort: PO-4711",
        "Abwesenheitsnotiz: Urlaub\nAuto-Submitted: auto-generated",
        "Out of Office Re: PO-4711",
        "Abwesend Re: PO-4711",
        "Out of Office: PO\nX-Auto-Response-Suppress: All",
        "=?utf-8?q?R=C3=A9ponse_automatique=C2=A0=3A_PO?=",
    ] {
        let notice = data(mail(&format!(
            "From: a@b.example\nSubject: {subject}\n\naway\n"
        )));
        assert_eq!(notice["auto_reply"], true, "{subject}");
        assert_ne!(notice["auto_submitted"], "no", "{subject}");
    }
}

#[test]
fn an_answer_to_an_absence_notice_is_a_persons() {
    let mail = data(mail(
        "From: a@b.example\nSubject: Re: Automatic reply: PO-4711\nIn-Reply-To: <x@y>\n\napprove\n",
    ));
    assert_eq!(mail["auto_reply"], false);
}

#[test]
fn bounces_and_receipts_are_known() {
    let bounce = flags(
        "Content-Type: multipart/report; report-type=delivery-status; boundary=x\nReturn-Path: <>\n",
    );
    assert_eq!(bounce, ("auto-generated".to_owned(), true, false, true));
    let receipt =
        flags("Content-Type: multipart/report; report-type=disposition-notification; boundary=x\n");
    assert!(receipt.1 && !receipt.3);
    assert!(flags("X-Failed-Recipients: x@y.example\n").3);
    let daemon = data(mail(
        "From: MAILER-DAEMON@mx.example (Mail System)\nSubject: failed\n\nno\n",
    ));
    assert_eq!(daemon["dsn"], true);
}

#[test]
fn lists_are_bulk() {
    for list in [
        "List-Id: Buyers <buyers.example.com>\n",
        "Precedence: bulk\n",
        "Precedence: list\n",
        "List-Unsubscribe: <mailto:u@x.example>\n",
    ] {
        assert!(flags(list).2, "{list}");
    }
    let mail = data(with_header("List-Id: Buyers <buyers.example.com>\n"));
    assert!(
        mail["list_id"]
            .as_str()
            .is_some_and(|id| id.contains("buyers.example.com"))
    );
}
