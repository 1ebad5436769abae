//! Puts the layers over each other: defaults < file < environment < flags.
//!
//! A variable or flag is text. Its kind is taken from the schema: a list of texts is separated by
//! commas; any list, also one of sections, may be written as in TOML, beginning with `[`.

use super::{
    Config, ConfigError, Fault, Faults, check,
    schema::{self, Shape},
};
use ::config::{File, FileFormat, FileSourceString, Source as _, Value, ValueKind};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io::{self, Read},
    path::Path,
};

/// Longest configuration file, in bytes; a thousand routes have about a tenth of it.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What every variable of the configuration begins with.
const PREFIX: &str = "RESCIND_";

/// Variables of the command line and of tests, which begin alike but configure nothing.
pub const NOT_CONFIGURATION: [&str; 4] =
    ["RESCIND_ADMIN_URL", "RESCIND_ADMIN_TOKEN", "RESCIND_CRASH_POINT", "RESCIND_LOG"];

/// Where a configuration is read from.
#[derive(Clone, Debug, Default)]
pub struct Sources<'a> {
    /// A TOML file. It must exist.
    pub file: Option<&'a Path>,
    /// The process's environment; variables of other programs are passed over.
    pub environment: Vec<(OsString, OsString)>,
    /// From flags: full keys and their values.
    pub overrides: Vec<(String, String)>,
}

/// Reads and merges all layers, and validates the whole.
///
/// # Errors
/// Everything that is wrong, each with its key and where it was said.
pub fn load(sources: &Sources<'_>) -> Result<Config, ConfigError> {
    let mut layers = Layers::default();
    if let Some(path) = sources.file {
        layers.add_file(path)?;
    }
    for (variable, text) in &sources.environment {
        let variable = variable.to_string_lossy();
        if let Some(key) = key_of(&variable) {
            layers.add_variable(&key, text, &variable);
        }
    }
    for (key, text) in &sources.overrides {
        layers.add_text(key, text, &format!("--set {key}"));
    }
    let config = layers.merge()?;
    config.validate()?;
    Ok(config)
}

/// `RESCIND_GATEWAY__UPSTREAM` is `gateway.upstream`. An unknown one is still a key: it is refused
/// later.
fn key_of(variable: &str) -> Option<String> {
    let rest = variable.strip_prefix(PREFIX)?;
    let ours = !NOT_CONFIGURATION.contains(&variable);
    ours.then(|| rest.to_ascii_lowercase().replace("__", "."))
}

type TomlFile = File<FileSourceString, FileFormat>;

/// The layers above the defaults, each checked as it came.
struct Layers {
    shape: Shape,
    known: Vec<String>,
    file: Option<(String, TomlFile)>,
    /// What variables and flags say, and who had the last word.
    texts: BTreeMap<String, (Value, String)>,
    faults: Faults,
}

impl Default for Layers {
    fn default() -> Self {
        let shape = schema::shape();
        let known = shape.paths();
        Self { shape, known, file: None, texts: BTreeMap::new(), faults: Faults::default() }
    }
}

impl Layers {
    fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        let text = read_bounded(path).map_err(unreadable)?;
        let file = File::from_str(&text, FileFormat::Toml);
        let table = file.collect().map_err(|fault| ConfigError::Syntax {
            path: path.to_owned(),
            message: without_quotes(&fault.to_string()),
        })?;
        let origin = path.display().to_string();
        check::check(
            "",
            &Value::new(None, table),
            &self.shape,
            &self.known,
            &origin,
            &mut self.faults,
        );
        self.file = Some((origin, file));
        Ok(())
    }

    fn add_variable(&mut self, key: &str, text: &OsStr, variable: &str) {
        match text.to_str() {
            Some(text) => self.add_text(key, text, variable),
            None => self.fault(key, "is not text (UTF-8)".to_owned(), variable),
        }
    }

    fn add_text(&mut self, key: &str, text: &str, origin: &str) {
        let value = match self.shape.at(key) {
            // Checked too: a list of sections has keys of its own.
            Some(shape) => value_of(text, shape).inspect(|value| {
                check::check(key, value, shape, &self.known, origin, &mut self.faults);
            }),
            None => Err(unknown(key, origin, &self.known)),
        };
        match value {
            Ok(value) => {
                self.texts.insert(key.to_owned(), (value, origin.to_owned()));
            }
            Err(message) => self.fault(key, message, origin),
        }
    }

    fn fault(&mut self, key: &str, message: String, origin: &str) {
        let origin = Some(origin.to_owned());
        self.faults.push(Fault { key: key.to_owned(), message, origin });
    }

    fn merge(self) -> Result<Config, ConfigError> {
        self.faults.into_result()?;
        let (file_origin, file) = self.file.unzip();
        merge(file, &self.texts).map_err(|fault| {
            let (key, message) = key_and_message(fault);
            let said_by = self.texts.get(&key).map(|(_, origin)| origin.clone());
            Faults::from(Fault { key, message, origin: said_by.or(file_origin) }).into()
        })
    }
}

