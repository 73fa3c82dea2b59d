//! Smint.io's licence side: the feed of licence purchase transactions, its push channel, a signed
//! webhook for what the interface does not offer, and what follows from all of it for people. What
//! is watched in portals is read in `portals`, by settings of its own.
//!
//! Written from public material: the vendor's own clients (github smintio/CLAPI-C-Integration-Core
//! and its Java twin), the component documentation of its portals, and its base library. Base
//! addresses, operations, field names, cursors and the push channel are public. **Not public**, and
//! therefore settings: the paths of the three feed operations. **Inferred:** the spelling of states
//! other than `completed`, dates as RFC 3339, paging limits. **Ours:** the webhook's header names
//! and its envelope, since the vendor documents no outgoing webhook.

#[cfg(test)]
mod any;
mod client;
mod feed;
mod hints;
mod memory;
mod portals;
mod record;
mod schema;
mod settings;
mod triggers;
mod webhook;
mod wire;

use std::sync::Arc;

use bellwether_model::BoxFuture;
use bellwether_model::connector::{
    Action, AuthSpec, Checked, Connection, ConnectorDef, Host, Inbound, InletDef, Outcome,
};
use bellwether_model::failure::Failure;
use bellwether_model::feed::Feed;
use bellwether_model::http::{RawAnswer, RawRequest};
use bellwether_model::spec::Settings;

use self::client::Client;
use self::portals::Portals;
use self::settings::Setup;
use self::webhook::Webhook;

const TRANSACTION: &str = "smintio.transaction";
const UNREADABLE: &str = "smintio.transaction.unreadable";
const BASELINE: &str = "smintio.baseline";
const LINK: &str = "smintio.link";
const CAMPAIGN_MEMBER: &str = "smintio.campaign.member";
const UNDECODABLE: &str = "smintio.webhook.undecodable";
const REVIEW_REQUIRED: &str = "smintio.asset.review_required";
const EXPIRING: &str = "smintio.license.expiring";
const EXPIRED: &str = "smintio.license.expired";
const FIRST_USE_DUE: &str = "smintio.license.first_use_due";
const LIMIT_NEAR: &str = "smintio.license.usage_limit_near";
const LIMIT_REACHED: &str = "smintio.license.usage_limit_reached";
const RENEWED: &str = "smintio.license.renewed";
const LICENSED: &str = "smintio.asset.licensed";
const COVERED: &str = "smintio.license.covered";
const VIOLATION: &str = "smintio.compliance.violation";
const UPDATED: &str = "smintio.asset.updated";
const REPLACED: &str = "smintio.asset.replaced";
const CAMPAIGN_FINALIZED: &str = "smintio.campaign.finalized";
const PUBLISHED: &str = "smintio.asset.published";
const PORTAL_ASSET: &str = "smintio.portal.asset";
const PORTAL_COLLECTION: &str = "smintio.portal.collection";
const PORTAL_BASELINE: &str = "smintio.portal.baseline";
const PORTAL_UNREADABLE: &str = "smintio.portal.unreadable";
const SYNC_FAILED: &str = "smintio.sync.failed";
const SYNC_RECOVERED: &str = "smintio.sync.recovered";
const ACTION_REQUIRED: &str = "smintio.action.required";
const ACTION_COMPLETED: &str = "smintio.action.completed";

/// Everything about Smint.io, as data.
pub(crate) const CONNECTOR: ConnectorDef = ConnectorDef {
    name: "smintio",
    title: "Smint.io",
    summary: "A Smint.io tenant: purchases, licences that end, limits that are reached, new files, what \
              is published in its portals, and whether the link works.",
    needs: "From Smint.io: an OAuth client, the number of the push channel and the paths of the \
            integration interface. Then the consent of one user who may read licences.",
    basis: "Written from the vendor's public clients and documentation and run against our stand-in. \
            The paths of the interface are not public; states, dates and limits are partly inferred; \
            nothing was tried against the live service.",
    settings: settings::spec,
    auth: AuthSpec::OAuthCode {
        authorize: settings::AUTHORIZE,
        token: settings::TOKEN,
        scopes: settings::SCOPES,
    },
    triggers: triggers::ALL,
    thresholds: triggers::THRESHOLDS,
    actions: &[],
    inlets: &[InletDef {
        name: "",
        summary: "Events that the interface does not offer, as JSON, signed with base64 of \
         HMAC-SHA256 over `{timestamp}.{body}`: Smint.io's own recipe for callbacks. It documents \
         no webhook of its own: the names of headers and fields are ours.",
        verified: false,
    }],
    reduce: Some(memory::REDUCER),
    connect,
};

/// One tenant.
#[derive(Debug)]
struct Smintio {
    setup: Setup,
    host: Host,
    client: Client,
    webhook: Webhook,
    portals: Option<Portals>,
}

fn connect(settings: Settings, host: Host) -> Result<Arc<dyn Connection>, Failure> {
    let setup = Setup::read(&settings)?;
    let client = Client::new(setup.interface(), settings.secret("refresh_token"), &host);
    let portals = Portals::read(&settings, &setup, &host)?;
    let webhook = Webhook::read(&settings, &host)?;
    Ok(Arc::new(Smintio {
        setup,
        client,
        webhook,
        portals,
        host,
    }))
}

impl Connection for Smintio {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Failure>> {
        Box::pin(async move {
            self.client.get(&self.setup.metadata_path, &[]).await?;
            let one = [("limit", "1")];
            let page = self.client.get(&self.setup.transactions_path, &one).await?;
            if !page["license_purchase_transactions"].is_array() {
                let words = "the answer is no page of the licence feed; check `transactions_path`";
                return Err(Failure::misconfigured("bad_page", words));
            }
            let tenant = format!("tenant {}", self.setup.tenant);
            let identity = match &self.portals {
                None => tenant,
                Some(portals) => {
                    portals.check().await?;
                    format!("{tenant} and its portal")
                }
            };
            Ok(Checked { identity })
        })
    }

    fn feeds(&self) -> Vec<&dyn Feed> {
        let portals = self.portals.iter().map(|portals| portals as &dyn Feed);
        [self as &dyn Feed].into_iter().chain(portals).collect()
    }

    fn perform<'a>(&'a self, action: &'a Action<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        let message = format!("this connection cannot `{}`", action.name);
        let failure = Failure::bug("no_such_action", message);
        Box::pin(std::future::ready(Err(failure)))
    }

    fn receive(&self, request: &RawRequest) -> Result<Vec<Inbound>, RawAnswer> {
        self.webhook.receive(request)
    }
}
