//! `rescind token import`: tokens that another system has issued, in pieces that the server takes.
//!
//! Nothing is held but one piece, so a file may be of any length. An import that breaks off is
//! repeated as a whole: what is there already is left as it is, and counted.

mod rows;

use crate::{
    cli::TokenImportArgs,
    client::Client,
    failure::{Exit, Failure},
    output::{Answer, field},
};
use rows::Rows;
use serde_json::{Value, json};

/// Tokens in one request, at most, as the server takes them.
const CHUNK_ITEMS_MAX: usize = 1_000;
/// Bytes of JSON in one request, at most; the server takes bodies of 1 MiB.
const CHUNK_BYTES_MAX: usize = 1_000_000;
/// Refused tokens that are told to people, and to programs; more are only counted.
const REFUSED_TOLD_MAX: usize = 20;
const REFUSED_SHOWN_MAX: usize = 1_000;

pub(super) async fn run(args: &TokenImportArgs, client: &Client) -> Result<Answer, Failure> {
    let mut rows = Rows::open(&args.from, args.format)?;
    let mut done = Summary::default();
    let mut held = None;
    loop {
        let (chunk, next) = chunk(&mut rows, held.take());
        // What was read before a faulty line is imported, so that only the rest is left to mend.
        if !chunk.is_empty() {
            let sent = send(&chunk, client).await;
            let sent = sent.map_err(|failure| done.so_far(in_lines(failure, &chunk)));
            done.count(&chunk, sent?);
        }
        match next {
            Next::Held(row) => held = Some(row),
            Next::End => return Ok(done.into_answer()),
            Next::Fault(fault) => return Err(done.so_far(fault)),
        }
    }
}

/// A token to import, and the line that it stands in.
struct Row {
    line: u64,
    token: Value,
}

enum Next {
    /// It did not fit any more.
    Held(Row),
    End,
    Fault(Failure),
}

fn chunk(rows: &mut Rows, held: Option<Row>) -> (Vec<Row>, Next) {
    let mut chunk: Vec<Row> = Vec::new();
    let mut bytes = 0;
    let mut held = held;
    loop {
        let row = match held.take().map_or_else(|| rows.next_row(), |row| Ok(Some(row))) {
            Ok(Some(row)) => row,
            Ok(None) => return (chunk, Next::End),
            Err(fault) => return (chunk, Next::Fault(fault)),
        };
        bytes += row.token.to_string().len() + 1;
        let is_full = chunk.len() == CHUNK_ITEMS_MAX || bytes > CHUNK_BYTES_MAX;
        if is_full && !chunk.is_empty() {
            return (chunk, Next::Held(row));
        }
        chunk.push(row);
    }
}

async fn send(chunk: &[Row], client: &Client) -> Result<Vec<Value>, Failure> {
    let tokens: Vec<_> = chunk.iter().map(|row| &row.token).collect();
    let mut answer = client.post(&["v1", "tokens", "import"], &json!({"tokens": tokens})).await?;
    match answer.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) if items.len() == chunk.len() => Ok(items),
        _ => Err(Failure::unreachable("the server does not say what became of each token")
            .next("`rescind doctor` shows which version it has")),
    }
}

/// A request that is refused as a whole does not say for which of its tokens.
fn in_lines(failure: Failure, chunk: &[Row]) -> Failure {
    let (Some(first), Some(last)) = (chunk.first(), chunk.last()) else { return failure };
    let message = format!("lines {} to {}: {}", first.line, last.line, failure.message);
    Failure { message, ..failure }
}

#[derive(Default)]
struct Summary {
    imported: u64,
    existing: u64,
    refused: u64,
    ids: Vec<String>,
    shown: Vec<Value>,
}

impl Summary {
    fn count(&mut self, chunk: &[Row], items: Vec<Value>) {
        for (row, item) in chunk.iter().zip(items) {
            match field(&item, "outcome").as_str() {
                "imported" => {
                    self.imported += 1;
                    self.ids.extend(item.get("token").map(|token| field(token, "id")));
                }
                "exists" => self.existing += 1,
                _ => {
                    self.refused += 1;
                    if self.shown.len() < REFUSED_SHOWN_MAX {
                        let detail = field(&item, "detail");
                        self.shown.push(json!({"line": row.line, "detail": detail}));
                    }
                }
            }
        }
    }

