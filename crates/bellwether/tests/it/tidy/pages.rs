//! The hand-written pages: they exist, stay short, link to what is there and name functions that
//! are there.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use super::tree::{Source, sources};
use super::{Offence, judge};

/// Pages that a newcomer looks for, with the most lines each may have.
const PAGES: [(&str, usize); 5] = [
    ("ARCHITECTURE.md", 200),
    ("CHANGELOG.md", 1_000),
    ("CONTRIBUTING.md", 250),
    ("LICENSE", 250),
    ("README.md", 250),
];

/// Lines of a decision: one page.
const DECISION_LINES_MAX: usize = 60;

#[test]
fn the_pages_exist_and_stay_short() {
    let sources = sources();
    let mut offences = Vec::new();
    for (path, limit) in PAGES {
        let Some(page) = sources.iter().find(|s| s.path == path) else {
            offences.push(Offence::new(path, "is missing"));
            continue;
        };
        let lines = page.text.lines().count();
        if lines > limit {
            offences.push(Offence::new(
                path,
                format!("{lines} lines, at most {limit}"),
            ));
        }
    }
    judge("A page is missing or too long.", &offences, &[]);
}

#[test]
fn decisions_have_their_form() {
    let sources = sources();
    let mut offences = Vec::new();
    let decisions = sources
        .iter()
        .filter(|s| s.path.starts_with("docs/decisions/"));
    for (n, page) in decisions.enumerate() {
        let number = format!("docs/decisions/{:04}-", n + 1);
        if !page.path.starts_with(&number) {
            offences.push(Offence::new(
                &page.path,
                format!("does not begin with {number}"),
            ));
        }
        for heading in ["# ", "## Context", "## Decision", "## Consequence"] {
            if !page.text.lines().any(|line| line.starts_with(heading)) {
                offences.push(Offence::new(
                    &page.path,
                    format!("has no heading {heading:?}"),
                ));
            }
        }
        if page.text.lines().count() > DECISION_LINES_MAX {
            offences.push(Offence::new(&page.path, "is longer than a page"));
        }
    }
    judge("A decision lost its form.", &offences, &[]);
}

#[test]
fn links_lead_somewhere() {
    let sources = sources();
    let files: HashSet<&str> = sources.iter().map(|s| s.path.as_str()).collect();
    let mut offences = Vec::new();
    for page in sources.iter().filter(|s| s.path.ends_with(".md")) {
        for link in links(&prose(&page.text)) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let path = join(&page.path, file);
            let is_folder = || files.iter().any(|f| f.starts_with(&format!("{path}/")));
            // Pictures are no text, so they are not among the sources.
            let is_picture = || path.ends_with(".png") && super::tree::root().join(&path).is_file();
            if !files.contains(path.as_str()) && !is_folder() && !is_picture() {
                offences.push(Offence::new(
                    &page.path,
                    format!("leads to {link}, not there"),
                ));
            } else if !anchor.is_empty() && !has_anchor(&sources, &path, anchor) {
                offences.push(Offence::new(&page.path, format!("{link}: no such heading")));
            }
        }
    }
    judge("A link leads nowhere.", &offences, &[]);
}

#[test]
fn the_architecture_names_what_is_there() {
    let sources = sources();
    let code: Vec<&Source> = sources.iter().filter(|s| s.is_rust()).collect();
    let mut offences = Vec::new();
    for path in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let Some(page) = sources.iter().find(|s| s.path == path) else {
            continue;
        };
        for word in page.text.split('`').skip(1).step_by(2) {
            if let Some(name) = word.strip_suffix("()") {
                let name = name.rsplit("::").next().unwrap_or(name);
                let forms = [format!("fn {name}("), format!("fn {name}<")];
                if !code
                    .iter()
                    .any(|s| forms.iter().any(|f| s.text.contains(f)))
                {
                    offences.push(Offence::new(path, format!("{word} is nowhere in the code")));
                }
            } else if word.starts_with("crates/") && !word.contains("acme") {
                let folder = word.trim_end_matches('/');
                let inside = format!("{folder}/");
                if !sources
                    .iter()
                    .any(|s| s.path == folder || s.path.starts_with(&inside))
                {
                    offences.push(Offence::new(path, format!("{word} is not there")));
                }
            }
        }
    }
    judge("A page names what is gone.", &offences, &[]);
}

/// A page without its fenced code.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

/// The targets of `[words](target)`.
fn links(prose: &str) -> Vec<String> {
    let after = prose.split("](").skip(1);
    let targets = after.filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

/// A link's file from the root; the page itself when it names none.
fn join(page: &str, file: &str) -> String {
    if file.is_empty() {
        return page.to_owned();
    }
    let mut path = PathBuf::new();
    for part in Path::new(page).with_file_name(file).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    path.to_str().unwrap().to_owned()
}

fn has_anchor(sources: &[Source], path: &str, anchor: &str) -> bool {
    let Some(page) = sources.iter().find(|s| s.path == path) else {
        return false;
    };
    let headings = page.text.lines().filter(|line| line.starts_with('#'));
    headings.map(slug).any(|slug| slug == anchor)
}

/// A heading as forges write it in links.
fn slug(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
