//! Reads the mails of a story, and what it expects.

use serde_json::Value as Json;

use super::read::Reading;
use super::steps::{Expectation, MailWords, Proof, Token, WANTED, Wanted};
use crate::flow::language::stories::{self, AUTH, AUTO, EXPECTED, MAIL};
use crate::yaml::reader::unknown_key;
use crate::yaml::{Key, Node};

impl Reading<'_> {
    pub(super) fn replies(&mut self, node: &Node) -> Vec<(String, MailWords)> {
        let mut out = Vec::new();
        for (key, value) in self.entries(node, "replies") {
            if !key.name.contains('@') {
                self.person(&key.name, key.place());
            }
            let words = match value.text() {
                Some(text) => MailWords {
                    text: text.to_owned(),
                    ..MailWords::default()
                },
                None => self.mail(value),
            };
            out.push((key.name.clone(), words));
        }
        out
    }

    pub(super) fn mail(&mut self, node: &Node) -> MailWords {
        let mut mail = MailWords::default();
        for (key, value) in self.entries(node, "mail") {
            let text = || value.text().unwrap_or_default().to_owned();
            match key.name.as_str() {
                "event" => mail.event = Some(text()),
                "from" => mail.from = Some(text()),
                "to" => mail.to = self.words(value),
                "cc" => mail.cc = self.words(value),
                "reply_to" => mail.reply_to = self.words(value),
                "subject" => mail.subject = Some(text()),
                "text" => mail.text = text(),
                "labels" => mail.labels = self.words(value),
                "attachments" => mail.attachments = self.words(value),
                "mailbox" => mail.mailbox = Some(text()),
                "forwarded_from" => mail.forwarded_from = Some(text()),
                "list" => mail.list = Some(text()),
                "auto" => mail.auto = self.one_of(value, &AUTO),
                "auth" => mail.auth = self.proof(value),
                "token" => {
                    mail.token = match text().as_str() {
                        "none" => Token::Absent,
                        "forged" => Token::Forged,
                        subject => Token::Of(subject.to_owned()),
                    }
                }
                "html_only" => mail.html_only = value.json() == Json::Bool(true),
                "dsn" => mail.dsn = value.json() == Json::Bool(true),
                "in thread of" | "in_thread_of" => mail.thread_of = Some(text()),
                "same as" | "same_as" => mail.same_as = Some(text()),
                _ => self.report(unknown_key(key, "a story's mail", &stories::names(&MAIL))),
            }
        }
        mail
    }

    pub(super) fn one_of(&mut self, node: &Node, known: &[&str]) -> Option<String> {
        let word = node.text().unwrap_or_default();
        if known.contains(&word) {
            return Some(word.to_owned());
        }
        let message = format!("`{word}` is not known here");
        self.error(
            node.place(),
            message,
            &format!("known: {}", known.join(", ")),
        );
        None
    }

    pub(super) fn proof(&mut self, node: &Node) -> Proof {
        match self.one_of(node, &AUTH).as_deref() {
            Some("fail") => Proof::Fail,
            Some("none") => Proof::Absent,
            _ => Proof::Pass,
        }
    }

    pub(super) fn expectations(&mut self, node: &Node) -> Vec<Expectation> {
        if node.text() == Some("nothing") {
            return Vec::new();
        }
        let nodes = node.elements().unwrap_or(std::slice::from_ref(node));
        let read = |node| self.expectation(node);
        nodes.iter().filter_map(read).collect()
    }

    pub(super) fn expectation(&mut self, node: &Node) -> Option<Expectation> {
        let kinds: Vec<&str> = WANTED.iter().map(|(key, ..)| *key).collect();
        let hint = format!("one of {}, or `nothing`", kinds.join(", "));
        let entries = node.entries().unwrap_or_default();
        let is_kind = |key: &Key| WANTED.iter().find(|(name, ..)| *name == key.name);
        let mut found = entries
            .iter()
            .filter_map(|(key, value)| Some((key, value, is_kind(key)?)));
        let Some((key, value, (_, wanted, names))) = found.next() else {
            self.error(node.place(), "this says not what is expected", &hint);
            return None;
        };
        if let Some((other, ..)) = found.next() {
            let message = format!("`{}` and `{}` are two expectations", key.name, other.name);
            self.error(other.place(), message, "write each on its own line");
        }
        let object = value.text().unwrap_or_default().to_owned();
        if object.is_empty() {
            let message = format!("`{}` of what?", key.name);
            self.error(value.place(), message, "");
        } else if *names && !object.contains('@') {
            self.person(&object, value.place());
        }
        let mut out = Expectation {
            place: node.place(),
            wanted: *wanted,
            object,
            title: None,
            text: None,
            at: None,
        };
        for (other, value) in entries.iter().filter(|(other, _)| other.name != key.name) {
            let text = value.text().map(str::to_owned);
            match other.name.as_str() {
                "title" | "subject" => out.title = text,
                "text" => out.text = text,
                "at" if *wanted == Wanted::Page => {
                    self.error(other.place(), "a page is looked at now", "leave `at` out");
                }
                "at" => out.at = self.moment(value),
                _ if is_kind(other).is_some() => {}
                _ => self.report(unknown_key(
                    other,
                    "an expectation",
                    &stories::names(&EXPECTED),
                )),
            }
        }
        Some(out)
    }
}
