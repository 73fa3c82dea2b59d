//! CSV files on their way into a list of the API: read row by row, sent in pieces that fit a call,
//! each refusal with its line. What the columns mean is the server's business.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::ask::Server;
use crate::output;

/// The most entries of one call.
const PIECE_MAX: usize = 200;
/// The most bytes of one call; the server takes 64 KB.
const PIECE_BYTES: usize = 48 * 1024;
/// The most rows of one file.
const ROWS_MAX: usize = 1_000_000;

/// An entry and the line that it came from.
pub(super) type Row = (u64, Map<String, Value>);

/// The rows of a file; empty cells are left out.
///
/// # Errors
/// It cannot be read or is no CSV, with the line.
pub(super) fn read(path: &Path) -> Result<Vec<Row>, String> {
    let wrong = |error: csv::Error| format!("{}: {error}", path.display());
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    // A byte order mark is what spreadsheets write first.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text);
    let columns = reader.headers().map_err(wrong)?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        if rows.len() >= ROWS_MAX {
            return Err(format!("{} has more than {ROWS_MAX} rows", path.display()));
        }
        let cells = columns.iter().zip(record.iter());
        let cells = cells.filter(|(_, cell)| !cell.is_empty());
        let row = cells.map(|(name, cell)| (name.to_owned(), Value::from(cell)));
        let line = record.position().map_or(0, csv::Position::line);
        rows.push((line, row.collect()));
    }
    Ok(rows)
}

/// What the server said to all pieces together.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// The numbers of its answers, added up: `recorded`, `unresolved`, `mapped`.
    pub(super) counts: Map<String, Value>,
    /// Refused entries: line and reason.
    pub(super) refused: Vec<(u64, String)>,
}

impl Sent {
    fn add(&mut self, rows: &[Row], answer: &Value) {
        for (name, value) in answer.as_object().into_iter().flatten() {
            if let Some(n) = value.as_u64() {
                let before = self.counts.get(name).and_then(Value::as_u64).unwrap_or(0);
                self.counts.insert(name.clone(), json!(before + n));
            }
        }
        let refused = answer.get("refused").and_then(Value::as_array);
        for one in refused.into_iter().flatten() {
            let at = one.get("entry").and_then(Value::as_u64).unwrap_or(0);
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            let line = rows.get(at).map_or(0, |(line, _)| *line);
            let why = one.get("message").and_then(Value::as_str);
            self.refused
                .push((line, why.unwrap_or_default().to_owned()));
        }
    }

    /// A number of the answers.
    pub(super) fn count(&self, name: &str) -> u64 {
        self.counts.get(name).and_then(Value::as_u64).unwrap_or(0)
    }

    /// Everything as JSON.
    pub(super) fn json(&self) -> Value {
        let refused = self.refused.iter();
        let refused = refused.map(|(line, why)| json!({ "line": line, "message": why }));
        let mut out = self.counts.clone();
        out.insert("refused".to_owned(), refused.collect());
        Value::Object(out)
    }
}

/// Sends rows to a list of the API, under its name.
///
/// # Errors
/// The server cannot be reached or refuses a whole piece, with the lines of that piece.
pub(super) async fn send(
    server: &Server,
    path: &str,
    name: &str,
    rows: &[Row],
) -> Result<Sent, String> {
    let mut sent = Sent::default();
    let bar = output::progress(rows.len() as u64, name);
    let mut rest = rows;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(fitting(rest));
        let entries: Vec<&Map<String, Value>> = piece.iter().map(|(_, row)| row).collect();
        let answer = server.post(path, &json!({ name: entries })).await;
        let answer = answer.map_err(|why| {
            let (first, last) = (piece.first(), piece.last());
            let line = |row: Option<&Row>| row.map_or(0, |(line, _)| *line);
            format!("lines {} to {}: {why}", line(first), line(last))
        })?;
        sent.add(piece, &answer);
        bar.inc(piece.len() as u64);
        rest = after;
    }
    bar.finish_and_clear();
    Ok(sent)
}

/// How many rows fit into one call; always one at least.
fn fitting(rows: &[Row]) -> usize {
    let mut bytes = 0;
    let few = rows.iter().take(PIECE_MAX).take_while(|(_, row)| {
        bytes += Value::Object(row.clone()).to_string().len() + 1;
        bytes <= PIECE_BYTES
    });
    few.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_with_its_lines_and_sent_in_pieces_that_fit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("usages.csv");
        std::fs::write(&file, "\u{feff}asset,document\nlogo,\"a\nb\"\nphoto,\n").unwrap();
        let rows = read(&file).unwrap();
        assert_eq!((rows[0].0, rows[1].0), (2, 4), "a cell may hold lines");
        assert_eq!(
            Value::Object(rows[1].1.clone()),
            json!({ "asset": "photo" })
        );
        std::fs::write(&file, "asset,document\nlogo\n").unwrap();
        assert!(read(&file).unwrap_err().contains("line: 2"));
        let long: Row = (
            1,
            Map::from_iter([("a".to_owned(), json!("x".repeat(20_000)))]),
        );
        assert_eq!(fitting(&vec![long.clone(); 9]), 2);
        let huge: Row = (
            1,
            Map::from_iter([("a".to_owned(), json!("x".repeat(90_000)))]),
        );
        assert_eq!(fitting(&[huge, long]), 1);
        let short: Row = (1, Map::new());
        assert_eq!(fitting(&vec![short; 900]), PIECE_MAX);
    }

    #[test]
    fn answers_are_added_up_and_refusals_get_their_line() {
        let mut sent = Sent::default();
        let rows: Vec<Row> = vec![(2, Map::new()), (7, Map::new())];
        let answer = json!({"recorded": 1, "refused": [{"entry": 1, "message": "no asset"}]});
        sent.add(&rows, &answer);
        sent.add(&rows, &json!({"recorded": 2, "refused": []}));
        assert_eq!(sent.count("recorded"), 3);
        assert_eq!(sent.refused, [(7, "no asset".to_owned())]);
        let want = json!({"recorded": 3, "refused": [{"line": 7, "message": "no asset"}]});
        assert_eq!(sent.json(), want);
    }
}
