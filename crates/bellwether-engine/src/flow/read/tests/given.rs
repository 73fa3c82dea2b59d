//! Tests of what a flow leaves to its reader or to its inputs: texts in several languages, lengths
//! of time.

use bellwether_model::directory::{Directory, Person};

use super::fixture::{right, wrong};
use crate::flow::def::{Flow, Length, Privacy, Verb};
use crate::flow::missing_languages;

fn saying(step: &str) -> String {
    let head = "bellwether: 1\nflow: a\ninputs:\n  within: { type: duration, default: 30 minutes }\n  owner: { type: who }\nwhen: { event: webhook.received }\nsteps:\n";
    format!("{head}{step}")
}

fn directory(people: &[(&str, &str)]) -> Directory {
    let person = |(id, language): &(&str, &str)| Person {
        id: (*id).to_owned(),
        language: (*language).to_owned(),
        inactive: *id == "gone",
        ..Person::default()
    };
    let people = people.iter().map(person);
    Directory {
        people: people.map(|person| (person.id.clone(), person)).collect(),
        ..Directory::default()
    }
}

const TWICE: &str = "  - push: inputs.owner\n    title: { en: \"Look at {{ body.id }}\", de-AT: \"Schau auf {{ body.id }}\" }\n";

#[test]
fn a_text_may_be_written_in_several_languages() {
    let flow = right(&saying(TWICE));
    let Verb::Push(push) = &flow.steps.steps[0].verb else {
        panic!("a push");
    };
    let read = |language: &str| push.title.for_reader(language).source().to_owned();
    for german in ["de-AT", "de", "DE-CH"] {
        assert!(read(german).starts_with("Schau"), "{german}");
    }
    for other in ["en", "en-GB", "fr", ""] {
        assert!(read(other).starts_with("Look"), "{other}");
    }
    // What is wrong in one language is found there.
    let said = wrong(&saying(
        &TWICE.replace("Schau auf {{ body.id }}", "Schau {{ bdy }}"),
    ));
    assert!(said.contains("\"bdy\" is not a variable here"), "{said}");
    let said = wrong(&saying(
        "  - push: inputs.owner\n    title: { english: Look }\n",
    ));
    assert!(
        said.contains("`english` is not the tag of a language"),
        "{said}"
    );
    let said = wrong(&saying("  - push: inputs.owner\n    title: {}\n"));
    assert!(said.contains("`title` says nothing"), "{said}");
    let said = wrong(&saying("  - dead_letter: { en: Nothing }\n"));
    assert!(said.contains("is a text, but this is"), "{said}");
}

#[test]
fn a_button_may_be_labelled_in_several_languages() {
    let step = r#"  - ask: inputs.owner
    title: Later?
    choices: { later: { label: { en: Later, de: Später } }, never: {} }
    if_silent: { 1 day: expire }
    then: { later: [], never: [], expire: [] }
"#;
    let flow = right(&saying(step));
    let Verb::Ask(ask) = &flow.steps.steps[0].verb else {
        panic!("an ask");
    };
    let labels = |language| ask.choices.iter().map(move |c| c.label_for(language));
    assert_eq!(labels("de-AT").collect::<Vec<_>>(), ["Später", "Never"]);
    assert_eq!(labels("fr").collect::<Vec<_>>(), ["Later", "Never"]);
}

#[test]
fn languages_of_the_directory_that_are_missing_are_reported() {
    let flow: Flow = right(&saying(TWICE));
    let of = |people: &[(&str, &str)]| missing_languages(&flow, &directory(people));
    let known = [("ann", "en"), ("bea", "de-DE"), ("gone", "it"), ("may", "")];
    assert_eq!(of(&known), []);
    let said = of(&[("ann", "en"), ("zoé", "fr-CH")]);
    assert_eq!(said.len(), 1, "{said:?}");
    let line = said[0].in_file("f.yaml");
    assert!(line.starts_with("f.yaml:9:"), "{line}");
    assert!(
        line.contains("not written in `fr`, which zoé reads"),
        "{line}"
    );
    // A single text may be in any language: nothing is known, so nothing is said.
    let plain = right(&saying("  - push: inputs.owner\n    title: Look\n"));
    assert_eq!(missing_languages(&plain, &directory(&[("zoé", "fr")])), []);
}

#[test]
fn a_wait_may_take_its_end_from_an_input() {
    for written in ["inputs.within", "\"{{ inputs.within }}\""] {
        let step =
            format!("  - wait: webhook.received\n    up_to: {written}\n  - pause: {written}\n");
        let flow = right(&saying(&step));
        let Verb::Wait(wait) = &flow.steps.steps[0].verb else {
            panic!("a wait");
        };
        assert!(matches!(&wait.up_to, Length::Given(expr) if expr.source() == "inputs.within"));
        assert!(matches!(
            &flow.steps.steps[1].verb,
            Verb::Pause(Length::Given(_))
        ));
    }
    let said = wrong(&saying(
        "  - wait: webhook.received\n    up_to: inputs.owner\n",
    ));
    assert!(
        said.contains("`owner` is no input of type duration"),
        "{said}"
    );
    let said = wrong(&saying("  - pause: \"{{ body.id }}\"\n"));
    assert!(
        said.contains("`pause` is a length of time, or an input"),
        "{said}"
    );
}

#[test]
fn what_a_message_does_not_say_about_privacy_its_flow_says() {
    let steps = "  - push: inputs.owner\n    title: a\n  - push: inputs.owner\n    title: b\n    \
                 privacy: full\n";
    let text = saying(steps).replace("steps:", "privacy: hidden\nsteps:");
    let of = |text: &str| -> Vec<Privacy> {
        let flow = right(text);
        let steps = flow.steps.steps.iter();
        let privacy = steps.map(|step| match &step.verb {
            Verb::Push(push) => push.privacy,
            _ => panic!("a push"),
        });
        privacy.collect()
    };
    assert_eq!(of(&text), [Privacy::Hidden, Privacy::Full]);
    assert_eq!(of(&saying(steps)), [Privacy::Full, Privacy::Full]);
}
