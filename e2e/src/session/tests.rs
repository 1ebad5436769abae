use super::*;

/// What is wrong with a page when it is run.
fn faults(page: &str) -> Vec<String> {
    Session::read(page).unwrap().unwrap().run().unwrap()
}

#[test]
fn page_that_is_true_has_no_fault() {
    let page = "\
```sh\nA=1\n```\n```text title=\"/etc/new\"\nit's $A\n```\n<!-- test: run: echo hidden -->\n\
```text\nhidden\n```\n```sh\ncat /etc/new; echo $A; id -un\n```\n```text\nit's $A\n```\n\
Words.\n```text\n1\nroot\n```\n<!-- test: fails 3 -->\n```sh\n(exit 3)\n```\n\
<!-- test: background: here -->\n```sh\nsleep 0.2; echo here; sleep 100\n```\n```text\nhere\n```\n\
<!-- test: skip: takes long -->\n```sh\nfalse\n```\n";
    assert_eq!(faults(page), Vec::<String>::new());
    let session = Session::read(page).unwrap().unwrap();
    assert_eq!((session.count(), session.skipped.len()), (5, 1));
    assert!(!Path::new("/etc/new").exists());
}

#[test]
fn files_of_another_page_lie_where_it_says() {
    let page = "<!-- test: files: docs/proxies/nginx.md -->\n```sh\ngrep listen nginx.conf\n```\n\
```text\nlisten 127.0.0.1:9080;\n```\n";
    assert_eq!(faults(page), Vec::<String>::new());
}

#[test]
fn every_lie_is_found_with_its_line() {
    let pages = [
        ("a\n\n```sh\ntrue\nfalse\n```\n", "3: exit code 1: false\n"),
        ("```sh\ntrue | false | true\n```\n", "1: exit code 1:"),
        ("```sh\necho $UNKNOWN\n```\n", "1: "),
        ("```sh\necho a\n```\n\n```text\nb\n```\n", "5: this line is not printed there: b"),
        ("<!-- test: fails 1 -->\n```sh\ntrue\n```\n", "2: exit codes [] instead of 1"),
        ("<!-- test: fails 1 -->\n```sh\n(exit 2)\n```\n", "2: exit codes [2] instead of 1"),
        ("<!-- test: background: x -->\n```sh\nfalse\n```\n", "2: it does not say: x"),
        ("```sh\nif\n```\n", "1: "),
    ];
    for (page, expected) in pages {
        let found = faults(page);
        assert!(found.iter().any(|fault| fault.starts_with(expected)), "{page}: {found:?}");
    }
}

#[test]
fn page_in_terms_that_mean_nothing_is_refused() {
    let pages = [
        "```sh\n```\n```bash\nhidden\n```\n",
        "```sh\n```\n```\nhidden\n```\n",
        "<!-- test: skips: typo -->\n```sh\n```\n",
        "<!-- test: fails -->\n```sh\n```\n",
        "<!-- test: fails 1 -->\n```text\n```\n",
        "```sh\n```\n<!-- test: skip: nothing -->\n",
    ];
    for page in pages {
        assert!(Session::read(page).is_err(), "{page}");
    }
    assert!(Session::read("```text\nno shell\n```\n").unwrap().is_none());
}
