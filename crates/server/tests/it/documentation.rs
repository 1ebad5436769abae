//! Documents that are made from the code. `UPDATE_DOCS=1 cargo nextest run -p rescind-server
//! documentation` writes them anew.

use rescind_server::admin::openapi;
use rescind_server::config::reference;
use std::{fs, path::Path};

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");

#[test]
fn the_configuration_document_says_what_the_code_does() {
    says("configuration.md", &reference());
}

#[test]
fn the_openapi_document_says_what_the_code_does() {
    says("openapi.json", &format!("{:#}\n", openapi::document()));
}

#[test]
fn the_api_reference_says_what_the_code_does() {
    says("api-reference.md", &openapi::reference());
}

#[track_caller]
fn says(name: &str, code: &str) {
    let path = Path::new(DOCS).join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, code).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == code,
        "docs/{name} is not what the code says: run this test with UPDATE_DOCS=1"
    );
}
