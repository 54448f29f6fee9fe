//! Routes: what instances and actions mean, and the mistakes in their rules, templates, programs
//! and secrets.

use super::tests::{Disk, config, errors, load_with, loaded};
use super::*;
use crate::effect::RouteName;
use crate::event::{Keep, KeptNames};
use crate::integration::registry::INTEGRATIONS;

const TOKEN: (&str, &str) = ("/etc/secrets/github/g/token", "t");

fn names(config: &Config) -> Vec<String> {
    config.rules.routes.iter().map(|route| route.name.to_string()).collect()
}

/// The error lines of a file; secrets are not read.
fn errors_without_secrets(text: &str) -> Vec<String> {
    let files = super::tests::Disk::default();
    let errors = load(text, "relay.yaml", &files, SecretCheck::Skipped).expect_err("it is wrong");
    errors.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn five_mistakes_give_exactly_five_located_errors() {
    let text = "\
max_concurrency: many
scm:
  github:
    - name: g
      actions:
        - name: status
          type: commit_status
          wen: isPR()
        - name: comment
          type: pr_comment
          when: isPipelinRun()
          template: |
            Run {{ .RunName }}
              is {{ .Stat }}
";
    let lines = errors(text);
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert_eq!(lines[0], "relay.yaml:1:18: max_concurrency: expected an integer, found \"many\"");
    assert_eq!(
        lines[1],
        "relay.yaml:4:7: scm.github[0].auth.secret_file: secret file \
         /etc/secrets/github/g/token: no such file"
    );
    assert!(
        lines[2].starts_with(
            "relay.yaml:8:11: scm.github[0].actions[0].wen: unknown key, did you mean \"when\"?"
        ),
        "{}",
        lines[2]
    );
    let cel = "scm.github[0].actions[1].when: no valid CEL condition: ";
    assert!(lines[3].starts_with("relay.yaml:11:") && lines[3].contains(cel), "{}", lines[3]);
    let template = "relay.yaml:14:21: scm.github[0].actions[1].template: no valid template: ";
    assert!(lines[4].starts_with(template), "{}", lines[4]);
}

#[test]
fn each_action_and_notifier_is_a_route() {
    let text = "
scm:
  github:
    - name: g
      actions: [{type: commit_status}, {name: c, type: pr_comment, mode: upsert}]
notifiers:
  slack: [{name: s}]
  webhook: [{name: w, auth: {type: hmac}, headers: {X-Team: ci}, transform: '{s: .state}'}]
  log: [{name: l, when: isPipelineRun()}]
";
    let config = config(text);
    assert_eq!(
        names(&config),
        [
            "github/g/commit_status",
            "github/g/c",
            "slack/s/notify",
            "webhook/w/notify",
            "log/l/notify",
        ]
    );
    let providers: Vec<Option<&str>> =
        config.rules.routes.iter().map(|route| route.provider.as_deref()).collect();
    assert_eq!(providers, [Some("github"), Some("github"), None, None, None]);
    let conditions: Vec<Option<&str>> = config
        .rules
        .routes
        .iter()
        .map(|route| route.when.as_ref().map(|when| when.text()))
        .collect();
    assert_eq!(conditions, [None, None, None, None, Some("isPipelineRun()")]);
}

/// What an instance of a kind has to say beside its name.
fn least_keys(kind: &str) -> &'static str {
    match kind {
        "email" => ", host: smtp.example, from: a@b.example, to: [c@d.example]",
        _ => "",
    }
}

#[test]
fn every_action_of_every_row_of_the_registry_is_a_route_of_its_own() {
    for row in INTEGRATIONS {
        for action in row.actions {
            let (section, kind, word) = (row.section(), row.kind, action.word);
            let instance = match section {
                Section::Scm => format!("name: i, actions: [{{type: {word}}}]"),
                Section::Notifiers => format!("name: i{}", least_keys(kind)),
            };
            let text = format!("{}: {{{kind}: [{{{instance}}}]}}\n", section.key());
            let expected = format!("{kind}/i/{word}");
            assert_eq!(names(&config(&text)), [expected], "{text}");
            let accumulator = "accumulator: {enabled: true, provider: {name: i}}\n";
            let shown = load(
                &format!("{text}{accumulator}"),
                "relay.yaml",
                &super::tests::Disk::default(),
                SecretCheck::Skipped,
            );
            assert_eq!(shown.is_ok(), action.shows_summaries, "{text}");
        }
    }
}

