//! The lines of a file as tokens: JSON lines, or CSV whose header names the same fields.

use super::Row;
use crate::cli::ImportFormat;
use crate::failure::Failure;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use zeroize::Zeroizing;

/// Longest line, in bytes: more than any token with all of its fields has.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// Fields that are lists; in CSV their parts are separated by blanks.
const LISTS: [&str; 2] = ["scopes", "allowed_networks"];
const FIELDS: [&str; 11] = [
    "owner_id",
    "kind",
    "label",
    "scopes",
    "expires_at",
    "issued_at",
    "allowed_networks",
    "token",
    "sha256",
    "id",
    "secret",
];

pub(super) enum Rows {
    Jsonl { source: Source, line: u64 },
    Csv { records: csv::StringRecordsIntoIter<Source>, header: Vec<String> },
}

type Source = Box<dyn BufRead>;

impl Rows {
    pub(super) fn open(from: &Path, format: Option<ImportFormat>) -> Result<Self, Failure> {
        let source: Source = if from == Path::new("-") {
            Box::new(BufReader::new(io::stdin()))
        } else {
            Box::new(BufReader::new(File::open(from).map_err(|fault| unreadable(from, &fault))?))
        };
        Self::of(source, format.or_else(|| by_name(from))).map_err(|fault| Failure {
            message: format!("{}: {}", from.display(), fault.message),
            ..fault
        })
    }

    pub(super) fn of(mut source: Source, format: Option<ImportFormat>) -> Result<Self, Failure> {
        let format = match format {
            Some(format) => format,
            None => by_first_character(&mut source)
                .map_err(|fault| Failure::usage(format!("it cannot be read: {fault}")))?,
        };
        match format {
            ImportFormat::Jsonl => Ok(Self::Jsonl { source, line: 0 }),
            ImportFormat::Csv => Self::csv(source),
        }
    }

    /// The next token; blank lines are passed over.
    pub(super) fn next_row(&mut self) -> Result<Option<Row>, Failure> {
        match self {
            Self::Jsonl { source, line } => next_json(source, line),
            Self::Csv { records, header } => match records.next() {
                None => Ok(None),
                Some(Ok(record)) => {
                    let line = record.position().map_or(0, csv::Position::line);
                    Ok(Some(Row { line, token: token_of(header, &record) }))
                }
                Some(Err(fault)) => Err(bad_csv(&fault)),
            },
        }
    }

    fn csv(source: Source) -> Result<Self, Failure> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(source);
        let header = reader.headers().map_err(|fault| bad_csv(&fault))?;
        let header: Vec<_> = header.iter().map(ToOwned::to_owned).collect();
        if let Some(odd) = header.iter().find(|name| !FIELDS.contains(&name.as_str())) {
            // A file without a header would show a secret here.
            let message = if odd.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
                format!("line 1: there is no field `{odd}`")
            } else {
                "line 1 is not a header".to_owned()
            };
            return Err(Failure::usage(message).next(format!("fields: {}", FIELDS.join(", "))));
        }
        Ok(Self::Csv { records: reader.into_records(), header })
    }
}

fn next_json(source: &mut Source, line: &mut u64) -> Result<Option<Row>, Failure> {
    loop {
        *line += 1;
        let mut text = Zeroizing::new(String::new());
        let read = source.take(LINE_BYTES_MAX + 1).read_line(&mut text);
        // What is wrong with it may quote the line, which holds a secret.
        let bad = |what: &str| Failure::usage(format!("line {line} {what}"));
        let read = read.map_err(|_| bad("cannot be read as UTF-8 text"))?;
        if read as u64 > LINE_BYTES_MAX {
            return Err(bad("is too long"));
        }
        if read == 0 {
            return Ok(None);
        }
        if text.trim().is_empty() {
            continue;
        }
        return match serde_json::from_str(&text) {
            Ok(token @ Value::Object(_)) => Ok(Some(Row { line: *line, token })),
            _ => Err(bad("is not a JSON object")),
        };
    }
}

/// An empty cell is a field that is not given.
fn token_of(header: &[String], record: &csv::StringRecord) -> Value {
    let cells = header.iter().zip(record).filter(|(_, cell)| !cell.is_empty());
    let field = |(name, cell): (&String, &str)| {
        let value = match LISTS.contains(&name.as_str()) {
            true => cell.split_whitespace().map(Value::from).collect(),
            false => Value::from(cell),
        };
        (name.clone(), value)
    };
    Value::Object(cells.map(field).collect::<Map<_, _>>())
}

