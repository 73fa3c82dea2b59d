//! A flow as a picture: what starts it, its steps in their order, and what follows each ending.
//! Drawn on the server as SVG; each box says its step as the file does.

use bellwether_engine::flow::{Block, Flow, Step};
use maud::{Markup, html};

use crate::text::clean;

/// Height of a row, and of the box in it.
const ROW: usize = 40;
const BOX: usize = 30;
/// How far an ending stands to the right of its step.
const INDENT: usize = 28;
/// How wide a letter is, on average.
const LETTER: usize = 7;
/// How many letters of a step are shown.
const LETTERS_MAX: usize = 64;
/// How many boxes a picture has at most.
const BOXES_MAX: usize = 200;

/// One row of the picture.
#[derive(Debug)]
struct Row {
    depth: usize,
    kind: Kind,
    text: String,
    /// The row above from which a line leads here.
    from: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Start,
    Step,
    Ending,
}

/// The picture. Long flows end with a row that says how many steps are not drawn.
pub(super) fn diagram(flow: &Flow) -> Markup {
    let mut rows = Vec::new();
    for trigger in &flow.when {
        rows.push(Row {
            depth: 0,
            kind: Kind::Start,
            text: trigger.events.join(", "),
            from: None,
        });
    }
    let last = rows.len().checked_sub(1);
    block(flow, &flow.steps, 0, last, &mut rows);
    let width = rows.iter().map(right_edge).max().unwrap_or(0) + 2;
    let height = rows.len() * ROW;
    let name = format!(
        "Diagram of {} rows; the text below says the same",
        rows.len()
    );
    html! {
        div.picture tabindex="0" {
            svg.diagram role="img" aria-label=(name) width=(width) height=(height)
                viewBox={ "0 0 " (width) " " (height) } {
                @for (number, row) in rows.iter().enumerate() {
                    @if let Some(from) = row.from { (line(&rows, from, number)) }
                }
                @for (number, row) in rows.iter().enumerate() { (shown(number, row)) }
            }
        }
    }
}

fn block(flow: &Flow, steps: &Block, depth: usize, from: Option<usize>, rows: &mut Vec<Row>) {
    let mut above = from;
    for step in &steps.steps {
        if rows.len() >= BOXES_MAX {
            return;
        }
        rows.push(Row {
            depth,
            kind: Kind::Step,
            text: words(flow, step),
            from: above,
        });
        let here = rows.len() - 1;
        above = Some(here);
        for (ending, inner) in step.verb.endings() {
            // What does nothing needs no row, unless it is an ending that somebody looks for.
            if inner.steps.is_empty() && matches!(ending, "else" | "then") {
                continue;
            }
            rows.push(Row {
                depth: depth + 1,
                kind: Kind::Ending,
                text: ending.replace('_', " "),
                from: Some(here),
            });
            let at = rows.len() - 1;
            block(flow, inner, depth + 2, Some(at), rows);
        }
    }
}

/// The step's own line in the file, without its dash, its comment and its brackets.
fn words(flow: &Flow, step: &Step) -> String {
    let line = flow.source.lines().nth(step.line.saturating_sub(1));
    let line = line
        .unwrap_or(&step.id)
        .trim_start_matches([' ', '-', '{', '[']);
    let line = line.split(" #").next().unwrap_or(line);
    // `reject: [{ reply: mail, … }]`: the step stands behind its ending.
    let line = line.split_once("[{ ").map_or(line, |(_, step)| step);
    let line = line.split_once(" }").map_or(line, |(step, _)| step);
    let line = line.trim().trim_end_matches(['{', '[', ' ', ':']);
    match line.char_indices().nth(LETTERS_MAX) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line.to_owned(),
    }
}

fn left(row: &Row) -> usize {
    1 + row.depth * INDENT
}

fn right_edge(row: &Row) -> usize {
    left(row) + row.text.chars().count() * LETTER + 24
}

fn shown(number: usize, row: &Row) -> Markup {
    let top = number * ROW + (ROW - BOX) / 2;
    let x = left(row);
    let class = match row.kind {
        Kind::Start => "start",
        Kind::Step => "step",
        Kind::Ending => "ending",
    };
    let radius = if row.kind == Kind::Step { 6 } else { BOX / 2 };
    html! {
        g.(class) {
            rect x=(x) y=(top) width=(right_edge(row) - x) height=(BOX) rx=(radius) {}
            text x=(x + 12) y=(top + 20) { (clean(&row.text)) }
        }
    }
}

/// Straight down to the next row of the same depth, else down and to the right.
fn line(rows: &[Row], from: usize, to: usize) -> Markup {
    let (above, below) = (&rows[from], &rows[to]);
    let start = from * ROW + ROW - (ROW - BOX) / 2;
    let x = left(above) + 14;
    let middle = to * ROW + ROW / 2;
    let end = if above.depth == below.depth {
        format!("V{}", to * ROW + (ROW - BOX) / 2)
    } else {
        format!("V{middle}H{}", left(below))
    };
    html! { path.line d={ "M" (x) " " (start) (end) } {} }
}