#[test]
fn without_a_file_everything_is_logged() {
    let config = Config::without_file(&Overrides::default());
    assert_eq!(names(&config), ["log/log/notify"]);
    assert_eq!(config.cluster, ClusterSettings::default());
    assert!(config.rules.filter == crate::route::EventFilter::default());
}

#[test]
fn what_is_switched_off_is_not_looked_at() {
    let text = "
scm:
  gitea: [{name: x, enabled: false, nonsense: 1}]
  github:
    - {name: off, enabled: false, auth: {app_id: 1}, actions: [{type: nonsense}]}
    - name: g
      actions: [{type: check_run, enabled: false}, {type: commit_status}]
notifiers:
  slack: [{name: off, enabled: false, nonsense: 1}]
";
    let loaded = load_with(text, &[TOKEN]).unwrap();
    assert_eq!(names(&loaded.config), ["github/g/commit_status"]);
    let notices: Vec<String> = loaded.notices.iter().map(ToString::to_string).collect();
    assert_eq!(notices, ["3:3: scm.gitea: is off, and not needed"]);
}

#[test]
fn what_has_no_code_yet_is_refused_by_name() {
    let text = "
scm:
  gitea: [{name: x}]
  github:
    - name: g
      insecure_skip_verify: false
      rate_limit: {requests_per_second: 5}
      auth: {}
      actions:
        - {type: check_run}
        - {type: pr_comment, fallback_action: x}
notifiers:
  teams: [{name: x}]
  slack:
    - {name: s, mode: upsert, channel_expr: '\"x\"', auth: {bot_token: {channel_id: c}}}
  webhook:
    - {name: w, auth: {type: oauth2}, batch: {enabled: true}}
";
    let expected = [
        "3:3: scm.gitea: `gitea`",
        "7:7: scm.github[0].rate_limit: `rate_limit`",
        "10:18: scm.github[0].actions[0].type: action type `check_run`",
        "11:30: scm.github[0].actions[1].fallback_action: `fallback_action`",
        "13:3: notifiers.teams: `teams`",
        "15:23: notifiers.slack[0].mode: `upsert` through a webhook",
        "15:31: notifiers.slack[0].channel_expr: `channel_expr`",
        "15:59: notifiers.slack[0].auth.bot_token: `bot_token`",
        "17:30: notifiers.webhook[0].auth.type: `oauth2`",
        "17:39: notifiers.webhook[0].batch: `batch`",
    ];
    let expected =
        expected.map(|line| format!("relay.yaml:{line} is not supported yet; remove it"));
    assert_eq!(errors_without_secrets(text), expected);
}

#[test]
fn every_integration_of_the_go_relay_is_known_by_name() {
    let scm = ["gitlab", "gitea", "bitbucket", "azure_devops", "sourcehut"];
    let notifiers = [
        "teams",
        "discord",
        "pagerduty",
        "datadog",
        "grafana",
        "sentry",
        "mattermost",
        "incidentio",
        "telegram",
        "opsgenie",
        "newrelic",
        "honeycomb",
        "kafka",
        "nats",
        "rabbitmq",
        "redispubsub",
    ];
    let keys =
        scm.map(|key| ("scm", key)).into_iter().chain(notifiers.map(|key| ("notifiers", key)));
    let is_missing = |key: &str| INTEGRATIONS.iter().all(|row| row.kind != key);
    for (section, key) in keys.filter(|(_, key)| is_missing(key)) {
        let lines = errors(&format!("{section}: {{{key}: [{{name: x, enabled: true}}]}}\n"));
        assert_eq!(lines.len(), 1, "{key}");
        let refused = format!("{section}.{key}: `{key}` is not supported yet; remove it");
        assert!(lines[0].ends_with(&refused), "{}", lines[0]);
    }
}

