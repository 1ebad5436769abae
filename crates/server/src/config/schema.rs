//! The known keys, from the JSON Schema of [`Config`].
//!
//! The alternative, reading serde's messages ("unknown field `x`, expected one of …"), knows
//! neither the full path nor the other sections, and breaks with serde's wording.

use super::Config;
use schemars::generate::SchemaSettings;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// What stands at one key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) shape: Shape,
    /// The doc comment, as one line.
    pub(super) doc: String,
    /// Set for keys of list elements; those of sections are in `Config::default()`.
    pub(super) default: Option<Json>,
}

#[derive(Clone, Debug)]
pub(super) enum Shape {
    Section(BTreeMap<String, Key>),
    List(Box<Shape>),
    Text,
    /// Text with these possible values.
    Choice(Vec<String>),
    Integer,
    Switch,
}

/// The whole configuration, as one section.
pub(super) fn shape() -> Shape {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    shape_of(settings.into_generator().into_root_schema_for::<Config>().as_value())
}

impl Shape {
    /// What is expected there, for a sentence that begins with "expected".
    pub(super) fn name(&self) -> String {
        let name = match self {
            Self::Choice(choices) => return format!("one of {}", choices.join(", ")),
            Self::Section(_) => "a section",
            Self::List(_) => "a list",
            Self::Text => "text",
            Self::Integer => "a whole number, 0 or more",
            Self::Switch => "true or false",
        };
        name.to_owned()
    }

    /// What stands at a dotted path. Elements of lists have no path.
    pub(super) fn at(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |shape, name| match shape {
            Self::Section(keys) => keys.get(name).map(|key| &key.shape),
            _ => None,
        })
    }

    /// Every known path, sections included: `gateway`, `gateway.routes`, `gateway.routes[].path`.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.collect("", &mut found);
        found
    }

    fn collect(&self, at: &str, found: &mut Vec<String>) {
        match self {
            Self::Section(keys) => {
                for (name, key) in keys {
                    let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                    found.push(path.clone());
                    key.shape.collect(&path, found);
                }
            }
            Self::List(element) => element.collect(&format!("{at}[]"), found),
            _ => {}
        }
    }
}

fn shape_of(schema: &Json) -> Shape {
    // An optional enum or section stands beside `null`.
    if let Some(one) = alternatives(schema, "anyOf").find(|one| !is_type(one, "null")) {
        return shape_of(one);
    }
    if let Some(keys) = schema.get("properties").and_then(Json::as_object) {
        let key = |(name, schema): (&String, &Json)| {
            let (shape, doc) = (shape_of(schema), doc_of(schema));
            (name.clone(), Key { shape, doc, default: schema.get("default").cloned() })
        };
        return Shape::Section(keys.iter().map(key).collect());
    }
    if let Some(items) = schema.get("items") {
        return Shape::List(Box::new(shape_of(items)));
    }
    let choices: Vec<String> =
        alternatives(schema, "enum").filter_map(Json::as_str).map(Into::into).collect();
    match () {
        () if !choices.is_empty() => Shape::Choice(choices),
        () if is_type(schema, "integer") => Shape::Integer,
        () if is_type(schema, "boolean") => Shape::Switch,
        () => Shape::Text,
    }
}

fn alternatives<'a>(schema: &'a Json, keyword: &str) -> impl Iterator<Item = &'a Json> {
    schema.get(keyword).and_then(Json::as_array).into_iter().flatten()
}

/// `type` is a name, or a list of names when `null` is possible.
fn is_type(schema: &Json, name: &str) -> bool {
    match schema.get("type") {
        Some(Json::String(one)) => one == name,
        Some(Json::Array(several)) => several.iter().any(|one| one == name),
        _ => false,
    }
}

fn doc_of(schema: &Json) -> String {
    let text = schema.get("description").and_then(Json::as_str).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
