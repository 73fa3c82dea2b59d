//! The story's mails, as they would come to the approvals mailbox of a manufacturer in a week:
//! orders, contracts, expenses, and the much greater rest that is nobody's approval.

/// One mail of the story.
#[derive(Clone, Debug)]
pub(super) struct StoryMail {
    /// The envelope's sender.
    pub(super) from: &'static str,
    /// The whole message.
    pub(super) text: String,
}

/// A mail with the usual headers.
fn mail(
    name: &'static str,
    from: &'static str,
    sender: &str,
    subject: &str,
    body: &str,
) -> StoryMail {
    with(name, from, sender, subject, "", body)
}

/// A mail with further header lines, each ending in a line break.
fn with(
    name: &'static str,
    from: &'static str,
    sender: &str,
    subject: &str,
    headers: &str,
    body: &str,
) -> StoryMail {
    let text = format!(
        "From: {sender} <{from}>\nTo: Approvals <approvals@example.com>\nSubject: {subject}\n\
         Message-ID: <{name}@alpenwerk.example.com>\nDate: Mon, 02 Mar 2026 09:00:00 +0100\n\
         MIME-Version: 1.0\n{headers}Content-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: 8bit\n\n{body}\n"
    );
    StoryMail { from, text }
}

/// An order as the purchasing system writes it.
fn order(name: &'static str, number: &str, vendor: &str, amount: &str) -> StoryMail {
    let body = format!(
        "A purchase order waits for approval.\n\nNumber: {number}\nVendor: {vendor}\n\
         Amount: {amount}\nCost centre: 4100 Maintenance\nDue: 2026-03-20\n\
         Requested by: J. Berger <requester@example.com>\n\nSent by the purchasing system."
    );
    let subject = format!("Purchase order {number} for approval");
    let headers = "Auto-Submitted: auto-generated\n";
    with(
        name,
        "ariba@example.com",
        "Purchasing System",
        &subject,
        headers,
        &body,
    )
}

/// The mails that the story sends one after the other; those of single scenes are below.
pub(super) fn story() -> Vec<StoryMail> {
    let mut all = approvals();
    all.extend(everything_else());
    all
}

fn approvals() -> Vec<StoryMail> {
    vec![
        order("po-4711", "PO-4711", "Huber GmbH", "4.200,00 EUR"),
        order("po-4712", "PO-4712", "Nordlicht AG", "3.150,00 EUR"),
        order("po-4713", "PO-4713", "Krane & Partner", "12.400,00 EUR"),
        order("po-4720", "PO-4720", "Office World", "780,50 EUR"),
        order("po-4721", "PO-4721", "Lagerbau Süd", "2.990,00 EUR"),
        order("po-4723", "PO-4723", "Unbekannt & Söhne", "to be confirmed"),
        order("po-4724", "PO-4724", "Elektro Moser", "1.020,00 EUR"),
        mail(
            "be-1001",
            "requester@example.com",
            "J. Berger",
            "Bestellung BE-1001 zur Freigabe",
            "Guten Tag,\n\nbitte um Freigabe.\n\nLieferant: Gruber KG\nBetrag: 1.900,00 EUR\n\nDanke\nJ. Berger",
        ),
        mail(
            "cr-208",
            "requester@example.com",
            "J. Berger",
            "Contract review CR-208: maintenance frame agreement",
            "Hello,\n\nplease review the attached frame agreement.\n\nVendor: Aufzug Meier\nTerm: 36 months\n\nJ. Berger",
        ),
        mail(
            "ex-77",
            "requester@example.com",
            "J. Berger",
            "Expense exception EX-77",
            "Hotel above the limit because of the trade fair.\n\nTotal: EUR 310.00\nVendor: Hotel Post",
        ),
    ]
}

