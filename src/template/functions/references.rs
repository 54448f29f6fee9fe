//! How to write issues, pull requests and users so that a provider links them.

use super::{Args, Function, FunctionError, text};
use crate::template::value::{ValueKind, text_of};
use gotmpl::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    text("IssueRef", 4..=4, |args| reference(args, "#")),
    text("PRRef", 4..=4, |args| {
        let mark = match Provider::of(&args.text(0)?) {
            Provider::GitLab | Provider::Azure => "!",
            Provider::SourceHut | Provider::Other => "#",
        };
        reference(args, mark)
    }),
    text("UserMention", 2..=2, |args| {
        let mark = match Provider::of(&args.text(0)?) {
            Provider::SourceHut => "~",
            Provider::GitLab | Provider::Azure | Provider::Other => "@",
        };
        let user = args.text(1)?;
        Ok(Value::from(if is_name(&user) { format!("{mark}{user}") } else { String::new() }))
    }),
];

/// Providers whose references differ from GitHub's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Provider {
    GitLab,
    Azure,
    SourceHut,
    Other,
}

impl Provider {
    /// Accepts the names of annotations; the Go relay's tables spell some with an underscore.
    fn of(name: &str) -> Self {
        match name {
            "gitlab" => Self::GitLab,
            "azure-devops" | "azure_devops" => Self::Azure,
            "sourcehut" => Self::SourceHut,
            _ => Self::Other,
        }
    }

    /// Whether a number may include its repository.
    fn links_across(self) -> bool {
        match self {
            Self::GitLab | Self::Other => true,
            Self::Azure | Self::SourceHut => false,
        }
    }
}

/// Whether a provider could have a user, group or repository of this name. References are printed
/// unescaped, so they may hold nothing else.
fn is_name(text: &str) -> bool {
    let is_part = |next: char| next.is_ascii_alphanumeric() || "-_./".contains(next);
    !text.is_empty() && text.chars().all(is_part)
}

/// `provider number owner repository` as `owner/repository#number`. The repository is left out if
/// it is absent, invalid, or not linked by the provider. Empty without a number.
fn reference(args: &Args<'_>, mark: &str) -> Result<Value, FunctionError> {
    let provider = Provider::of(&args.text(0)?);
    let number = args.value(1);
    if ValueKind::of(number).is_empty() {
        return Ok(Value::from(""));
    }
    let (owner, repository) = (args.text(2)?, args.text(3)?);
    let is_short = !is_name(&owner) || !is_name(&repository) || !provider.links_across();
    let place = if is_short { String::new() } else { format!("{owner}/{repository}") };
    Ok(Value::from(format!("{place}{mark}{}", text_of(number))))
}
