//! Documents that are made from the code. `UPDATE_DOCS=1 cargo nextest run -p rescind-server
//! documentation` writes them anew.

use rescind_server::config::reference;
use std::{fs, path::Path};

const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");

#[test]
fn the_configuration_document_says_what_the_code_does() {
    let path = Path::new(CONFIGURATION);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, reference()).unwrap();
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == reference(),
        "docs/configuration.md is not what the code says: run this test with UPDATE_DOCS=1"
    );
}
