//! Says which languages of the directory a flow's texts are not written in. Only texts that are
//! written by language are looked at: what a single text is written in, nobody said.

use std::collections::BTreeMap;

use bellwether_model::directory::Directory;

use super::def::{Block, Flow, Verb};
use crate::lang::{Text, in_language, main_tag};
use crate::yaml::Problem;

/// A warning for each text that is written by language, but not in one that somebody reads.
pub fn missing_languages(flow: &Flow, directory: &Directory) -> Vec<Problem> {
    let mut readers: BTreeMap<String, &str> = BTreeMap::new();
    for person in directory.people.values().filter(|person| !person.inactive) {
        let tag = main_tag(&person.language).to_ascii_lowercase();
        if !tag.is_empty() {
            readers.entry(tag).or_insert(&person.id);
        }
    }
    let mut texts = Vec::new();
    gather(&flow.steps, &mut texts);
    let mut out = Vec::new();
    for text in texts {
        let Some((default, _)) = text.versions().first() else {
            continue;
        };
        for (tag, person) in &readers {
            if in_language(text.versions(), tag).is_some() {
                continue;
            }
            let message = format!("this text is not written in `{tag}`, which {person} reads");
            let hint = format!("add `{tag}: ...`; until then it is read in `{default}`");
            let place = (text.line(), text.column());
            out.push(Problem::warning(place, message).hint(hint));
        }
    }
    out
}

/// All texts for people, in the order of the file.
fn gather<'f>(block: &'f Block, out: &mut Vec<&'f Text>) {
    for step in &block.steps {
        match &step.verb {
            Verb::Push(message) | Verb::Mail(message) => {
                out.push(&message.title);
                out.extend(&message.text);
            }
            Verb::Reply(reply) => {
                out.push(&reply.text);
            }
            Verb::Ask(ask) => {
                out.push(&ask.title);
                out.extend(&ask.text);
            }
            _ => {}
        }
        for (_, inner) in step.verb.endings() {
            gather(inner, out);
        }
    }
}
