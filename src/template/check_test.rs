//! What a template is refused for at load, and where; which results a template mentions.

use crate::event::{Keep, KeptNames};
use crate::template::limits::{ELSE_MAX, NESTING_MAX, TEMPLATE_BYTES_MAX};
use crate::template::{DataKind, Template};

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
        (
            "a\nbé {{ .Repo.Ownr }}",
            "2:7: the repository has no field or method `Ownr`; did you mean \"Owner\"?",
        ),
        ("{{.State.Foo}}", "1:3: text has no field or method `Foo`"),
        ("{{range .Results}}{{.Key}}{{end}}", "1:21: a result has no field or method `Key`"),
        (
            "{{with .Repo}}{{.RunName}}{{end}}",
            "1:17: the repository has no field or method `RunName`; did you mean \"Name\"?",
        ),
        (
            "{{$r := .Repo}}{{$r.Nope}}",
            "1:18: the repository has no field or method `Nope`; did you mean \"Name\"?",
        ),
        (
            "{{(index .Results 0).Nope}}",
            "1:3: a result has no field or method `Nope`; did you mean \"Name\"?",
        ),
        ("{{.StartedAt.Foo}}", "1:3: a time has no field or method `Foo`"),
        ("{{(.FinishedAt.Sub .StartedAt).Day}}", "1:3: a duration has no field or method `Day`"),
        (
            "{{define \"x\"}}{{.Nope}}{{end}}{{template \"x\" .Repo}}",
            "1:17: the repository has no field or method `Nope`; did you mean \"Name\"?",
        ),
        (
            "{{if .RunName}}{{else}}{{.Nope}}{{end}}",
            "1:26: the event has no field or method `Nope`",
        ),
        ("{{$.Nope}}", "1:3: the event has no field or method `Nope`"),
    ]);
}

#[test]
fn comparisons_with_a_word_that_the_field_never_holds_are_refused() {
    let known = "it is one of pending, running, success, failure, error, canceled";
    let rows = [
        (
            "{{if eq .State \"cancelled\"}}x{{end}}",
            format!("1:16: `.State` is never `cancelled`: {known}; did you mean \"canceled\"?"),
        ),
        (
            "{{if ne \"Success\" $.State}}x{{end}}",
            format!("1:9: `.State` is never `Success`: {known}; did you mean \"success\"?"),
        ),
        (
            "{{if eq .PreviousState \"success\" \"broken\"}}x{{end}}",
            format!("1:34: `.PreviousState` is never `broken`: {known}"),
        ),
        (
            "{{with .Repo}}{{if eq $.Resource \"TaskRun\"}}x{{end}}{{end}}",
            "1:34: `.Resource` is never `TaskRun`: it is one of taskrun, pipelinerun, customrun, \
             eventlistener; did you mean \"taskrun\"?"
                .to_owned(),
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(refusal(text), expected, "{text}");
    }
    for text in [
        "{{if eq .State \"success\" \"failure\"}}x{{end}}",
        "{{if eq .PreviousState \"\"}}x{{end}}",
        "{{if eq .Reason \"Cancelled\"}}x{{end}}",
        "{{range .Results}}{{if eq .Name \"State\"}}x{{end}}{{end}}",
    ] {
        assert_eq!(refusal(text), "", "{text}");
    }
}

#[test]
fn calls_that_fail_or_print_a_fault_for_every_event_are_refused() {
    let order = "`slice` cannot end before it starts, nor start before 0";
    let rows = [
        ("{{slice .State -1 2}}", format!("1:3: {order}")),
        ("{{slice .State 5 2}}", format!("1:3: {order}")),
        (
            "{{printf \"*[%s]*\"}}",
            "1:10: the format of `printf` prints 1 of 0 arguments".to_owned(),
        ),
        ("{{printf \"%s\"}}", "1:10: the format of `printf` prints 1 of 0 arguments".to_owned()),
        (
            "{{.State | printf \"%s %5d\"}}",
            "1:19: the format of `printf` prints 2 of 1 arguments".to_owned(),
        ),
        (
            "{{printf \"100%%\" .State}}",
            "1:10: the format of `printf` prints 0 of 1 arguments".to_owned(),
        ),
        (
            "{{if eq .PRNumber \"7\"}}x{{end}}",
            "1:6: `eq`: cannot compare an integer with text".to_owned(),
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(refusal(text), expected, "{text}");
    }
    for text in [
        "{{slice .State 2}}",
        "{{slice .State 1 .Attempt}}",
        "{{printf \"%-10.3s|%d%%|%v\" .State 7 .Attempt}}",
        "{{printf \"%[1]s %[1]s\" .State}}",
        "{{printf \"[%s]\" .State}}",
        "{{.State | printf \"%s\"}}",
        "{{\"%s\" | printf}}",
        "{{printf .Ref 1 2}}",
        "{{if eq .PRNumber 7}}x{{end}}",
        "{{if eq .PRNumber nil}}x{{end}}",
    ] {
        assert_eq!(refusal(text), "", "{text}");
    }
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
        ("{{uper .State}}", "1:3: unknown function `uper`; did you mean \"upper\"?"),
        ("{{.Sate}}", "1:3: the event has no field or method `Sate`; did you mean \"State\"?"),
    ]);
}