#[test]
fn names_are_used_once_in_a_list() {
    let text = "
scm:
  github:
    - name: g
      actions: [{name: a, type: commit_status}, {name: a, type: pr_comment}]
    - {name: g, enabled: false}
notifiers:
  log: [{name: g}, {name: ../x}, {}]
";
    let folder =
        "expected a name that is not empty, without `/` and `..`: it names a folder of secrets";
    assert_eq!(
        errors_without_secrets(text),
        [
            "relay.yaml:5:56: scm.github[0].actions[1].name: the name \"a\" is already used at \
             line 5"
                .to_owned(),
            "relay.yaml:6:14: scm.github[1].name: the name \"g\" is already used at line 4"
                .to_owned(),
            format!("relay.yaml:8:27: notifiers.log[1].name: {folder}"),
            "relay.yaml:8:34: notifiers.log[2].name: is required: it names the instance in logs, \
             metrics and secret files"
                .to_owned(),
        ]
    );
}

#[test]
fn secrets_are_inferred_from_the_instance_and_key() {
    let text = "
scm: {github: [{name: g, auth: {secret_key: pat}}]}
notifiers:
  slack: [{name: s}]
  webhook: [{name: w, auth: {type: basic}}]
";
    let no_such_file = |line: &str, path: &str| {
        format!("relay.yaml:{line}: secret file /etc/secrets/{path}: no such file")
    };
    assert_eq!(
        errors(text),
        [
            no_such_file("2:32: scm.github[0].auth.secret_file", "github/g/pat"),
            no_such_file("4:11: notifiers.slack[0].auth.webhook_url_file", "slack/s/webhook_url"),
            no_such_file("5:13: notifiers.webhook[0].url_file", "webhook/w/url"),
            no_such_file("5:29: notifiers.webhook[0].auth.password_file", "webhook/w/password"),
            no_such_file("5:29: notifiers.webhook[0].auth.username_file", "webhook/w/username"),
        ]
    );
    let leaving = "scm: {github: [{name: g, auth: {secret_key: ../../x}}]}\n";
    assert_eq!(
        errors(leaving),
        [
            "relay.yaml:1:45: scm.github[0].auth.secret_key: expected a file name without `/` and `..`"
        ]
    );
}

#[test]
fn each_way_to_prove_who_we_are_has_its_own_keys() {
    let auth = |auth: &str| format!("notifiers: {{webhook: [{{name: w, auth: {auth}}}]}}\n");
    for right in ["{}", "{type: bearer}", "{type: apikey, header: X-Key}", "{type: hmac}"] {
        assert_eq!(names(&config(&auth(right))), ["webhook/w/notify"], "{right}");
    }
    let lines = |text: &str| errors_without_secrets(&auth(text));
    assert_eq!(
        lines("{token_file: /t}"),
        [
            "relay.yaml:1:39: notifiers.webhook[0].auth.type: is required: bearer, basic, apikey or hmac"
        ]
    );
    assert_eq!(
        lines("{type: apikey, header: 'X Key'}"),
        ["relay.yaml:1:62: notifiers.webhook[0].auth.header: expected the name of an HTTP header"]
    );
    let foreign = lines("{type: bearer, header: X-Key}");
    assert_eq!(foreign.len(), 1);
    assert!(foreign[0].contains("auth.header: unknown key; accepted: token_file, token_key, type"));
}

#[test]
fn headers_are_names_and_values_of_one_line() {
    let text = "notifiers: {webhook: [{name: w, headers: {X-A: b, 'X A': c, X-C: \"d\\ne\"}}]}\n";
    let lines = errors_without_secrets(text);
    let paths: Vec<&str> = lines.iter().map(|line| line.split(": ").nth(1).unwrap()).collect();
    assert_eq!(paths, ["notifiers.webhook[0].headers.X A", "notifiers.webhook[0].headers.X-C"]);
}

