//! Points in time: milliseconds of the Unix epoch on the wall clock, always given, never read here.

use alloc::string::{String, ToString};
use core::fmt;
use core::ops::Range;
use jiff::civil::DateTime;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::Offset;

/// Longest timestamp text that is looked at. ISO 8601 with nine fraction digits and an offset has
/// 35 characters; clients send fractions of any length, so there is room for more.
pub const TIMESTAMP_BYTES_MAX: usize = 64;

/// jiff reads at most nine fraction digits; further ones are below a nanosecond and are dropped.
const FRACTION_DIGITS_MAX: usize = 9;

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an ISO 8601 date and time with an offset")]
pub struct TimestampError;

impl Timestamp {
    /// Year 9999 and year 1: what RFC 3339 can say. Arithmetic saturates here.
    pub const MAX: Self = Self(253_402_207_200_000);
    pub const MIN: Self = Self(-62_135_596_800_000);

    pub const fn from_millis(millis: i64) -> Self {
        if millis > Self::MAX.0 {
            Self::MAX
        } else if millis < Self::MIN.0 {
            Self::MIN
        } else {
            Self(millis)
        }
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }

    pub const fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// Distance in milliseconds, whichever of the two is later.
    pub const fn distance_millis(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }

    /// Reads what clients send: `2026-03-23T12:34:56.789Z`, fractions of any length, any offset.
    /// A time without an offset is refused: it names no point in time.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let instant = match usual(text) {
            Some(instant) => instant,
            None => any_form(text)?,
        };
        let millis = instant.as_millisecond();
        // A year that cannot be written back is refused, not moved to one that can.
        if Self::from_millis(millis).0 == millis { Ok(Self(millis)) } else { Err(TimestampError) }
    }

    /// `2026-03-23T12:34:56Z`: the second it lies in, as WizCommerce writes dates.
    pub fn to_rfc3339_seconds(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%SZ")
    }

    /// `2026-03-23T12:34:56.789Z`, as Limitless Exchange writes dates.
    pub fn to_rfc3339_millis(self) -> String {
        let mut text = String::with_capacity("2026-03-23T12:34:56.789Z".len());
        self.write_rfc3339_millis(&mut text);
        text
    }

    /// The same to the end of `text`.
    pub fn write_rfc3339_millis(self, text: &mut String) {
        const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
        // A `String` takes whatever is written.
        let _ = PRINTER.print_timestamp(&self.instant(), text);
    }

    fn format(self, pattern: &str) -> String {
        self.instant().strftime(pattern).to_string()
    }

    fn instant(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339_millis())
    }
}

/// The form that nearly all who sign send: digits where it has digits, and else as it is.
const USUAL: [u8; 24] = *b"0000-00-00T00:00:00.000Z";

/// jiff's parser of all forms is a quarter of a signed request's verification. What is not of the
/// usual form, or names no time, is left to it.
fn usual(text: &str) -> Option<jiff::Timestamp> {
    let text: [u8; USUAL.len()] = text.as_bytes().try_into().ok()?;
    let fits = |(byte, form): (u8, u8)| byte == form || form == b'0' && byte.is_ascii_digit();
    if !text.into_iter().zip(USUAL).all(fits) {
        return None;
    }
    let number = |digits: Range<usize>| {
        let digits = text.get(digits)?.iter();
        Some(digits.fold(0, |number: i16, digit| number * 10 + i16::from(digit - b'0')))
    };
    let two = |at: usize| i8::try_from(number(at..at + 2)?).ok();
    let nanos = i32::from(number(20..23)?) * 1_000_000;
    let time = DateTime::new(number(0..4)?, two(5)?, two(8)?, two(11)?, two(14)?, two(17)?, nanos);
    Offset::UTC.to_timestamp(time.ok()?).ok()
}

fn any_form(text: &str) -> Result<jiff::Timestamp, TimestampError> {
    if text.len() > TIMESTAMP_BYTES_MAX || !text.bytes().all(is_of_a_timestamp) {
        return Err(TimestampError);
    }
    match shorten_fraction(text) {
        Some(short) => short.parse(),
        None => text.parse(),
    }
    .map_err(|_| TimestampError)
}

/// jiff also reads annotations in brackets (RFC 9557); nobody signs with those.
const fn is_of_a_timestamp(byte: u8) -> bool {
    matches!(
        byte,
        b'0'..=b'9' | b'-' | b'+' | b':' | b'.' | b',' | b'T' | b't' | b'Z' | b'z' | b' '
    )
}

