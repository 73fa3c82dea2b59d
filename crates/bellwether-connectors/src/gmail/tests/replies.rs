//! What a person newly wrote: answers as the usual mail programs make them, in several languages.

use super::{data, mail};

fn new_text(body: &str) -> Option<String> {
    let mail = data(mail(&format!(
        "From: a@b.example\nSubject: Re: PO-4711\nIn-Reply-To: <p@x.example>\n\n{body}"
    )));
    mail["new_text"].as_str().map(str::to_owned)
}

#[track_caller]
fn expect(body: &str, wanted: &str) {
    assert_eq!(new_text(body).as_deref(), Some(wanted), "{body}");
}

#[test]
fn gmail_quotes() {
    expect(
        "approve\n\nOn Mon, Mar 2, 2026 at 10:15 AM Approvals <approvals@example.com> wrote:\n\n\
         > Please answer approve or reject\n",
        "approve",
    );
    expect(
        "Yes, approve.\n\nOn Mon, Mar 2, 2026 at 10:15 AM Approvals with a long name\n\
         <approvals@example.com> wrote:\n> reject\n",
        "Yes, approve.",
    );
    expect(
        "genehmigt\n\nAm Mo., 2. März 2026 um 10:15 Uhr schrieb Approvals <\n\
         approvals@example.com>:\n\n> ablehnen\n",
        "genehmigt",
    );
}

#[test]
fn outlook_quotes() {
    expect(
        "approve\n\nFrom: Approvals <approvals@example.com>\nSent: Monday, March 2, 2026 10:15 AM\n\
         To: Alice\nSubject: PO-4711\n\nreject\n",
        "approve",
    );
    expect(
        "genehmigt\n\nMit freundlichen Grüßen\nAlice\n\n________________________________\n\
         Von: Approvals <approvals@example.com>\nGesendet: Montag, 2. März 2026 10:15\nAn: Alice\n\
         Betreff: PO-4711\n\nablehnen\n",
        "genehmigt\n\nMit freundlichen Grüßen\nAlice",
    );
    expect(
        "ok\n\n-----Original Message-----\nFrom: x\n\nreject\n",
        "ok",
    );
    expect(
        "ok\n\n-----Ursprüngliche Nachricht-----\nVon: x\n\nablehnen\n",
        "ok",
    );
    expect(
        "ok\n\n*From:* A <a@x.example>\n*Date:* Monday\n*To:* B\n*Subject:* C\n\nreject\n",
        "ok",
    );
}

#[test]
fn other_programs_and_languages() {
    expect(
        "ok\n\nAm 02.03.26 um 10:15 schrieb Approvals:\n> nein\n",
        "ok",
    );
    expect(
        "ok\n\nApprovals <approvals@example.com> schrieb am Mo., 2. März 2026:\n> x\n",
        "ok",
    );
    expect(
        "ok\n\nLe lun. 2 mars 2026 à 10:15, X <x@y.example> a écrit :\n> non\n",
        "ok",
    );
    expect(
        "ok\n\nEl lun, 2 mar 2026 a las 10:15, X (<x@y.example>) escribió:\n> no\n",
        "ok",
    );
    expect(
        "ok\n\nIl giorno lun 2 mar 2026 X <x@y.example> ha scritto:\n> no\n",
        "ok",
    );
    expect(
        "ok\n\nOp ma 2 mrt 2026 om 10:15 schreef X <x@y.example>:\n> nee\n",
        "ok",
    );
    expect("ok\n| quoted with bars\n", "ok");
    expect(
        "ok\n2026-03-02 10:15 пользователь \"X\" <\nx@y.example> написал:\n\n> нет\n",
        "ok",
    );
    expect("two things:\n> the first one\nyes\n", "two things:");
}

#[test]
fn signatures_are_left_out() {
    expect(
        "approve\n\n-- \nAlice Arnold\nPurchasing, approve everything\n",
        "approve",
    );
    expect("approve\n\nSent from my iPhone\n\n> reject\n", "approve");
    expect("genehmigt\n\nVon meinem iPhone gesendet\n", "genehmigt");
    expect("approve\nGet Outlook for iOS\n", "approve");
}

#[test]
fn what_only_looks_like_a_quotation_stays() {
    expect(
        "On second thought, approve.\n",
        "On second thought, approve.",
    );
    expect(
        "Am Montag passt es: genehmigt\n",
        "Am Montag passt es: genehmigt",
    );
    expect(
        "From: my side it is fine\napprove\n",
        "From: my side it is fine\napprove",
    );
    expect("- one\n- two\n---\nthree\n", "- one\n- two\n---\nthree");
}

#[test]
fn nothing_new_is_nothing() {
    assert_eq!(new_text("> approve\n> reject\n"), None);
    assert_eq!(
        new_text("\n\nOn Mon, Mar 2, 2026 at 10:15 X <x@y.example> wrote:\n> approve\n"),
        None
    );
    assert_eq!(
        new_text("> please decide\n\napprove\n"),
        None,
        "only what is above counts"
    );
    assert_eq!(new_text(""), None);
}

#[test]
fn html_answers_lose_their_quotation() {
    let html = "<div dir=\"ltr\">approve</div><br><div class=\"gmail_quote\"><div dir=\"ltr\" \
        class=\"gmail_attr\">On Mon, Mar 2, 2026 at 10:15 AM Approvals &lt;<a \
        href=\"mailto:approvals@example.com\">approvals@example.com</a>&gt; wrote:<br></div>\
        <blockquote class=\"gmail_quote\">reject</blockquote></div>";
    let mail = data(mail(&format!(
        "From: a@b.example\nIn-Reply-To: <p@x>\nContent-Type: text/html\n\n{html}\n"
    )));
    assert_eq!(mail["new_text"], "approve");
    assert_eq!(mail["html_only"], true);
}

#[test]
fn first_mails_have_no_new_text() {
    let mail = data(mail("From: a@b.example\nSubject: PO\n\nPlease approve\n"));
    assert!(mail.get("new_text").is_none());
}
