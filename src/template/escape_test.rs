//! Data changes nothing in any place of a text.

use super::super::{Data, DataKind, Template, fixture};
use super::*;
use crate::event::RunEvent;
use std::collections::BTreeMap;

/// Renders `text` over an event whose message, run name and label `a` are `data`.
fn rendered(text: &str, data: &str, markup: Markup) -> String {
    let event = RunEvent {
        message: data.to_owned(),
        name: data.to_owned(),
        labels: BTreeMap::from([("a".to_owned(), data.to_owned())]),
        ..fixture::event()
    };
    let template = Template::compile(text, DataKind::Event).unwrap();
    template.render_for(&Data::event(&event, &fixture::context()), markup).unwrap()
}

fn markdown(text: &str, data: &str) -> String {
    rendered(text, data, Markup::Markdown)
}

fn slack(text: &str, data: &str) -> String {
    rendered(text, data, Markup::Slack)
}

#[test]
fn html_is_escaped_for_its_place() {
    let text = "<style>p { {{.RunName}} }</style>\n<a href=\"{{.RunName}}\" title='{{.RunName}}'>\
        {{.RunName}} {{raw .RunName}}</a>{{\"<br>\"}}";
    let expected =
        "<style>p { ab }</style>\n<a href=\"#\" title='a&#58;&#60;b'>a:&lt;b a:<b</a><br>";
    assert_eq!(rendered(text, "a:<b", Markup::Html), expected);
}

#[test]
fn markdown_markup_becomes_literal() {
    assert_eq!(escape_markdown("a_b *c* [d](e)"), "a\\_b \\*c\\* \\[d\\](e)");
    assert_eq!(escape_markdown("<b>|x\\&\""), "&lt;b&gt;\\|x\\\\&amp;&quot;");
    assert_eq!(escape_markdown("plain, (text)."), "plain, (text).");
    assert_eq!(escape_markdown("@org/team, (@b) a@b.c"), "@\u{200b}org/team, (@\u{200b}b) a@b.c");
}

#[test]
fn an_address_in_a_text_stays_one_and_holds_no_markup() {
    let rows = [
        ("https://d/#/ns/a_b", "https://d/#/ns/a_b"),
        ("see http://x/a_b?c=1&d=*e*.", "see http://x/a_b?c=1&d=*e*."),
        ("https://x/a](//evil)<b>`c`|@d", "https://x/a%5D%28//evil%29%3Cb%3E%60c%60%7C%40d"),
        ("https://x/![p](y), *z*", "https://x/!%5Bp%5D%28y), \\*z\\*"),
        ("[x](https://y)", "\\[x\\](https://y)"),
    ];
    for (text, escaped) in rows {
        assert_eq!(escape_markdown(text), escaped);
    }
    assert_eq!(
        markdown("{{.RunName}} <{{.RunName}}>", "https://d/#a"),
        "https://d/#a <https://d/#a>"
    );
}

#[test]
fn slack_control_characters_become_entities_once() {
    assert_eq!(escape_slack("<!channel> & co"), "&lt;!channel&gt; &amp; co");
    assert_eq!(escape_slack("&lt;"), "&amp;lt;");
    assert_eq!(escape_slack("@here a@b.c"), "@\u{200b}here a@b.c");
}

#[test]
fn what_a_template_prints_is_escaped_and_its_own_text_is_not() {
    let data = "**b** <img src=x> @org/team ![p](//evil) `c`";
    let escaped = "\\*\\*b\\*\\* &lt;img src=x&gt; @\u{200b}org/team \\!\\[p\\](//evil) \\`c\\`";
    for printed in [
        "{{.RunName}}",
        "{{.Description}}",
        "{{.Labels.a}}",
        "{{index .Labels \"a\"}}",
        "{{$x := .RunName}}{{$x}}",
        "{{with .RunName}}{{.}}{{end}}",
        "{{.RunName | trim}}",
        "{{default \"*none*\" .RunName}}",
        "{{printf \"%s\" .RunName}}",
        "{{printf \"%-1s\" .RunName}}",
        "{{.RunName | printf \"%s\"}}",
        "{{ternary .RunName \"\" true}}",
        "{{range splitList \"\\n\" .RunName}}{{.}}{{end}}",
        "{{define \"x\"}}{{.RunName}}{{end}}{{template \"x\" .}}",
    ] {
        assert_eq!(
            markdown(&format!("**by** {printed}"), data),
            format!("**by** {escaped}"),
            "{printed}"
        );
        assert_eq!(rendered(printed, data, Markup::Plain), data, "{printed}");
    }
}

#[test]
fn raw_is_what_opts_out() {
    assert_eq!(markdown("{{.RunName | raw}} {{raw .RunName}}", "*a*"), "*a* *a*");
    assert_eq!(slack("{{raw .RunName}}", "<!here>"), "<!here>");
    assert_eq!(markdown("{{raw .RunName | upper}}", "*a*"), "\\*A\\*");
}

