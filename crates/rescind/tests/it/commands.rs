//! What is typed without a server, word for word: exit code, standard output and standard error of
//! every page of help and every refusal, in `tests/cmd`. `TRYCMD=overwrite` writes them anew.

use crate::process::Home;
use trycmd::TestCases;

/// Exactly these, whoever runs the test.
fn cases(home: &Home) -> TestCases {
    let cases = TestCases::new();
    for (name, value) in [
        ("HOME", home.path("").to_str().unwrap()),
        ("XDG_CONFIG_HOME", home.path("config").to_str().unwrap()),
        ("XDG_DATA_HOME", home.path("data").to_str().unwrap()),
        // Empty is as good as not there.
        ("RESCIND_ADMIN_URL", ""),
        ("RESCIND_ADMIN_TOKEN", ""),
        ("COLUMNS", "100"),
    ] {
        cases.env(name, value);
    }
    cases
}

#[test]
fn every_command_says_what_is_written() {
    let home = Home::new();
    cases(&home).case("tests/cmd/*.trycmd");
}

/// A new command without a page in `tests/cmd` would go unseen.
#[test]
fn every_page_of_help_is_written() {
    let written: String = std::fs::read_dir("tests/cmd")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "trycmd"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let mut asked = vec![String::new()];
    while let Some(words) = asked.pop() {
        let line = format!("$ rescind {words}--help\n");
        assert!(written.contains(&line), "no page of `rescind {words}--help`");
        asked.extend(commands_below(&words));
    }
}

/// As its help lists them.
fn commands_below(words: &str) -> Vec<String> {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rescind"));
    let output = command.args(words.split_whitespace()).arg("-h").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = listed.take_while(|line| !line.is_empty());
    // What goes on with the line before stands further in.
    let names = names.filter(|line| !line.starts_with("    "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(|name| format!("{words}{name} ")).collect()
}
