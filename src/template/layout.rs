//! Go's time layouts, in which parts of a reference date (Mon Jan 2 15:04:05 2006) are the format.

use super::time::{TIME_MS_MAX, ZERO_TIME_MS};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use std::fmt::Write as _;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Letters of a short month or weekday name.
const SHORT_NAME: usize = 3;

/// Digits of a fraction of a second at nanosecond precision.
const FRACTION_DIGITS: usize = 9;

/// One element of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Year,
    ShortYear,
    MonthName,
    ShortMonthName,
    Month(Pad),
    WeekdayName,
    ShortWeekdayName,
    Day(Pad),
    YearDay(Pad),
    Hour,
    Hour12(Pad),
    Minute(Pad),
    Second(Pad),
    UpperHalf,
    LowerHalf,
    ZoneName,
    Zone { zulu: bool, colon: bool, minutes: bool, seconds: bool },
}

/// What fills a number up to its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pad {
    None,
    Zero,
    Space,
}

const fn zone(zulu: bool, colon: bool, minutes: bool, seconds: bool) -> Element {
    Element::Zone { zulu, colon, minutes, seconds }
}

/// Elements by their text; of two with the same start the longer comes first.
const ELEMENTS: &[(&str, Element)] = &[
    ("January", Element::MonthName),
    ("Jan", Element::ShortMonthName),
    ("Monday", Element::WeekdayName),
    ("Mon", Element::ShortWeekdayName),
    ("MST", Element::ZoneName),
    ("2006", Element::Year),
    ("002", Element::YearDay(Pad::Zero)),
    ("01", Element::Month(Pad::Zero)),
    ("02", Element::Day(Pad::Zero)),
    ("03", Element::Hour12(Pad::Zero)),
    ("04", Element::Minute(Pad::Zero)),
    ("05", Element::Second(Pad::Zero)),
    ("06", Element::ShortYear),
    ("15", Element::Hour),
    ("__2", Element::YearDay(Pad::Space)),
    ("_2", Element::Day(Pad::Space)),
    ("1", Element::Month(Pad::None)),
    ("2", Element::Day(Pad::None)),
    ("3", Element::Hour12(Pad::None)),
    ("4", Element::Minute(Pad::None)),
    ("5", Element::Second(Pad::None)),
    ("PM", Element::UpperHalf),
    ("pm", Element::LowerHalf),
    ("-07:00:00", zone(false, true, true, true)),
    ("-070000", zone(false, false, true, true)),
    ("-07:00", zone(false, true, true, false)),
    ("-0700", zone(false, false, true, false)),
    ("-07", zone(false, false, false, false)),
    ("Z07:00:00", zone(true, true, true, true)),
    ("Z070000", zone(true, false, true, true)),
    ("Z07:00", zone(true, true, true, false)),
    ("Z0700", zone(true, false, true, false)),
    ("Z07", zone(true, false, false, false)),
];

/// A moment in a zone, split into what layouts print.
struct Moment<'z> {
    civil: DateTime,
    offset_seconds: i32,
    /// The name of the zone at that moment, if it has one.
    zone_name: Option<&'z str>,
}

/// Formats a moment in a fixed zone. The moment is in milliseconds since 1970, clamped between the
/// zero time and the end of the calendar.
pub(super) fn format_time(millis: i64, offset_seconds: i32, layout: &str) -> String {
    format_in_zone(millis, offset_seconds, None, layout)
}

/// The same in a zone that may have a name, such as CET.
pub(super) fn format_in_zone(
    millis: i64,
    offset_seconds: i32,
    zone_name: Option<&str>,
    layout: &str,
) -> String {
    let offset = Offset::from_seconds(offset_seconds).unwrap_or(Offset::UTC);
    let held = millis.clamp(ZERO_TIME_MS, TIME_MS_MAX);
    let instant = Timestamp::from_millisecond(held).unwrap_or(Timestamp::UNIX_EPOCH);
    let (civil, offset_seconds) = (offset.to_datetime(instant), offset.seconds());
    let moment = Moment { civil, offset_seconds, zone_name };
    let mut text = String::with_capacity(layout.len());
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        if let Some((length, fraction)) = fraction(rest, &moment) {
            text.push_str(&fraction);
            rest = rest.get(length..).unwrap_or_default();
        } else if let Some((length, element)) = element(rest) {
            moment.write(element, &mut text);
            rest = rest.get(length..).unwrap_or_default();
        } else {
            text.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    text
}

/// English name of a month, from 1.
pub(super) fn month_name(month: i8) -> &'static str {
    name_at(&MONTHS, month)
}

/// English name of a weekday; Monday is 1.
pub(super) fn weekday_name(weekday: i8) -> &'static str {
    name_at(&WEEKDAYS, weekday)
}

