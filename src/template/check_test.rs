//! What is refused when a template is loaded, and where; which results a template mentions.

use crate::template::limits::{ELSE_MAX, NESTING_MAX, TEMPLATE_BYTES_MAX};
use crate::template::{DataKind, Named, Template};
use std::collections::BTreeSet;

fn refusal(text: &str) -> String {
    Template::compile(text, DataKind::Event)
        .map(|_| String::new())
        .unwrap_or_else(|error| error.to_string())
}

fn assert_refused(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(refusal(text), *expected, "{text}");
    }
}

#[test]
fn unknown_names_are_refused_where_they_stand() {
    assert_refused(&[
        ("{{.Nam}}", "1:3: the event has no field or method `Nam`"),
        ("a\nbé {{ .Repo.Ownr }}", "2:7: the repository has no field or method `Ownr`"),
        ("{{.State.Foo}}", "1:3: text has no field or method `Foo`"),
        ("{{range .Results}}{{.Key}}{{end}}", "1:21: a result has no field or method `Key`"),
        (
            "{{with .Repo}}{{.RunName}}{{end}}",
            "1:17: the repository has no field or method `RunName`",
        ),
        ("{{$r := .Repo}}{{$r.Nope}}", "1:18: the repository has no field or method `Nope`"),
        ("{{(index .Results 0).Nope}}", "1:3: a result has no field or method `Nope`"),
        ("{{.StartedAt.Foo}}", "1:3: a time has no field or method `Foo`"),
        ("{{(.FinishedAt.Sub .StartedAt).Day}}", "1:3: a duration has no field or method `Day`"),
        (
            "{{define \"x\"}}{{.Nope}}{{end}}{{template \"x\" .Repo}}",
            "1:17: the repository has no field or method `Nope`",
        ),
        (
            "{{if .RunName}}{{else}}{{.Nope}}{{end}}",
            "1:26: the event has no field or method `Nope`",
        ),
        ("{{$.Nope}}", "1:3: the event has no field or method `Nope`"),
    ]);
}

#[test]
fn a_summary_has_other_fields_than_an_event() {
    let error = Template::compile("{{.Namespace}}", DataKind::Summary).unwrap_err();
    assert_eq!(error.to_string(), "1:3: the summary has no field or method `Namespace`");
    assert_eq!((error.line, error.column), (1, 3));
    assert!(Template::compile("{{range .Tasks}}{{.Emoji}}{{end}}", DataKind::Summary).is_ok());
    let error =
        Template::compile("{{range .Tasks}}{{.Value}}{{end}}", DataKind::Summary).unwrap_err();
    assert_eq!(error.to_string(), "1:19: a task has no field or method `Value`");
}

#[test]
fn unknown_and_refused_functions_say_so() {
    let no_clock = "a template must give the same text each time, so it has no clock; \
                    use `.StartedAt` or `.FinishedAt`";
    assert_refused(&[
        ("{{shout .State}}", "1:3: unknown function `shout`"),
        ("{{.State | shout}}", "1:12: unknown function `shout`"),
        (
            "{{if (env \"HOME\")}}{{end}}",
            "1:7: function `env` is refused: templates cannot read the environment",
        ),
        (
            "{{getHostByName \"x\"}}",
            "1:3: function `getHostByName` is refused: templates cannot use the network",
        ),
        ("{{now | date \"2006\"}}", &format!("1:3: function `now` is refused: {no_clock}")),
        (
            "{{genPrivateKey \"rsa\"}}",
            "1:3: function `genPrivateKey` is refused: templates do no cryptography",
        ),
        ("{{define \"unused\"}}{{shout}}{{end}}", "1:22: unknown function `shout`"),
        ("{{print shout}}", "1:9: unknown function `shout`"),
    ]);
}

#[test]
fn argument_counts_are_checked() {
    assert_refused(&[
        ("{{upper}}", "1:3: `upper` takes 1 argument, not 0"),
        ("{{.State | trunc 3 4}}", "1:12: `trunc` takes 2 arguments, not 3"),
        ("{{eq .State}}", "1:3: `eq` takes at least 2 arguments, not 1"),
        ("{{.StartedAt.Sub}}", "1:3: `Sub` takes 1 argument, not 0"),
        ("{{.StartedAt.IsZero 1}}", "1:3: `IsZero` takes 0 arguments, not 1"),
        ("{{.State \"x\"}}", "1:3: `State` takes 0 arguments, not 1"),
        ("{{.State | .RunName}}", "1:12: `RunName` takes 0 arguments, not 1"),
        ("{{print printf}}", "1:9: `printf` takes 1 to 65 arguments, not 0"),
        ("{{and}}", "1:3: `and` takes at least 1 argument, not 0"),
    ]);
}

