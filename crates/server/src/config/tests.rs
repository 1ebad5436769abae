use super::*;
use std::{ffi::OsString, fs, os::unix::fs::PermissionsExt, path::Path};

/// Enough for `validate` to have nothing to say.
const WHOLE: &str = "[sealing]\nkey_files = [\"credential:sealing-key\"]\n";

struct Said {
    file: Option<tempfile::NamedTempFile>,
    environment: Vec<(OsString, OsString)>,
    overrides: Vec<(String, String)>,
}

fn said(file: &str) -> Said {
    let on_disk = tempfile::Builder::new().suffix(".conf").tempfile().unwrap();
    fs::write(on_disk.path(), file).unwrap();
    Said { file: Some(on_disk), environment: vec![], overrides: vec![] }
}

impl Said {
    fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn set(mut self, key: &str, value: &str) -> Self {
        self.overrides.push((key.into(), value.into()));
        self
    }

    fn load(self) -> Result<Config, ConfigError> {
        let file = self.file.as_ref().map(tempfile::NamedTempFile::path);
        let (environment, overrides) = (self.environment, self.overrides);
        load(&Sources { file, environment, overrides })
    }

    /// The faults, without the name of the temporary file.
    fn faults(self) -> Vec<(String, String)> {
        let Err(ConfigError::Refused(faults)) = self.load() else { panic!("it was accepted") };
        faults.iter().map(|fault| (fault.key.clone(), fault.message.clone())).collect()
    }

    fn one_fault(self) -> (String, String) {
        let faults = self.faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults.into_iter().next().unwrap()
    }
}

fn fault(key: &str, message: &str) -> (String, String) {
    (key.into(), message.into())
}

#[test]
fn defaults_are_those_of_the_types() {
    let mut expected = Config::default();
    expected.sealing.key_files = vec![SecretPath::new("credential:sealing-key")];
    assert_eq!(said(WHOLE).load().unwrap(), expected);
}

#[test]
fn a_section_given_in_part_keeps_the_other_defaults() {
    let config = said(&format!("{WHOLE}[verify]\nconnections_max = 7\n")).load().unwrap();
    assert_eq!(config.verify.connections_max, 7);
    assert_eq!(config.verify.listen, "127.0.0.1:8081".parse().unwrap());
}

#[test]
fn flags_go_over_the_environment_and_the_environment_over_the_file() {
    let file = format!("{WHOLE}[login]\nqueue = 1\nhashes_at_once = 1\nper_email_per_minute = 1\n");
    let config = said(&file)
        .env("RESCIND_LOGIN__HASHES_AT_ONCE", "2")
        .env("RESCIND_LOGIN__QUEUE", "2")
        .set("login.queue", "3")
        .load()
        .unwrap();
    let Login { per_email_per_minute, hashes_at_once, queue, .. } = config.login;
    assert_eq!((per_email_per_minute, hashes_at_once, queue), (1, 2, 3));
}