fn name_at<const N: usize>(names: &[&'static str; N], number: i8) -> &'static str {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    index.and_then(|index| names.get(index)).copied().unwrap_or_default()
}

/// The calendar form of a moment in UTC.
pub(super) fn civil(millis: i64) -> DateTime {
    let held = millis.clamp(ZERO_TIME_MS, TIME_MS_MAX);
    Offset::UTC.to_datetime(Timestamp::from_millisecond(held).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// The element at the start of `rest`, and its length.
fn element(rest: &str) -> Option<(usize, Element)> {
    // `_2006` is not a space-padded day: it is an underscore before a year.
    if rest.starts_with("_2006") {
        return None;
    }
    let (text, element) = ELEMENTS.iter().find(|(text, _)| rest.starts_with(text))?;
    let after = rest.get(text.len()..).unwrap_or_default();
    let is_word = matches!(element, Element::ShortMonthName)
        && after.starts_with(|next: char| next.is_ascii_lowercase());
    (!is_word).then_some((text.len(), *element))
}

/// A fraction of a second at the start of `rest`: a point or comma and a run of one digit. The
/// digit 0 prints all digits, 9 drops trailing zeros. Returns its length and text.
fn fraction(rest: &str, moment: &Moment<'_>) -> Option<(usize, String)> {
    let mut characters = rest.chars();
    let separator = characters.next().filter(|first| matches!(first, '.' | ','))?;
    let digit = characters.next().filter(|next| matches!(next, '0' | '9'))?;
    let digits_from = separator.len_utf8();
    let run = rest.get(digits_from..)?.chars().take_while(|next| *next == digit).count();
    let length = digits_from + run;
    if rest.get(length..)?.starts_with(|next: char| next.is_ascii_digit()) {
        return None;
    }
    let nanos = format!("{:09}", moment.civil.subsec_nanosecond());
    let shown = nanos.get(..run.min(FRACTION_DIGITS))?;
    let shown = if digit == '9' { shown.trim_end_matches('0') } else { shown };
    let text = if shown.is_empty() { String::new() } else { format!("{separator}{shown}") };
    Some((length, text))
}

impl Moment<'_> {
    fn write(&self, element: Element, text: &mut String) {
        let civil = self.civil;
        let month = month_name(civil.month());
        let weekday = weekday_name(civil.weekday().to_monday_one_offset());
        match element {
            Element::Year => push(text, i32::from(civil.year()), 4, Pad::Zero),
            Element::ShortYear => push(text, i32::from(civil.year() % 100), 2, Pad::Zero),
            Element::MonthName => text.push_str(month),
            Element::ShortMonthName => text.push_str(short(month)),
            Element::Month(pad) => push(text, i32::from(civil.month()), 2, pad),
            Element::WeekdayName => text.push_str(weekday),
            Element::ShortWeekdayName => text.push_str(short(weekday)),
            Element::Day(pad) => push(text, i32::from(civil.day()), 2, pad),
            Element::YearDay(pad) => push(text, i32::from(civil.day_of_year()), 3, pad),
            Element::Hour => push(text, i32::from(civil.hour()), 2, Pad::Zero),
            Element::Hour12(pad) => push(text, (i32::from(civil.hour()) + 11) % 12 + 1, 2, pad),
            Element::Minute(pad) => push(text, i32::from(civil.minute()), 2, pad),
            Element::Second(pad) => push(text, i32::from(civil.second()), 2, pad),
            Element::UpperHalf => text.push_str(if civil.hour() < 12 { "AM" } else { "PM" }),
            Element::LowerHalf => text.push_str(if civil.hour() < 12 { "am" } else { "pm" }),
            Element::ZoneName if self.zone_name.is_some() => {
                text.push_str(self.zone_name.unwrap_or_default());
            }
            Element::ZoneName if self.offset_seconds == 0 => text.push_str("UTC"),
            // A fixed zone has no name: Go prints its offset.
            Element::ZoneName => {
                let minutes = self.offset_seconds % 3_600 != 0;
                self.push_zone(text, false, [minutes, false]);
            }
            Element::Zone { zulu: true, .. } if self.offset_seconds == 0 => text.push('Z'),
            Element::Zone { colon, minutes, seconds, zulu: _ } => {
                self.push_zone(text, colon, [minutes, seconds]);
            }
        }
    }

    fn push_zone(&self, text: &mut String, colon: bool, parts: [bool; 2]) {
        let size = self.offset_seconds.abs();
        text.push(if self.offset_seconds < 0 { '-' } else { '+' });
        push(text, size / 3_600, 2, Pad::Zero);
        for (part, is_shown) in [size / 60 % 60, size % 60].into_iter().zip(parts) {
            if is_shown {
                text.push_str(if colon { ":" } else { "" });
                push(text, part, 2, Pad::Zero);
            }
        }
    }
}

fn short(name: &str) -> &str {
    name.get(..SHORT_NAME).unwrap_or(name)
}

fn push(text: &mut String, number: i32, width: usize, pad: Pad) {
    // Writing to a String cannot fail.
    let _ = match pad {
        Pad::None => write!(text, "{number}"),
        Pad::Zero => write!(text, "{number:0width$}"),
        Pad::Space => write!(text, "{number:width$}"),
    };
}

#[cfg(test)]
#[path = "layout_test.rs"]
mod tests;
