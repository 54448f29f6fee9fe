//! Every function at least once, as a template calls it.

use super::*;
use crate::template::fixture::{assert_renders, render};

/// Calls and their results, by the file that holds the function.
const CASES: &[(&str, &str)] = &[
    // builtin
    (
        "{{eq 1 2 1}} {{eq .PRNumber 17}} {{eq .IssueNumber nil}} {{eq 2 2.0}}",
        "true true true true",
    ),
    ("{{ne .State \"success\"}}", "true"),
    ("{{lt 1 2}} {{le 2 2}} {{gt 1.5 1}} {{ge \"b\" \"a\"}}", "true true true true"),
    ("{{not .TaskName}}", "true"),
    ("{{len .Results}} {{len \"é\"}} {{len .Params}}", "2 2 2"),
    ("{{index .Results \"url\"}}[{{index .Results \"none\"}}]", "https://x/?a=1&b=2[]"),
    ("{{index (list 1 (list 2 3)) 1 0}} {{index \"a\" 0}}", "2 97"),
    ("{{slice \"abcdef\" 1 3}} {{slice (list 1 2 3) 1}} {{slice \"ab\"}}", "bc [2 3] ab"),
    ("{{print 1 2 \"a\" 3}}", "1 2a3"),
    ("{{println \"a\" 1}}", "a 1\n"),
    ("{{html \"<a & 'b'>\"}}", "&lt;a &amp; &#39;b&#39;&gt;"),
    ("{{js \"it's\"}}", "it\\'s"),
    ("{{urlquery \"a b&c\"}}", "a+b%26c"),
    // strings
    ("{{trim \"  a \"}}|{{trimAll \"$\" \"$5$\"}}|{{trimall \"-\" \"-5-\"}}", "a|5|5"),
    ("{{trimPrefix \"v\" \"v1\"}}{{trimSuffix \".git\" \"r.git\"}}", "1r"),
    ("{{upper \"aé\"}}{{lower \"AÉ\"}}", "AÉaé"),
    ("{{repeat 3 \"ab\"}}[{{repeat -1 \"ab\"}}]", "ababab[]"),
    ("{{substr 1 3 \"héllo\"}}|{{substr -1 2 \"abc\"}}|{{substr 1 -1 \"abc\"}}", "él|ab|bc"),
    ("{{trunc 2 \"héllo\"}}|{{trunc -2 \"héllo\"}}|{{trunc 9 \"a\"}}", "hé|lo|a"),
    ("{{abbrev 5 \"hello world\"}}|{{abbrev 3 \"hello\"}}", "he...|hello"),
    ("{{Truncate .Description 8}}", "Tasks..."),
    ("{{nospace \" a b\\tc\"}}", "abc"),
    (
        "{{contains \"il\" .State}} {{hasPrefix \"fa\" .State}} {{hasSuffix \"re\" .State}}",
        "true true true",
    ),
    ("{{quote \"a\\\"b\\n\" 1 nil}}", "\"a\\\"b\\n\" \"1\""),
    ("{{squote \"a\" 1}}", "'a' '1'"),
    ("{{cat \"a\" 1 nil true}}", "a 1 true"),
    ("{{indent 2 \"a\\nb\"}}|{{nindent 1 \"a\"}}", "  a\n  b|\n a"),
    ("{{replace \"-\" \"_\" .RunName}}", "build_x1"),
    ("{{plural \"task\" \"tasks\" 1}} {{plural \"task\" \"tasks\" 0}}", "task tasks"),
    ("{{splitList \",\" \"a,b\"}} {{splitList \"\" \"ab\"}}", "[a b] [a b]"),
    ("{{(split \"/\" \"acme/shop\")._1}}", "shop"),
    ("{{toString 5}}{{toString .StartedAt.Year}}", "52026"),
    ("{{raw .Namespace}} {{.TaskCount | raw}}", "ci 2"),
    // words
    ("{{title \"hello big world\"}} {{untitle \"Hello World\"}}", "Hello Big World hello world"),
    ("{{swapcase \"aB\"}} {{initials \"ada m lovelace\"}}", "Ab aml"),
    (
        "{{snakecase \"FirstName\"}} {{kebabcase \"FirstName\"}} {{camelcase \"http_server\"}}",
        "first_name first-name HttpServer",
    ),
    // patterns
    ("{{regexMatch \"^fail\" .State}}{{mustRegexMatch \"x\" .State}}", "truefalse"),
    ("{{regexFind \"[a-z]+\" \"12ab\"}}[{{mustRegexFind \"z\" \"a\"}}]", "ab[]"),
    (
        "{{regexFindAll \"[0-9]\" \"1a2b3\" 2}} {{mustRegexFindAll \"[0-9]\" \"1a2\" -1}}",
        "[1 2] [1 2]",
    ),
    ("{{regexReplaceAll \"a(x*)b\" \"-ab-axxb-\" \"${1}W\"}}", "-W-xxW-"),
    ("{{mustRegexReplaceAll \"b\" \"abc\" \"<$0>\"}}", "a<b>c"),
    (
        "{{regexReplaceAllLiteral \"a\" \"bab\" \"$1\"}}\
             {{mustRegexReplaceAllLiteral \"a\" \"a\" \"$\"}}",
        "b$1b$",
    ),
    ("{{regexSplit \"z+\" \"pizza\" -1}} {{mustRegexSplit \",\" \"a,b,c\" 2}}", "[pi a] [a b,c]"),
    ("{{regexQuoteMeta \"a.b\"}}", "a\\.b"),
    // lists
    ("{{list 1 \"a\"}} {{first (list 1 2)}} {{last (list 1 2)}}", "[1 a] 1 2"),
    ("{{rest (list 1 2 3)}} {{initial (list 1 2 3)}} {{first list}}", "[2 3] [1 2] <nil>"),
    (
        "{{append (list 1) 2}} {{prepend (list 1) 0}} {{concat (list 1) (list 2)}}",
        "[1 2] [0 1] [1 2]",
    ),
    (
        "{{reverse (list 1 2)}} {{uniq (list 1 1 2)}} {{without (list 1 2 3) 2}}",
        "[2 1] [1 2] [1 3]",
    ),
    ("{{compact (list \"\" 1 0)}} {{has 2 (list 1 2)}}", "[1] true"),
    ("{{join \", \" (list 1 \"a\")}} {{join \",\" \"solo\"}}", "1, a solo"),
    (
        "{{sortAlpha (list \"b\" \"a\")}} {{toStrings (list 1 true)}} {{until 3}}",
        "[a b] [1 true] [0 1 2]",
    ),
    // maps
    ("{{dict \"a\" 1 \"b\"}} {{get (dict \"a\" 1) \"a\"}}[{{get dict \"a\"}}]", "map[a:1 b:] 1[]"),
    (
        "{{hasKey .Params \"image\"}} {{keys .Params}} {{values .Params}}",
        "true [count image] [3 shop:1]",
    ),
    ("{{pick .Params \"image\"}} {{omit .Params \"image\"}}", "map[image:shop:1] map[count:3]"),
    ("{{pluck \"image\" .Params .Labels}}", "[shop:1]"),
    // logic
    ("{{default \"x\" .TaskName}} {{.State | default \"x\"}} {{default \"x\"}}", "x failure x"),
    ("{{empty .TaskName}} {{empty 1}} {{coalesce \"\" nil 3 4}}", "true false 3"),
    ("{{all 1 \"a\"}} {{any 0 \"\"}}", "true false"),
    ("{{ternary \"a\" \"b\" true}} {{false | ternary \"a\" \"b\"}}", "a b"),
    ("{{fail \"stop\"}}", "failed 1:3: fail: stop"),
    // numbers
    ("{{add 1 2 3}} {{add1 1}} {{sub 5 3}} {{mul 2 3 4}} {{div 7 2}} {{mod 7 2}}", "6 2 2 24 3 1"),
    ("{{max 1 3 2}} {{min 3 1 2}}", "3 1"),
    (
        "{{int \"3\"}} {{int \"x\"}} {{int64 2.9}} {{atoi \"12\"}} {{float64 \"1.5\"}}",
        "3 0 2 12 1.5",
    ),
    ("{{floor 1.9}} {{ceil 1.1}} {{round 1.2345 2}} {{round 2.5}}", "1 2 1.23 3"),
    ("{{.Params.count | add 1}}", "4"),
    // dates
    ("{{date \"2006-01-02\" .StartedAt}} {{htmlDate .StartedAt}}", "2026-03-05 2026-03-05"),
    ("{{dateInZone \"15:04 -07:00\" .StartedAt \"+02:00\"}}", "18:07 +02:00"),
    (
        "{{date_in_zone \"15:04 MST\" .StartedAt \"UTC\"}} {{unixEpoch .StartedAt}}",
        "16:07 UTC 1772726829",
    ),
    ("{{duration 95}} {{duration \"95\"}}", "1m35s 1m35s"),
    ("{{durationRound (.FinishedAt.Sub .StartedAt)}} {{durationRound 0}}", "1m 0s"),
    ("{{durationRound \"2h10m5s\"}} {{durationRound \"-90s\"}}", "2h 1m"),
    ("{{dateInZone \"15:04 MST\" .StartedAt \"Europe/Berlin\"}}", "17:07 CET"),
    ("{{dateInZone \"15:04 -0700 MST\" .StartedAt \"Asia/Kolkata\"}}", "21:37 +0530 IST"),
    // encoding
    (
        "{{toJson .Results}}",
        "[{\"name\":\"digest\",\"value\":\"sha256:ab\"},\
             {\"name\":\"url\",\"value\":\"https://x/?a=1\\u0026b=2\"}]",
    ),
    (
        "{{toRawJson (dict \"a\" \"<\" \"t\" .StartedAt)}}",
        "{\"a\":\"<\",\"t\":\"2026-03-05T16:07:09Z\"}",
    ),
    (
        "{{mustToJson (list 1 1.5 nil true)}} {{toPrettyJson (list 1)}}",
        "[1,1.5,null,true] [\n  1\n]",
    ),
    ("{{b64enc \"héllo\"}} {{b64dec \"aMOpbGxv\"}}", "aMOpbGxv héllo"),
    // references
    ("{{IssueRef \"github\" 5 \"\" \"\"}} {{IssueRef \"github\" 5 \"o\" \"r\"}}", "#5 o/r#5"),
    (
        "{{PRRef .Provider .PRNumber .Repo.Owner .Repo.Name}} {{PRRef \"gitea\" 5 \"\" \"\"}}",
        "acme/shop!17 #5",
    ),
    (
        "{{IssueRef \"azure-devops\" 5 \"o\" \"r\"}} {{PRRef \"azure_devops\" 5 \"o\" \"r\"}}",
        "#5 !5",
    ),
    ("[{{IssueRef \"github\" .IssueNumber \"o\" \"r\"}}]", "[]"),
    (
        "{{UserMention \"github\" \"ada\"}} {{UserMention \"sourcehut\" \"ada\"}}\
             [{{UserMention \"github\" \"\"}}]",
        "@ada ~ada[]",
    ),
];

