//! Scenes that begin with a mail or a workflow: alerts, customers, transfers, support, what stays
//! unread.

use serde_json::json;

use super::Scenes;
use crate::demo::check::Line;

/// Flow seconds in one second while the scenes wait for half an hour.
const BRISK: f64 = 600.0;
const USUAL: f64 = 60.0;

/// A message with the usual headers.
fn letter(name: &str, from: &str, to: &str, subject: &str, more: &str, body: &str) -> String {
    format!(
        "From: <{from}>\nTo: <{to}>\nSubject: {subject}\nMessage-ID: <{name}@alpenwerk.example.com>\n\
         Date: Mon, 02 Mar 2026 09:00:00 +0100\nMIME-Version: 1.0\n{more}\
         Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{body}\n"
    )
}

const SYSTEM: &str = "Auto-Submitted: auto-generated\n";

impl Scenes<'_> {
    /// G2: one incident in two mails is one push to whoever is on duty; its recovery closes it.
    pub(super) async fn alert(&mut self) {
        let (from, to) = ("monitor@example.com", "alerts@example.com");
        let subject = "Batch job NIGHTLY-7 failed";
        for name in ["alert-1", "alert-2"] {
            let body = "Incident: INC-7\nSystem: SAP PRD\nThe job ended with code 12.";
            let mail = letter(name, from, to, subject, SYSTEM, body);
            let sent = self.outside.send(from, to, &mail).await;
            self.note(
                "G2",
                "an alert comes by mail",
                sent.map(|()| name.to_owned()),
            );
        }
        if let Some(push) = self.once("G2", "ivan", "CRITICAL Batch job").await {
            self.press("G2", "ivan", &push, "acknowledge").await;
        }
        let body = "Incident: INC-7\nThe job ran to its end.";
        let mail = letter(
            "alert-3",
            from,
            to,
            "Batch job NIGHTLY-7 recovered",
            SYSTEM,
            body,
        );
        let sent = self.outside.send(from, to, &mail).await;
        self.note(
            "G2",
            "the recovery comes by mail",
            sent.map(|()| String::new()),
        );
        self.once("G2", "ivan", "OK: Batch job").await;
    }

    /// G3: a mail to a customer is a push in his app; one to a stranger is nobody's.
    pub(super) async fn customer(&mut self) {
        let from = "travel@example.com";
        let subject = "Check-in for your flight OS 101 is open";
        let body = "Check-in closes: 2026-03-02 18:40\nSeat: open";
        for to in ["gerda@customer.example.net", "nobody@stranger.example.org"] {
            let mail = letter(
                &format!("check-in-{}", to.len()),
                from,
                to,
                subject,
                "",
                body,
            );
            let sent = self.outside.person_sends(from, &mail).await;
            self.note(
                "G3",
                "the travel desk writes to a customer",
                sent.map(|()| to.to_owned()),
            );
        }
        let push = self.once("G3", "gerda", "Check-in ist offen").await;
        let link = push.map(|push| push.link).unwrap_or_default();
        let line = Line::of(
            "the push opens the right screen",
            link.ends_with("/check-in/OS101"),
            link,
        );
        self.lines.entry("G3").or_default().push(line);
    }

    /// G6: a transfer is confirmed with a second proof; one in a stolen name asks nobody.
    pub(super) async fn transfer(&mut self) {
        let (from, to) = ("erp@example.com", "confirm@example.com");
        let subject = "Wire transfer WT-88 to confirm";
        let body = "Amount: 12.000,00 EUR\nBeneficiary: Huber GmbH\nReference: WT-88\n\
                    Requested by: requester@example.com";
        let mail = letter("wt-88", from, to, subject, SYSTEM, body);
        let sent = self.outside.send(from, to, &mail).await;
        self.note(
            "G6",
            "a transfer waits for its confirmation",
            sent.map(|()| String::new()),
        );
        if let Some(push) = self.once("G6", "alice", "12,000.00").await {
            let link_alone = self.outside.act("alice", &push, "confirm", "").await;
            let refused = link_alone.and_then(|answer| match answer["result"].as_str() {
                Some("sign_in_required") => Ok("sign_in_required".to_owned()),
                _ => Err(answer.to_string()),
            });
            self.note("G6", "the button alone does not suffice", refused);
            let confirmed = async {
                let cookie = self
                    .outside
                    .sign_in(&push.link, "approver@example.com")
                    .await?;
                self.outside
                    .decide(&push.link, "confirm", "", Some(&cookie))
                    .await
            };
            let confirmed = confirmed.await.map(|_| "with a code by mail".to_owned());
            self.note("G6", "alice confirms on the page", confirmed);
        }
        self.mailed("G6", from, "WT-88", "Confirmed by Alice Arnold")
            .await;
        let forged = json!({
            "from": from, "to": [to], "subject": "Wire transfer WT-99 to confirm",
            "text": "Amount: 48.000,00 EUR\nBeneficiary: Unknown Ltd\nReference: WT-99",
        });
        let sent = self.outside.impostor(&forged).await;
        self.note(
            "G6",
            "somebody else writes in that name",
            sent.map(|()| String::new()),
        );
        self.once("G6", "ivan", "Unproved request").await;
        self.dark("G6", "alice", "48,000.00").await;
    }

    /// G5: one case is a mail to the manager and a push to the technician, step by step.
    pub(super) async fn case(&mut self) {
        let (from, to) = ("requester@example.com", "service@example.com");
        let subject = "CASE-123 P2 Chiller stopped";
        let body = "Problem: Chiller stopped\nPlace: Graz\nCustomer: Huber GmbH\n\
                    Arrive by: 14:00\nAddress: Hauptplatz 1";
        let mail = letter("case-123", from, to, subject, "", body);
        let sent = self.outside.send(from, to, &mail).await;
        self.note(
            "G5",
            "a support case comes by mail",
            sent.map(|()| String::new()),
        );
        let manager = "deputy@example.com";
        self.mailed("G5", manager, "CASE-123", "Angeboten an Tina Traun")
            .await;
        let mut before = Vec::new();
        for (choice, words) in [
            ("accept", "bernommen von Tina Traun"),
            ("on_site", "Tina Traun ist vor Ort"),
            ("done", "Erledigt von Tina Traun"),
        ] {
            let new = |push: &crate::demo::outside::Push| {
                !before.contains(&push.notification) && push.state == "received"
            };
            match self.outside.push_such("tina", "Chiller stopped", new).await {
                Err(error) => self.note("G5", "the technician is asked", Err(error)),
                Ok(push) => {
                    before.push(push.notification.clone());
                    self.press("G5", "tina", &push, choice).await;
                }
            }
            self.mailed("G5", manager, "CASE-123", words).await;
        }
        self.dark("G5", "theo", "Chiller stopped").await;
    }

    /// G7: a critical mail comes into Theo's own mailbox; whether he reads it is seen later.
    pub(super) async fn critical_mail(&mut self) {
        let (from, to) = ("monitor@example.com", "theo@example.com");
        let more = "X-Sandbox-Label: Critical\n";
        let mail = letter(
            "line-3",
            from,
            to,
            "Line 3 stopped",
            more,
            "Since ten to nine.",
        );
        let sent = self.outside.send(from, to, &mail).await;
        self.note("G7", "a critical mail comes", sent.map(|()| String::new()));
    }

    /// G7: unread for half an hour it becomes a push, which goes away when he reads the mail. G8's
    /// critical push could not be delivered, so it became a mail.
    pub(super) async fn unread(&mut self) {
        if let Err(error) = self.stage.run_at(BRISK).await {
            self.note("G7", "time passes", Err(error));
        }
        self.once("G7", "theo", "Unread: Line 3 stopped").await;
        let read = self
            .outside
            .reads("theo@example.com", "Line 3 stopped")
            .await;
        self.note("G7", "Theo reads the mail", read.map(|()| String::new()));
        let gone = |push: &crate::demo::outside::Push| push.state == "replaced";
        let gone = self.outside.push_such("theo", "Unread: Line 3", gone).await;
        let gone = gone.map(|push| push.state);
        self.note("G7", "the push goes away from the phone", gone);
        let words = "your phone could not be reached";
        self.mailed("G7", "cfo@example.com", "payment-run is stuck", words)
            .await;
        if let Err(error) = self.stage.run_at(USUAL).await {
            self.note("G7", "time passes", Err(error));
        }
    }

    /// G8: workflows report; a repeated report counts once, and what is critical does not wait.
    pub(super) async fn workflows(&mut self) {
        let report = |id: &str, kind: &str, item: &str, critical: bool| {
            json!({
                "type": format!("activity.{kind}"), "id": id, "workflow": "payment-run",
                "item": item, "who": "Tina Traun", "team": "service", "critical": critical,
                "reason": "The bank refused the file.", "at": "2026-03-02T09:10:00+01:00",
                "link": "https://workflows.example.com/payment-run",
            })
        };
        let gone = json!({
            "error": { "code": 404, "status": "NOT_FOUND", "message": "UNREGISTERED",
                       "details": [{ "errorCode": "UNREGISTERED" }] },
        });
        let fault = json!({
            "target": "opentext.mra", "kind": "status", "status": 404, "times": 1,
            "body": gone.to_string(),
        });
        let set = self.outside.fault(&fault).await;
        self.note(
            "G7",
            "Carl's phone cannot be reached once",
            set.map(|()| String::new()),
        );
        for (id, kind, item, critical) in [
            ("w-3", "exception", "batch 9", true),
            ("w-1", "task_completed", "batch 7", false),
            ("w-1", "task_completed", "batch 7", false),
            ("w-2", "escalated", "batch 8", false),
        ] {
            let body = report(id, kind, item, critical);
            let told = self.outside.workflow(&self.pages, &body).await;
            self.note(
                "G8",
                "a workflow reports",
                told.map(|()| format!("{kind} {item}")),
            );
            if critical {
                self.fault_spent().await;
            }
        }
    }

    /// Waits until the push that cannot be delivered was tried.
    async fn fault_spent(&mut self) {
        let spent = self.outside.faults_spent().await;
        self.note(
            "G7",
            "the push to Carl was refused",
            spent.map(|()| String::new()),
        );
    }

    /// G4 and G8: the summaries, each once.
    pub(super) async fn summaries(&mut self) {
        let subject = "1 done, 1 escalated, 1 stuck";
        self.mailed("G8", "cfo@example.com", subject, "First: batch 9 (stuck)")
            .await;
        let fits = |mail: &crate::demo::outside::Mail| mail.subject.contains("pushes:");
        let report = self
            .outside
            .mail("owner@example.com", "the report", fits)
            .await;
        let judged = match report {
            Err(error) => Err(error),
            Ok(mail) => {
                let all = self.outside.mailbox("owner@example.com").await;
                let reports = all.map_or(0, |all| all.iter().filter(|mail| fits(mail)).count());
                let first = mail
                    .subject
                    .split(' ')
                    .next()
                    .and_then(|n| n.parse::<u64>().ok());
                match (reports, first) {
                    (1, Some(number)) if number > 10 => Ok(mail.subject),
                    _ => Err(format!("{reports} reports, \"{}\"", mail.subject)),
                }
            }
        };
        self.note("G4", "one report of the week's pushes on Friday", judged);
        self.mailed("G4", "cfo@example.com", "Your people: ", "answered")
            .await;
    }
}