fn everything_else() -> Vec<StoryMail> {
    let html = "MIME-Version: 1.0\n";
    vec![
        mail(
            "lunch", "lena@partner.example.net", "Lena Novak", "Lunch on Thursday?",
            "Shall we try the new place?\n\nLena",
        ),
        with(
            "newsletter", "news@supplier.example.org", "Supplier News", "Spring catalogue is here",
            "List-Id: <news.supplier.example.org>\nPrecedence: bulk\nList-Unsubscribe: <mailto:off@supplier.example.org>\n",
            "Hundreds of new products for your workshop.",
        ),
        with(
            "away", "requester@example.com", "J. Berger", "Automatic reply: Purchase order PO-4711",
            "Auto-Submitted: auto-replied\nX-Autoreply: yes\n",
            "I am out of the office until Monday.",
        ),
        StoryMail {
            from: "",
            text: "From: Mail Delivery Subsystem <mailer-daemon@example.org>\nTo: approvals@example.com\n\
                   Subject: Delivery Status Notification (Failure)\nAuto-Submitted: auto-replied\n\
                   Message-ID: <bounce@example.org>\nMIME-Version: 1.0\n\
                   Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\n\n\
                   --b\nContent-Type: text/plain\n\nYour message could not be delivered.\n\
                   --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n\
                   Final-Recipient: rfc822; nobody@example.org\nAction: failed\nStatus: 5.1.1\n--b--\n"
                .to_owned(),
        },
        with(
            "invite", "carl@alpenwerk.example.com", "Carl Conrad", "Invitation: budget meeting", html,
            "Tuesday, 10:00 to 11:00, room Dachstein.",
        ),
        mail(
            "invoice", "billing@huber.example.net", "Huber GmbH", "Invoice 2026-0331",
            "Please find our invoice attached.\n\nTotal: 4.200,00 EUR",
        ),
        mail(
            "statement", "bank@example.org", "Hausbank", "Your statement is ready",
            "Log in to read your statement.",
        ),
        with(
            "marketing", "hello@tools.example.org", "Tools", "Save 20 % today only", "",
            "<!doctype html><p>Everything must go.</p>",
        ),
        StoryMail {
            from: "scanner@alpenwerk.example.com",
            text: "From: scanner@alpenwerk.example.com\nTo: approvals@example.com\n\
                   Message-ID: <scan-1@alpenwerk.example.com>\n\nScanned document, 2 pages.\n"
                .to_owned(),
        },
        StoryMail {
            from: "office@example.org",
            text: "From: =?x-unknown?Q?B=FCro?= <office@example.org>\nTo: approvals@example.com\n\
                   Subject: =?x-unknown?Q?Gr=FC=DFe?=\nMessage-ID: <odd@example.org>\n\
                   Content-Type: text/plain; charset=x-unknown\n\nGreetings from the office.\n"
                .to_owned(),
        },
        StoryMail {
            from: "machine@example.org",
            text: "This line is no header at all\nFrom machine@example.org\nSubject Unclear\n\nbody without order\n"
                .to_owned(),
        },
        mail(
            "parking", "facility@alpenwerk.example.com", "Facility", "Parking deck closed on Friday",
            "The deck is cleaned on Friday.",
        ),
        mail(
            "thanks", "partner@example.net", "Partner", "Thank you for the order",
            "We have received your order and thank you.",
        ),
    ]
}

/// The order whose push cannot be delivered.
pub(super) fn unreachable() -> StoryMail {
    order("po-4722", "PO-4722", "Farben Auer", "640,00 EUR")
}

/// By which the sender takes PO-4720 back.
pub(super) fn withdrawal() -> StoryMail {
    mail(
        "po-4720-off",
        "ariba@example.com",
        "Purchasing System",
        "Purchase order PO-4720 withdrawn",
        "The requester has withdrawn this order.\n\nNumber: PO-4720",
    )
}

/// An answer in a thread.
pub(super) fn answer(
    name: &str,
    from: &str,
    sender: &str,
    to: &super::outside::Mail,
    text: &str,
) -> String {
    let address = address_of(&to.reply_to);
    let quoted: Vec<String> = to.text.lines().map(|line| format!("> {line}")).collect();
    format!(
        "From: {sender} <{from}>\nTo: {address}\nSubject: {}\nIn-Reply-To: {}\nReferences: {}\n\
         Message-ID: <{name}@alpenwerk.example.com>\nDate: Mon, 02 Mar 2026 10:00:00 +0100\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: 8bit\n\n{text}\n\nOn Mon, Mar 2, 2026 at 9:30 AM Approvals \
         <approvals@example.com> wrote:\n{}\n",
        to.subject,
        to.message_id,
        to.message_id,
        quoted.join("\n"),
    )
}

/// The bare address of a header value.
pub(super) fn address_of(header: &str) -> String {
    match (header.find('<'), header.find('>')) {
        (Some(open), Some(close)) if open < close => header[open + 1..close].to_owned(),
        _ => header.trim().to_owned(),
    }
}
