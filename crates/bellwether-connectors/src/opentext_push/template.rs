//! The operator's payload template: a JSON tree of which only text leaves are filled, by name.
//! There are no expressions, and nothing that is filled in can change the tree's structure.

use serde_json::{Map, Value};

/// A checked template. Names are resolved to numbers, so filling looks nothing up.
#[derive(Clone, Debug)]
pub(crate) struct Template(Node);

#[derive(Clone, Debug)]
enum Node {
    /// A leaf that is not filled.
    Fixed(Value),
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
        node(tree, names, "payload").map(Self)
    }

    /// The text that this template always is, if nothing is filled in.
    pub(crate) fn fixed(&self) -> Option<&str> {
        match &self.0 {
            Node::Fixed(value) => value.as_str(),
            _ => None,
        }
    }

    /// The tree with every placeholder filled. `values` stand in the order of the names. Null
    /// leaves are left out, so that an absent value never reaches the provider as null.
    pub(crate) fn fill(&self, values: &[Value]) -> Value {
        fill(&self.0, values)
    }
}

fn node(tree: &Value, names: &[&str], at: &str) -> Result<Node, String> {
    Ok(match tree {
        Value::Object(fields) => Node::Object(
            fields
                .iter()
                .map(|(key, value)| {
                    let at = format!("{at}.{key}");
                    node(value, names, &at).map(|node| (key.clone(), node))
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
        other => Node::Fixed(other.clone()),
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
        return Ok(Node::Fixed(Value::String(text.to_owned())));
    }
    if !rest.is_empty() {
        parts.push(Part::Fixed(rest.to_owned()));
    }
    if let [Part::Name(index)] = parts[..] {
        return Ok(Node::Whole(index));
    }
    Ok(Node::Text(parts))
}

fn fill(node: &Node, values: &[Value]) -> Value {
    match node {
        Node::Fixed(value) => value.clone(),
        Node::Object(fields) => {
            let mut object = Map::with_capacity(fields.len());
            for (key, node) in fields {
                let value = fill(node, values);
                if !value.is_null() {
                    object.insert(key.clone(), value);
                }
            }
            Value::Object(object)
        }
        Node::List(items) => items
            .iter()
            .map(|item| fill(item, values))
            .filter(|value| !value.is_null())
            .collect(),
        Node::Whole(index) => values.get(*index).cloned().unwrap_or_default(),
        Node::Text(parts) => {
            let mut text = String::new();
            for part in parts {
                match part {
                    Part::Fixed(fixed) => text.push_str(fixed),
                    Part::Name(index) => match values.get(*index) {
                        None | Some(Value::Null) => {}
                        Some(Value::String(value)) => text.push_str(value),
                        Some(other) => text.push_str(&other.to_string()),
                    },
                }
            }
            Value::String(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const NAMES: &[&str] = &["title", "count", "gone"];

    fn filled(tree: &Value, values: [Value; 3]) -> Value {
        Template::parse(tree, NAMES)
            .expect("a good template")
            .fill(&values)
    }

    #[test]
    fn a_leaf_of_one_placeholder_keeps_the_type_and_null_is_left_out() {
        let tree = json!({"t": "{{ title }}", "n": "{{count}}", "x": "{{ gone }}",
            "mixed": "{{ title }}/{{ count }}/{{ gone }}.", "list": ["{{ gone }}", 1], "no": null,
            "{{ title }}": "a key is never filled"});
        let out = filled(&tree, [json!("T"), json!(7), Value::Null]);
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
            [json!("{{ count }}"), json!(7), json!(1)],
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
            let out = filled(&tree, [json!(hostile), json!(1), Value::Null]);
            let back: Value = serde_json::from_str(&out.to_string()).expect("JSON");
            prop_assert_eq!(back.as_object().map(Map::len), Some(3));
            prop_assert_eq!(&back["title"], &json!(hostile));
            prop_assert_eq!(&back["broadcast"], &json!(false));
        }
    }
}
