//! Syntax of Go templates over events and summaries, and the limits of rendering.

use super::*;
use crate::template::fixture::{assert_renders, data, render, summary};
use crate::template::limits::NESTING_MAX;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn compile(text: &str) -> Template {
    Template::compile(text, DataKind::Event).unwrap()
}

#[test]
fn actions_print_fields_literals_and_chains() {
    assert_renders(&[
        ("", ""),
        ("no action", "no action"),
        ("{{.RunName}} in {{.Namespace}}", "build-x1 in ci"),
        ("{{.Repo.Owner}}/{{.Repo.Name}}", "acme/shop"),
        (
            "{{$.State}} {{\"a\"}} {{`b`}} {{7}} {{1.5}} {{true}} {{'A'}}",
            "failure a b 7 1.5 true 65",
        ),
        ("{{.IsFinallyTask}} {{.TaskCount}} {{.PRNumber}}", "false 2 17"),
        ("{{/* a comment */}}x", "x"),
        ("{{(index .Results 0).Name}}", "digest"),
        ("{{(index (.Results) 1).Value}}", "https://x/?a=1&b=2"),
    ]);
}

#[test]
fn an_unset_number_prints_nil_and_is_false() {
    assert_renders(&[
        ("{{.IssueNumber}}", "<nil>"),
        ("{{if .IssueNumber}}yes{{else}}no{{end}}", "no"),
        ("{{if .PRNumber}}yes{{end}}", "yes"),
        ("{{.IssueNumber | default 0}}", "0"),
    ]);
}

#[test]
fn an_absent_map_key_reads_as_empty() {
    assert_renders(&[
        ("[{{.Labels.absent}}]", "[]"),
        ("[{{index .Annotations \"absent\"}}]", "[]"),
        ("{{.Annotations.team}}", "blue"),
        ("{{index .Labels \"app.kubernetes.io/name\"}}", "shop"),
        ("{{.Params.image}}", "shop:1"),
        ("{{if .Labels.absent}}yes{{else}}no{{end}}", "no"),
        ("[{{(dict \"a\" 1).b}}]", "[]"),
    ]);
}

#[test]
fn branches_follow_go() {
    assert_renders(&[
        ("{{if eq .State \"success\"}}a{{else if eq .State \"failure\"}}b{{else}}c{{end}}", "b"),
        ("{{if and .PRNumber (not .IssueNumber)}}pr{{end}}", "pr"),
        ("{{if or .IssueNumber .JiraIssueKey}}linked{{end}}", "linked"),
        ("{{or .TaskName .PipelineName}}", "build"),
        ("{{and .TaskName (fail \"must not be evaluated\")}}", ""),
        ("{{with .Repo}}{{.Owner}}{{end}}", "acme"),
        ("{{with .TaskName}}{{.}}{{else}}none{{end}}", "none"),
        ("{{with .TaskName}}{{.}}{{else with .PipelineName}}{{.}}{{end}}", "build"),
        ("{{with $x := .Repo}}{{$x.Name}} {{$.RunName}}{{end}}", "shop build-x1"),
        ("{{if $x := .PRNumber}}{{$x}}{{end}}", "17"),
    ]);
}

#[test]
fn loops_follow_go() {
    assert_renders(&[
        ("{{range .Results}}{{.Name}};{{end}}", "digest;url;"),
        ("{{range $i, $r := .Results}}{{$i}}{{$r.Name}} {{end}}", "0digest 1url "),
        ("{{range $r := .Results}}{{$r.Name}}{{end}}", "digesturl"),
        ("{{range $k, $v := .Params}}{{$k}}={{$v}} {{end}}", "count=3 image=shop:1 "),
        ("{{range list}}x{{else}}empty{{end}}", "empty"),
        ("{{range 3}}{{.}}{{end}}", "012"),
        ("{{range .Results}}{{if eq .Name \"url\"}}{{continue}}{{end}}{{.Name}}{{end}}", "digest"),
        ("{{range .Results}}{{.Name}}{{break}}{{end}}", "digest"),
        ("{{$last := \"\"}}{{range .Results}}{{$last = .Name}}{{end}}{{$last}}", "url"),
        ("{{range (rest .Results)}}{{.Name}}{{end}}", "url"),
    ]);
}

