//! Mails that no mail program writes but every mailbox gets: each shape of broken or oversized
//! message that a reader could trip over. Made here, taken from nowhere.

/// One mail as it goes to the server.
#[derive(Debug)]
pub(super) struct Letter {
    /// What is wrong with it, or its file's name.
    pub(super) name: String,
    /// The envelope's sender; empty as in a bounce.
    pub(super) sender: &'static str,
    /// The message.
    pub(super) bytes: Vec<u8>,
}

/// The sender of everything that has one.
pub(super) const SENDER: &str = "sender@example.net";
const HEAD: &str = "From: Sender <sender@example.net>\r\nTo: approvals@example.com\r\n";
const MIB: usize = 1 << 20;

/// All of them.
pub(super) fn all() -> Vec<Letter> {
    let mut letters = broken_headers();
    letters.extend(strange_headers());
    letters.extend(long_headers());
    letters.extend(broken_bodies());
    letters.extend(large());
    letters
}

/// A plain, healthy mail.
pub(super) fn plain(name: &str) -> Letter {
    let text = format!(
        "{HEAD}Message-ID: <{name}@example.net>\r\nSubject: {name}\r\n\r\nText of {name}.\r\n"
    );
    letter(name, text.into_bytes())
}

fn letter(name: &str, bytes: impl Into<Vec<u8>>) -> Letter {
    Letter {
        name: name.to_owned(),
        sender: SENDER,
        bytes: bytes.into(),
    }
}

fn broken_headers() -> Vec<Letter> {
    vec![
        letter("no bytes", ""),
        letter("only an empty line", "\r\n"),
        letter("no headers", "\r\nOnly a text.\r\n"),
        letter(
            "text where headers belong",
            "This is no header\r\nNor this\r\n\r\nText\r\n",
        ),
        letter("header without end", format!("{HEAD}Subject: never ends")),
        letter(
            "broken headers",
            ": no name\r\nFrom <a@b\r\nSubject\r\n  folded: into nothing\r\nDate: never\r\n\
             To: <<>>,,;:\r\nMessage-ID: <\r\nContent-Type: ;;;=\r\n\r\nText\r\n",
        ),
        letter("no subject", format!("{HEAD}\r\nText\r\n")),
        letter(
            "no sender",
            "To: approvals@example.com\r\nSubject: from nobody\r\n\r\nText\r\n",
        ),
        letter(
            "empty sender",
            "From:\r\nTo: approvals@example.com\r\nSubject: ?\r\n\r\nText\r\n",
        ),
        Letter {
            sender: "",
            ..letter(
                "bounce with a null sender",
                format!("{HEAD}Subject: Undelivered\r\nReturn-Path: <>\r\n\r\nReturned.\r\n"),
            )
        },
    ]
}

fn strange_headers() -> Vec<Letter> {
    let twice =
        format!("{HEAD}Message-ID: <twice@example.net>\r\nSubject: twice\r\n\r\nAgain.\r\n");
    let mut latin = format!("{HEAD}Subject: ").into_bytes();
    latin.extend_from_slice(b"Gr\xfc\xdfe \xff\xfe \x80 aus Z\xfcrich\r\n\r\nGr\xfc\xdfe\r\n");
    vec![
        letter(
            "two senders",
            format!(
                "From: other@example.net\r\n{HEAD}From: third@example.net\r\nSubject: who\r\n\r\nText\r\n"
            ),
        ),
        letter("8-bit headers", latin),
        letter("duplicate Message-ID, first", twice.clone()),
        letter("duplicate Message-ID, second", twice),
        letter(
            "broken encoded words",
            format!(
                "{HEAD}Subject: =?x-unknown?Q?=ZZ=?= =?utf-8?B?!!!?= =?utf-8?Q?=ff=fe?=\r\n\r\nText\r\n"
            ),
        ),
        letter(
            "date out of range",
            format!("{HEAD}Date: Fri, 99 Foo 99999 99:99:99 +9999\r\n\r\nText\r\n"),
        ),
    ]
}

fn long_headers() -> Vec<Letter> {
    let many: String = (0..20_000)
        .map(|n| format!("X-Line-{n}: the value of the line with the number {n}\r\n"))
        .collect();
    let flood: String = (0..60_000)
        .map(|n| format!("X-Flood-{n}: {}\r\n", "v".repeat(80)))
        .collect();
    let recipients: String = (0..5_000)
        .map(|n| format!("p{n}@example.net,\r\n "))
        .collect();
    vec![
        letter(
            "very long subject",
            format!("{HEAD}Subject: {}\r\n\r\nText\r\n", "long ".repeat(100_000)),
        ),
        letter(
            "5000 recipients",
            format!("Cc: {recipients}last@example.net\r\n{HEAD}\r\nText\r\n"),
        ),
        letter(
            "20000 header lines",
            format!("{HEAD}{many}Subject: many\r\n\r\nText\r\n"),
        ),
        letter(
            "6 MB of headers",
            format!("{HEAD}Subject: flood\r\n{flood}\r\nText\r\n"),
        ),
    ]
}

