use assert_cmd::Command;
use serde_json::Value;
use std::{net::TcpListener, path::Path};

struct Ran {
    exit: i32,
    out: String,
    talk: String,
}

/// Runs `rescind` in an empty home, with nothing of this process's environment.
fn rescind(home: &Path, line: &str, variables: &[(&str, &str)], input: &str) -> Ran {
    let mut command = Command::cargo_bin("rescind").unwrap();
    command.env_clear().env("HOME", home).envs(variables.iter().copied());
    let output = command.args(line.split_whitespace()).write_stdin(input).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { exit: output.status.code().unwrap(), out: text(output.stdout), talk: text(output.stderr) }
}

#[test]
fn keys_go_to_standard_output_and_talk_does_not() {
    let home = tempfile::tempdir().unwrap();
    for (line, start, length, name) in [
        ("keygen admin-token", "rescind_admin_", 14 + 38, "admin_token"),
        ("keygen admin-token --prefix ops_", "ops_", 4 + 38, "admin_token"),
        ("keygen sealing-key", "rescind-key-v1:", 15 + 44, "sealing_key"),
    ] {
        let ran = rescind(home.path(), line, &[], "");
        assert_eq!(ran.exit, 0, "{line}: {}", ran.talk);
        let key = ran.out.strip_suffix('\n').unwrap();
        assert!(key.starts_with(start) && key.len() == length, "{line}: {key}");
        assert!(ran.talk.contains("umask 077") && !ran.talk.contains(key), "{line}: {}", ran.talk);
        let again = rescind(home.path(), &format!("{line} --json"), &[], "");
        let json: Value = serde_json::from_str(&again.out).unwrap();
        assert_ne!(json[name].as_str().unwrap(), key, "{line}");
    }
    assert_eq!(rescind(home.path(), "keygen admin-token --prefix a", &[], "").exit, 2);
}

#[test]
fn identity_tokens_need_the_key_of_a_dev_server() {
    let home = tempfile::tempdir().unwrap();
    let ran = rescind(home.path(), "dev identity --subject ada", &[], "");
    assert_eq!((ran.exit, ran.out.as_str()), (2, ""));
    assert!(ran.talk.contains("there is no issuer key in"), "{}", ran.talk);
    assert!(ran.talk.contains("next: start `rescind dev`"), "{}", ran.talk);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "something was made");
}

#[test]
fn without_a_context_every_client_says_where_to_get_one() {
    let home = tempfile::tempdir().unwrap();
    for line in ["token list", "user list", "partner list", "verify -"] {
        let ran = rescind(home.path(), line, &[], "api_prod_x");
        assert_eq!((ran.exit, ran.out.as_str()), (2, ""), "{line}");
        assert!(ran.talk.contains("error: no server is known"), "{line}: {}", ran.talk);
        assert!(ran.talk.contains("next: start one with `rescind dev`"), "{line}: {}", ran.talk);
    }
    let ran = rescind(home.path(), "doctor --json", &[], "");
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (ran.exit, &json["well"], &json["checks"][0]["state"]),
        (2, &false.into(), &"wrong".into())
    );
}

#[test]
fn a_server_that_is_not_there_is_exit_code_three() {
    let home = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    let context =
        [("RESCIND_ADMIN_URL", url.as_str()), ("RESCIND_ADMIN_TOKEN", "rescind_admin_s3cret")];
    for line in ["token list", "token revoke tok_1", "user suspend a@b", "doctor", "doctor --save"]
    {
        let ran = rescind(home.path(), line, &context, "");
        assert_eq!(ran.exit, 3, "{line}: {}", ran.talk);
        assert!(
            [&*ran.out, &*ran.talk].concat().contains("cannot connect to"),
            "{line}: {}",
            ran.talk
        );
        assert!(![&*ran.out, &*ran.talk].concat().contains("s3cret"), "{line}");
    }
    let ran = rescind(home.path(), "token list --json", &context, "");
    let json: Value = serde_json::from_str(&ran.talk).unwrap();
    assert_eq!((ran.out.as_str(), &json["error"]["exit_code"]), ("", &3.into()));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "a bad context was saved");
}

#[test]
fn wrong_usage_is_exit_code_two() {
    let home = tempfile::tempdir().unwrap();
    for line in ["", "revoke", "token revoke", "token create --owner a/b", "verify s3cret"] {
        assert_eq!(rescind(home.path(), line, &[], "").exit, 2, "{line}");
    }
    let context = [("RESCIND_ADMIN_URL", "http://127.0.0.1:9"), ("RESCIND_ADMIN_TOKEN", "t")];
    let ran = rescind(home.path(), "user create --email a@b", &context, "");
    assert_eq!(ran.exit, 2);
    assert!(ran.talk.contains("there is no password on standard input"), "{}", ran.talk);
    assert_eq!(rescind(home.path(), "partner set --subject s", &context, "").exit, 2);
}