fn by_name(from: &Path) -> Option<ImportFormat> {
    match from.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some(ImportFormat::Csv),
        "jsonl" | "ndjson" | "json" => Some(ImportFormat::Jsonl),
        _ => None,
    }
}

fn by_first_character(source: &mut Source) -> io::Result<ImportFormat> {
    let first = source.fill_buf()?.iter().find(|byte| !byte.is_ascii_whitespace());
    Ok(if first.is_none_or(|byte| *byte == b'{') { ImportFormat::Jsonl } else { ImportFormat::Csv })
}

fn unreadable(from: &Path, fault: &io::Error) -> Failure {
    Failure::usage(format!("{}: {fault}", from.display())).next("name a file that is there")
}

/// Without the cells, which hold secrets.
fn bad_csv(fault: &csv::Error) -> Failure {
    let line = fault.position().map_or(0, csv::Position::line);
    let what = match fault.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("line {line} has {len} fields, and the header {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => format!("line {line} is not UTF-8 text"),
        _ => format!("line {line} cannot be read"),
    };
    Failure::usage(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::io::Cursor;

    fn rows(text: &str, format: Option<ImportFormat>) -> Result<Vec<(u64, Value)>, String> {
        let source: Source = Box::new(Cursor::new(text.to_owned()));
        let mut rows = Rows::of(source, format).map_err(|fault| fault.message)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next_row().map_err(|fault| fault.message)? {
            all.push((row.line, row.token));
        }
        Ok(all)
    }

    #[test]
    fn json_lines_are_taken_as_they_are() {
        let text = "{\"token\":\"a\"}\n\n  {\"id\":\"b\",\"scopes\":[\"x\"]}";
        let expected = vec![(1, json!({"token": "a"})), (3, json!({"id": "b", "scopes": ["x"]}))];
        assert_eq!(rows(text, None), Ok(expected));
        assert_eq!(rows("", None), Ok(vec![]));
    }

    #[test]
    fn csv_cells_become_the_fields_that_the_header_names() {
        let text =
            "owner_id,kind,label,scopes,sha256\nu_1,bearer,\"a, b\",x y,9f\nu_2,api_key,,,\n";
        let first = json!({
            "owner_id": "u_1", "kind": "bearer", "label": "a, b", "scopes": ["x", "y"],
            "sha256": "9f",
        });
        let second = json!({"owner_id": "u_2", "kind": "api_key"});
        assert_eq!(rows(text, None), Ok(vec![(2, first), (3, second)]));
    }

    #[test]
    fn the_format_is_what_is_said_before_what_it_looks_like() {
        assert!(rows("owner_id\nu_1", Some(ImportFormat::Jsonl)).is_err());
        assert_eq!(by_name(Path::new("a/B.CSV")), Some(ImportFormat::Csv));
        assert_eq!(by_name(Path::new("a.ndjson")), Some(ImportFormat::Jsonl));
        assert_eq!(by_name(Path::new("-")), None);
    }

    #[test]
    fn a_faulty_line_is_named_and_never_quoted() {
        for (text, fault) in [
            ("{\"a\":1}\n[\"s3cret\"]", "line 2 is not a JSON object"),
            ("{\"a\":1}\n{\"s3cret", "line 2 is not a JSON object"),
            ("owner_id,token\nu_1,s3cret,x\n", "line 2 has 3 fields, and the header 2"),
            ("owner_id,tokn\nu_1,s3cret\n", "line 1: there is no field `tokn`"),
            ("u_1,lmts_S3cret\n", "line 1 is not a header"),
        ] {
            assert_eq!(rows(text, None).unwrap_err(), fault);
        }
    }

    #[test]
    fn the_longest_line_is_read_and_one_more_byte_is_not() {
        let most = usize::try_from(LINE_BYTES_MAX).unwrap();
        let line = |bytes: usize| format!("{{\"token\":\"{}\"}}", "a".repeat(bytes - 12));
        assert_eq!(line(most).len(), most);
        assert!(rows(&line(most), None).is_ok());
        assert_eq!(rows(&line(most + 1), None).unwrap_err(), "line 1 is too long");
    }
}