#[test]
fn lists_can_be_given_as_text() {
    let config = said(WHOLE)
        .env("RESCIND_LIMITLESS__SCOPES", "trading, withdrawal")
        .set("gateway.routes", r#"[{ path = "/v1/orders", scopes = ["trading"] }]"#)
        .set("gateway.upgrades", "")
        .load()
        .unwrap();
    assert_eq!(config.limitless.scopes, ["trading", "withdrawal"]);
    assert_eq!(config.gateway.routes[0].path, "/v1/orders");
    assert!(config.gateway.upgrades.is_empty());
}

#[test]
fn variables_of_others_are_passed_over() {
    let mut said = said(WHOLE).env("PATH", "/bin").env("RESCINDED", "x");
    for name in NOT_CONFIGURATION {
        said = said.env(name, "x");
    }
    said.load().unwrap();
}

#[test]
fn unknown_keys_are_refused_with_the_one_that_was_meant() {
    let meant = "unknown key; did you mean `gateway.upstream`?";
    let upstream = "upstraem = \"http://[::1]:3000\"\n";
    let in_file = said(&format!("{WHOLE}[gateway]\n{upstream}"));
    assert_eq!(in_file.one_fault(), fault("gateway.upstraem", meant));
    let in_section = said(&format!("{WHOLE}[gatway]\nupstream = \"http://[::1]:3000\"\n"));
    assert_eq!(in_section.one_fault(), fault("gatway.upstream", meant));
    let flag = said(WHOLE).set("gateway.upstraem", "http://[::1]:3000");
    assert_eq!(flag.one_fault(), fault("gateway.upstraem", meant));
    let outside = said(&format!("upstream = \"http://[::1]:3000\"\n{WHOLE}"));
    assert_eq!(outside.one_fault(), fault("upstream", meant));
    let variable = said(WHOLE).env("RESCIND_GATEWAY_UPSTREAM", "http://[::1]:3000");
    let spelt = format!("{meant} (as RESCIND_GATEWAY__UPSTREAM)");
    assert_eq!(variable.one_fault(), fault("gateway_upstream", &spelt));
}

#[test]
fn unknown_keys_in_lists_are_refused_with_their_index() {
    let message = "unknown key; did you mean `gateway.routes[].scopes`?";
    let routes =
        "[[gateway.routes]]\npath = \"/a\"\n[[gateway.routes]]\npath = \"/b\"\nscope = []\n";
    let in_file = said(&format!("{WHOLE}{routes}"));
    assert_eq!(in_file.one_fault(), fault("gateway.routes[1].scope", message));
    let variable = said(WHOLE).env("RESCIND_GATEWAY__ROUTES", r#"[{path="/a", scope=[]}]"#);
    assert_eq!(variable.one_fault(), fault("gateway.routes[0].scope", message));
}

#[test]
fn a_key_that_resembles_nothing_gets_no_advice() {
    let file = said(&format!("{WHOLE}[zebra]\nstripes = 3\n"));
    assert_eq!(file.one_fault(), fault("zebra.stripes", "unknown key"));
}

#[test]
fn values_of_the_wrong_kind_are_refused_not_converted() {
    let number = ("public.connections_max", "expected a whole number, 0 or more");
    for (file, key, message) in [
        ("[public]\nconnections_max = 1.5\n", number.0, number.1),
        ("[public]\nconnections_max = \"7\"\n", number.0, number.1),
        ("[public]\nconnections_max = true\n", number.0, number.1),
        ("[gateway]\npreserve_host = \"no\"\n", "gateway.preserve_host", "expected true or false"),
        ("[store]\npath = [\"/a\"]\n", "store.path", "expected text"),
        ("[limitless]\nscopes = \"trading\"\n", "limitless.scopes", "expected a list"),
        ("gateway = 5\n", "gateway", "expected a section"),
    ] {
        let (whole, file) = if file.starts_with('[') { (WHOLE, file) } else { (file, WHOLE) };
        assert_eq!(said(&format!("{whole}{file}")).one_fault(), fault(key, message));
    }
    let flag = said(WHOLE).set("gateway.preserve_host", "yes");
    assert_eq!(flag.one_fault(), fault("gateway.preserve_host", "expected true or false"));
    let section = said(WHOLE).set("gateway", "x");
    assert_eq!(section.one_fault(), fault("gateway", "is a section; name one of its keys"));
}

#[test]
fn unreadable_values_are_refused_with_key_and_origin() {
    let shown = |said: Said| said.load().unwrap_err().to_string();
    let text = shown(said(WHOLE).env("RESCIND_PUBLIC__LISTEN", "localhost"));
    assert!(text.starts_with("public.listen: "), "{text}");
    assert!(text.ends_with("(in RESCIND_PUBLIC__LISTEN)"), "{text}");
    let text = shown(said(WHOLE).set("gateway.connect_timeout", "soon"));
    assert!(text.starts_with("gateway.connect_timeout: "), "{text}");
    assert!(text.contains("`soon` is not a duration"), "{text}");
    let text = shown(said(&format!("{WHOLE}[public]\nconnections_max = 4294967296\n")));
    assert!(text.starts_with("public.connections_max: "), "{text}");
    assert!(text.contains(".conf)"), "{text}");
    let text = shown(said(&format!("{WHOLE}[log]\nformat = \"xml\"\n")));
    assert!(text.starts_with("log.format: expected one of json, text (in "), "{text}");
    let text = shown(said(&format!("{WHOLE}[[gateway.routes]]\nscopes = []\n")));
    assert!(text.starts_with("gateway.routes[0].path: is missing"), "{text}");
    assert!(shown(said("[store\n")).contains("is not valid TOML"));
}

#[test]
fn a_variable_that_is_not_text_is_refused_not_passed_over() {
    use std::os::unix::ffi::OsStringExt;
    let mut said = said(WHOLE);
    said.environment.push(("RESCIND_STORE__PATH".into(), OsString::from_vec(vec![0xff])));
    assert_eq!(said.one_fault(), fault("store.path", "is not text (UTF-8)"));
}

#[test]
fn a_list_in_a_variable_cannot_smuggle_in_other_keys() {
    let routes = "[]\n[gateway]\nupstream = \"http://evil.example\"";
    let smuggled = said(WHOLE).env("RESCIND_GATEWAY__ROUTES", routes);
    assert_eq!(smuggled.one_fault(), fault("gateway.routes", "expected one list"));
}

#[test]
fn a_missing_or_overlong_file_is_refused() {
    let missing = Path::new("/nonexistent/rescind.toml");
    let load_it = |file| load(&Sources { file: Some(file), ..Sources::default() }).unwrap_err();
    assert!(load_it(missing).to_string().contains("/nonexistent/rescind.toml"));
    let long = tempfile::NamedTempFile::new().unwrap();
    let most = 1024 * 1024;
    fs::write(long.path(), format!("{WHOLE}{}", "#".repeat(most - WHOLE.len()))).unwrap();
    load(&Sources { file: Some(long.path()), ..Sources::default() }).unwrap();
    fs::write(long.path(), format!("{WHOLE}{}", "#".repeat(most - WHOLE.len() + 1))).unwrap();
    assert!(load_it(long.path()).to_string().contains("longer than 1048576 bytes"));
}

#[test]
fn secrets_are_read_without_their_last_newline() {
    let directory = tempfile::tempdir().unwrap();
    for (bytes, secret) in [("s3cret\n", "s3cret"), ("s3cret", "s3cret"), ("a\n\n", "a\n")] {
        write_secret(&directory.path().join("key"), bytes.as_bytes(), 0o600);
        let named = SecretPath::new("credential:key").read(Some(directory.path())).unwrap();
        assert_eq!(named.as_str(), secret);
    }
    let unknown = SecretPath::new("credential:key").read(None).unwrap_err();
    assert!(unknown.to_string().contains("CREDENTIALS_DIRECTORY is not set"));
}

#[test]
fn a_secret_in_the_place_of_its_file_is_refused_and_not_shown() {
    let token = format!("rescind_admin_{}", "a".repeat(38));
    for (key, secret) in [
        ("admin.bootstrap_token_file", token.as_str()),
        ("sealing.key_files", "rescind-key-v1:AAAA/AAAA+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ] {
        let text = said(WHOLE).set(key, secret).load().unwrap_err().to_string();
        assert!(text.contains("is a secret itself") && !text.contains(secret), "{text}");
    }
    let unclosed = said(&format!("{WHOLE}[admin]\nbootstrap_token_file = \"{token}\n"));
    let text = unclosed.load().unwrap_err().to_string();
    assert!(text.contains("line 4, column ") && !text.contains("aaa"), "{text}");
    let path = format!("/run/secrets/{}", "a".repeat(38));
    said(WHOLE).set("admin.bootstrap_token_file", &path).load().unwrap();
}

#[test]
fn secret_files_are_bounded_text_that_nobody_else_can_write() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let secret = SecretPath::new(path.to_str().unwrap());
    let most = usize::try_from(SECRET_FILE_BYTES_MAX).unwrap();
    for (bytes, mode, fault) in [
        (vec![b'a'; most], 0o400, None),
        (vec![b'a'; 40], 0o444, None),
        (vec![b'a'; most + 1], 0o600, Some("is longer than 4096 bytes")),
        (b"\n".to_vec(), 0o600, Some("is empty")),
        (vec![0xff], 0o600, Some("is not text")),
        (vec![b'a'; 40], 0o620, Some("can be written by other users")),
        (vec![b'a'; 40], 0o602, Some("can be written by other users")),
    ] {
        write_secret(&path, &bytes, mode);
        match (secret.read(None), fault) {
            (Ok(text), None) => assert_eq!(text.as_bytes(), bytes),
            (Err(error), Some(fault)) => assert!(error.to_string().contains(fault), "{error}"),
            (read, _) => panic!("{mode:o}, {} bytes: {:?}", bytes.len(), read.map(|_| ())),
        }
    }
    let other = SecretPath::new(directory.path().to_str().unwrap()).read(None).unwrap_err();
    assert!(other.to_string().contains("is not a regular file"));
}

fn write_secret(path: &Path, bytes: &[u8], mode: u32) {
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn durations_are_written_as_they_are_read() {
    for text in ["0s", "1ms", "90s", "10m", "25h", "365d"] {
        let read = humantime::parse_duration(text).unwrap();
        assert_eq!(duration::in_words(read), text);
    }
}

#[test]
fn the_reference_names_every_key_with_its_default() {
    let text = reference();
    for row in [
        "| `gateway.connect_timeout` | text | `\"5s\"` | How long connecting",
        "| `verify.listen` | text | `\"127.0.0.1:8081\"` |",
        "| `gateway.upstream` | text | none | The API behind it",
        "| `gateway.routes[].path` | text | required | This path",
        "| `gateway.routes[].public` | true or false | `false` |",
        "| `identity.issuers[].refresh` | text | `\"10m\"` |",
        "| `log.level` | one of error, warn, info, debug, trace | `\"info\"` |",
    ] {
        assert!(text.contains(row), "{row}\n{text}");
    }
    assert_eq!(text.matches("|  |").count(), 0, "a key without a doc comment:\n{text}");
    for path in schema::shape().paths() {
        assert!(text.contains(path.trim_end_matches("[]")), "{path}");
    }
}

mod validation;
