use super::*;
use alloc::format;
use proptest::prelude::*;
use rstest::rstest;

#[rstest]
#[case::root("/", "/")]
#[case::plain("/v1/products", "/v1/products")]
#[case::trailing_slash("/v1/products/", "/v1/products/")]
#[case::query("/orders?market=btc", "/orders")]
#[case::empty_query("/orders?", "/orders")]
#[case::root_with_query("/?a", "/")]
#[case::second_question_mark("/a?b?c", "/a")]
#[case::anything_goes_in_a_query("/a?../;\\%2f%00%zz//", "/a")]
#[case::blank("/a%20b", "/a b")]
#[case::letter("/%61dmin", "/admin")]
#[case::small_hex("/%c3%a9", "/\u{e9}")]
#[case::big_hex("/%C3%A9", "/\u{e9}")]
#[case::dots_in_names("/.well-known/..a/b../a.b/...", "/.well-known/..a/b../a.b/...")]
#[case::sub_delims("/a:b@c!d$e&f'g(h)i*j+k,l=m~n", "/a:b@c!d$e&f'g(h)i*j+k,l=m~n")]
#[case::encoded_colon("/a%3Ab", "/a:b")]
#[case::like_a_scheme("/http:", "/http:")]
fn clear_target_gives_its_path(#[case] target: &str, #[case] path: &str) {
    assert_eq!(unambiguous_path(target).as_deref(), Ok(path));
}

#[rstest]
#[case::empty("", TargetFault::NotAPath)]
#[case::relative("admin", TargetFault::NotAPath)]
#[case::asterisk("*", TargetFault::NotAPath)]
#[case::absolute_form("http://example.org/admin", TargetFault::NotAPath)]
#[case::authority_form("example.org:443", TargetFault::NotAPath)]
#[case::query_alone("?a", TargetFault::NotAPath)]
#[case::blank_before(" /admin", TargetFault::NotAPath)]
#[case::backslash_first("\\admin", TargetFault::NotAPath)]
#[case::encoded_first_slash("%2fadmin", TargetFault::NotAPath)]
#[case::double_slash("//admin", TargetFault::EmptySegment)]
#[case::two_slashes("//", TargetFault::EmptySegment)]
#[case::inner_double_slash("/a//b", TargetFault::EmptySegment)]
#[case::double_slash_at_the_end("/a//", TargetFault::EmptySegment)]
#[case::double_slash_before_a_query("/a//?b", TargetFault::EmptySegment)]
#[case::dot("/.", TargetFault::DotSegment)]
#[case::inner_dot("/a/./b", TargetFault::DotSegment)]
#[case::dots("/..", TargetFault::DotSegment)]
#[case::inner_dots("/a/../admin", TargetFault::DotSegment)]
#[case::dots_at_the_end("/a/..", TargetFault::DotSegment)]
#[case::dots_and_slash_at_the_end("/a/../", TargetFault::DotSegment)]
#[case::dots_before_a_query("/a/..?b", TargetFault::DotSegment)]
#[case::encoded_dots("/a/%2e%2e/admin", TargetFault::DotSegment)]
#[case::half_encoded_dots("/a/.%2E/admin", TargetFault::DotSegment)]
#[case::other_half_encoded_dots("/a/%2e./admin", TargetFault::DotSegment)]
#[case::encoded_dot("/a/%2e", TargetFault::DotSegment)]
#[case::encoded_slash("/a%2fb", TargetFault::Separator)]
#[case::encoded_slash_in_capitals("/a%2Fb", TargetFault::Separator)]
#[case::dots_and_encoded_slash("/a/..%2fadmin", TargetFault::Separator)]
#[case::backslash("/a\\..\\admin", TargetFault::Separator)]
#[case::encoded_backslash("/a%5cb", TargetFault::Separator)]
#[case::encoded_backslash_in_capitals("/a%5Cb", TargetFault::Separator)]
#[case::semicolon("/admin;x", TargetFault::Separator)]
#[case::dots_and_semicolon("/a/..;/admin", TargetFault::Separator)]
#[case::encoded_semicolon("/admin%3bx", TargetFault::Separator)]
#[case::encoded_question_mark("/admin%3fx", TargetFault::Separator)]
#[case::encoded_hash("/admin%23x", TargetFault::Separator)]
#[case::encoded_null("/admin%00.png", TargetFault::Control)]
#[case::encoded_line_feed("/a%0ab", TargetFault::Control)]
#[case::encoded_tab("/a%09", TargetFault::Control)]
#[case::encoded_delete("/a%7f", TargetFault::Control)]
#[case::encoded_next_line("/a%c2%85", TargetFault::Control)]
#[case::null("/a\0", TargetFault::Control)]
#[case::carriage_return("/a\rb", TargetFault::Control)]
#[case::line_feed_in_the_query("/a?b\nc", TargetFault::Control)]
#[case::delete("/a\u{7f}", TargetFault::Control)]
#[case::blank("/a b", TargetFault::Character)]
#[case::blank_in_the_query("/a?b c", TargetFault::Character)]
#[case::non_ascii("/\u{e9}", TargetFault::Character)]
#[case::non_ascii_slash("/a\u{2215}b", TargetFault::Character)]
#[case::fragment("/a#b", TargetFault::Character)]
#[case::fragment_in_the_query("/a?b#c", TargetFault::Character)]
#[case::encoded_percent("/a%252fb", TargetFault::Encoding)]
#[case::encoded_percent_alone("/100%25", TargetFault::Encoding)]
#[case::bare_percent("/100%", TargetFault::Encoding)]
#[case::one_digit("/a%2", TargetFault::Encoding)]
#[case::no_digits("/a%zz", TargetFault::Encoding)]
#[case::signed_digits("/a%+2", TargetFault::Encoding)]
#[case::cut_by_the_query("/a%2?f", TargetFault::Encoding)]
#[case::overlong_slash("/a%c0%afb", TargetFault::Encoding)]
#[case::overlong_dot("/%c0%ae%c0%ae/admin", TargetFault::Encoding)]
#[case::surrogate("/%ed%a0%80", TargetFault::Encoding)]
#[case::latin_1("/%e9", TargetFault::Encoding)]
fn ambiguous_target_is_refused(#[case] target: &str, #[case] fault: TargetFault) {
    assert_eq!(unambiguous_path(target), Err(fault));
}