#[test]
fn a_template_may_live_in_a_file_of_its_own() {
    let text = "scm: {github: [{name: g, actions: [{type: pr_comment, template: /t/c.tmpl}]}]}\n";
    let with = |template| load_with(text, &[TOKEN, ("/t/c.tmpl", template)]);
    let first = with("{{ .State }}").unwrap().config.hash();
    let second = with("{{ .RunName }}").unwrap().config.hash();
    assert_ne!(first, second, "the template is part of the configuration");
    let path = "relay.yaml:1:65: scm.github[0].actions[0].template";
    let wrong = with("ok\n{{ .Stat }}").unwrap_err().to_string();
    assert!(wrong.starts_with(&format!("{path}: no valid template: /t/c.tmpl:2:")), "{wrong}");
    let missing = load_with(text, &[TOKEN]).unwrap_err().to_string();
    assert_eq!(missing, format!("{path}: template file /t/c.tmpl: no such file"));
}

#[test]
fn a_jq_mistake_is_placed_in_the_file() {
    let text = "notifiers: {webhook: [{name: w, transform: '{a: .b} | nosuch'}]}\n";
    let lines = errors_without_secrets(text);
    let expected = "relay.yaml:1:55: notifiers.webhook[0].transform: no valid jq program: ";
    assert!(lines.len() == 1 && lines[0].starts_with(expected), "{lines:?}");
}

#[test]
fn rule_18_only_named_params_and_results_are_kept() {
    let keep =
        |rest: &str| config(&format!("notifiers: {{webhook: [{{name: w, {rest}}}]}}\n")).keep;
    let maps =
        || Keep { labels: KeptNames::all(), annotations: KeptNames::all(), ..Keep::default() };
    let named = |names: &[&str]| Keep { values: KeptNames::only(names.iter().copied()), ..maps() };
    assert_eq!(keep("enabled: true"), maps(), "the body of a webhook has all labels in it");
    assert_eq!(keep("when: 'hasResult(\"image\")'"), named(&["image"]));
    assert_eq!(keep("transform: '{a: .state}'"), Keep::default());
    let values = || Keep { values: KeptNames::all(), ..Keep::default() };
    assert_eq!(keep("transform: '{a: .results}'"), values());
    let labels = || Keep { labels: KeptNames::all(), ..Keep::default() };
    assert_eq!(keep("transform: '{a: .labels.team}'"), labels());
    assert_eq!(keep("transform: 'del(.state)'"), maps());
    let text = "
notifiers:
  log: [{name: l, when: 'resultValue(\"a\") == \"1\"'}]
  slack: [{name: s, template: '{{ range .Results }}{{ .Name }}{{ end }}'}]
";
    let mut values = KeptNames::only(["a"]);
    values.add_all();
    assert_eq!(config(text).keep, Keep { values, ..Keep::default() });
}

#[test]
fn kinds_not_mentioned_are_routed_unless_another_is_allowed() {
    let kinds = |filter: &str| {
        let filter = config(&format!("filter: {filter}\n")).rules.filter;
        [
            filter.allow_taskrun,
            filter.allow_pipelinerun,
            filter.allow_customrun,
            filter.allow_eventlistener,
        ]
    };
    assert_eq!(kinds("{}"), [true; 4]);
    assert_eq!(kinds("{allow_pipelinerun: true}"), [false, true, false, false]);
    assert_eq!(kinds("{allow_taskrun: false}"), [false, true, true, true]);
    let none =
        "{allow_taskrun: no, allow_pipelinerun: no, allow_customrun: no, allow_eventlistener: no}";
    assert_eq!(
        errors(&format!("filter: {none}\n")),
        ["relay.yaml:1:29: filter.allow_pipelinerun: no kind of run is allowed, so nothing would \
          ever be sent"]
    );
}

#[test]
fn a_broken_namespace_pattern_is_a_mistake() {
    assert_eq!(
        errors("filter: {deny_namespaces: [kube-*, '[a']}\n"),
        ["relay.yaml:1:36: filter.deny_namespaces[1]: character class of pattern \"[a\" \
          is not closed"]
    );
}

