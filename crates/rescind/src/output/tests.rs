use super::*;

fn list() -> Answer {
    let rows =
        vec![vec!["tok_1".into(), "a\u{1b}[2Jb\nc".into()], vec!["tok_22".into(), "-".into()]];
    Answer::new(
        json!({"items": [{"id": "tok_1"}]}),
        Text::Table { columns: &["ID", "LABEL"], rows },
    )
}

#[test]
fn tables_are_aligned_and_cannot_steer_the_terminal() {
    insta::assert_snapshot!(render(&list(), false), @r"
    ID      LABEL
    tok_1   a\u{1b}[2Jb c
    tok_22  -
    ");
}

#[test]
fn json_is_one_value_on_one_line() {
    assert_eq!(render(&list(), true), r#"{"items":[{"id":"tok_1"}]}"#);
    assert_eq!(list().note("talk").notes, ["talk"]);
    assert_eq!(render(&list().note("talk"), true), render(&list(), true));
}

#[test]
fn fields_stand_below_each_other() {
    let fields = vec![("id", "usr_1".to_owned()), ("e-mail", "ada@example.com".to_owned())];
    insta::assert_snapshot!(render(&Answer::new(Value::Null, Text::Fields(fields)), false), @r"
    id      usr_1
    e-mail  ada@example.com
    ");
}

#[test]
fn values_are_shown_as_people_say_them() {
    let object =
        json!({"a": null, "b": "", "c": true, "d": false, "e": [], "f": ["x", "y"], "g": 7});
    let shown = ["missing", "a", "b", "c", "d", "e", "f", "g"].map(|name| field(&object, name));
    assert_eq!(shown, ["-", "-", "-", "yes", "no", "-", "x,y", "7"]);
}

#[test]
fn odd_characters_are_made_visible() {
    assert_eq!(printable("naïve ✓\n"), "naïve ✓\n");
    assert_eq!(printable("a\u{1b}]0;x\u{7}"), "a\\u{1b}]0;x\\u{7}");
    assert_eq!(printable("\u{202e}gpj.exe"), "\\u{202e}gpj.exe");
    assert_eq!(printable("\u{9b}2J\r"), "\\u{9b}2J\\u{d}");
}

#[test]
fn failures_are_readable_by_programs_too() {
    let failure = Failure::refused("no such token").next("list them");
    assert_eq!(
        failure_json(&failure),
        json!({"error": {"exit_code": 1, "message": "no such token", "next": "list them"}})
    );
}