#[test]
fn templates_call_templates() {
    assert_renders(&[
        ("{{define \"r\"}}{{.Owner}}{{end}}{{template \"r\" .Repo}}", "acme"),
        ("{{block \"b\" .Repo}}{{.Name}}{{end}}", "shop"),
        (
            "{{define \"a\"}}{{template \"b\" .}}!{{end}}{{define \"b\"}}{{.State}}{{end}}\
             {{template \"a\" .}}",
            "failure!",
        ),
        (
            "{{define \"x\"}}{{$.Name}}{{end}}{{range .Results}}{{template \"x\" .}} {{end}}",
            "digest url ",
        ),
    ]);
}

#[test]
fn pipelines_pass_their_result_last() {
    assert_renders(&[
        ("{{.RunName | upper}}", "BUILD-X1"),
        ("{{.RunName | trunc 5 | printf \"<%s>\"}}", "<build>"),
        ("{{\"%s\" | printf}}", "%!s(MISSING)"),
        ("{{.StartedAt | .FinishedAt.Sub}}", "1m23.5s"),
        ("{{$x := .RunName | upper}}{{$x}}", "BUILD-X1"),
    ]);
}

#[test]
fn trim_markers_take_the_space_around() {
    assert_renders(&[("a {{- \" b \" -}} c", "a b c"), ("a\n{{- /* note */ -}}\nb", "ab")]);
}

#[test]
fn printf_formats_times_durations_and_records() {
    assert_renders(&[
        ("{{printf \"%.8s\" .CommitSHA}}", "01234567"),
        ("{{printf \"%.0fs\" (.FinishedAt.Sub .StartedAt).Seconds}}", "84s"),
        (
            "{{printf \"%.200s|%q|%5d|%v\" .State .State .PRNumber true}}",
            "failure|\"failure\"|   17|true",
        ),
        ("{{printf \"%v\" (.FinishedAt.Sub .StartedAt)}}", "1m23.5s"),
        ("{{printf \"%s\" .StartedAt}}", "2026-03-05 16:07:09 +0000 UTC"),
        ("{{printf \"%v\" .Results}}", "[{digest sha256:ab} {url https://x/?a=1&b=2}]"),
        ("{{printf \"%v\" .IssueNumber}}", "<nil>"),
        ("{{printf \"100%%\"}}", "100%"),
    ]);
}

#[test]
fn failures_while_rendering_carry_their_place() {
    assert_renders(&[
        ("é{{(index .Results 9).Name}}", "failed 1:5: index: index 9 is out of range for length 2"),
        ("a\n  {{div 1 0}}", "refused 2:5: `div`: division by zero"),
        (
            "{{range $x := list 1 \"a\"}}{{$x.Name}}{{end}}",
            "failed 1:29: an integer has no field or method `Name`",
        ),
        ("{{range (index (list \"a\") 0)}}{{end}}", "failed 1:3: cannot range over text"),
        ("{{lt .State 5}}", "failed 1:3: lt: cannot compare text with an integer"),
        ("{{fail \"no owner\"}}", "failed 1:3: fail: no owner"),
    ]);
}

#[test]
fn output_is_bounded() {
    let text = "{{range 2000}}{{repeat 1000 \"x\"}}{{end}}";
    let error = compile(text).render(&data()).unwrap_err();
    assert!(matches!(error, RenderError::OutputTooLong), "{error}");
}

#[test]
fn iterations_are_bounded() {
    let text = "{{range 101}}{{range 100}}{{end}}{{end}}";
    let error = compile(text).render(&data()).unwrap_err();
    assert!(matches!(error, RenderError::TooManyIterations), "{error}");
}

#[test]
fn values_are_bounded() {
    let too_long = "the text would be longer than 1048576 bytes";
    let doubled = "{{$x := \"0123456789\"}}{{range 20}}{{$x = print $x $x}}{{end}}";
    assert!(render(doubled).ends_with(too_long));
    assert!(render("{{repeat 9000000000 \"x\"}}").ends_with(too_long));
    assert!(render("{{replace \"\" (repeat 9999 \"x\") (repeat 9999 \"y\")}}").ends_with(too_long));
    let text = "{{regexReplaceAll \".*\" (repeat 9999 \"x\") (repeat 200 \"$0\")}}";
    assert!(render(text).ends_with(too_long));
    let many = "the value would have more than 10000 elements";
    assert!(render("{{splitList \"\" (repeat 20000 \"x\")}}").ends_with(many));
    assert!(render("{{regexFindAll \"\" (repeat 20000 \"x\") -1}}").ends_with(many));
    let deep = "{{$x := list}}{{range 20}}{{$x = list $x}}{{end}}";
    assert!(render(deep).ends_with("lists and maps nest at most 16 deep"));
    let wide = "{{$x := list 1 2 3 4}}{{range 15}}{{$x = list $x $x $x}}{{end}}";
    assert!(render(wide).ends_with(many));
}

