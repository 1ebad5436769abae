//! A text is whole exactly if it is a known prefix, 32 base62 characters and their check; the check
//! is computed here in the slow, plain way.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rescind_core::{
    BEARER_BYTES_MAX, BODY_CHARS, CHECK_CHARS, Presented, Recognised, TokenPrefix, recognise,
};

const PREFIXES: [&str; 3] = ["api_prod_", "lmts_", "lmts_live_"];

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let readable = Presented::bearer(text).is_ok();
    assert!(!readable || (1..=BEARER_BYTES_MAX).contains(&text.len()));
    assert!(!readable || text.bytes().all(|b| b.is_ascii_graphic() && b != b','));

    let prefixes = PREFIXES.map(|prefix| TokenPrefix::parse(prefix).expect("a prefix"));
    let found = recognise(text, &prefixes);
    let ours = PREFIXES.iter().filter(|prefix| text.starts_with(**prefix)).max_by_key(|p| p.len());
    let expected = match ours {
        None => Recognised::Foreign,
        Some(prefix) if is_whole(&text[prefix.len()..]) => Recognised::Whole,
        Some(_) => Recognised::Damaged,
    };
    assert_eq!(found, expected);
    assert!(found != Recognised::Whole || readable);

    // Any 32 base62 characters and their check make a whole token: so the fuzzer reaches that
    // branch at once.
    if text.len() == BODY_CHARS && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        let made = format!("lmts_{text}{}", plain_check(text));
        assert_eq!(recognise(&made, &prefixes), Recognised::Whole);
        assert_eq!(recognise(&made[..made.len() - 1], &prefixes), Recognised::Damaged);
    }
    if let Ok(prefix) = TokenPrefix::parse(text) {
        assert!(prefix.as_str() == text && text.len() + BODY_CHARS + CHECK_CHARS <= 55);
    }
});

fn is_whole(rest: &str) -> bool {
    rest.len() == BODY_CHARS + CHECK_CHARS
        && rest.bytes().all(|b| b.is_ascii_alphanumeric())
        && rest.ends_with(&plain_check(&rest[..BODY_CHARS]))
}

fn plain_check(body: &str) -> String {
    let mut crc = u32::MAX;
    for byte in body.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let digits: Vec<char> = ('0'..='9').chain('A'..='Z').chain('a'..='z').collect();
    let places = (0..CHECK_CHARS as u32).rev().map(|power| 62_u64.pow(power));
    places.map(|place| digits[(u64::from(!crc) / place % 62) as usize]).collect()
}
