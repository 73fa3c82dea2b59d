//! A table in a mail: as lines below its text, and as HTML for who reads that. What stands in it is
//! decided elsewhere; here nothing of it can become markup.

use serde_json::Value;

/// The text with the rows below it, one a line.
pub(super) fn with_text(body: &str, table: &Value) -> String {
    let mut out = body.to_owned();
    let rows = rows(table);
    if rows.is_empty() {
        return out;
    }
    out.push_str("\n\n");
    for row in rows {
        let filled: Vec<&str> = row.into_iter().filter(|value| !value.is_empty()).collect();
        out.push_str(&format!("- {}\n", filled.join(" \u{b7} ")));
    }
    if let Some(more) = more(table) {
        out.push_str(&format!("+ {more}\n"));
    }
    out
}

/// The same as HTML; None without a table.
pub(super) fn as_html(body: &str, table: &Value) -> Option<String> {
    let rows = rows(table);
    if rows.is_empty() {
        return None;
    }
    let cell = "padding:4px 12px 4px 0;text-align:left;border-bottom:1px solid #d5dad6";
    let mut out = String::from("<div style=\"font-family:sans-serif;font-size:15px\">");
    for paragraph in body.split("\n\n") {
        let lines: Vec<String> = paragraph.lines().map(escaped).collect();
        out.push_str(&format!("<p>{}</p>", lines.join("<br>")));
    }
    out.push_str("<table style=\"border-collapse:collapse\"><thead><tr>");
    for label in texts(&table["columns"]) {
        out.push_str(&format!("<th style=\"{cell}\">{}</th>", escaped(label)));
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for value in row {
            out.push_str(&format!("<td style=\"{cell}\">{}</td>", escaped(value)));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table>");
    if let Some(more) = more(table) {
        out.push_str(&format!("<p>+ {more}</p>"));
    }
    out.push_str("</div>");
    Some(out)
}

fn rows(table: &Value) -> Vec<Vec<&str>> {
    let rows = table["rows"].as_array();
    rows.into_iter().flatten().map(texts).collect()
}

fn texts(values: &Value) -> Vec<&str> {
    let values = values.as_array().into_iter().flatten();
    values
        .map(|value| value.as_str().unwrap_or_default())
        .collect()
}

fn more(table: &Value) -> Option<u64> {
    table["more"].as_u64().filter(|more| *more > 0)
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_is_lines_and_html_and_never_markup_of_others() {
        let table = json!({
            "columns": ["Item", "Who"],
            "rows": [["<b>1</b>", "Alice"], ["two", ""]],
            "more": 3,
        });
        let text = with_text("12 done", &table);
        assert_eq!(text, "12 done\n\n- <b>1</b> \u{b7} Alice\n- two\n+ 3\n");
        let html = as_html("12 & more\nlines", &table).unwrap();
        assert!(html.contains("<p>12 &amp; more<br>lines</p>"), "{html}");
        assert!(html.contains(">&lt;b&gt;1&lt;/b&gt;</td>") && html.contains("<p>+ 3</p>"));
        assert_eq!(as_html("12 done", &Value::Null), None);
        assert_eq!(with_text("12 done", &Value::Null), "12 done");
    }
}
