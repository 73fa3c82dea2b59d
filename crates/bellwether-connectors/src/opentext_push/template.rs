//! The operator's payload template: a JSON tree of which only text leaves are filled, by name.
//! There are no expressions, and nothing that is filled in can change the tree's structure.

use std::borrow::Cow;

use serde_json::Value;

/// About as many bytes as a filled payload has.
const USUAL: usize = 1024;

/// What stands for a name when a template is filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fill<'a> {
    /// Nothing: a leaf of this name alone is left out, so that an absent value never reaches the
    /// provider as null.
    Absent,
    Text(Cow<'a, str>),
    Number(u64),
}

impl<'a> From<&'a str> for Fill<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Fill<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

/// A checked template. Names are resolved to numbers and what is fixed is JSON text already, so
/// filling looks nothing up and builds no tree.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    root: Node,
    /// The text that this template always is, when nothing in it is filled.
    fixed: Option<String>,
}

#[derive(Clone, Debug)]
enum Node {
    /// A leaf that is not filled, as JSON text. None for null, which is left out.
    Fixed(Option<String>),
    /// Keys as JSON text with their colon.
    Object(Vec<(String, Node)>),
    List(Vec<Node>),
    /// A leaf that is exactly one placeholder: the value keeps its type.
    Whole(usize),
    /// A text with placeholders in it.
    Text(Vec<Part>),
}

#[derive(Clone, Debug)]
enum Part {
    Fixed(String),
    Name(usize),
}

impl Template {
    /// Reads a template in which the given names may stand.
    ///
    /// # Errors
    /// A sentence that says where the template is wrong and which names are known.
    pub(crate) fn parse(tree: &Value, names: &[&str]) -> Result<Self, String> {
        let root = node(tree, names, "payload")?;
        let fixed = match (&root, tree) {
            (Node::Fixed(_), Value::String(text)) => Some(text.clone()),
            _ => None,
        };
        Ok(Self { root, fixed })
    }

