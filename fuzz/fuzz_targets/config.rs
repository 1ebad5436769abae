//! A configuration that is accepted holds what was said and no more: it passes its own checks, and
//! with one key more that nobody knows it is refused, from the file, the environment and a flag.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rescind_server::config::{Config, Sources, load};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;

static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    std::env::temp_dir().join(format!("rescind-fuzz-{}.toml", std::process::id()))
});

// A TOML file; then, after a line of its own with `%`, lines of `key=value`: first one for a flag,
// then one for the environment, and so on.
fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let (file, rest) = text.split_once("\n%\n").unwrap_or((text, ""));
    let settings: Vec<_> = rest.lines().filter_map(|line| line.split_once('=')).collect();
    let Ok(config) = loaded(file, &settings) else { return };

    assert_eq!(config.validate(), Ok(()));
    assert!(loaded(&format!("zebra = 1\n{file}"), &settings).is_err(), "in the file");
    for unknown in [[("zebra", "1"); 1].as_slice(), &[("public.listen", "[::1]:0"), ("zebra", "")]]
    {
        assert!(loaded(file, &[&settings, unknown].concat()).is_err(), "in {unknown:?}");
    }
    // What was read can be written, and is then the same.
    let written = serde_json::to_string(&config).expect("it is written");
    assert_eq!(serde_json::from_str::<Config>(&written).ok(), Some(config));
});

fn loaded(file: &str, settings: &[(&str, &str)]) -> Result<Config, ()> {
    std::fs::write(&*FILE, file).expect("a file");
    let mut sources = Sources { file: Some(&FILE), ..Sources::default() };
    for (index, (key, value)) in settings.iter().enumerate() {
        if index % 2 == 0 {
            sources.overrides.push(((*key).into(), (*value).into()));
        } else {
            let name = key.to_ascii_uppercase().replace('.', "__");
            let variable = OsString::from(format!("RESCIND_{name}"));
            sources.environment.push((variable, (*value).into()));
        }
    }
    load(&sources).map_err(|error| {
        // Said in words, each with its key.
        assert!(!error.to_string().is_empty());
    })
}
