//! Words that a rule compares with a field of the event. If the field never holds the word, the
//! comparison decides nothing, so it is a mistake. If the word is only unusual, the check warns.

use super::check::ExpressionFault;
use super::pattern::Pattern;
use super::possible::field_of;
use crate::event::closed_words;
use crate::spelling::closest;
use cel::IdedExpr;
use cel::common::ast::Expr;

/// Forges, as annotations and the headers of webhooks name them. A run may name another forge.
const PROVIDERS: [&str; 9] = [
    "azure-devops",
    "azure_devops",
    "bitbucket",
    "bitbucket-cloud",
    "bitbucket-server",
    "gitea",
    "github",
    "gitlab",
    "sourcehut",
];

/// Events of webhooks that rules use, in GitHub's words. Other forges have other words.
const SCM_EVENTS: [&str; 4] = ["push", "pull_request", "issues", "issue_comment"];

/// Other events of GitHub with similar names.
const OTHER_SCM_EVENTS: [&str; 4] =
    ["pull_request_review", "pull_request_target", "discussion_comment", "commit_comment"];

/// Common wrong words for GitHub's events.
const SCM_EVENT_SLIPS: [(&str, &str); 4] = [
    ("pr", "pull_request"),
    ("pull", "pull_request"),
    ("pullrequest", "pull_request"),
    ("comment", "issue_comment"),
];

/// A field, and how its words change before the comparison.
type Compared<'r> = (&'r str, fn(&str) -> String);

/// Refuses a word that the field of a comparison never holds.
///
/// # Errors
/// The mistake, at the node `at` of the word.
pub(super) fn check_word(field: &IdedExpr, at: u64, word: &str) -> Result<(), ExpressionFault> {
    let Some((field, case)) = compared(field) else { return Ok(()) };
    if field == "Namespace" {
        return check_namespace(case, at, word);
    }
    match cased_words(field, case) {
        Some(known) if !known.iter().any(|known| known == word) => {
            Err(ExpressionFault::new(at, unknown_word(field, &known, word)))
        }
        Some(_) | None => Ok(()),
    }
}

/// Refuses a state that does not exist as an argument of `stateIn`.
///
/// # Errors
/// The mistake, at the node `at` of the word.
pub(super) fn check_state(at: u64, word: &str) -> Result<(), ExpressionFault> {
    let known = cased_words("State", str::to_owned).unwrap_or_default();
    match known.iter().any(|known| known == word) {
        true => Ok(()),
        false => Err(ExpressionFault::new(at, unknown_word("State", &known, word))),
    }
}

/// Refuses a regular expression that matches no word of its field.
///
/// # Errors
/// The mistake, at the node `at` of the expression.
pub(super) fn check_pattern(field: &IdedExpr, at: u64, text: &str) -> Result<(), ExpressionFault> {
    let Some((field, case)) = compared(field) else { return Ok(()) };
    let Some(known) = cased_words(field, case) else { return Ok(()) };
    // Expressions are compiled elsewhere, and an invalid one is reported there.
    let Ok(pattern) = Pattern::compile(text) else { return Ok(()) };
    if known.iter().any(|word| pattern.is_match(word)) {
        return Ok(());
    }
    let (what, list) = (noun(field), listed(&known));
    let hint = hint(text, &known);
    Err(ExpressionFault::new(at, format!("no {what} matches {text:?}; known are {list}{hint}")))
}

/// A probable mistake: a field that may hold any text is compared with a slip.
pub(super) fn doubt(field: &IdedExpr, at: u64, word: &str) -> Option<ExpressionFault> {
    let (field, case) = compared(field)?;
    let is_known = |known: &[&str]| known.iter().any(|known| case(known) == word);
    let meant = match field {
        "Provider" if !is_known(&PROVIDERS) => closest(word, PROVIDERS)?,
        "SCMEventType" if !is_known(&SCM_EVENTS) && !is_known(&OTHER_SCM_EVENTS) => {
            let lower = word.to_ascii_lowercase();
            let slip = SCM_EVENT_SLIPS.iter().find(|(slip, _)| *slip == lower);
            slip.map(|(_, meant)| *meant).or_else(|| closest(word, SCM_EVENTS))?
        }
        _ => return None,
    };
    let meant = case(meant);
    Some(ExpressionFault::new(at, format!("{field} is hardly {word:?}; did you mean {meant:?}?")))
}

/// The field that a node reads, possibly in another case.
fn compared(node: &IdedExpr) -> Option<Compared<'_>> {
    if let Some(field) = field_of(node) {
        return Some((field, str::to_owned));
    }
    let Expr::Call(call) = &node.expr else { return None };
    let (field, case) = compared(call.target.as_deref()?)?;
    match call.func_name.as_str() {
        "lowerAscii" => Some((field, str::to_ascii_lowercase)),
        "upperAscii" => Some((field, str::to_ascii_uppercase)),
        "trim" => Some((field, case)),
        _ => None,
    }
}

fn cased_words(field: &str, case: fn(&str) -> String) -> Option<Vec<String>> {
    closed_words(field).map(|known| known.into_iter().map(case).collect())
}

/// Kubernetes names a namespace by an RFC 1123 label: a name in upper case or with another sign
/// between its parts is a slip.
fn check_namespace(case: fn(&str) -> String, at: u64, word: &str) -> Result<(), ExpressionFault> {
    let taken = case("abcdefghijklmnopqrstuvwxyz0123456789-");
    let is_taken = |name: &str| name.chars().all(|c| taken.contains(c));
    let meant = case(&word.to_ascii_lowercase().replace(['_', '.'], "-"));
    if is_taken(word) || !is_taken(&meant) {
        return Ok(());
    }
    let names = "names are made of a-z, 0-9 and '-'";
    let message = format!("no namespace is called {word:?}: {names}; did you mean {meant:?}?");
    Err(ExpressionFault::new(at, message))
}

