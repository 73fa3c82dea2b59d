//! Gmail: new, sent and read mail as events; mails, answers and labels as actions. Mail is read in
//! `parse`, found in `source`, built in `compose`, sent in `send`. Push notifications of Gmail are
//! not used: history is polled, which needs neither a public address nor a second cloud service.

mod client;
mod compose;
mod describe;
mod label;
mod marker;
mod parse;
mod quota;
mod reconcile;
mod refusal;
mod send;
mod settings;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;

use bellwether_model::BoxFuture;
use bellwether_model::connector::{
    Action, ActionDef, AuthSpec, Checked, Connection, ConnectorDef, Host, Outcome, Reconciled,
    Role, Source, TriggerDef,
};
use bellwether_model::failure::Failure;
use bellwether_model::spec::Settings;

use self::client::{Call, Client};
use self::quota::Lane;
use self::settings::Setup;
use self::source::CleanFailures;
use self::wire::Profile;

const RECEIVED: &str = "gmail.message.received";
const SENT: &str = "gmail.message.sent";
const READ: &str = "gmail.message.read";

/// Everything about Gmail, as data.
pub(crate) const CONNECTOR: ConnectorDef = ConnectorDef {
    name: "gmail",
    title: "Gmail",
    summary: "A Gmail mailbox: its new, sent and read mail starts flows, and flows answer by mail.",
    needs: "A Workspace admin for ten minutes: an OAuth client, and the consent of one mailbox. Its \
            mails are read and labelled, and never deleted.",
    basis: "Written from Google's public documentation of the Gmail API and run against our stand-in, \
            which Google's own Python client accepts; not yet against a live mailbox.",
    settings: settings::spec,
    auth: AuthSpec::OAuthCode {
        authorize: settings::AUTHORIZE,
        token: settings::TOKEN,
        scopes: settings::SCOPES,
    },
    thresholds: &[],
    triggers: &[
        TriggerDef {
            event: RECEIVED,
            summary: "A mail came into the mailbox. An answer to a mail is one with \
                      `mail.in_reply_to`; a machine's answer has `mail.auto_reply`.",
            nouns: &["mail"],
            schema: describe::schema,
            sample: describe::received,
            sentence: "{{ mail.from.name or mail.from.address or 'Somebody' }} wrote: \
                       {{ mail.subject or '(no subject)' }}",
            verified: true,
        },
        TriggerDef {
            event: SENT,
            summary: "A person sent a mail from the mailbox. Mails that Bellwether sent itself are \
                      not reported.",
            nouns: &["mail"],
            schema: describe::schema,
            sample: describe::sent,
            sentence: "{{ mail.mailbox }} wrote to {{ mail.to[0].address if mail.to else 'somebody' }}: \
                       {{ mail.subject or '(no subject)' }}",
            verified: true,
        },
        TriggerDef {
            event: READ,
            summary: "A mail lost its UNREAD mark: somebody with access to the mailbox, or a filter, \
                      marked it as read. Its time is that of the mail, since Gmail tells no other.",
            nouns: &["mail"],
            schema: describe::schema,
            sample: describe::read,
            sentence: "{{ mail.mailbox }} read: {{ mail.subject or '(no subject)' }}",
            verified: true,
        },
    ],
    actions: &[
        ActionDef {
            name: "send",
            role: Role::Mail,
            summary: "Sends a new mail as plain text.",
            input: describe::send_input,
            sample: describe::send_sample,
            reconciles: true,
            verified: true,
        },
        ActionDef {
            name: "reply",
            role: Role::Reply,
            summary: "Answers a mail in its thread.",
            input: describe::reply_input,
            sample: describe::reply_sample,
            reconciles: true,
            verified: true,
        },
        ActionDef {
            name: "label",
            role: Role::Label,
            summary: "Adds and removes labels of a message; labels that do not exist are made.",
            input: describe::label_input,
            sample: describe::label_sample,
            reconciles: false,
            verified: true,
        },
    ],
    inlets: &[],
    reduce: None,
    connect,
};

/// One mailbox.
#[derive(Debug)]
struct Gmail {
    setup: Setup,
    host: Host,
    client: Client,
    clean: CleanFailures,
    /// The names of the mailbox's own labels.
    labels: label::Names,
}

fn connect(settings: Settings, host: Host) -> Result<Arc<dyn Connection>, Failure> {
    let setup = Setup::read(&settings)?;
    let client = Client::new(&setup, settings.secret("refresh_token"), &host);
    Ok(Arc::new(Gmail {
        setup,
        host,
        client,
        clean: CleanFailures::default(),
        labels: label::Names::default(),
    }))
}

/// The cheapest call; it also tells the present end of the history.
fn profile() -> Call {
    Call::get("profile", Lane::Fetch, 1)
}

impl Connection for Gmail {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Failure>> {
        Box::pin(async move {
            let profile: Profile = self.client.json(profile()).await?;
            if !profile
                .email_address
                .eq_ignore_ascii_case(&self.setup.mailbox)
            {
                let message = format!(
                    "the consent is for {}, but `address` says {}: connect the right account",
                    profile.email_address, self.setup.mailbox
                );
                return Err(Failure::misconfigured("other_mailbox", message));
            }
            Ok(Checked {
                identity: profile.email_address,
            })
        })
    }

    fn source(&self) -> Option<&dyn Source> {
        Some(self)
    }

    fn perform<'a>(&'a self, action: &'a Action<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            match action.name {
                "send" => self.mail(action, false).await,
                "reply" => self.mail(action, true).await,
                "label" => self.label(action.args).await,
                other => {
                    let message = format!("gmail has no action `{other}`");
                    Err(Failure::bug("unknown_action", message))
                }
            }
        })
    }

    fn reconcile<'a>(
        &'a self,
        action: &'a Action<'a>,
    ) -> BoxFuture<'a, Result<Reconciled, Failure>> {
        Box::pin(async move {
            match action.name {
                "send" | "reply" => self.became(action).await,
                _ => Ok(Reconciled::Unknown),
            }
        })
    }
}