#[test]
fn functions_give_what_go_and_sprig_give() {
    assert_renders(CASES);
}

#[test]
fn every_function_is_in_the_table() {
    for function in all() {
        let is_called = CASES.iter().any(|(text, _)| {
            text.split(|next: char| !next.is_alphanumeric() && next != '_')
                .any(|word| word == function.name)
        });
        assert!(is_called, "{} is not called", function.name);
    }
}

#[test]
fn every_function_is_told_in_the_documentation() {
    let page = include_str!("../../../docs/CONFIGURATION.md");
    let section = page.split("## Templates").nth(1).unwrap().split("\n## ").next().unwrap();
    for name in super::names() {
        assert!(section.contains(&format!("`{name}`")), "{name} is not told");
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<_> = all().map(|function| function.name).collect();
    let total = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), total);
}

#[test]
fn wrong_arguments_are_named_with_their_place() {
    assert_renders(&[
        ("{{upper .IssueNumber}}", "failed 1:3: upper: argument 1 must be text, not nil"),
        (
            "{{trunc \"x\" .State}}",
            "refused 1:3: `trunc`: argument 1 must be a whole number, not text",
        ),
        ("{{first .State}}", "failed 1:3: first: argument 1 must be a list, not text"),
        ("{{keys (list 1)}}", "refused 1:3: `keys`: argument 1 must be a map, not a list"),
        ("{{add 1 \"x\"}}", "refused 1:3: `add`: argument 2 must be a whole number, not text"),
        ("{{mod 1 0}}", "refused 1:3: `mod`: division by zero"),
        ("{{date \"2006\" .State}}", "failed 1:3: date: argument 2 must be a time, not text"),
        (
            "{{dateInZone \"2006\" .StartedAt \"Mars\"}}",
            "refused 1:3: `dateInZone`: the time zone `Mars` is not known: write UTC, a name such as \
             Europe/Berlin, or an offset such as +02:00",
        ),
        ("{{b64dec \"?\"}}", "refused 1:3: `b64dec`: the text is not base64 of UTF-8 text"),
        (
            "{{len 5}}",
            "refused 1:3: `len`: argument 1 must be text, a list or a map, not an integer",
        ),
        ("{{slice \"abc\" 2 9}}", "refused 1:3: `slice`: index 9 is out of range for length 3"),
        ("{{slice \"é\" 1}}", "refused 1:3: `slice`: index 2 is out of range for length 2"),
        ("{{eq \"a\" 1}}", "refused 1:3: `eq`: cannot compare text with an integer"),
        ("{{index .Params 1}}", "refused 1:3: `index`: argument 2 must be text, not an integer"),
        ("{{until 10001}}", "refused 1:3: `until`: the value would have more than 10000 elements"),
    ]);
}

#[test]
fn a_pattern_from_the_data_is_checked_when_it_is_used() {
    assert!(
        render("{{regexMatch (print \"(\") .State}}").starts_with("refused 1:3: `regexMatch`: bad")
    );
    let large = "{{regexMatch (print \"(a{1000}){1000}\") .State}}";
    assert!(render(large).starts_with("refused 1:3: `regexMatch`: bad"));
}