#[test]
fn longest_target_is_taken_and_one_more_byte_is_not() {
    let longest = format!("/{}", "a".repeat(TARGET_BYTES_MAX - 1));
    assert!(unambiguous_path(&longest).is_ok());
    assert_eq!(unambiguous_path(&format!("{longest}a")), Err(TargetFault::TooLong));
    let query = format!("/?{}", "a".repeat(TARGET_BYTES_MAX - 2));
    assert!(unambiguous_path(&query).is_ok());
    assert_eq!(unambiguous_path(&format!("{query}a")), Err(TargetFault::TooLong));
}

#[test]
fn plain_path_is_not_copied() {
    assert!(matches!(unambiguous_path("/v1/products?a=%20"), Ok(Cow::Borrowed("/v1/products"))));
}

/// Every byte but the unreserved ones (RFC 3986 §2.3) and the slash escaped.
fn encode(path: &str) -> String {
    path.bytes().fold(String::new(), |out, byte| match byte {
        b'/' | b'-' | b'.' | b'_' | b'~' => out + char::from(byte).encode_utf8(&mut [0; 4]),
        _ if byte.is_ascii_alphanumeric() => out + char::from(byte).encode_utf8(&mut [0; 4]),
        _ => out + &format!("%{byte:02X}"),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn accepted_path_can_be_read_in_one_way(
        target in "/([/.;\\\\%?#a]|%2[eEfF5]|%5c|%c3%a9|%00|[!-~]){0,12}",
    ) {
        if let Ok(path) = unambiguous_path(&target) {
            let inner = path.strip_prefix('/').unwrap();
            let segments: Vec<&str> = inner.split('/').collect();
            let (last, before) = segments.split_last().unwrap();
            prop_assert!(before.iter().all(|segment| !segment.is_empty()));
            prop_assert!(!segments.iter().any(|segment| [".", ".."].contains(segment)));
            prop_assert!(!path.contains(['\\', ';', '%', '?', '#']));
            prop_assert!(!path.contains(char::is_control));
            // As many slashes as were sent, and a trailing one only if one was sent.
            let sent = target.split('?').next().unwrap();
            prop_assert_eq!(sent.matches('/').count(), path.matches('/').count());
            prop_assert_eq!(last.is_empty(), sent.ends_with('/'));
        }
    }

    #[test]
    fn accepted_path_survives_being_encoded_again(
        target in "/([a-c/.:&]|%[0-9a-f]{2}|%c3%a9){0,12}",
    ) {
        if let Ok(path) = unambiguous_path(&target) {
            let encoded = encode(&path);
            prop_assert_eq!(unambiguous_path(&encoded), Ok(path));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(target in "/?\\PC{0,40}") {
        if let Ok(path) = unambiguous_path(&target) {
            prop_assert!(path.starts_with('/'));
        }
    }
}
