//! Reads `ask`: who decides, what is shown, the buttons, the ladder when nobody answers, and what
//! follows each ending.

use super::Reading;
use super::header::is_name;
use super::names::Shape;
use super::span::roughly;
use crate::flow::def::{Ask, Block, Choice, CommentRule, Rung, RungAct, Span};
use crate::flow::language::{self, CHOICE, COMMENT, EXPIRE, FORBIDDEN, OVER, RUNGS, WITHDRAWN};
use crate::lang::Expr;
use crate::yaml::near::nearest;
use crate::yaml::{Key, Node, Reader};

/// The most buttons, lines shown and rungs.
const CHOICES_MAX: usize = 8;
const SHOW_MAX: usize = 30;
const RUNGS_MAX: usize = 20;

impl Reading<'_> {
    pub(super) fn ask(&mut self, node: &Node, object: &Node, id: &str) -> Option<Ask> {
        let who = self.who(object, "ask");
        let title = match node.get("title") {
            Some(found) => self.text(found, "title"),
            None => {
                self.missing(node, "title", "one line that a push shows");
                None
            }
        };
        let text = node.get("text").and_then(|found| self.text(found, "text"));
        let show = node.get("show").map(|found| self.labelled(found, "show"));
        let choices = self.choices(node);
        let not_by = node.get("not_by").map(|found| self.whos(found, "not_by"));
        let sign_in = node
            .get("sign_in")
            .and_then(|found| self.expr(found, "sign_in"));
        let in_person = node
            .get("in_person")
            .and_then(|found| self.expr(found, "in_person"));
        let told_once = self.flag(node, "told_once");
        let over_if = node
            .get("over_if")
            .and_then(|found| self.expr(found, "over_if"));
        let if_silent = self.ladder(node);
        let then = self.endings(node, &choices, id);
        let need = self.need(node);
        let (importance, privacy) = (self.importance(node), self.privacy(node));
        let list = node
            .get("on_list")
            .and_then(|found| self.on_list(found, object, &show.clone().unwrap_or_default(), id));
        Some(Ask {
            who: who?,
            title: title?,
            text,
            show: show.unwrap_or_default(),
            choices,
            not_by: not_by.unwrap_or_default(),
            in_person,
            told_once,
            over_if,
            sign_in,
            if_silent,
            then,
            importance,
            urgent: self.flag(node, "urgent"),
            need,
            privacy,
            list,
        })
    }

    /// Labels with expressions.
    pub(super) fn labelled(&mut self, node: &Node, of: &str) -> Vec<(String, Expr)> {
        let Some(entries) = node.entries() else {
            let message = format!("`{of}` is a group of labels with expressions");
            self.error(
                node.place(),
                message,
                &format!("{of}: {{ Amount: amount }}"),
            );
            return Vec::new();
        };
        if entries.len() > SHOW_MAX {
            let message = format!("`{of}` has more than {SHOW_MAX} lines");
            self.error(node.place(), message, "");
        }
        let lines = entries.iter().take(SHOW_MAX);
        lines
            .filter_map(|(key, value)| Some((key.name.clone(), self.expr(value, &key.name)?)))
            .collect()
    }

    fn choices(&mut self, node: &Node) -> Vec<Choice> {
        let Some(found) = node.get("choices") else {
            let hint = "choices: { approve: {}, reject: { comment: required } }";
            self.missing(node, "choices", hint);
            return Vec::new();
        };
        let Some(entries) = found.entries() else {
            let hint = "choices: { approve: {}, reject: {} }";
            self.error(found.place(), "`choices` is a group of named buttons", hint);
            return Vec::new();
        };
        if entries.is_empty() || entries.len() > CHOICES_MAX {
            let message = format!("`choices` has one to {CHOICES_MAX} buttons");
            self.error(found.place(), message, "");
        }
        let out: Vec<Choice> = entries
            .iter()
            .take(CHOICES_MAX)
            .filter_map(|(key, value)| self.choice(key, value))
            .collect();
        if !out.is_empty() && out.iter().all(|choice| choice.keeps_open) {
            let hint = "one choice must close the matter";
            self.error(found.place(), "all choices keep the matter open", hint);
        }
        out
    }

    fn choice(&mut self, key: &Key, node: &Node) -> Option<Choice> {
        let name = key.name.as_str();
        if FORBIDDEN.contains(&name.to_lowercase().as_str()) {
            let message = format!("`{name}` cannot be a choice: some YAML tools read it as true");
            self.error(key.place(), message, "say what it means: approve, reject");
            return None;
        }
        if !is_name(name, '_') || [EXPIRE, WITHDRAWN, OVER].contains(&name) {
            let hint = "small letters, digits and _; not expire, withdrawn or over";
            self.error(key.place(), format!("`{name}` cannot be a choice"), hint);
            return None;
        }
        let known = language::names(&CHOICE);
        let labels = self.labels(node.get("label"));
        let mut reader = Reader::new(node, "a choice", &known, &mut self.problems);
        let label = match labels.first() {
            Some((_, first)) => Some(first.clone()),
            None => reader.text("label").map(str::to_owned),
        };
        let keeps_open = reader.bool("keeps_open").unwrap_or(false);
        let comment = match reader.text("comment") {
            None | Some("optional") => CommentRule::Optional,
            Some("required") => CommentRule::Required,
            Some("none") => CommentRule::None,
            Some(word) => {
                let near = nearest(word, COMMENT).unwrap_or("required");
                let place = node.get("comment").map_or(node.place(), Node::place);
                let message = format!("`comment` cannot be `{word}`");
                self.error(place, message, &format!("did you mean `{near}`?"));
                CommentRule::Optional
            }
        };
        Some(Choice {
            id: name.to_owned(),
            label: label.unwrap_or_else(|| in_words(name)),
            labels,
            comment,
            keeps_open,
        })
    }

    /// A button's label by language; empty when there is one label for all.
    fn labels(&mut self, node: Option<&Node>) -> Vec<(String, String)> {
        let mut out = Vec::new();
        for (tag, label) in node.and_then(Node::entries).unwrap_or_default() {
            self.language(tag);
            match label.text() {
                Some(text) => out.push((tag.name.clone(), text.trim().to_owned())),
                None => {
                    let message = format!("`label` is a text, but this is {}", label.sort());
                    self.error(label.place(), message, "");
                }
            }
        }
        out
    }

    fn ladder(&mut self, node: &Node) -> Vec<Rung> {
        let example = "if_silent: { 4 working hours: remind, 5 working days: expire }";
        let Some(found) = node.get("if_silent") else {
            self.missing(node, "if_silent", example);
            return Vec::new();
        };
        let Some(entries) = found.entries() else {
            self.error(
                found.place(),
                "`if_silent` is a ladder of times and what happens",
                example,
            );
            return Vec::new();
        };
        let mut out: Vec<Rung> = Vec::new();
        for (key, value) in entries.iter().take(RUNGS_MAX) {
            let Some(rung) = self.rung(key, value) else {
                continue;
            };
            let late = out.last().map(|before| roughly(before.after));
            if late.is_some_and(|late| late >= roughly(rung.after)) {
                let message = format!("`{}` does not come after the rung before it", key.name);
                self.error(
                    key.place(),
                    message,
                    "a ladder is written in the order of time",
                );
            }
            if out
                .iter()
                .any(|before| matches!(before.act, RungAct::Expire))
            {
                self.error(
                    key.place(),
                    "nothing happens after `expire`",
                    "make it the last",
                );
            }
            out.push(rung);
        }
        if !entries
            .iter()
            .any(|(_, value)| value.text() == Some(EXPIRE))
        {
            let hint = "add a last rung such as `5 working days: expire`";
            self.error(found.place(), "this ladder has no end", hint);
        }
        out
    }

    fn rung(&mut self, key: &Key, node: &Node) -> Option<Rung> {
        let after: Span = match super::span(&key.name) {
            Ok(span) => span,
            Err(message) => {
                self.error(key.place(), message, "");
                return None;
            }
        };
        let act = match node.text() {
            Some("remind") => RungAct::Remind,
            Some("deputy") => RungAct::Deputy,
            Some(EXPIRE) => RungAct::Expire,
            Some(word) if nearest(word, RUNGS).is_some() => {
                let near = nearest(word, RUNGS).unwrap_or(EXPIRE);
                let hint = format!("did you mean `{near}`?");
                self.error(node.place(), format!("`{word}` cannot happen here"), &hint);
                return None;
            }
            _ => RungAct::Who(self.who(node, "if_silent")?),
        };
        Some(Rung { after, act })
    }

    fn endings(&mut self, node: &Node, choices: &[Choice], id: &str) -> Vec<(String, Block)> {
        let closing = choices.iter().filter(|choice| !choice.keeps_open);
        let mut needed: Vec<&str> = closing.map(|choice| choice.id.as_str()).collect();
        needed.push(EXPIRE);
        let Some(found) = node.get("then") else {
            let hint = format!("write what follows each of: {}", needed.join(", "));
            self.missing(node, "then", &hint);
            return Vec::new();
        };
        let Some(entries) = found.entries() else {
            let hint = format!(
                "then: with a list of steps for each of {}",
                needed.join(", ")
            );
            self.error(found.place(), "`then` is a group of endings", &hint);
            return Vec::new();
        };
        for ending in &needed {
            if !entries.iter().any(|(key, _)| key.name == *ending) && !choices.is_empty() {
                let message = format!("the ending `{ending}` is missing in `then`");
                let hint = format!("add `{ending}: []` if nothing follows");
                self.error(found.place(), message, &hint);
            }
        }
        let mut out = Vec::new();
        for (key, value) in entries {
            let name = key.name.as_str();
            let optional = name == WITHDRAWN || (name == OVER && node.get("over_if").is_some());
            if !needed.contains(&name) && !optional {
                let keeps = choices.iter().any(|choice| choice.id == name);
                let hint = if name == OVER {
                    "add `over_if:` with what settles the matter".to_owned()
                } else if keeps {
                    "this choice keeps the matter open, so nothing follows it".to_owned()
                } else {
                    let known = needed.iter().copied().chain([WITHDRAWN]);
                    match nearest(name, known) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("the endings are: {}", needed.join(", ")),
                    }
                };
                self.error(key.place(), format!("there is no ending `{name}`"), &hint);
                continue;
            }
            let mark = self.names.mark();
            self.names.add("decision", Shape::decision());
            out.push((name.to_owned(), self.below(value, name, id)));
            self.names.forget(mark);
        }
        self.asked = true;
        self.decision_known();
        out
    }

    /// What was decided last stays known to the steps that follow, also to those after the branch
    /// that asked; it is absent when nobody decided.
    pub(super) fn decision_known(&mut self) {
        if self.asked && self.names.get("decision").is_none() {
            self.names.add("decision", Shape::decision());
        }
    }
}

/// `let_it_end` → `Let it end`.
fn in_words(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut chars = words.chars();
    chars.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
