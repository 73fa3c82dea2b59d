//! Reads expressions and texts: compiles them, and checks their names while the place in the file
//! is at hand.

use super::Reading;
use super::names::Misnamed;
use crate::flow::Problem;
use crate::lang::ast::{Ast, Path, Wrong};
use crate::lang::{Expr, Part, Text};
use crate::yaml::near::nearest;
use crate::yaml::reader::push;
use crate::yaml::{Key, Kind, Node, Style};

impl Reading<'_> {
    /// An expression in a key that decides.
    pub(super) fn expr(&mut self, node: &Node, key: &str) -> Option<Expr> {
        self.expression(node, key, false)
    }

    /// An expression that says who.
    pub(super) fn who(&mut self, node: &Node, key: &str) -> Option<Expr> {
        self.expression(node, key, true)
    }

    /// Several expressions: a list, or one.
    pub(super) fn whos(&mut self, node: &Node, key: &str) -> Vec<Expr> {
        match node.elements() {
            Some(elements) => elements
                .iter()
                .filter_map(|element| self.who(element, key))
                .collect(),
            None => self.who(node, key).into_iter().collect(),
        }
    }

    fn expression(&mut self, node: &Node, key: &str, who: bool) -> Option<Expr> {
        let (source, positions) = match &node.kind {
            Kind::Scalar {
                text,
                style,
                positions,
            } if !node.is_empty() => {
                if *style == Style::Folded {
                    self.folded(node, key);
                    return None;
                }
                (text.clone(), positions.clone())
            }
            // `[a, b]` is a list to YAML as well as to the language.
            Kind::List(elements) if who && elements.iter().all(|e| e.text().is_some()) => {
                let sources: Vec<&str> = elements.iter().filter_map(Node::text).collect();
                let first = elements.first().map_or(node.place(), Node::place);
                let positions =
                    crate::yaml::Positions::plain(first.0, first.1.saturating_sub(1).max(1));
                (format!("[{}]", sources.join(", ")), positions)
            }
            _ => {
                let message = format!("`{key}` is an expression, but this is {}", node.sort());
                self.report(Problem::error(node.place(), message));
                return None;
            }
        };
        if source.trim_start().starts_with("{{") {
            let bare = source
                .trim()
                .trim_start_matches("{{")
                .trim_end_matches("}}")
                .trim();
            let message = format!("`{key}` is an expression and stands without {{{{ }}}}");
            let hint = format!("write: {key}: {bare}");
            self.report(Problem::error(node.place(), message).hint(hint));
            return None;
        }
        match Expr::compile(&source, positions.clone()) {
            Ok(expr) => {
                let place = |at: usize| expr.place(at);
                self.check(expr.ast(), &place, who);
                Some(expr)
            }
            Err(wrong) => {
                let place = positions.at(&source, wrong.at);
                let wrong = if who {
                    plain_words(&source, wrong)
                } else {
                    wrong
                };
                self.report(Problem::error(place, wrong.message).hint(wrong.hint));
                None
            }
        }
    }

    fn folded(&mut self, node: &Node, key: &str) {
        let message = format!("`{key}` cannot be written with >, which loses where its lines are");
        self.report(Problem::error(node.place(), message).hint("use | or quotes"));
    }

    /// A text in a key that says something to people: one text, or one for each language.
    pub(super) fn text(&mut self, node: &Node, key: &str) -> Option<Text> {
        let Some(entries) = node.entries() else {
            return self.one_text(node, key);
        };
        if entries.is_empty() {
            let hint = format!("write {key}: {{ en: Please look, de: Bitte ansehen }}");
            self.error(node.place(), format!("`{key}` says nothing"), &hint);
        }
        let mut versions = Vec::with_capacity(entries.len());
        for (tag, version) in entries {
            self.language(tag);
            versions.push((tag.name.clone(), self.one_text(version, key)?));
        }
        Text::in_languages(versions)
    }

    /// A language tag as the key of a text.
    pub(super) fn language(&mut self, tag: &Key) {
        let mut parts = tag.name.split('-');
        let main = parts.next().unwrap_or_default();
        let letters = |part: &str| part.bytes().all(|b| b.is_ascii_alphabetic());
        let regions = |part: &str| {
            (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        if !(2..=3).contains(&main.len()) || !letters(main) || !parts.all(regions) {
            let message = format!("`{}` is not the tag of a language", tag.name);
            let hint = "a text in several languages is written { en: ..., de: ... }";
            self.error(tag.place(), message, hint);
        }
    }

    /// A text in one language.
    pub(super) fn one_text(&mut self, node: &Node, key: &str) -> Option<Text> {
        let Kind::Scalar {
            text,
            style,
            positions,
        } = &node.kind
        else {
            let message = format!("`{key}` is a text, but this is {}", node.sort());
            self.report(Problem::error(node.place(), message));
            return None;
        };
        if *style == Style::Folded && text.contains("{{") {
            self.folded(node, key);
            return None;
        }
        match Text::compile(text.trim_end_matches('\n'), positions.clone()) {
            Ok(compiled) => {
                for part in compiled.parts() {
                    if let Part::Value(ast, start) = part {
                        self.check(ast, &|at| compiled.place(start + at), false);
                    }
                }
                Some(compiled)
            }
            Err(wrong) => {
                let place = positions.at(text, wrong.at);
                self.report(Problem::error(place, wrong.message).hint(wrong.hint));
                None
            }
        }
    }

    /// Checks the names in an expression.
    fn check(&mut self, ast: &Ast, place: &dyn Fn(usize) -> (usize, usize), who: bool) {
        for path in ast.paths() {
            match self.names.check(&path) {
                None => {}
                Some(Misnamed::Variable) => {
                    let problem = self.no_variable(&path, place(path.at), who);
                    push(&mut self.problems, problem);
                }
                Some(Misnamed::Field {
                    of,
                    name,
                    at,
                    fields,
                }) => {
                    let problem = Problem::error(place(at), format!("{of} has no field {name}"));
                    let hint = match nearest(&name, fields.iter().map(String::as_str)) {
                        Some(near) => format!("did you mean {of}.{near}?"),
                        None if fields.is_empty() => format!("{of} has no fields"),
                        None => format!("its fields: {}", fields.join(", ")),
                    };
                    push(&mut self.problems, problem.hint(hint));
                }
            }
        }
    }

    fn no_variable(&self, path: &Path, place: (usize, usize), who: bool) -> Problem {
        let name = &*path.root;
        let known = self.names.all();
        let input = self.input_names.iter().any(|input| input == name);
        let problem = Problem::error(place, format!("\"{name}\" is not a variable here."));
        let meant = if input {
            format!("Did you mean inputs.{name}?  ")
        } else if let Some(near) = nearest(name, known.iter().copied()) {
            format!("Did you mean {near}?  ")
        } else if who && path.fields.is_empty() {
            format!("Did you mean person('{name}')?  ")
        } else {
            String::new()
        };
        problem.hint(format!("{meant}Known: {}", known.join(", ")))
    }
}

/// Owners write `role legal` in tables; in a flow file it is a function.
fn plain_words(source: &str, wrong: Wrong) -> Wrong {
    let forms = [
        ("role ", "role"),
        ("person ", "person"),
        ("manager of ", "manager_of"),
        ("deputy of ", "deputy_of"),
    ];
    for (prefix, function) in forms {
        let Some(rest) = source.trim().strip_prefix(prefix) else {
            continue;
        };
        let rest = rest.trim();
        let quoted = !function.ends_with("_of");
        let call = if quoted {
            format!("{function}('{rest}')")
        } else {
            format!("{function}({rest})")
        };
        return Wrong::new(
            wrong.at,
            "these words belong into a table; here it is a function",
        )
        .hint(&format!("write {call}"));
    }
    wrong
}
