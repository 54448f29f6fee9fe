//! Escaping of run data for the places it is shown in, so that a message from a run does not
//! turn into markup.

/// ASCII characters that start markup in GitHub, GitLab and Gitea Markdown. CommonMark lets each
/// of them be taken literally after a backslash.
const MARKDOWN_SPECIAL: &str = "\\`*_[]<>|~#&!";

/// Escapes text for use within a line of Markdown. Mentions (`@name`) stay what they are: Markdown
/// has no escape that all providers honour.
#[must_use]
pub fn escape_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if MARKDOWN_SPECIAL.contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Escapes text for Slack's mrkdwn, where three characters control links and mentions. Emphasis
/// (`*`, `_`) has no escape there.
#[must_use]
pub fn escape_slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_markup_becomes_literal() {
        assert_eq!(escape_markdown("a_b *c* [d](e)"), "a\\_b \\*c\\* \\[d\\](e)");
        assert_eq!(escape_markdown("<b>|x\\"), "\\<b\\>\\|x\\\\");
        assert_eq!(escape_markdown("plain, (text)."), "plain, (text).");
    }

    #[test]
    fn slack_control_characters_become_entities_once() {
        assert_eq!(escape_slack("<!channel> & co"), "&lt;!channel&gt; &amp; co");
        assert_eq!(escape_slack("&lt;"), "&amp;lt;");
    }
}