fn unknown_word(field: &str, known: &[String], word: &str) -> String {
    let (what, list, hint) = (noun(field), listed(known), hint(word, known));
    format!("unknown {what} {word:?}; known are {list}{hint}")
}

fn noun(field: &str) -> &'static str {
    if field == "Resource" { "kind of run" } else { "state" }
}

fn listed(known: &[String]) -> String {
    let words: Vec<&str> =
        known.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    words.join(", ")
}

fn hint(word: &str, known: &[String]) -> String {
    let known = known.iter().map(String::as_str).filter(|word| !word.is_empty());
    closest(word, known).map_or_else(String::new, |close| format!("; did you mean {close:?}?"))
}

#[cfg(test)]
mod tests {
    use super::super::Condition;

    #[test]
    fn a_word_that_the_field_never_holds_is_refused_in_whatever_form_it_is_compared() {
        let known = "known are pending, running, success, failure, error, canceled";
        let upper = "known are PENDING, RUNNING, SUCCESS, FAILURE, ERROR, CANCELED";
        let names = "names are made of a-z, 0-9 and '-'; did you mean";
        let unknown = |word: &str, more: &str| format!("unknown state {word:?}; {more}");
        let unmatched = |text: &str, more: &str| format!("no state matches {text:?}; {more}");
        let unnamed = |word: &str, meant: &str| {
            format!("no namespace is called {word:?}: {names} {meant:?}?")
        };
        let failure = format!("{known}; did you mean \"failure\"?");
        let upper = format!("{upper}; did you mean \"FAILURE\"?");
        let canceled = format!("{known}; did you mean \"canceled\"?");
        let in_list = "['error', 'cancelled'].exists(s, event.State == s)";
        let rows = [
            ("event.State.upperAscii() == 'failure'", 29, unknown("failure", &upper)),
            ("event.State.lowerAscii() == 'Failure'", 29, unknown("Failure", &failure)),
            ("event.State.matches('cancelled')", 21, unmatched("cancelled", &canceled)),
            ("matches(event.State, '^Succe')", 22, unmatched("^Succe", known)),
            ("isPR() || !event.State.matches('^failed$')", 32, unmatched("^failed$", known)),
            ("['failed'].exists(s, s == event.State)", 2, unknown("failed", known)),
            (in_list, 11, unknown("cancelled", &canceled)),
            ("event.Namespace == 'Prod'", 20, unnamed("Prod", "prod")),
            ("event.Namespace in ['team_a']", 21, unnamed("team_a", "team-a")),
        ];
        for (rule, column, message) in rows {
            let error = Condition::compile(rule).unwrap_err();
            assert_eq!((error.line, error.column, error.message), (1, column, message), "{rule}");
        }
    }

    #[test]
    fn words_of_a_field_are_accepted_in_every_form() {
        for rule in [
            "event.State.upperAscii() == 'FAILURE'",
            "event.State.upperAscii().lowerAscii() == 'failure'",
            "event.State.matches('^(failure|error)$')",
            "['failure', 'error'].exists(s, s == event.State)",
            "['a', 'b'].exists(s, s == event.Labels.team)",
            "['x'].exists(s, ['failure'].exists(s, s == event.State) && s == event.Labels.a)",
            "event.Namespace == 'team-1' || event.Namespace == ''",
            "event.Namespace.upperAscii() == 'PROD'",
        ] {
            let condition = Condition::compile(rule);
            assert!(condition.is_ok_and(|condition| condition.doubts().is_empty()), "{rule}");
        }
    }

    #[test]
    fn a_word_that_is_hardly_meant_is_doubted_with_its_place() {
        let hardly = |field: &str, word: &str, meant: &str| {
            format!("{field} is hardly {word:?}; did you mean {meant:?}?")
        };
        let (provider, event) = ("Provider", "SCMEventType");
        for (rule, column, message) in [
            ("event.Provider == 'Github'", 19, hardly(provider, "Github", "github")),
            ("event.Provider in ['github', 'gitlap']", 30, hardly(provider, "gitlap", "gitlab")),
            ("event.SCMEventType == 'pr'", 23, hardly(event, "pr", "pull_request")),
            ("event.SCMEventType != 'Push'", 23, hardly(event, "Push", "push")),
        ] {
            let condition = Condition::compile(rule).unwrap();
            let [doubt] = condition.doubts() else { panic!("{rule}: {:?}", condition.doubts()) };
            assert_eq!((doubt.column, &doubt.message), (column, &message), "{rule}");
        }
        for rule in [
            "event.Provider == 'forgejo'",
            "event.Provider.upperAscii() == 'GITHUB'",
            "event.SCMEventType == 'pull_request_review'",
            "event.SCMEventType == 'Merge Request Hook'",
            "event.SCMEventType == 'pullrequest:created'",
        ] {
            assert_eq!(Condition::compile(rule).unwrap().doubts(), [], "{rule}");
        }
    }

    #[test]
    fn a_rule_that_is_false_without_reading_the_event_is_known_as_one() {
        for (rule, expected) in [
            ("false", true),
            ("1 == 2", true),
            ("!true", true),
            ("[1].exists(x, x == 2)", true),
            ("true", false),
            ("isPR()", false),
            ("isPR() == false", false),
            ("1 / 0 == 1 || isPR()", false),
        ] {
            assert_eq!(Condition::compile(rule).unwrap().is_never(), expected, "{rule}");
        }
        assert!(Condition::compile("1 == 1").unwrap().holds_always());
    }
}
