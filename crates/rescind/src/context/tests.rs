use super::*;
use crate::failure::Exit;
use crate::private_file;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

const TOKEN: &str = "rescind_admin_secret";

fn find(
    name: Option<&str>,
    variables: &[(&str, &str)],
    directory: &Path,
) -> Result<Context, Failure> {
    let value = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Context::find_in(name, value, directory)
}

fn context(url: &str) -> Context {
    Context::new(url, TOKEN, String::new()).unwrap()
}

/// With the contexts `one`, which is in use, and `two`.
fn saved() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    Contexts::update_in(root.path(), |contexts| {
        contexts.put("one", &context("http://127.0.0.1:8082"));
        contexts.put("two", &context("https://two.example"));
        contexts.current = Some("one".into());
        Ok(())
    })
    .unwrap();
    root
}

#[test]
fn the_name_goes_over_the_environment_and_that_over_the_context_in_use() {
    let root = saved();
    let url =
        |name, variables: &[_]| find(name, variables, root.path()).unwrap().admin_url.to_string();
    let said = [(ADMIN_URL, "https://admin.example"), (ADMIN_TOKEN, "other")];
    assert_eq!(url(None, &[]), "http://127.0.0.1:8082/");
    assert_eq!(url(None, &said), "https://admin.example/");
    assert_eq!(url(Some("two"), &said), "https://two.example/");
    assert_eq!(url(None, &[said[0], said[1], (CONTEXT, "two")]), "https://two.example/");
    assert_eq!(url(Some("one"), &[(CONTEXT, "two")]), "http://127.0.0.1:8082/");
    assert_eq!(find(None, &said, root.path()).unwrap().admin_token.expose(), "other");
    assert_eq!(find(Some("two"), &said, root.path()).unwrap().admin_token.expose(), TOKEN);
}

#[test]
fn a_saved_token_is_never_sent_to_an_address_from_elsewhere() {
    let root = saved();
    for half in [(ADMIN_URL, "http://evil.example"), (ADMIN_TOKEN, "other")] {
        let failure = find(None, &[half], root.path()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("is set"), "{failure:?}");
    }
}

#[test]
fn a_missing_context_says_how_to_get_one() {
    let failure = find(None, &[], Path::new("/nonexistent")).unwrap_err();
    assert!(failure.next.unwrap().contains("rescind dev"));
    let failure = find(Some("three"), &[], saved().path()).unwrap_err();
    assert_eq!((failure.exit, &*failure.message), (Exit::Usage, "there is no context `three`"));
}

#[test]
fn the_file_is_private_and_one_that_is_not_is_refused() {
    let root = saved();
    let file = root.path().join("contexts.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(find(None, &[], root.path()).unwrap_err().message.contains("mode 644"));
}

#[test]
fn the_one_context_of_earlier_versions_is_used_and_then_moved() {
    let root = tempfile::tempdir().unwrap();
    let former = root.path().join("context.json");
    let text = format!(r#"{{"admin_url":"http://127.0.0.1:1/","admin_token":"{TOKEN}"}}"#);
    private_file::write(&former, text.as_bytes()).unwrap();
    let found = find(None, &[], root.path()).unwrap();
    assert_eq!(
        (found.admin_url.as_str(), found.admin_token.expose()),
        ("http://127.0.0.1:1/", TOKEN)
    );
    assert!(former.exists(), "a command that only reads has written");

    Contexts::update_in(root.path(), |contexts| {
        contexts.put("new", &context("https://new.example"));
        Ok(())
    })
    .unwrap();
    assert!(!former.exists(), "its token lies about");
    assert_eq!(find(None, &[], root.path()).unwrap().origin, "context default");
    assert_eq!(find(Some("new"), &[], root.path()).unwrap().origin, "context new");
}

#[test]
fn a_change_that_fails_changes_nothing() {
    let root = saved();
    let refused = Contexts::update_in(root.path(), |contexts| {
        contexts.all.clear();
        Err(Failure::usage("no"))
    });
    assert!(refused.is_err());
    assert!(find(Some("two"), &[], root.path()).is_ok());
}

#[test]
fn changes_at_once_are_all_kept() {
    let root = saved();
    std::thread::scope(|scope| {
        for n in 0..16 {
            let directory = root.path();
            scope.spawn(move || {
                Contexts::update_in(directory, |contexts| {
                    contexts.put(&format!("at-once-{n}"), &context("https://a.example"));
                    Ok(())
                })
                .unwrap();
            });
        }
    });
    assert_eq!(Contexts::load_from(root.path()).unwrap().all.len(), 2 + 16);
}

#[test]
fn damaged_contexts_and_urls_are_refused_without_showing_the_token() {
    let root = tempfile::tempdir().unwrap();
    // Pasted in without the object around it.
    let text = format!("\"{TOKEN}\"");
    private_file::write(&root.path().join("contexts.json"), text.as_bytes()).unwrap();
    let failure = find(None, &[], root.path()).unwrap_err();
    assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
    for url in ["127.0.0.1:8082", "file:///etc", "http://user:pw@a.example", ""] {
        assert!(Context::new(url, TOKEN, String::new()).is_err(), "{url}");
    }
    let shown = format!("{:?}{:?}", context("http://a"), Contexts::load_from(saved().path()));
    assert!(!shown.contains(TOKEN), "{shown}");
}

#[test]
fn plain_http_is_exposed_unless_it_stays_on_this_machine() {
    let exposed = |url| context(url).is_exposed();
    for url in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost", "https://a.example"] {
        assert!(!exposed(url), "{url}");
    }
    for url in ["http://a.example", "http://10.0.0.1", "http://127.0.0.1.example"] {
        assert!(exposed(url), "{url}");
    }
}
