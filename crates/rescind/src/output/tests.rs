use super::*;

const COLUMNS: [Column; 3] =
    [Column::new("id", "id"), Column::new("label", "label"), Column::wide("last used", "used")];

fn list() -> Answer {
    let rows = vec![
        json!({"id": "tok_1", "label": "a\u{1b}[2Jb\nc", "used": "today"}),
        json!({"id": "tok_22", "label": null}),
    ];
    Answer::new(json!({"items": [{"id": "tok_1"}]}), Text::Table { columns: &COLUMNS, rows })
}

#[test]
fn tables_are_aligned_and_cannot_steer_the_terminal() {
    insta::assert_snapshot!(rendered(&list(), Format::Table).unwrap(), @r"
    ID      LABEL
    tok_1   a\u{1b}[2Jb c
    tok_22  -
    ");
    insta::assert_snapshot!(rendered(&list(), Format::Wide).unwrap(), @r"
    ID      LABEL          LAST USED
    tok_1   a\u{1b}[2Jb c  today
    tok_22  -              -
    ");
}

#[test]
fn json_is_one_value_on_one_line() {
    let json = |answer| render(&answer, Format::Json).unwrap();
    assert_eq!(json(list()), r#"{"items":[{"id":"tok_1"}]}"#);
    assert_eq!(list().note("talk").notes, ["talk"]);
    assert_eq!(json(list().note("talk").next("more")), json(list()));
}

#[test]
fn ids_stand_one_a_line_or_are_refused() {
    let mut answer = list();
    assert_eq!(render(&answer, Format::Id).unwrap_err().exit, Exit::Usage);
    answer.ids = Some(vec!["a".into(), "b".into()]);
    assert_eq!(render(&answer, Format::Id).unwrap(), "a\nb");
    answer.ids = Some(vec![]);
    assert_eq!(render(&answer, Format::Id).unwrap(), "");
}

#[test]
fn secrets_are_not_lost_to_ids() {
    for (format, good) in
        [(Format::Json, true), (Format::Table, true), (Format::Wide, true), (Format::Id, false)]
    {
        assert_eq!(Output::new(format).must_show_secrets().is_ok(), good, "{format:?}");
    }
}

#[test]
fn fields_stand_below_each_other() {
    let of = json!({"id": "usr_1", "label": "x", "used": null});
    let answer = Answer::new(Value::Null, Text::Fields { columns: &COLUMNS, of });
    insta::assert_snapshot!(rendered(&answer, Format::Table).unwrap(), @r"
    id         usr_1
    label      x
    last used  -
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