#[test]
fn what_is_no_function_takes_no_argument() {
    assert_refused(&[
        ("{{.State | \"x\"}}", "1:12: a text takes no argument"),
        ("{{1 2}}", "1:3: a number takes no argument"),
        ("{{. 1}}", "1:3: `.` takes no argument"),
        ("{{nil}}", "1:3: `nil` is not a command"),
        ("{{18446744073709551615}}", "1:3: the number 18446744073709551615 does not fit 64 bits"),
    ]);
}

#[test]
fn records_print_only_by_their_fields() {
    assert_refused(&[
        ("{{.}}", "1:3: cannot print the event: name one of its fields"),
        ("{{.Repo}}", "1:3: cannot print the repository: name one of its fields"),
        ("{{range .Results}}{{.}}{{end}}", "1:21: cannot print a result: name one of its fields"),
    ]);
}

#[test]
fn only_lists_maps_and_numbers_are_ranged_over() {
    assert_refused(&[
        ("{{range .State}}{{end}}", "1:9: cannot range over text"),
        ("{{range .}}{{end}}", "1:9: cannot range over the event"),
    ]);
}

#[test]
fn variables_are_seen_only_in_their_block() {
    assert_refused(&[
        ("{{$x}}", "1:3: variable `$x` is not declared"),
        ("{{$x = 1}}", "1:3: variable `$x` is not declared"),
        ("{{if true}}{{$x := 1}}{{end}}{{$x}}", "1:32: variable `$x` is not declared"),
        ("{{range $i, $r := .Results}}{{end}}{{$r}}", "1:38: variable `$r` is not declared"),
        (
            "{{$x := 1}}{{define \"d\"}}{{$x}}{{end}}{{template \"d\"}}",
            "1:28: variable `$x` is not declared",
        ),
    ]);
    assert_eq!(refusal("{{$x := .Repo}}{{if true}}{{$x = 1}}{{end}}{{print $x}}"), "");
}

#[test]
fn blocks_are_closed_and_ends_close_one() {
    assert_refused(&[
        ("{{if .State}}a", "1:3: this block has no `{{end}}`"),
        ("a\n{{range .Results}}{{if .Name}}x{{end}}", "2:3: this block has no `{{end}}`"),
        ("{{if .State}}{{else}}b", "1:3: this block has no `{{end}}`"),
        ("{{define \"x\"}}a", "1:3: this block has no `{{end}}`"),
        ("a{{end}}b", "1:2: `end` closes no block"),
        ("{{if .State}}a{{end}}\n{{- end}}b", "2:1: `end` closes no block"),
        ("a{{ else }}b", "1:2: `else` closes no block"),
        ("{{if .State}}a{{else if .RunName}}b{{end}}{{end}}", "1:43: `end` closes no block"),
        ("{{break}}", "1:3: `break` outside of `range`"),
        ("{{if true}}{{continue}}{{end}}", "1:14: `continue` outside of `range`"),
        ("{{range .Results}}{{else}}{{break}}{{end}}", "1:29: `break` outside of `range`"),
    ]);
    assert_eq!(refusal("{{\"{{end}}\"}}"), "");
}

#[test]
fn syntax_errors_carry_their_place() {
    for (text, place) in [
        ("{{.State", "1:"),
        ("ok\n{{ if }}", "2:"),
        ("{{\"open}}", "1:"),
        ("{{if .State}}a{{else}}b{{else}}c{{end}}", "1:"),
        ("{{.State | }}", "1:"),
        ("{{template}}", "1:"),
    ] {
        assert!(refusal(text).starts_with(place), "{text}: {}", refusal(text));
    }
}

#[test]
fn templates_exist_once_and_never_call_themselves() {
    assert_refused(&[
        ("{{template \"x\"}}", "1:3: template `x` is not defined"),
        ("{{define \"x\"}}1{{end}}{{define \"x\"}}2{{end}}", "1:25: template `x` is defined twice"),
        (
            "{{define \"x\"}}{{template \"x\"}}{{end}}{{template \"x\"}}",
            "1:17: template `x` calls itself",
        ),
        (
            "{{define \"a\"}}{{template \"b\"}}{{end}}{{define \"b\"}}{{template \"a\"}}{{end}}\
             {{template \"a\"}}",
            "1:54: template `a` calls itself",
        ),
    ]);
}