#[test]
fn an_action_filter_lists_names_by_kind() {
    let text = "
scm:
  github:
    - name: g
      actions:
        - {type: commit_status, filter: {tasks: {allow: [a], deny: [b]}, pipelines: {deny: [c]}}}
";
    let config = config(text);
    let filter = &config.rules.routes[0].filter;
    let pattern = |text| [crate::route::NamePattern::parse(text).unwrap()];
    assert_eq!(filter.tasks.allow, pattern("a"));
    assert_eq!(filter.tasks.deny, pattern("b"));
    assert_eq!(filter.pipelines.deny, pattern("c"));
}

#[test]
fn summaries_go_to_the_one_action_that_is_named() {
    let text = |name: &str| {
        format!(
            "
accumulator: {{enabled: true, ttl: 30m, straggler_window: 1s, provider: {{name: {name}}}}}
scm:
  github:
    - {{name: g, actions: [{{name: st, type: commit_status}}, {{name: c, type: pr_comment}}]}}
    - {{name: h, actions: [{{name: c, type: pr_comment}}]}}
notifiers: {{slack: [{{name: s}}], log: [{{name: l}}]}}
"
        )
    };
    let route = |kind: &str, instance: &str, action: &str| RouteName {
        kind: kind.to_owned(),
        instance: instance.to_owned(),
        action: action.to_owned(),
    };
    let found = |name: &str| config(&text(name)).rules.summary_route;
    assert_eq!(found("g"), Some(route("github", "g", "c")));
    assert_eq!(found("h/c"), Some(route("github", "h", "c")));
    assert_eq!(found("s"), Some(route("slack", "s", "notify")));
    let accepted = "can show summaries; accepted: g/c, h/c, s/notify";
    let line =
        |told: &str| vec![format!("relay.yaml:2:79: accumulator.provider.name: {told} {accepted}")];
    assert_eq!(errors_without_secrets(&text("c")), line("several actions of this name"));
    for unable in ["l", "st", "nobody"] {
        let told = "no switched-on instance or action of this name";
        assert_eq!(errors_without_secrets(&text(unable)), line(told), "{unable}");
    }
}

#[test]
fn an_accumulator_that_is_on_has_to_say_where_to() {
    assert_eq!(
        errors("accumulator: {enabled: true}\n"),
        ["relay.yaml:1:14: accumulator.provider.name: is required: the instance or action that \
          shows summaries"]
    );
    let off = loaded("accumulator: {provider: {name: nobody}, max_size: 5}\n");
    assert_eq!(off.config.rules.summary_route, None);
    assert!(!off.config.accumulator.enabled);
    // The other notice says that there are no routes.
    assert_eq!(off.notices.len(), 2);
}

#[test]
fn instances_over_http_have_the_keys_of_a_connection_and_others_do_not() {
    for row in INTEGRATIONS {
        let (section, kind) = (row.section().key(), row.kind);
        let text = format!("{section}: {{{kind}: [{{name: i, proxy: {{url: 'http://p'}}}}]}}");
        let loaded = load(&text, "f", &Disk::default(), SecretCheck::Skipped);
        let told = loaded.err().map_or_else(String::new, |errors| errors.to_string());
        let unknown = format!("{section}.{kind}[0].proxy: unknown key");
        assert_eq!(told.contains(&unknown), !row.is_http, "{kind}: {told}");
    }
}

#[test]
fn the_connection_of_an_instance_is_that_of_its_routes() {
    for text in [
        "scm: {github: [{name: i, KEYS, actions: [{type: pr_comment}]}]}",
        "notifiers: {webhook: [{name: i, KEYS}]}",
    ] {
        let connected = config(&text.replace("KEYS", "proxy: {url: 'http://proxy:3128'}"));
        // What a route is made of is seen in its text alone.
        let integration = format!("{:?}", connected.rules.routes[0].integration);
        assert!(integration.contains("http://proxy:3128"), "{integration}");
    }
}