    /// The JSON text with every placeholder filled. `values` stand in the order of the names.
    pub(crate) fn json(&self, values: &[Fill<'_>]) -> String {
        let mut out = String::with_capacity(USUAL);
        if !write(&self.root, values, &mut out) {
            out.push_str("null");
        }
        out
    }

    /// The text of a template that is one leaf, filled; None when nothing stands there.
    pub(crate) fn text(&self, values: &[Fill<'_>]) -> Option<String> {
        serde_json::from_str::<Value>(&self.json(values))
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
    }

    /// The text that this template always is, if nothing is filled in.
    pub(crate) fn fixed(&self) -> Option<&str> {
        self.fixed.as_deref()
    }
}

fn node(tree: &Value, names: &[&str], at: &str) -> Result<Node, String> {
    Ok(match tree {
        Value::Object(fields) => Node::Object(
            fields
                .iter()
                .map(|(key, value)| {
                    let at = format!("{at}.{key}");
                    let mut quoted = String::new();
                    quote(key, &mut quoted);
                    quoted.push(':');
                    node(value, names, &at).map(|node| (quoted, node))
                })
                .collect::<Result<_, _>>()?,
        ),
        Value::Array(items) => Node::List(
            items
                .iter()
                .enumerate()
                .map(|(index, item)| node(item, names, &format!("{at}.{index}")))
                .collect::<Result<_, _>>()?,
        ),
        Value::String(text) => leaf(text, names).map_err(|why| format!("`{at}`: {why}"))?,
        Value::Null => Node::Fixed(None),
        other => Node::Fixed(Some(other.to_string())),
    })
}

fn leaf(text: &str, names: &[&str]) -> Result<Node, String> {
    if text.contains("{%") || text.contains("{#") {
        return Err("only placeholders such as {{ title }} are filled here".to_owned());
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let (before, after) = rest.split_at(start);
        let end = after
            .find("}}")
            .ok_or_else(|| "a `{{` is not closed with `}}`".to_owned())?;
        let name = after[2..end].trim();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let known = || names.join(", ");
        if name.is_empty() || !name.chars().all(is_name) {
            let known = known();
            return Err(format!(
                "`{name}` is not a name; only names are filled: {known}"
            ));
        }
        let index = names
            .iter()
            .position(|known| *known == name)
            .ok_or_else(|| format!("`{name}` is not known; known: {}", known()))?;
        if !before.is_empty() {
            parts.push(Part::Fixed(before.to_owned()));
        }
        parts.push(Part::Name(index));
        rest = &after[end + 2..];
    }
    if parts.is_empty() {
        let mut quoted = String::new();
        quote(text, &mut quoted);
        return Ok(Node::Fixed(Some(quoted)));
    }
    if !rest.is_empty() {
        parts.push(Part::Fixed(rest.to_owned()));
    }
    if let [Part::Name(index)] = parts[..] {
        return Ok(Node::Whole(index));
    }
    Ok(Node::Text(parts))
}

/// Appends a node's JSON text; false, with nothing appended, when it is left out.
fn write(node: &Node, values: &[Fill<'_>], out: &mut String) -> bool {
    match node {
        Node::Fixed(None) => return false,
        Node::Fixed(Some(json)) => out.push_str(json),
        Node::Object(fields) => {
            let fields = fields.iter().map(|(key, node)| (key.as_str(), node));
            series(['{', '}'], fields, values, out);
        }
        Node::List(items) => {
            series(['[', ']'], items.iter().map(|node| ("", node)), values, out);
        }
        Node::Whole(index) => match values.get(*index) {
            None | Some(Fill::Absent) => return false,
            Some(Fill::Text(text)) => quote(text, out),
            Some(Fill::Number(number)) => out.push_str(&number.to_string()),
        },
        Node::Text(parts) => {
            out.push('"');
            for part in parts {
                match part {
                    Part::Fixed(fixed) => escape(fixed, out),
                    Part::Name(index) => match values.get(*index) {
                        None | Some(Fill::Absent) => {}
                        Some(Fill::Text(text)) => escape(text, out),
                        Some(Fill::Number(number)) => out.push_str(&number.to_string()),
                    },
                }
            }
            out.push('"');
        }
    }
    true
}

/// Appends the members of an object or a list that are not left out.
fn series<'a>(
    ends: [char; 2],
    members: impl Iterator<Item = (&'a str, &'a Node)>,
    values: &[Fill<'_>],
    out: &mut String,
) {
    out.push(ends[0]);
    let mut any = false;
    for (key, node) in members {
        let before = out.len();
        if any {
            out.push(',');
        }
        out.push_str(key);
        if write(node, values, out) {
            any = true;
        } else {
            out.truncate(before);
        }
    }
    out.push(ends[1]);
}

/// Appends a text as a JSON string.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    escape(text, out);
    out.push('"');
}

/// Appends a text as it stands between the quotation marks of a JSON string (RFC 8259, 7).
fn escape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        match special.as_bytes()[0] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => out.push_str(&format!("\\u{control:04x}")),
        }
        rest = &special[1..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const NAMES: &[&str] = &["title", "count", "gone"];

    fn filled(tree: &Value, values: [Fill<'_>; 3]) -> Value {
        let template = Template::parse(tree, NAMES).expect("a good template");
        serde_json::from_str(&template.json(&values)).expect("JSON")
    }

    #[test]
    fn a_leaf_of_one_placeholder_keeps_the_type_and_null_is_left_out() {
        let tree = json!({"t": "{{ title }}", "n": "{{count}}", "x": "{{ gone }}",
            "mixed": "{{ title }}/{{ count }}/{{ gone }}.", "list": ["{{ gone }}", 1], "no": null,
            "{{ title }}": "a key is never filled"});
        let out = filled(&tree, ["T".into(), Fill::Number(7), Fill::Absent]);
        assert_eq!(
            out,
            json!({"t": "T", "n": 7, "mixed": "T/7/.", "list": [1],
                "{{ title }}": "a key is never filled"})
        );
    }

    #[test]
    fn what_is_filled_in_is_never_read_as_a_template() {
        let out = filled(
            &json!({"t": "{{ title }}!"}),
            ["{{ count }}".into(), Fill::Number(7), Fill::Number(1)],
        );
        assert_eq!(out, json!({"t": "{{ count }}!"}));
    }

    #[test]
    fn mistakes_are_named_with_their_place_and_the_known_names() {
        let wrong = |leaf: &str| Template::parse(&json!({"a": [leaf]}), NAMES).expect_err(leaf);
        assert!(wrong("{{ titel }}").contains("`payload.a.0`: `titel` is not known; known: title"));
        assert!(wrong("{{ title | upper }}").contains("is not a name"));
        assert!(wrong("{{ title").contains("not closed"));
        assert!(wrong("{% if title %}").contains("only placeholders"));
    }

    proptest! {
        #[test]
        fn no_text_changes_the_structure(hostile in any::<String>()) {
            let tree = json!({"broadcast": false, "title": "{{ title }}", "b": "x {{ title }} y"});
            let out = filled(&tree, [hostile.as_str().into(), Fill::Number(1), Fill::Absent]);
            prop_assert_eq!(out.as_object().map(serde_json::Map::len), Some(3));
            prop_assert_eq!(&out["title"], &json!(hostile));
            prop_assert_eq!(&out["b"], &json!(format!("x {hostile} y")));
            prop_assert_eq!(&out["broadcast"], &json!(false));
        }
    }
}
