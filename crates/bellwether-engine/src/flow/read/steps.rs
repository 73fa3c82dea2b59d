//! Reads steps: one verb each, with its keys. The verb `ask` has its own file.

use super::Reading;
use super::header::is_id;
use super::names::Shape;
use crate::flow::def::{Block, Importance, Label, Message, Privacy, Reply, Step, Verb};
use crate::flow::language::{
    IMPORTANCE, PRIVACY, STEP_LATER, TABLES, VERBS, VerbDef, names, quick_verbs, verbs,
};
use crate::lang::Text;
use crate::yaml::near::nearest;
use crate::yaml::reader::{misspelt, unknown_key};
use crate::yaml::{Key, Node, Problem};

/// The most steps of a flow.
const STEPS_MAX: usize = 500;
/// How deep steps may stand in steps.
const DEPTH_MAX: usize = 12;

impl Reading<'_> {
    /// A list of steps. What a step names is known to those after it.
    pub(super) fn block(&mut self, node: &Node, key: &str) -> Block {
        let Some(elements) = node.elements() else {
            let message = format!("`{key}` is a list of steps, but this is {}", node.sort());
            self.error(node.place(), message, "begin each step with -");
            return Block::default();
        };
        self.depth += 1;
        let mut out = Block::default();
        if self.depth > DEPTH_MAX {
            self.error(
                node.place(),
                format!("steps are nested deeper than {DEPTH_MAX}"),
                "",
            );
        } else {
            let mark = self.names.mark();
            let path = self.ids.path();
            for element in elements {
                self.ids.restore(path.clone());
                out.steps.extend(self.step(element));
            }
            self.ids.restore(path);
            self.names.forget(mark);
        }
        self.depth -= 1;
        out
    }

    /// Steps below another one, under one of its endings.
    pub(super) fn below(&mut self, node: &Node, key: &str, id: &str) -> Block {
        let path = self.ids.path();
        self.ids.enter(id, key);
        let block = self.block(node, key);
        self.ids.restore(path);
        block
    }

    fn step(&mut self, node: &Node) -> Option<Step> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            self.error(
                node.place(),
                format!("a flow has at most {STEPS_MAX} steps"),
                "",
            );
            return None;
        }
        if node.text() == Some("stop") {
            let id = self.ids.derive("stop", "");
            return Some(Step {
                id,
                verb: Verb::Stop,
                line: node.line,
            });
        }
        let Some(entries) = node.entries() else {
            let message = format!(
                "a step is a verb with its object, but this is {}",
                node.sort()
            );
            self.error(node.place(), message, "write `- push: role('legal')`");
            return None;
        };
        let (key, object) = self.verb(node, entries)?;
        let verb = key.name.as_str();
        if let Some(def) = VERBS.iter().find(|def| def.name == verb) {
            self.step_keys(def, node, entries);
            self.may_wait(def, key);
        }
        let id = self.step_id(verb, object, node);
        let read = match verb {
            "push" => Verb::Push(self.message(node, object, "push", "title", &id)?),
            "mail" => Verb::Mail(self.message(node, object, "mail", "subject", &id)?),
            "reply" => Verb::Reply(self.reply(node, object, &id)?),
            "label" => Verb::Label(self.label(node, object)?),
            "http" => Verb::Http(Box::new(self.request(node, object, &id)?)),
            "ask" => Verb::Ask(Box::new(self.ask(node, object, &id)?)),
            "wait" => Verb::Wait(self.wait(node, object)),
            "meanwhile" => Verb::Meanwhile(Box::new(self.meanwhile(node, object, &id))),
            "pause" => Verb::Pause(self.length(object, "pause")?),
            "if" => Verb::If(self.condition(node, object, &id)?),
            "each" => Verb::Each(Box::new(self.each(node, object, &id)?)),
            "together" => Verb::Together(self.together(object, &id)?),
            "emit" => Verb::Emit(self.emit(node, object)?),
            "call" => Verb::Call(Box::new(self.call(node, object)?)),
            "digest" => Verb::Digest(self.digest(node, object, &id)?.into()),
            "stop" => Verb::Stop,
            _ => Verb::DeadLetter(self.one_text(object, "dead_letter")?),
        };
        Some(Step {
            id,
            verb: read,
            line: node.line,
        })
    }

    /// The one verb of a step.
    fn verb<'n>(&mut self, node: &Node, entries: &'n [(Key, Node)]) -> Option<(&'n Key, &'n Node)> {
        // `if` is a verb of its own, but also the condition of what is waited for.
        let waits = |(key, _): &(Key, Node)| matches!(key.name.as_str(), "wait" | "meanwhile");
        let waits = entries.iter().any(waits);
        let is_verb =
            |key: &Key| verbs().contains(&key.name.as_str()) && !(waits && key.name == "if");
        let found: Vec<&(Key, Node)> = entries.iter().filter(|(key, _)| is_verb(key)).collect();
        if let [(key, object)] = found.as_slice() {
            return Some((key, object));
        }
        if let [(first, _), (second, _), ..] = found.as_slice() {
            let (a, b) = (&first.name, &second.name);
            let message = format!("this step has two verbs, `{a}` and `{b}`");
            self.error(second.place(), message, "begin a new step with -");
            return None;
        }
        let meant = entries
            .iter()
            .find_map(|(key, _)| Some((key, nearest(&key.name, verbs())?)));
        match (meant, entries.first()) {
            (Some((key, near)), _) => {
                let message = format!("there is no verb `{}`", key.name);
                self.error(key.place(), message, &format!("did you mean `{near}`?"));
            }
            (None, first) => {
                let place = first.map_or(node.place(), |(key, _)| key.place());
                let hint = format!("a step has one of: {}", verbs().join(", "));
                self.error(place, "this step has no verb", &hint);
            }
        }
        None
    }

    fn step_keys(&mut self, def: &VerbDef, node: &Node, entries: &[(Key, Node)]) {
        let (verb, known) = (def.name, names(def.keys));
        let one = |name: &&str| node.get(name).is_some();
        if !def.one_needed.is_empty() && !def.one_needed.iter().any(one) {
            let message = format!("`{verb}` does nothing without one of its keys");
            let hint = format!("write one of: {}", def.one_needed.join(", "));
            self.error(node.place(), message, &hint);
        }
        for (key, _) in entries {
            let name = key.name.as_str();
            if name == verb || known.contains(&name) {
                continue;
            }
            let what = format!("`{verb}`");
            let problem = if STEP_LATER.contains(&name) {
                let message = format!("`{name}` is not in this version");
                Problem::error(key.place(), message).hint("leave it out for now")
            } else {
                unknown_key(key, &what, &known)
            };
            self.report(problem);
        }
    }

    fn step_id(&mut self, verb: &str, object: &Node, node: &Node) -> String {
        let Some(written) = node.get("id") else {
            let words = match &object.elements() {
                Some(elements) => elements.iter().filter_map(Node::text).collect::<Vec<_>>(),
                None => object.text().into_iter().collect(),
            };
            // Sentences may be reworded without becoming another step.
            let object = if verb == "dead_letter" {
                String::new()
            } else {
                words.join(" ")
            };
            return self.ids.derive(verb, &object);
        };
        let id = written.text().unwrap_or_default();
        if !is_id(id) {
            let hint = "small letters, digits, - and ., beginning with a letter";
            self.error(written.place(), format!("`{id}` cannot be an id"), hint);
        } else if !self.ids.take(id) {
            let message = format!("the id `{id}` is taken by another step");
            self.error(written.place(), message, "ids are unique in a flow");
        }
        id.to_owned()
    }

    /// A text that must be there.
    fn need_text(&mut self, node: &Node, key: &str) -> Option<Text> {
        match node.get(key) {
            Some(found) => self.text(found, key),
            None => {
                self.missing(node, key, "");
                None
            }
        }
    }

    /// A key that must be there, unless it is there and misspelt.
    pub(super) fn missing(&mut self, node: &Node, key: &str, hint: &str) {
        let is_word = |name: &str| VERBS.iter().any(|verb| names(verb.keys).contains(&name));
        let found = node.entries().unwrap_or_default().iter();
        let mut unknown: Vec<&str> = found.map(|(key, _)| key.name.as_str()).collect();
        unknown.retain(|name| !is_word(name));
        if !misspelt(&unknown, key) {
            self.error(node.place(), format!("`{key}` is missing here"), hint);
        }
    }

    fn message(
        &mut self,
        node: &Node,
        object: &Node,
        verb: &str,
        title: &str,
        id: &str,
    ) -> Option<Message> {
        let to = self.who(object, verb);
        let title = self.need_text(node, title);
        let text = node.get("text").and_then(|found| self.text(found, "text"));
        let link = node.get("link").and_then(|found| self.expr(found, "link"));
        let importance = self.importance(node);
        let privacy = self.privacy(node);
        let table = self.one_of(node, "table", &TABLES).is_some();
        if table && self.names.get("list").is_none() {
            let hint = "a table is of a list: write it below a `digest`";
            self.error(node.place(), "there is no list here", hint);
        }
        let mut given = |key| node.get(key).and_then(|found| self.expr(found, key));
        let (valid_until, replaces) = (given("valid_until"), given("replaces"));
        let withdraw_on = self.events_of(node, "withdraw_on");
        let on_error = self.on_error(node, id);
        Some(Message {
            to: to?,
            title: title?,
            text,
            link,
            importance,
            urgent: self.flag(node, "urgent"),
            withdraw_on,
            privacy,
            table,
            valid_until,
            replaces,
            on_error,
        })
    }

    fn on_error(&mut self, node: &Node, id: &str) -> Option<Block> {
        let Some(found) = node.get("on_error") else {
            return self.unreached(id);
        };
        // Whom the message did not reach: the others got theirs.
        let mark = self.names.mark();
        let person = Shape::fields(&crate::lang::PERSON_FIELDS);
        self.names.add("person", person);
        let block = self.quick(found, "on_error", id);
        self.names.forget(mark);
        Some(block)
    }

    /// What the flow does for everybody whom a message does not reach. Messages of these steps have
    /// nothing below them.
    fn unreached(&mut self, id: &str) -> Option<Block> {
        let found = self.unreached.take()?;
        let mark = self.names.mark();
        let person = Shape::fields(&crate::lang::PERSON_FIELDS);
        self.names.add("person", person);
        let block = self.quick(&found, "on_error", id);
        self.names.forget(mark);
        self.unreached = Some(found);
        Some(block)
    }

    /// Steps of which none may wait.
    pub(super) fn quick(&mut self, node: &Node, key: &'static str, id: &str) -> Block {
        let outer = self.remedy.replace(key);
        let block = self.below(node, key, id);
        self.remedy = outer;
        block
    }

    /// A message fails while the run goes on, so what deals with that must not wait: it would take
    /// the place at which the run waits meanwhile.
    fn may_wait(&mut self, def: &VerbDef, key: &Key) {
        if let (Some(within), true) = (self.remedy, def.waits) {
            let message = format!(
                "`{}` cannot stand in `{within}`: nothing there may wait",
                def.name
            );
            let hint = format!("what may stand here: {}", quick_verbs().join(", "));
            self.error(key.place(), message, &hint);
        }
    }

    /// One of a few words.
    pub(super) fn one_of(&mut self, node: &Node, key: &str, words: &[&str]) -> Option<usize> {
        let found = node.get(key)?;
        let word = found.text().unwrap_or_default();
        let index = words.iter().position(|known| *known == word);
        if index.is_none() {
            let hint = match nearest(word, words.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("one of: {}", words.join(", ")),
            };
            self.error(found.place(), format!("`{key}` cannot be `{word}`"), &hint);
        }
        index
    }

    pub(super) fn importance(&mut self, node: &Node) -> Importance {
        match self.one_of(node, "importance", &IMPORTANCE) {
            Some(1) => Importance::High,
            _ => Importance::Normal,
        }
    }

    pub(super) fn privacy(&mut self, node: &Node) -> Privacy {
        match self.one_of(node, "privacy", &PRIVACY) {
            Some(1) => Privacy::Brief,
            Some(2) => Privacy::Hidden,
            Some(_) => Privacy::Full,
            None => self.discretion,
        }
    }

    fn reply(&mut self, node: &Node, object: &Node, id: &str) -> Option<Reply> {
        let mail = self.expr(object, "reply");
        let text = self.need_text(node, "text");
        let on_error = self.on_error(node, id);
        Some(Reply {
            mail: mail?,
            text: text?,
            on_error,
        })
    }

    fn texts(&mut self, node: &Node, key: &str) -> Vec<Text> {
        let Some(found) = node.get(key) else {
            return Vec::new();
        };
        match found.elements() {
            Some(all) => all
                .iter()
                .filter_map(|one| self.one_text(one, key))
                .collect(),
            None => self.one_text(found, key).into_iter().collect(),
        }
    }

    fn label(&mut self, node: &Node, object: &Node) -> Option<Label> {
        let mail = self.expr(object, "label");
        let add = self.texts(node, "add");
        let remove = self.texts(node, "remove");
        Some(Label {
            mail: mail?,
            add,
            remove,
        })
    }
}
