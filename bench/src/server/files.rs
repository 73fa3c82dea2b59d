//! The files of the measured server: the configuration, one webhook and one push connection, one
//! person, and flows of which one matches the event by its content.

use std::path::Path;

use super::Home;
use crate::error::{During, Outcome};

/// The configuration's file name.
pub(super) const CONFIG: &str = "bellwether.yaml";
/// The database's file name.
pub(super) const DATABASE: &str = "bellwether.db";
/// The secret with which events are signed; it protects nothing.
pub(crate) const SECRET: &str = "whsec_YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2g=";
/// How many flows there are, unless it is measured how many there may be.
pub(crate) const FLOWS: usize = 20;

/// So many flows, of which one matches.
pub(super) fn flows(many: usize) -> Vec<(String, String)> {
    let named = |number| {
        let name = format!("orders-k{number:02}");
        let text = flow(&name, number);
        (name, text)
    };
    (0..many).map(named).collect()
}

/// Writes all files, with these flows.
pub(super) fn write(home: &Home, sink: &str, all: &[(String, String)]) -> Outcome<()> {
    let folder = &home.folder;
    let flows = folder.join("flows");
    std::fs::create_dir_all(&flows).during(&format!("{} cannot be made", flows.display()))?;
    put(&folder.join(CONFIG), &config(home))?;
    put(&folder.join("setup.yaml"), &setup(sink))?;
    for (name, text) in all {
        put(&flows.join(format!("{name}.yaml")), text)?;
    }
    Ok(())
}

fn put(path: &Path, text: &str) -> Outcome<()> {
    std::fs::write(path, text).during(&format!("{} cannot be written", path.display()))
}

fn config(home: &Home) -> String {
    let at = home.folder.display();
    format!(
        "listen: {listen}\npublic: {public}\npublic_url: http://{public}\n\
         database: sqlite:{at}/{DATABASE}\nkey_file: {at}/bellwether.key\n\
         flows: {at}/flows\nsetup: {at}/setup.yaml\negress: {{ private: true }}\n",
        listen = home.listen,
        public = home.public,
    )
}

fn setup(sink: &str) -> String {
    format!(
        "bellwether: 1\n\
         connections:\n\
         \x20 push:\n\
         \x20   connector: opentext_push\n\
         \x20   settings: {{ profile: mra-push, base_url: \"{sink}\", auth: basic, user: bench, \
         password: bench, engagement_key: bench-engagement-key }}\n\
         \x20 orders:\n\
         \x20   connector: webhook\n\
         \x20   settings: {{ secrets: \"{SECRET}\", event_type: order.placed, noun: order }}\n\
         people:\n\
         \x20 alice: {{ name: Alice Arnold, emails: [approver@example.com], \
         zone: Europe/Vienna, language: en, push: [device-alice], roles: [purchasing-lead] }}\n\
         \x20 bob: {{ name: Bob Brown, emails: [bob@example.com], zone: Europe/Vienna, language: en, \
         push: [device-bob] }}\n\
         owner: alice\n"
    )
}

fn flow(name: &str, number: usize) -> String {
    // Beyond the usual ones, every second flow listens to something else altogether.
    let event = if number >= FLOWS && number % 2 == 1 {
        "order.changed"
    } else {
        "order.placed"
    };
    format!(
        "bellwether: 1\n\
         flow: {name}\n\
         about: Tells Alice about an order of kind k{number:02}.\n\
         when: {{ event: {event}, if: order.kind == 'k{number:02}' }}\n\
         steps:\n\
         \x20 - push: person('alice')\n\
         \x20   title: \"{{{{ order.number }}}} from {{{{ order.customer.name }}}}\"\n\
         \x20   text: \"{{{{ order.lines | count }}}} lines, {{{{ order.total }}}} \
         {{{{ order.currency }}}}, to {{{{ order.customer.city }}}}\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::KIND;

    #[test]
    fn one_flow_of_twenty_takes_the_event() {
        let taking: Vec<usize> = (0..FLOWS)
            .filter(|number| flow("f", *number).contains(&format!("order.kind == '{KIND}'")))
            .collect();
        assert_eq!(taking, [7]);
        assert!(flow("f", 7).contains("    title: \"{{ order.number }} from"));
        assert!(setup("http://127.0.0.1:9").contains("\n    settings: { profile: mra-push"));
    }
}