fn broken_bodies() -> Vec<Letter> {
    let html = format!(
        "{HEAD}Content-Type: text/html\r\n\r\n{}",
        "<div><table>".repeat(50_000)
    );
    vec![
        letter("empty body", format!("{HEAD}Subject: empty\r\n\r\n")),
        letter(
            "unknown charset",
            format!("{HEAD}Content-Type: text/plain; charset=x-klingon-7\r\n\r\nqapla \u{fc}\r\n"),
        ),
        letter(
            "wrong charset",
            [
                format!("{HEAD}Content-Type: text/plain; charset=utf-8\r\n\r\n").as_bytes(),
                b"\xc3\x28 \xff \xed\xa0\x80 end\r\n",
            ]
            .concat(),
        ),
        letter(
            "broken base64",
            format!("{HEAD}Content-Transfer-Encoding: base64\r\n\r\n=#!\u{e4}Zm9v=YmFy\r\n===\r\n"),
        ),
        letter(
            "broken quoted-printable",
            format!(
                "{HEAD}Content-Transfer-Encoding: quoted-printable\r\n\r\n=\r\n=Z=1\r\n=3D=\r\n"
            ),
        ),
        letter(
            "NUL bytes",
            format!("{HEAD}Subject: nul \0 here\r\nX\0Y: z\r\n\r\nA\0B\0\0\r\n"),
        ),
        letter(
            "bare CR",
            format!("{HEAD}Subject: bare\rFrom: a@b\r\n\r\nline\rline\r\r\rline\r\n"),
        ),
        letter(
            "bare LF",
            format!("{HEAD}Subject: bare\n\nline\nline\n.\nline\n").replace("\r\n", "\n"),
        ),
        letter(
            "a line of 5 MB",
            format!("{HEAD}Subject: line\r\n\r\n{}\r\n", "x".repeat(5 * MIB)),
        ),
        letter(
            "boundary missing",
            format!("{HEAD}Content-Type: multipart/mixed\r\n\r\n--a\r\n\r\nText\r\n"),
        ),
        letter(
            "boundary never ends",
            format!(
                "{HEAD}Content-Type: multipart/mixed; boundary=\"{}\"\r\n\r\n--a\r\n",
                "b".repeat(9_000)
            ),
        ),
        letter("html that nests 100000 deep", html),
        letter("500 nested multiparts", nested(500)),
        letter("3000 nested multiparts", nested(3_000)),
        letter("500 nested messages", forwarded(500)),
        letter("10000 parts", parts(10_000)),
    ]
}

fn large() -> Vec<Letter> {
    vec![
        letter(
            "3 MB of text",
            format!(
                "{HEAD}Subject: text\r\n\r\n{}",
                "Some words.\r\n".repeat(MIB / 4)
            ),
        ),
        letter("20 MB attachment", attached(20 * MIB)),
        letter("30 MB attachment", attached(30 * MIB)),
    ]
}

/// Multiparts within multiparts, the text in the innermost.
fn nested(depth: usize) -> Vec<u8> {
    let mut out = String::from(HEAD);
    for level in 0..depth {
        out.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"
        ));
    }
    out.push_str("Content-Type: text/plain\r\n\r\nThe innermost text.\r\n");
    for level in (0..depth).rev() {
        out.push_str(&format!("--b{level}--\r\n"));
    }
    out.into_bytes()
}

/// Messages within messages.
fn forwarded(depth: usize) -> Vec<u8> {
    let mut out = String::from(HEAD);
    for level in 0..depth {
        out.push_str(&format!(
            "Content-Type: message/rfc822\r\n\r\nFrom: p{level}@example.net\r\nSubject: s{level}\r\n"
        ));
    }
    out.push_str("\r\nThe innermost text.\r\n");
    out.into_bytes()
}

fn parts(count: usize) -> Vec<u8> {
    let mut out = format!("{HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    for number in 0..count {
        out.push_str(&format!(
            "--b\r\nContent-Disposition: attachment; filename=f{number}\r\n\r\n{number}\r\n"
        ));
    }
    out.push_str("--b--\r\n");
    out.into_bytes()
}

/// A text and an attachment that takes `size` bytes on the way.
fn attached(size: usize) -> Vec<u8> {
    const LINE: &str =
        "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAx\r\n";
    let mut out = format!(
        "{HEAD}Subject: large\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n\
         --b\r\nContent-Type: application/pdf; name=large.pdf\r\n\
         Content-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=large.pdf\r\n\r\n"
    );
    out.reserve(size + LINE.len());
    let end = out.len() + size;
    while out.len() < end {
        out.push_str(LINE);
    }
    out.push_str("--b--\r\n");
    out.into_bytes()
}
