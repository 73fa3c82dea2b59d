//! Reads `http`: which connection takes the request, and what it says.

use bellwether_model::connector::Role;

use super::Reading;
use crate::flow::Request;
use crate::yaml::Node;

impl Reading<'_> {
    pub(super) fn request(&mut self, node: &Node, object: &Node, id: &str) -> Option<Request> {
        self.takes_requests(object);
        let connection = self.expr(object, "http");
        let event = match node.get("type") {
            Some(found) => self.own_event(found),
            None => None,
        };
        let mut data = Vec::new();
        if let Some(found) = node.get("data") {
            self.leaves(found, "", &mut data);
        }
        // What the flow does for people whom nothing reaches is not meant for systems.
        let remedy = node.get("on_error");
        let on_error = remedy.map(|found| self.quick(found, "on_error", id));
        Some(Request {
            connection: connection?,
            event,
            data,
            on_error,
        })
    }

    /// Whether the object is an input for a connection that takes requests. Nothing else is
    /// allowed: an address in a flow could send what it knows to anybody.
    fn takes_requests(&mut self, object: &Node) {
        let words = object.text().unwrap_or_default().trim();
        let name = words.strip_prefix("inputs.");
        let found = name.and_then(|name| self.connections.iter().find(|(known, _)| known == name));
        let Some((_, of)) = found.cloned() else {
            let message = format!("`http` goes to a connection, which `{words}` is not");
            let all = self.connections.iter();
            let all: Vec<String> = all.map(|(name, _)| format!("inputs.{name}")).collect();
            let hint = if all.is_empty() {
                "add one: inputs: { system: { type: connection, of: webhook } }".to_owned()
            } else {
                format!("one of: {}", all.join(", "))
            };
            self.error(object.place(), message, &hint);
            return;
        };
        let connectors = self.catalog.connectors.iter();
        let able = connectors.filter(|def| def.actions.iter().any(|one| one.role == Role::Http));
        let able: Vec<&str> = able.map(|def| def.name).collect();
        if let Some(of) = of.filter(|of| !able.contains(&of.as_str())) {
            let message = format!("`{words}` is a connection of `{of}`, which takes no requests");
            let hint = format!("connectors that do: {}", able.join(", "));
            self.error(object.place(), message, &hint);
        }
    }
}