#[test]
fn a_format_from_the_data_cannot_ask_for_a_wide_field() {
    let text = "{{printf (printf \"%%%dd\" 5000) 1}}";
    assert!(render(text).ends_with("a printf width or precision is at most 999"));
}

#[test]
fn a_panic_becomes_an_error() {
    let error = guarded::<()>(|| panic!("defect {}", 1)).unwrap_err();
    assert_eq!(error.to_string(), "rendering panicked: defect 1");
    let engine =
        gotmpl::TemplateError::FuncPanic { name: "f".to_owned(), message: "broken".to_owned() };
    assert_eq!(RenderError::from(engine).to_string(), "rendering panicked: broken");
}

#[test]
fn the_deepest_template_renders_on_a_worker_stack() {
    let blocks = format!("{}x{}", "{{if true}}".repeat(NESTING_MAX), "{{end}}".repeat(NESTING_MAX));
    assert_eq!(render(&blocks), "x");
    let (open, close) = ("(print ".repeat(NESTING_MAX), ")".repeat(NESTING_MAX));
    assert_eq!(render(&format!("{{{{print {open}1{close}}}}}")), "1");
}

proptest! {
    #[test]
    fn no_text_panics(parts in vec(select(FRAGMENTS), 0..12)) {
        let text = parts.concat();
        if let Ok(template) = Template::compile(&text, DataKind::Event) {
            let result = template.render(&data());
            prop_assert!(!matches!(result, Err(RenderError::Panicked { .. })), "{text}");
        }
    }
}

/// Pieces that combine to valid, broken and half-open templates.
const FRAGMENTS: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    "{{if .State}}",
    "{{else}}",
    "{{else if .PRNumber}}",
    "{{end}}",
    "{{range .Results}}",
    "{{with .Repo}}",
    "{{define \"d\"}}",
    "{{template \"d\" .}}",
    "{{block \"b\" .}}",
    "{{break}}",
    "{{$x := 1}}",
    "{{$x = .State}}",
    "{{$x}}",
    "{{.Name}}",
    "{{.State | upper}}",
    "{{printf \"%5.2f|%v\" 1 .StartedAt}}",
    "{{/* c */}}",
    "é\n",
    "(",
    ")",
    "\"",
    "`",
    "|",
    " .Repo.Owner ",
    " 0x1F ",
    " 'a' ",
    " nil ",
    " index ",
    " 1.5 ",
    "{{(.Repo).Owner}}",
    "{{slice \"é\" 1}}",
    "{{index .Results 0}}",
    "{{trunc -5 .State}}",
    "{{date \"2006\" 1}}",
];

#[test]
fn a_template_of_another_kind_of_data_fails_with_a_place() {
    let error = compile("{{.Namespace}}").render(&Data::summary(&summary())).unwrap_err();
    assert_eq!(error.to_string(), "1:3: a record has no field or method `Namespace`");
}

#[test]
fn summaries_render_as_tables() {
    let text = "{{.PipelineName}} {{.State}}{{if .IsIncomplete}} (incomplete){{end}}\n\
                {{range .Tasks}}{{.Emoji}} {{.Name}} {{.State}} {{.Duration}}\n{{end}}";
    let template = Template::compile(text, DataKind::Summary).unwrap();
    assert_eq!(
        template.render(&Data::summary(&summary())).unwrap(),
        "build failure (incomplete)\n✅ lint success 1m23s\n\
         ❌ test failure 1h0m0s\n❔ deploy unknown \n"
    );
}

#[test]
fn rendering_twice_gives_the_same_text() {
    let template = compile("{{$x := .RunName}}{{$x}}{{range .Results}}{{.Name}}{{end}}");
    let first = template.render(&data()).unwrap();
    assert_eq!(template.clone().render(&data()).unwrap(), first);
}

#[test]
fn templates_can_be_shared_between_threads() {
    fn is_shared<T: Clone + std::fmt::Debug + Send + Sync>(_: &T) -> bool {
        true
    }
    assert!(is_shared(&compile("x")));
    assert_eq!(format!("{:?}", compile("x")), "Template { text: \"x\", .. }");
}