#[test]
fn what_is_written_out_in_a_template_is_its_own_text() {
    let event = |text: &str| markdown(text, "a_b");
    assert_eq!(event("{{\"**\"}}{{.RunName}}{{repeat 2 \"*\"}}"), "**a\\_b**");
    assert_eq!(event("{{printf \"**%s** %d\" .RunName 3}}"), "**a\\_b** 3");
    assert_eq!(event("{{$m := \"**\"}}{{if true}}{{$m = \"__\"}}{{end}}{{$m}}x"), "__x");
    assert_eq!(event("{{$m := \"**\"}}{{$m = .RunName}}{{$m}}"), "a\\_b");
    assert_eq!(event("{{range $i, $x := splitList \",\" .RunName}}{{$x}}{{end}}"), "a\\_b");
    assert_eq!(event("{{PRRef \"github\" 7 \"acme\" \"a_b\"}}"), "acme/a_b#7");
    assert_eq!(event("{{UserMention \"github\" \"octo-cat\"}}"), "@octo-cat");
}

#[test]
fn a_reference_holds_no_markup() {
    let refers = "{{IssueRef \"github\" 7 .RunName \"b\"}} {{UserMention \"github\" .RunName}}";
    assert_eq!(markdown(refers, "a](x) @all"), "#7 ");
}

#[test]
fn no_line_of_data_starts_a_block() {
    let data = "- a\n1. b\n# c\n    code\n---\n===\n+ d\n\n\n> e";
    let escaped = "\\- a\n1\\. b\n\\# c\ncode\n\\---\n\\===\n\\+ d\n&gt; e";
    assert_eq!(markdown("{{.Description}}", data), escaped);
    assert_eq!(markdown("x {{.Description}}", "- a\n- b"), "x - a\n\\- b");
    assert_eq!(markdown("| {{.Description}} | {{.RunName}} |", "a\nb|c"), "| a b\\|c | a b\\|c |");
}

#[test]
fn code_is_not_escaped_and_not_left() {
    assert_eq!(markdown("`{{.RunName}}`", "a_b*"), "`a_b*`");
    assert_eq!(markdown("`{{.RunName}}` `x`", "a`![p](x)\n<img>"), "`a'![p](x) <\u{200b}img>` `x`");
    assert_eq!(markdown("```\n{{.RunName}}\n```\n*{{.RunName}}*", "a_b"), "```\na_b\n```\n*a\\_b*");
    let left = markdown("```\n{{.Description}}\n```", "x\n```\n![p](//evil)");
    assert_eq!(left, "```\nx\n\u{200b}```\n![p](//evil)\n```");
}

#[test]
fn what_only_looks_like_code_is_text() {
    for text in ["it`s {{.RunName}}", "\\`{{.RunName}}`", "`a` {{.RunName}}", "`{{.RunName}}\n`"] {
        assert!(markdown(text, "[x](y)").contains("\\[x\\](y)"), "{text}");
    }
    assert_eq!(markdown("    ```\n{{.RunName}}", "[x](y)"), "    ```\n\\[x\\](y)");
    let closing = "```\nx\n~~~\n```\n{{.RunName}}";
    assert!(markdown(closing, "[x](y)").ends_with("\\[x\\](y)"));
    let long = format!("`{}{{{{.RunName}}}}`", "x".repeat(5_000));
    assert!(markdown(&long, "[x](y)").contains("\\[x\\](y)"));
}

#[test]
fn an_address_cannot_be_left() {
    let data = "ns) ![p](//evil";
    let escaped = "ns%29%20!%5Bp%5D%28//evil";
    assert_eq!(
        markdown("[run](https://d/{{.RunName}})", data),
        format!("[run](https://d/{escaped})")
    );
    assert_eq!(
        markdown("[l]({{.RunName}})", "https://x/a_b?c=%20&d#e"),
        "[l](https://x/a_b?c=%20&d#e)"
    );
    assert_eq!(markdown("[a](b) {{.RunName}}", "x_y"), "[a](b) x\\_y");
    let tag = "<a href=\"{{.RunName}}\">{{.RunName}}</a>";
    assert_eq!(
        markdown(tag, "\"><img src=x>_"),
        "<a href=\"&#34;&#62;&#60;img src=x&#62;&#95;\">&quot;&gt;&lt;img src=x&gt;\\_</a>"
    );
    assert_eq!(slack("<{{.RunName}}|{{.RunName}}>", "a|b>c d"), "<a%7Cb%3Ec%20d|a|b&gt;c d>");
    assert_eq!(slack("a <b> {{.RunName}}", "x y"), "a <b> x y");
}

#[test]
fn data_cannot_forge_the_borders_of_data() {
    assert_eq!(markdown("{{.RunName}}", "a\u{fdd1}*b*\u{fdd0}"), "a\\*b\\*");
    assert_eq!(markdown("{{raw .RunName}}", "a\u{fdd0}b"), "ab");
}

#[test]
fn comparisons_and_lengths_see_the_data_as_it_is() {
    assert_eq!(markdown("{{if eq .RunName \"a_b\"}}{{len .RunName}}{{end}}", "a_b"), "3");
    assert_eq!(markdown("{{trunc 2 .RunName}}", "a_b"), "a\\_");
}