#[test]
fn patterns_and_formats_written_out_are_checked() {
    assert!(refusal("{{regexFind \"(\" .State}}").starts_with("1:13: `regexFind`: bad regular"));
    let wide = "1:10: `printf`: a printf width or precision is at most 999";
    assert_eq!(refusal("{{printf \"%9999d\" 1}}"), wide);
    assert_eq!(refusal("{{regexQuoteMeta \"(\"}}"), "");
}

#[test]
fn size_is_bounded() {
    let fits = "x".repeat(TEMPLATE_BYTES_MAX);
    assert_eq!(refusal(&fits), "");
    let long = "x".repeat(TEMPLATE_BYTES_MAX + 1);
    assert_eq!(refusal(&long), "1:1: the template is longer than 65536 bytes");
}

#[test]
fn nesting_is_bounded() {
    let blocks = |depth| format!("{}{}", "{{if true}}".repeat(depth), "{{end}}".repeat(depth));
    assert_eq!(refusal(&blocks(NESTING_MAX)), "");
    assert!(refusal(&blocks(NESTING_MAX + 1)).ends_with("nest more than 48 deep"));
    assert!(refusal(&blocks(3_000)).ends_with("template nesting depth exceeded 100"));
    let parentheses = format!("{{{{{}1{}}}}}", "(".repeat(60), ")".repeat(60));
    assert!(refusal(&parentheses).ends_with("nest more than 48 deep"));
}

#[test]
fn branches_are_bounded_before_the_parser_recurses() {
    let chain = |length| format!("{{{{if 0}}}}{}{{{{end}}}}", "{{else if 0}}".repeat(length));
    assert!(refusal(&chain(ELSE_MAX + 1)).ends_with("more than 128 `else` branches"));
    assert!(refusal(&chain(ELSE_MAX)).ends_with("nest more than 48 deep"));
}

#[test]
fn calls_that_double_are_refused() {
    let mut text = "{{define \"t0\"}}x{{end}}".to_owned();
    for level in 1..=40 {
        let below = level - 1;
        let call = format!("{{{{template \"t{below}\"}}}}");
        text.push_str(&format!("{{{{define \"t{level}\"}}}}{call}{call}{{{{end}}}}"));
    }
    text.push_str("{{template \"t40\"}}");
    assert!(refusal(&text).ends_with("more than 20000 parts, counting each call of a template"));
}

fn named(text: &str) -> Named {
    Template::compile(text, DataKind::Event).unwrap().named_results()
}

fn only(names: &[&str]) -> Named {
    Named::Only(names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>())
}

#[test]
fn parameters_and_results_read_by_name_are_listed() {
    assert_eq!(named("{{.RunName}} {{.Labels.x}}"), only(&[]));
    assert_eq!(named("{{.Params.image}} {{.Params.tag}}"), only(&["image", "tag"]));
    assert_eq!(named("{{index .Params \"image\" | upper}}"), only(&["image"]));
    assert_eq!(named("{{index .Results \"url\"}}"), only(&["url"]));
    assert_eq!(named("{{if hasKey .Params \"a\"}}{{get .Params \"b\"}}{{end}}"), only(&["a", "b"]));
    assert_eq!(named("{{define \"d\"}}{{.Params.x}}{{end}}{{template \"d\" .}}"), only(&["x"]));
    assert_eq!(named("{{$e := .}}{{$e.Params.x}}"), only(&["x"]));
}

#[test]
fn walking_over_parameters_or_results_needs_all_of_them() {
    for text in [
        "{{range .Results}}{{.Name}}{{end}}",
        "{{range $k, $v := .Params}}{{$v}}{{end}}",
        "{{toJson .Params}}",
        "{{toJson .}}",
        "{{index .Params .RunName}}",
        "{{(index .Results 0).Value}}",
        "{{if .Results}}x{{end}}",
        "{{$p := .Params}}{{.RunName}}",
        "{{.Params.a}}{{.Params}}",
    ] {
        assert_eq!(named(text), Named::All, "{text}");
    }
}