#[test]
fn f10_f27_f31_arguments_that_can_never_work_are_refused_at_load() {
    let no_layout = |layout: &str| {
        format!(
            "the layout {layout:?} has no part of Go's reference time in it: write for example \
             \"2006-01-02 15:04:05 MST\""
        )
    };
    let no_zone = |name: &str| {
        format!(
            "the time zone `{name}` is not known: write UTC, a name such as Europe/Berlin, or an \
             offset such as +02:00"
        )
    };
    assert_refused(&[
        (
            "{{dateInZone \"15:04\" .FinishedAt \"Europe/Berlni\"}}",
            &format!("1:3: `dateInZone`: {}", no_zone("Europe/Berlni")),
        ),
        (
            "{{\"CEST\" | dateInZone \"15:04\" .FinishedAt}}",
            &format!("1:12: `dateInZone`: {}", no_zone("CEST")),
        ),
        (
            "{{date \"YYYY-MM-DD\" .StartedAt}}",
            &format!("1:3: `date`: {}", no_layout("YYYY-MM-DD")),
        ),
        ("{{.StartedAt.Format \"%H:%M\"}}", &format!("1:3: `Format`: {}", no_layout("%H:%M"))),
        (
            "{{durationRound \"2 hours\"}}",
            "1:3: `durationRound`: \"2 hours\" is no duration: write for example 90s or 1h30m",
        ),
        ("{{date \"2006\" \"today\"}}", "1:3: `date`: argument 2 must be a time, not text"),
        ("{{first .StartedAt}}", "1:3: `first`: argument 1 must be a list, not a time"),
        ("{{trunc \"x\" .State}}", "1:3: `trunc`: argument 1 must be a whole number, not text"),
        ("{{.StartedAt.Sub \"1h\"}}", "1:3: `Sub`: argument 1 must be a time, not text"),
        ("{{index (list \"a\") 3}}", "1:3: `index`: index 3 is out of range for length 1"),
        ("{{div .Attempt 0}}", "1:3: `div`: division by zero"),
    ]);
    let right = [
        "{{dateInZone \"15:04 MST\" .FinishedAt \"Europe/Berlin\"}}",
        "{{dateInZone \"15:04\" .FinishedAt .Labels.zone}}",
        "{{date .Labels.layout .StartedAt}}",
        "{{date \"\" .StartedAt}}",
        "{{durationRound \"2h10m5s\"}}",
        "{{durationRound (.FinishedAt.Sub .StartedAt)}}",
        "{{trunc .Labels.length .State}}",
        "{{(index .Results 3).Name}}",
        "{{index .Labels \"a\"}}",
        "{{if .State}}{{fail \"no\"}}{{end}}",
        "{{(.Results | first).Name}}",
        "{{list .State | first}}",
    ];
    for text in right {
        let compiled = Template::compile(text, DataKind::Event);
        assert!(compiled.is_ok(), "{text}: {:?}", compiled.err());
    }
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

fn reads(text: &str) -> Keep {
    Template::compile(text, DataKind::Event).unwrap().reads().clone()
}

fn values(names: &[&str]) -> Keep {
    Keep { values: KeptNames::only(names.iter().copied()), ..Keep::default() }
}

#[test]
fn parameters_and_results_read_by_name_are_listed() {
    assert_eq!(reads("{{.RunName}}"), values(&[]));
    assert_eq!(reads("{{.Params.image}} {{.Params.tag}}"), values(&["image", "tag"]));
    assert_eq!(reads("{{index .Params \"image\" | upper}}"), values(&["image"]));
    assert_eq!(reads("{{index .Results \"url\"}}"), values(&["url"]));
    assert_eq!(
        reads("{{if hasKey .Params \"a\"}}{{get .Params \"b\"}}{{end}}"),
        values(&["a", "b"])
    );
    assert_eq!(reads("{{define \"d\"}}{{.Params.x}}{{end}}{{template \"d\" .}}"), values(&["x"]));
    assert_eq!(reads("{{$e := .}}{{$e.Params.x}}"), values(&["x"]));
}

#[test]
fn labels_and_annotations_read_by_name_are_listed_and_all_where_one_walks_over_them() {
    let labels = |labels: KeptNames| Keep { labels, ..Keep::default() };
    let annotations = |annotations: KeptNames| Keep { annotations, ..Keep::default() };
    assert_eq!(reads("{{.Labels.x}}"), labels(KeptNames::only(["x"])));
    assert_eq!(reads("{{index .Labels \"a/b\"}}"), labels(KeptNames::only(["a/b"])));
    assert_eq!(reads("{{with .}}{{.Annotations.x}}{{end}}"), annotations(KeptNames::only(["x"])));
    assert_eq!(reads("{{get .Annotations \"a/b\"}}"), annotations(KeptNames::only(["a/b"])));
    for text in ["{{range .Labels}}{{.}}{{end}}", "{{toJson .Labels}}", "{{$l := .Labels}}x"] {
        assert_eq!(reads(text), labels(KeptNames::all()), "{text}");
    }
    assert_eq!(reads("{{index .Annotations .RunName}}"), annotations(KeptNames::all()));
    assert_eq!(reads("{{toJson .}}"), Keep::all());
    assert_eq!(reads("{{.Labels.x}}{{len .Labels}}").labels, {
        let mut names = KeptNames::only(["x"]);
        names.add_all();
        names
    });
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
        assert!(reads(text).values.is_all(), "{text}");
    }
}
