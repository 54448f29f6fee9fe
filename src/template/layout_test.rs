//! Layouts against the texts that Go prints for them.

use super::*;

/// 2026-03-05T16:07:09.120Z, a Thursday.
const AFTERNOON: i64 = 1_772_726_829_120;

fn utc(layout: &str) -> String {
    format_time(AFTERNOON, 0, layout)
}

#[test]
fn named_layouts_of_go_print_as_in_go() {
    for (layout, text) in [
        ("Mon Jan _2 15:04:05 2006", "Thu Mar  5 16:07:09 2026"),
        ("02 Jan 06 15:04 MST", "05 Mar 26 16:07 UTC"),
        ("02 Jan 06 15:04 -0700", "05 Mar 26 16:07 +0000"),
        ("Monday, 02-Jan-06 15:04:05 MST", "Thursday, 05-Mar-26 16:07:09 UTC"),
        ("2006-01-02T15:04:05Z07:00", "2026-03-05T16:07:09Z"),
        ("2006-01-02T15:04:05.999999999Z07:00", "2026-03-05T16:07:09.12Z"),
        ("3:04PM", "4:07PM"),
        ("Jan _2 15:04:05.000", "Mar  5 16:07:09.120"),
        ("2006-01-02 15:04:05 MST", "2026-03-05 16:07:09 UTC"),
    ] {
        assert_eq!(utc(layout), text, "{layout}");
    }
}

#[test]
fn every_element_prints() {
    for (layout, text) in [
        ("January|Jan|Monday|Mon", "March|Mar|Thursday|Thu"),
        ("1/2/2006", "3/5/2026"),
        ("002 __2", "064  64"),
        ("15 03 3 04 4 05 5", "16 04 4 07 7 09 9"),
        ("PM pm", "PM pm"),
        ("-07 -0700 -07:00 -070000 -07:00:00", "+00 +0000 +00:00 +000000 +00:00:00"),
        ("Z07 Z0700 Z07:00 Z070000 Z07:00:00", "Z Z Z Z Z"),
        ("_2006", "_2026"),
    ] {
        assert_eq!(utc(layout), text, "{layout}");
    }
}

#[test]
fn text_that_is_no_element_stays() {
    assert_eq!(utc("Janet at h:mm — é"), "Janet at h:mm — é");
    assert_eq!(utc(""), "");
}

#[test]
fn fractions_take_a_point_or_a_comma() {
    assert_eq!(utc("05.00"), "09.12");
    assert_eq!(utc("05,000"), "09,120");
    assert_eq!(utc("05.999"), "09.12");
    // A digit after the run makes it no fraction; `01` is the month.
    assert_eq!(utc("05.0001"), "09.0003");
    assert_eq!(format_time(0, 0, "05.999"), "00");
}

#[test]
fn offsets_move_the_hour_and_print() {
    let plus = 5 * 3_600 + 30 * 60;
    assert_eq!(format_time(AFTERNOON, plus, "15:04 -07:00 MST"), "21:37 +05:30 +0530");
    assert_eq!(format_time(AFTERNOON, -3_600, "15:04 Z0700 MST"), "15:07 -0100 -01");
}

#[test]
fn midnight_and_noon_are_twelve() {
    assert_eq!(format_time(0, 0, "3PM 03pm"), "12AM 12am");
    assert_eq!(format_time(43_200_000, 0, "3PM"), "12PM");
}

#[test]
fn moments_out_of_range_are_held() {
    assert_eq!(format_time(i64::MIN, 0, "2006"), "0001");
    assert_eq!(format_time(i64::MAX, 0, "2006"), "9999");
}