    fn text(&self) -> String {
        let Self { imported, existing, refused, .. } = self;
        format!("{imported} imported, {existing} there already, {refused} refused")
    }

    fn so_far(&self, failure: Failure) -> Failure {
        let message = format!("{} (until then: {})", failure.message, self.text());
        Failure { message, ..failure }
            .or_next("mend it and repeat the command: what is there already is left as it is")
    }

    fn into_answer(self) -> Answer {
        let text = self.text();
        let json = json!({
            "imported": self.imported,
            "existing": self.existing,
            "refused": self.refused,
            "refusals": self.shown,
        });
        let answer = Answer { ids: Some(self.ids), ..Answer::line(json, text) };
        if self.refused == 0 {
            return answer.next("`rescind token list` shows them");
        }
        let told = self.shown.iter().take(REFUSED_TOLD_MAX);
        let told = told.map(|row| format!("line {}: {}", field(row, "line"), field(row, "detail")));
        let mut notes: Vec<_> = told.collect();
        if self.refused > notes.len() as u64 {
            notes.push(format!("… and {} more", self.refused - notes.len() as u64));
        }
        Answer { exit: Exit::Refused, notes, ..answer }
            .next("mend those lines and repeat the command: what is there is left as it is")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// How many rows are in each piece.
    fn pieces(line: &str, lines: usize) -> Vec<usize> {
        let text = format!("{line}\n").repeat(lines);
        let mut rows = Rows::of(Box::new(Cursor::new(text)), None).unwrap();
        let (mut pieces, mut held) = (Vec::new(), None);
        loop {
            let (piece, next) = chunk(&mut rows, held.take());
            pieces.push(piece.len());
            match next {
                Next::Held(row) => held = Some(row),
                Next::End => return pieces,
                Next::Fault(fault) => panic!("{fault:?}"),
            }
        }
    }

    #[test]
    fn pieces_are_as_large_as_the_server_takes_and_lose_no_row() {
        assert_eq!(pieces("{}", CHUNK_ITEMS_MAX), [CHUNK_ITEMS_MAX]);
        assert_eq!(pieces("{}", CHUNK_ITEMS_MAX + 1), [CHUNK_ITEMS_MAX, 1]);
        // With what stands between two of them, 16 have 960,016 bytes, and 17 too many.
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(60_000 - 8));
        assert_eq!((long.len(), pieces(&long, 40)), (60_000, vec![16, 16, 8]));
        assert_eq!(pieces("", 3), [0]);
    }

    #[test]
    fn a_faulty_line_does_not_hold_back_those_before_it() {
        let text = "{}\n{}\nnonsense\n{}\n".to_owned();
        let mut rows = Rows::of(Box::new(Cursor::new(text)), None).unwrap();
        let (piece, next) = chunk(&mut rows, None);
        let Next::Fault(fault) = next else { panic!("no fault") };
        assert_eq!((piece.len(), &*fault.message), (2, "line 3 is not a JSON object"));
    }

    #[test]
    fn one_refusal_is_enough_for_exit_code_one() {
        let row = |line| Row { line, token: json!({}) };
        let mut done = Summary::default();
        done.count(&[row(1)], vec![json!({"outcome": "imported", "token": {"id": "t"}})]);
        done.count(&[row(2)], vec![json!({"outcome": "exists"})]);
        assert_eq!(done.text(), "1 imported, 1 there already, 0 refused");
        done.count(&[row(3)], vec![json!({"outcome": "refused", "detail": "no such owner"})]);
        let answer = done.into_answer();
        assert_eq!((answer.exit, answer.ids), (Exit::Refused, Some(vec!["t".to_owned()])));
        assert_eq!(answer.json["refusals"], json!([{"line": 3, "detail": "no such owner"}]));
    }
}