fn merge(
    file: Option<TomlFile>,
    texts: &BTreeMap<String, (Value, String)>,
) -> Result<Config, ::config::ConfigError> {
    let mut builder = ::config::Config::builder();
    // The defaults are a layer of their own, so that a section may be given in part.
    for (section, value) in defaults()? {
        builder = builder.set_default(section, value)?;
    }
    if let Some(file) = file {
        builder = builder.add_source(file);
    }
    for (key, (value, _)) in texts {
        builder = builder.set_override(key, value.clone())?;
    }
    builder.build()?.try_deserialize()
}

fn defaults() -> Result<BTreeMap<String, Value>, ::config::ConfigError> {
    serde_json::to_value(Config::default())
        .and_then(serde_json::from_value)
        .map_err(|fault| ::config::ConfigError::Foreign(Box::new(fault)))
}

fn value_of(text: &str, shape: &Shape) -> Result<Value, String> {
    let expected = || format!("expected {}", shape.name());
    let kind = match shape {
        Shape::Text | Shape::Choice(_) => ValueKind::String(text.to_owned()),
        Shape::Integer => ValueKind::I64(text.parse().map_err(|_| expected())?),
        Shape::Switch => ValueKind::Boolean(text.parse().map_err(|_| expected())?),
        Shape::List(_) if text.trim_start().starts_with('[') => return toml_list(text),
        Shape::List(element) if matches!(**element, Shape::Text) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            ValueKind::Array(parts.map(Value::from).collect())
        }
        Shape::List(_) => return Err("expected a list as in TOML: [{key = value}]".to_owned()),
        Shape::Section(_) => return Err("is a section; name one of its keys".to_owned()),
    };
    Ok(Value::new(None, kind))
}

fn toml_list(text: &str) -> Result<Value, String> {
    let table = File::from_str(&format!("list = {text}"), FileFormat::Toml).collect();
    let mut table = table.map_err(|fault| {
        // Only the last line: the others show a text that nobody wrote.
        let shown = fault.to_string();
        format!("not a list as in TOML: {}", shown.trim_end().lines().last().unwrap_or_default())
    })?;
    // More than the one key: the text ended the list and went on.
    if table.len() > 1 {
        return Err("expected one list".to_owned());
    }
    table.remove("list").ok_or_else(|| "expected one list".to_owned())
}

fn unknown(key: &str, origin: &str, known: &[String]) -> String {
    let message = check::unknown(key, known);
    match check::nearest(key, known) {
        Some(meant) if origin.starts_with(PREFIX) => {
            format!("{message} (as {PREFIX}{})", meant.to_ascii_uppercase().replace('.', "__"))
        }
        _ => message,
    }
}

/// The library's error, taken apart: its own wording repeats what a [`Fault`] says.
fn key_and_message(fault: ::config::ConfigError) -> (String, String) {
    use ::config::ConfigError as Inner;
    let (key, message) = match fault {
        Inner::At { error, key: Some(key), .. } => (key, error.to_string()),
        Inner::Type { unexpected, expected, key: Some(key), .. } => {
            (key, format!("expected {expected}, found {unexpected}"))
        }
        Inner::NotFound(key) => (key, "is missing".to_owned()),
        other => (String::new(), other.to_string()),
    };
    // It writes `routes[0]path`.
    (key.replace(']', "].").trim_end_matches('.').to_owned(), message)
}

/// Where and what, without the lines that the parser quotes: a secret may have got into them.
fn without_quotes(message: &str) -> String {
    let number = |c: char| c.is_ascii_digit() || c == ' ';
    let quotes = |line: &str| line.trim_start_matches(number).starts_with('|');
    let said = message.lines().filter(|line| !line.is_empty() && !quotes(line));
    said.collect::<Vec<_>>().join(": ")
}

fn read_bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("longer than {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}
