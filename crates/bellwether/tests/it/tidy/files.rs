//! What every file keeps: a header, its size, its width, and words that never stay in the tree.

use super::tree::sources;
use super::{Exception, Offence, judge};

/// Lines in a file, of code or tests. Beyond it a file has two subjects.
const LINES_MAX: usize = 500;
/// Columns in a line, as rustfmt has it; it leaves comments, strings and markup alone, this does
/// not.
const COLUMNS_MAX: usize = 100;
/// Columns in a line with text in it: a sentence is searched for as a whole.
const TEXT_COLUMNS_MAX: usize = 140;
/// The same in tests, whose tables read best with one case on a line.
const TEST_TEXT_COLUMNS_MAX: usize = 200;

const LONG_FILES: &[Exception] = &[];

/// Marks that belong to work that is not done, in code.
const UNFINISHED: [&str; 8] = [
    concat!("to", "do!"),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("unimpl", "emented!"),
    concat!("db", "g!"),
    concat!("#[ig", "nore"),
    concat!("thread::", "sleep"),
    concat!("unbounded_", "channel"),
];

/// Words of the place where somebody worked. The project speaks of itself alone.
const WORKPLACE: [&str; 4] = [
    concat!("/wo", "rk/"),
    concat!("bca", "rgo"),
    concat!("hel", "per"),
    concat!("/tmp/", "wt"),
];

#[test]
fn every_rust_file_opens_with_a_header() {
    let sources = sources();
    let offences: Vec<_> = sources
        .iter()
        .filter(|s| s.is_rust() && !s.text.starts_with("//! "))
        .map(|s| {
            Offence::new(
                &s.path,
                "say in a `//!` sentence what is here and what is not",
            )
        })
        .collect();
    judge("A file does not say what it is for.", &offences, &[]);
}

#[test]
fn files_stay_short() {
    let mut offences = Vec::new();
    for source in sources().iter().filter(|s| s.is_rust()) {
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            let what = format!("{lines} lines, at most {LINES_MAX}: split it by verb");
            offences.push(Offence::new(&source.path, what));
        }
    }
    judge("A file grew too long.", &offences, LONG_FILES);
}

#[test]
fn lines_stay_narrow() {
    let mut offences = Vec::new();
    for source in sources().iter().filter(|s| s.is_rust()) {
        for (n, line) in source.text.lines().enumerate() {
            let columns = line.chars().count();
            let literal = line.contains('"') || line.ends_with('\\') || source.is_test();
            let text = literal && !line.trim_start().starts_with("//");
            let limit = match (text, source.is_test()) {
                (true, true) => TEST_TEXT_COLUMNS_MAX,
                (true, false) => TEXT_COLUMNS_MAX,
                (false, _) => COLUMNS_MAX,
            };
            if columns > limit {
                let what = format!("line {} has {columns} columns", n + 1);
                offences.push(Offence::new(&source.path, what));
            }
        }
    }
    judge("A line is too wide to read beside another.", &offences, &[]);
}

#[test]
fn nothing_unfinished_is_left_in_code() {
    let mut offences = Vec::new();
    for source in sources().iter().filter(|s| s.is_rust()) {
        find(&source.path, &source.text, &UNFINISHED, &mut offences);
    }
    judge(
        "Something in the code waits to be finished.",
        &offences,
        &[],
    );
}

#[test]
fn the_tree_names_no_workplace() {
    let mut offences = Vec::new();
    for source in sources().iter().filter(|s| s.path != "Cargo.lock") {
        find(&source.path, &source.text, &WORKPLACE, &mut offences);
    }
    judge("A file names the place where it was made.", &offences, &[]);
}

#[test]
fn text_files_end_in_one_line_break_and_no_line_in_blanks() {
    let mut offences = Vec::new();
    for source in &sources() {
        let kept = [
            ".rs", ".md", ".toml", ".sql", ".yaml", ".css", ".js", "check",
        ];
        if !kept.iter().any(|end| source.path.ends_with(end)) || source.text.is_empty() {
            continue;
        }
        if !source.text.ends_with('\n') || source.text.ends_with("\n\n") {
            offences.push(Offence::new(&source.path, "ends without one line break"));
        }
        for (n, line) in source.text.lines().enumerate() {
            if line.ends_with([' ', '\t']) {
                offences.push(Offence::new(
                    &source.path,
                    format!("line {} ends in a blank", n + 1),
                ));
            }
        }
    }
    judge("Blanks that only a difference would show.", &offences, &[]);
}

fn find(path: &str, text: &str, words: &[&str], offences: &mut Vec<Offence>) {
    for (n, line) in text.lines().enumerate() {
        for word in words.iter().filter(|word| line.contains(**word)) {
            offences.push(Offence::new(path, format!("line {} says {word}", n + 1)));
        }
    }
}
