//! Reader and table say the same: what the table requires is missed when it is gone, and what it
//! allows is taken.

use super::{CHOICE, FLOW, Holds, INPUT, KeyDef, TRIGGER, VERBS, VerbDef, schema};
use crate::flow::read::tests::fixture::{CATALOG, wrong};

/// Something that is right where it stands.
fn value(holds: Holds) -> &'static str {
    match holds {
        Holds::Version => "1",
        Holds::FlowName | Holds::Connector => "gmail",
        Holds::Name | Holds::Id => "something",
        Holds::Words | Holds::Label | Holds::Text | Holds::Line => "words",
        Holds::Expr => "mail.subject",
        Holds::Connection => "inputs.system",
        Holds::Who => "role('legal')",
        Holds::Lines => "[one, two]",
        Holds::OneOf(words) => words[words.len() - 1],
        Holds::Flag => "true",
        Holds::Length => "2 hours",
        Holds::OnList => "{ at: \"08:30\", title: words }",
        Holds::Schedule => "\"08:30\"",
        Holds::OwnEvent => "order.checked",
        Holds::Events => "gmail.message.received",
        Holds::Columns => "{ kind: text }",
        Holds::Anything => "[]",
        Holds::Inputs => "{ owner: { type: who } }",
        Holds::Triggers => "{ event: gmail.message.received }",
        Holds::Thresholds => "{ levels: [30, 7] }",
        Holds::Lets => "{ number: mail.subject }",
        Holds::Shown => "{ Subject: mail.subject }",
        Holds::Payload => "{ order: { id: mail.subject } }",
        Holds::Steps | Holds::Remedy => "[stop]",
        Holds::AtMost => "{ push: 1 }",
        Holds::Group => "{ name: approvals, place: 1 }",
        Holds::Endings => "{ approve: [stop], expire: [] }",
        Holds::Branches => "{ legal: [stop], brand: [] }",
        Holds::Need => "2",
        Holds::Choices => "{ approve: {} }",
        Holds::Ladder => "{ 2 hours: remind, 1 working day: expire }",
        Holds::Stories => "{ quiet: [expect: nothing] }",
    }
}

/// `key: value` of each, one a line, the first at `indent` blanks already.
fn lines(keys: &[&KeyDef], indent: &str) -> String {
    let lines = keys
        .iter()
        .map(|key| format!("{}: {}", key.name, value(key.holds)));
    lines.collect::<Vec<_>>().join(&format!("\n{indent}"))
}

fn flow(steps: &str) -> String {
    format!(
        "bellwether: 1\nflow: f\ninputs: {{ system: {{ type: connection }} }}\n\
         when: {{ event: gmail.message.received }}\nsteps:\n  - {steps}\n"
    )
}

fn step(verb: &VerbDef, keys: &[&KeyDef]) -> String {
    let object = format!("{}: {}", verb.name, value(verb.object));
    flow(&format!("{object}\n    {}", lines(keys, "    ")))
}

fn errors(text: &str) -> Vec<String> {
    let said = wrong(text);
    let errors = said.lines().filter(|line| !line.contains("warning: "));
    errors.map(str::to_owned).collect()
}

/// Those that must be there, and those without which one more must.
fn required<'a>(verb: &VerbDef, keys: &'a [KeyDef]) -> Vec<&'a KeyDef> {
    let first = verb.one_needed.first().copied();
    keys.iter()
        .filter(|key| key.required || Some(key.name) == first)
        .collect()
}

#[test]
fn a_verb_takes_its_keys_and_misses_those_that_it_needs() {
    for verb in &VERBS {
        // A table is of a list, and there is none here.
        let keys = verb.keys.iter().filter(|key| key.name != "table");
        let all: Vec<&KeyDef> = keys.collect();
        assert_eq!(errors(&step(verb, &all)), [""; 0], "{}", verb.name);
        let few = required(verb, verb.keys);
        assert_eq!(errors(&step(verb, &few)), [""; 0], "{}", verb.name);
        for gone in &few {
            let rest: Vec<&KeyDef> = few
                .iter()
                .copied()
                .filter(|key| key.name != gone.name)
                .collect();
            let said = errors(&step(verb, &rest));
            assert!(!said.is_empty(), "{} without {}", verb.name, gone.name);
        }
    }
}

#[test]
fn a_flow_takes_its_keys_and_misses_those_that_it_needs() {
    let all: Vec<&KeyDef> = FLOW.iter().collect();
    let text = |keys: &[&KeyDef]| lines(keys, "") + "\n";
    assert_eq!(errors(&text(&all)), [""; 0]);
    for gone in &FLOW {
        let rest: Vec<&KeyDef> = FLOW.iter().filter(|key| key.name != gone.name).collect();
        let said = errors(&text(&rest));
        assert_eq!(!said.is_empty(), gone.required, "{}: {said:?}", gone.name);
    }
}

#[test]
fn inputs_triggers_and_choices_take_their_keys() {
    let inside = |keys: &[KeyDef]| {
        let parts = keys.iter().map(|key| {
            let value = match key.name {
                // The last type is a table, whose default is rows.
                "default" => "[]",
                _ => value(key.holds),
            };
            format!("{}: {value}", key.name)
        });
        format!("{{ {} }}", parts.collect::<Vec<_>>().join(", "))
    };
    let sound = flow("stop: x");
    let input = sound.replace("inputs: {", &format!("inputs: {{ x: {},", inside(&INPUT)));
    assert_eq!(errors(&input), [""; 0]);
    let trigger = sound.replace("{ event: gmail.message.received }", &inside(&TRIGGER));
    assert_eq!(errors(&trigger), [""; 0]);
    let trigger = trigger.replace("event: gmail.message.received, ", "");
    assert!(!errors(&trigger).is_empty());
    let Some(ask) = VERBS.iter().find(|verb| verb.name == "ask") else {
        panic!("no ask");
    };
    let choices = step(ask, &required(ask, ask.keys)).replace(
        "choices: { approve: {} }",
        &format!("choices: {{ approve: {{}}, later: {} }}", inside(&CHOICE)),
    );
    assert_eq!(errors(&choices), [""; 0]);
}

#[test]
fn every_link_of_the_schema_leads_somewhere_and_every_key_is_explained() {
    let schema = schema(&CATALOG);
    let text = schema.to_string();
    for part in text.split("\"#/definitions/").skip(1) {
        let name = part.split('"').next().unwrap_or_default();
        assert!(schema["definitions"].get(name).is_some(), "{name}");
    }
    for verb in &VERBS {
        let properties = &schema["definitions"][verb.name]["properties"];
        for key in verb.keys {
            let about = properties[key.name]["description"].as_str();
            assert_eq!(about, Some(key.about), "{}.{}", verb.name, key.name);
            assert!(key.about.ends_with('.'), "{}", key.about);
        }
    }
}
