//! Events from anybody who can sign, and requests to other systems: Standard Webhooks both ways. In
//! comes a plain JSON body or a structured CloudEvent.

mod envelope;
mod request;
mod signature;

use std::sync::Arc;

use bellwether_model::BoxFuture;
use bellwether_model::clock::Clock;
use bellwether_model::connector::{
    Action, AuthSpec, Checked, Connection, ConnectorDef, Host, Inbound, InletDef, Outcome,
    TriggerDef,
};
use bellwether_model::failure::Failure;
use bellwether_model::http::{RawAnswer, RawRequest};
use bellwether_model::spec::{Field, FieldKind, Settings, Spec};
use bellwether_model::time::Millis;
use serde_json::{Value, json};

use envelope::Envelope;
use request::Outlet;
use signature::Keys;

pub(crate) const CONNECTOR: ConnectorDef = ConnectorDef {
    name: "webhook",
    title: "Webhooks",
    summary: "Takes in signed webhooks (Standard Webhooks) and CloudEvents of any sender, and sends \
              signed requests to another system.",
    needs: "A signing secret that both sides know; and a sender that can reach the public address, or \
            the address of the system that is to hear of something.",
    basis: "Written from the specifications of Standard Webhooks 1.0 and CloudEvents 1.0, and checked \
            with the published example of a signature.",
    settings,
    auth: AuthSpec::None,
    thresholds: &[],
    triggers: &[TriggerDef {
        event: envelope::RECEIVED,
        summary: "A signed JSON object came in.",
        nouns: &["body"],
        schema,
        sample,
        sentence: "A webhook came in with {{ body | length }} fields.",
        verified: true,
    }],
    actions: &[request::ACTION],
    inlets: &[InletDef {
        name: "",
        summary: "A JSON object signed after Standard Webhooks: webhook-id, webhook-timestamp and \
         webhook-signature `v1,<base64 HMAC-SHA256 of id.timestamp.body>`. With content type \
         application/cloudevents+json the body is a CloudEvent.",
        verified: true,
    }],
    reduce: None,
    connect,
};

fn settings() -> Spec {
    let field = Field::new;
    let mut fields = vec![
        field(
            "secrets",
            FieldKind::Secret,
            "The signing secret (`whsec_…`), or several with spaces between; without one every \
             call is refused.",
        ),
        field(
            "previous_secret",
            FieldKind::Secret,
            "The secret before the last change, good until the sender has changed too.",
        ),
        field("event_type", FieldKind::Text, "The type of the events.").or("\"webhook.received\""),
        field(
            "type_path",
            FieldKind::Text,
            "Where in the body the type stands, with dots; without one there, `event_type` holds.",
        )
        .example("\"event.type\""),
        field(
            "id_path",
            FieldKind::Text,
            "Where in the body the sender's own id stands, with dots; default: the webhook-id.",
        )
        .example("\"event.id\""),
        field(
            "noun",
            FieldKind::Text,
            "The name under which flows find the body.",
        )
        .or("\"body\""),
        field(
            "tolerance_seconds",
            FieldKind::Integer,
            "How old or how far ahead a signature's time may be, in seconds.",
        )
        .or("300"),
    ];
    fields.extend(request::settings());
    Spec::of(fields)
}

fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["body"],
        "properties": {"body": {"type": "object", "description": "The body as it was sent."}},
    })
}

fn sample() -> Value {
    json!({"body": {"order": "4711", "state": "blocked", "amount": 4200}})
}

fn connect(settings: Settings, host: Host) -> Result<Arc<dyn Connection>, Failure> {
    let keys = Keys::read(
        &settings.secret("secrets"),
        &settings.secret("previous_secret"),
    )?;
    let tolerance = u64::try_from(settings.integer("tolerance_seconds", 300)).unwrap_or(0);
    Ok(Arc::new(Webhook {
        keys,
        outlet: Outlet::read(&settings, &host)?,
        tolerance: Millis::seconds(tolerance),
        envelope: Envelope::read(&settings, host.connection)?,
        clock: host.clock,
    }))
}

/// A live connection: keys and where to find things in a body, and where requests go.
#[derive(Debug)]
struct Webhook {
    keys: Keys,
    outlet: Option<Outlet>,
    tolerance: Millis,
    envelope: Envelope,
    clock: Arc<dyn Clock>,
}

impl Connection for Webhook {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Failure>> {
        let signs = "whoever signs with the secret";
        let result = match (self.keys.is_empty(), &self.outlet) {
            (true, None) => Err(Failure::misconfigured(
                "missing_setting",
                "set `secrets` to take webhooks in, or `send_to` to send requests",
            )),
            (true, Some(outlet)) => Ok(outlet.address().to_owned()),
            (false, None) => Ok(signs.to_owned()),
            (false, Some(outlet)) => Ok(format!("{signs}; requests go to {}", outlet.address())),
        };
        Box::pin(std::future::ready(
            result.map(|identity| Checked { identity }),
        ))
    }

    fn perform<'a>(&'a self, action: &'a Action<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            if action.name != request::ACTION.name {
                let message = format!("this connection cannot `{}`", action.name);
                return Err(Failure::bug("no_such_action", message));
            }
            match &self.outlet {
                Some(outlet) => outlet.send(action).await,
                None => Err(Failure::misconfigured(
                    "missing_setting",
                    "set `send_to`: the address that requests go to",
                )),
            }
        })
    }

    fn receive(&self, request: &RawRequest) -> Result<Vec<Inbound>, RawAnswer> {
        if !request.inlet.is_empty() {
            return Err(RawAnswer::error(
                404,
                "no_such_inlet",
                "webhooks go to the address without a further path",
            ));
        }
        let signed = self
            .keys
            .verify(request, self.clock.now(), self.tolerance)?;
        let event = self.envelope.event(request, &signed)?;
        Ok(vec![Inbound::Event(event)])
    }
}