/// The text with its fraction cut to what jiff reads, if it is longer than that.
fn shorten_fraction(text: &str) -> Option<String> {
    let (whole, rest) = text.split_once(['.', ','])?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if digits <= FRACTION_DIGITS_MAX {
        return None;
    }
    let kept = rest.get(..FRACTION_DIGITS_MAX)?;
    let tail = rest.get(digits..)?;
    let mut short = String::with_capacity(text.len());
    for part in [whole, ".", kept, tail] {
        short.push_str(part);
    }
    Some(short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;
    use rstest::rstest;

    /// `date -u -d 2026-03-23T12:34:56Z +%s`, in milliseconds.
    const SECOND: i64 = 1_774_269_296_000;

    #[rstest]
    #[case::sdk("2026-03-23T12:34:56.789Z", SECOND + 789)]
    #[case::python_isoformat("2026-03-23T12:34:56.123456+00:00", SECOND + 123)]
    #[case::no_fraction("2026-03-23T12:34:56Z", SECOND)]
    #[case::one_digit("2026-03-23T12:34:56.7Z", SECOND + 700)]
    #[case::nine_digits("2026-03-23T12:34:56.789999999Z", SECOND + 789)]
    #[case::ten_digits("2026-03-23T12:34:56.7899999999Z", SECOND + 789)]
    #[case::thirty_digits("2026-03-23T12:34:56.789000000000000000000000000000+00:00", SECOND + 789)]
    #[case::comma("2026-03-23T12:34:56,789Z", SECOND + 789)]
    #[case::long_comma("2026-03-23T12:34:56,7899999999Z", SECOND + 789)]
    #[case::east("2026-03-23T18:04:56.789+05:30", SECOND + 789)]
    #[case::west("2026-03-23T05:34:56.789-07:00", SECOND + 789)]
    #[case::west_over_midnight("2026-03-22T23:34:56-13:00", SECOND)]
    #[case::zero_west("2026-03-23T12:34:56-00:00", SECOND)]
    #[case::short_offset("2026-03-23T12:34:56+0000", SECOND)]
    #[case::lower_case("2026-03-23t12:34:56z", SECOND)]
    #[case::blank_between("2026-03-23 12:34:56+00:00", SECOND)]
    #[case::basic("20260323T123456Z", SECOND)]
    #[case::epoch("1970-01-01T00:00:00Z", 0)]
    #[case::before_the_epoch("1969-12-31T23:59:59.999Z", -1)]
    #[case::leap_day("2024-02-29T00:00:00Z", 1_709_164_800_000)]
    #[case::year_one("0001-01-01T00:00:00Z", -62_135_596_800_000)]
    fn timestamp_is_read(#[case] text: &str, #[case] millis: i64) {
        assert_eq!(Timestamp::parse(text).map(Timestamp::as_millis), Ok(millis));
    }

    #[rstest]
    #[case::no_offset("2026-03-23T12:34:56.789")]
    #[case::no_offset_long_fraction("2026-03-23T12:34:56.7890000000000")]
    #[case::no_time("2026-03-23")]
    #[case::no_time_with_offset("2026-03-23Z")]
    #[case::unix_seconds("1774269296")]
    #[case::empty("")]
    #[case::blank_before(" 2026-03-23T12:34:56Z")]
    #[case::blank_after("2026-03-23T12:34:56Z ")]
    #[case::two("2026-03-23T12:34:56Z2026-03-23T12:34:56Z")]
    #[case::joined("2026-03-23T12:34:56.789Z, 2026-03-23T12:34:56.789Z")]
    #[case::line_feed("2026-03-23T12:34:56Z\n")]
    #[case::no_such_day("2026-02-29T00:00:00Z")]
    #[case::no_such_month("2026-13-01T00:00:00Z")]
    #[case::hour_24("2026-03-23T24:00:00Z")]
    #[case::second_61("2026-03-23T12:34:61Z")]
    #[case::empty_fraction("2026-03-23T12:34:56.Z")]
    #[case::two_fractions("2026-03-23T12:34:56.7890000000.5Z")]
    #[case::annotated("2026-03-23T12:34:56+00:00[UTC]")]
    #[case::zone_name("2026-03-23T12:34:56 UTC")]
    #[case::http_date("Mon, 23 Mar 2026 12:34:56 GMT")]
    #[case::full_width("2026\u{ff0d}03-23T12:34:56Z")]
    #[case::year_zero("0000-12-31T23:59:59Z")]
    #[case::before_christ("-000100-01-01T00:00:00Z")]
    #[case::year_10000("+010000-01-01T00:00:00Z")]
    fn garbage_is_refused(#[case] text: &str) {
        assert_eq!(Timestamp::parse(text), Err(TimestampError));
    }

    #[test]
    fn leap_second_is_read_as_the_second_before_it() {
        let leap = Timestamp::parse("2016-12-31T23:59:60Z").unwrap();
        assert_eq!(leap, Timestamp::parse("2016-12-31T23:59:59Z").unwrap());
    }

    #[test]
    fn longest_text_is_read_and_one_more_digit_is_not() {
        let digits = TIMESTAMP_BYTES_MAX - "2026-03-23T12:34:56.Z".len();
        let text = |digits| format!("2026-03-23T12:34:56.{}Z", "1".repeat(digits));
        assert_eq!(text(digits).len(), TIMESTAMP_BYTES_MAX);
        assert!(Timestamp::parse(&text(digits)).is_ok());
        assert_eq!(Timestamp::parse(&text(digits + 1)), Err(TimestampError));
    }

    #[test]
    fn both_forms_are_written_in_utc() {
        let time = Timestamp::from_millis(SECOND + 7);
        assert_eq!(time.to_rfc3339_seconds(), "2026-03-23T12:34:56Z");
        assert_eq!(time.to_rfc3339_millis(), "2026-03-23T12:34:56.007Z");
        assert_eq!(format!("{time}"), "2026-03-23T12:34:56.007Z");
        assert_eq!(Timestamp::from_millis(SECOND).to_rfc3339_millis(), "2026-03-23T12:34:56.000Z");
        assert_eq!(Timestamp::MIN.to_rfc3339_millis(), "0001-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::MAX.to_rfc3339_millis(), "9999-12-30T22:00:00.000Z");
    }

    #[test]
    fn arithmetic_stops_at_both_ends() {
        assert_eq!(Timestamp::MAX.plus_millis(1), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.plus_millis(-1), Timestamp::MIN);
        assert_eq!(Timestamp::from_millis(i64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MAX.plus_millis(i64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_millis(i64::MIN), Timestamp::MIN);
        let apart = Timestamp::MAX.distance_millis(Timestamp::MIN);
        assert_eq!(apart, Timestamp::MIN.distance_millis(Timestamp::MAX));
        assert_eq!(apart, 315_537_804_000_000);
    }

    proptest! {
        #[test]
        fn written_time_reads_back(millis in Timestamp::MIN.0..=Timestamp::MAX.0) {
            let time = Timestamp::from_millis(millis);
            prop_assert_eq!(Timestamp::parse(&time.to_rfc3339_millis()), Ok(time));
            let second = Timestamp::parse(&time.to_rfc3339_seconds()).unwrap();
            prop_assert_eq!(second.as_millis(), millis.div_euclid(1000) * 1000);
            let pattern = time.format("%Y-%m-%dT%H:%M:%S.%3fZ");
            prop_assert_eq!(time.to_rfc3339_millis(), pattern);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,80}|[0-9TZ:.,+ -]{0,70}") {
            if let Ok(time) = Timestamp::parse(&text) {
                prop_assert_eq!(Timestamp::parse(&time.to_rfc3339_millis()), Ok(time));
            }
        }

        /// What the quick reader reads, one byte of it changed, the other one reads alike.
        #[test]
        fn usual_form_is_read_as_any_other_is(
            millis in Timestamp::MIN.0..=Timestamp::MAX.0,
            at in 0..24_usize,
            byte in "[0-9:.TZ+ -]",
        ) {
            let mut text = Timestamp::from_millis(millis).to_rfc3339_millis();
            text.replace_range(at..=at, &byte);
            if let Some(read) = usual(&text) {
                prop_assert_eq!(any_form(&text), Ok(read), "{}", text);
            }
        }

        /// The instant does not depend on the offset in which it is written.
        #[test]
        fn offset_moves_the_clock_and_not_the_time(
            millis in 0..SECOND,
            minutes in -1439..=1439_i64,
        ) {
            let local = Timestamp::from_millis(millis + minutes * 60_000).to_rfc3339_millis();
            let sign = if minutes < 0 { '-' } else { '+' };
            let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
            let text = format!("{}{sign}{hours:02}:{rest:02}", local.trim_end_matches('Z'));
            prop_assert_eq!(Timestamp::parse(&text), Ok(Timestamp::from_millis(millis)));
        }
    }
}
