//! The mail in both forms, what run data may not do in it, and every answer of a server.

use super::*;
use crate::event::shaped_runs;
use crate::integration::fixture::{context, done, effect, event, failed, route, summary};
use crate::integration::hostile::{EVERY_FIELD, Hostile};
use crate::integration::mail::{MailEncryption, MailLogin};
use crate::integration::{Exchange, Reply};
use crate::secret::SecretRef;
use crate::template::DataKind;

fn mailbox(text: &str) -> Mailbox {
    text.parse().unwrap()
}

fn options() -> EmailOptions {
    EmailOptions {
        name: "team".to_owned(),
        server: MailServer {
            host: "smtp.acme.example".to_owned(),
            port: 587,
            encryption: MailEncryption::StartTls,
            login: Some(MailLogin::Password {
                username: "ci".to_owned(),
                password: SecretRef::file("/secrets/password"),
            }),
        },
        addresses: MailAddresses {
            from: mailbox("Tekton at Acme <ci@acme.example>"),
            to: vec![mailbox("team@acme.example"), mailbox("Lead <lead@acme.example>")],
            cc: vec![mailbox("cc@acme.example")],
            bcc: vec![mailbox("log@acme.example"), mailbox("team@acme.example")],
            reply_to: Some(mailbox("dev@acme.example")),
        },
        subject: None,
        body: None,
        is_html: false,
    }
}

fn template(text: &str) -> Option<Template> {
    Some(Template::compile(text, DataKind::Event).unwrap())
}

fn sent(options: EmailOptions, effect: &Effect<'_>) -> (MailMessage, Box<dyn Exchange>) {
    match Email::new(options).begin(effect) {
        Turn::Send(Outbound::Mail(message), exchange) => (message, exchange),
        other @ (Turn::Send(..) | Turn::Done(_) | Turn::Fail(_)) => {
            panic!("expected a mail, got {other:?}")
        }
    }
}

fn content(options: EmailOptions, event: &RunEvent) -> String {
    sent(options, &effect(&route(), event, &context())).0.content
}

/// A header line, with its folds.
fn header(content: &str, name: &str) -> String {
    let (head, _) = content.split_once("\r\n\r\n").unwrap();
    let unfolded = head.replace("\r\n ", " ");
    let lines: Vec<&str> = unfolded.split("\r\n").filter(|line| line.starts_with(name)).collect();
    assert_eq!(lines.len(), 1, "{head}");
    lines[0].to_owned()
}

/// The body with its quoted-printable undone.
fn body(content: &str) -> String {
    let (head, body) = content.split_once("\r\n\r\n").unwrap();
    if !head.contains("quoted-printable") {
        assert!(head.contains("7bit"), "{head}");
        return body.to_owned();
    }
    let body = body.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = body.as_str();
    while let Some((before, after)) = rest.split_once('=') {
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(u8::from_str_radix(&after[..2], 16).unwrap());
        rest = &after[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap()
}

#[test]
fn golden_mail() {
    let expected = MailMessage {
        server: options().server,
        sender: "ci@acme.example".to_owned(),
        recipients: ["team", "lead", "cc", "log"].map(|name| format!("{name}@acme.example")).into(),
        content: [
            "Date: Fri, 20 Nov 2026 10:00:00 +0000",
            "Message-ID: <00000000000000000000000000000abc@acme.example>",
            "References: <25e8e2cd7104114fdcbc94b950d4ccc7@acme.example>",
            "User-Agent: tekton-events-relay",
            "Auto-Submitted: auto-generated",
            "From: \"Tekton at Acme\" <ci@acme.example>",
            "Subject: tekton/app failed (ci/app-x7k2p)",
            "To: team@acme.example, Lead <lead@acme.example>",
            "Cc: cc@acme.example",
            "Reply-To: dev@acme.example",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: 7bit",
            "",
            "Check: tekton/app",
            "State: failed",
            "Run: ci/app-x7k2p",
            "Commit: 0123456",
            "Duration: 1m 5s",
            "Detail: Tasks Completed: 2 (Failed: 1)",
            "Page: https://dash.example/#/namespaces/ci/pipelineruns/app-x7k2p",
            "",
        ]
        .join("\r\n"),
    };
    assert_eq!(sent(options(), &effect(&route(), &event(), &context())).0, expected);
}

#[test]
fn an_html_mail_says_the_same_with_a_link() {
    let summary = summary();
    let (route, event, context) = (route(), event(), context());
    let effect = Effect { summary: Some(&summary), ..effect(&route, &event, &context) };
    let content = sent(EmailOptions { is_html: true, ..options() }, &effect).0.content;
    assert_eq!(header(&content, "Content-Type"), "Content-Type: text/html; charset=utf-8");
    let body = body(&content).replace("\r\n", "\n");
    let page = "https://dash.example/#/namespaces/ci/pipelineruns/app-x7k2p";
    let link =
        format!("<tr><th align=\"left\">Page</th><td><a href=\"{page}\">{page}</a></td></tr>\n");
    assert!(body.contains(&link), "{body}");
    let rows = "<tr><td>❌ build</td><td>failed</td><td>1m 1s</td></tr>\n\
        <tr><td>❔ deploy</td><td>unknown</td><td></td></tr>\n</table>\n";
    assert!(body.ends_with(rows), "{body}");
}

#[test]
fn a_summary_is_a_line_for_each_task() {
    let summary = summary();
    let (route, event, context) = (route(), event(), context());
    let effect = Effect { summary: Some(&summary), ..effect(&route, &event, &context) };
    let options = EmailOptions { body: template("All done"), ..options() };
    let body = body(&sent(options, &effect).0.content);
    assert_eq!(body, "All done\r\n\r\n❌ build: failed (1m 1s)\r\n❔ deploy: unknown\r\n");
}

#[test]
fn templates_make_subject_and_text() {
    let options = EmailOptions {
        subject: template("{{.RunName}} is {{.State}}"),
        body: template("See {{.TargetURL}}"),
        ..options()
    };
    let content = content(options, &event());
    assert_eq!(header(&content, "Subject"), "Subject: app-x7k2p is failure");
    let page = "https://dash.example/#/namespaces/ci/pipelineruns/app-x7k2p";
    assert_eq!(body(&content), format!("See {page}\r\n"));

    let broken =
        EmailOptions { subject: template("{{(index .Results 5).Name}}"), ..self::options() };
    let failure = failed(Email::new(broken).begin(&effect(&route(), &event(), &context())));
    assert_eq!(
        (failure.kind, failure.retryability),
        (FailureKind::Render, Retryability::Permanent)
    );
}

#[test]
fn a_subject_of_other_letters_is_encoded_and_a_long_one_is_cut() {
    let subject = || template("{{.Description}}");
    let long = RunEvent { message: "ü".repeat(1000), ..event() };
    let content = content(EmailOptions { subject: subject(), ..options() }, &long);
    assert!(content.is_ascii());
    assert!(content.contains("\r\nSubject: =?utf-8?b?"), "{content}");
    assert!(content.lines().all(|line| line.len() <= 998));
    let encoded = header(&content, "Subject");
    let pieces = encoded.trim_start_matches("Subject: ").split(' ').map(|word| {
        let piece = word.trim_start_matches("=?utf-8?b?").trim_end_matches("?=");
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, piece).unwrap()
    });
    let decoded = String::from_utf8(pieces.flatten().collect()).unwrap();
    assert_eq!(decoded, format!("{}...", "ü".repeat(247)));
}

/// A run names nothing that starts a header, a recipient or a second mail.
#[test]
fn no_text_of_a_run_leaves_its_place_in_the_header() {
    let hostile = "x\r\nBcc: evil@z.example\r\n\r\n.\r\nMAIL FROM:<e@z>\n\u{85}\u{2028}\0y";
    let said = Hostile::new(event(), hostile);
    let subjects = [None, template("{{.RunName}}"), template(&EVERY_FIELD)];
    for subject in subjects {
        let (message, _) = sent(EmailOptions { subject, ..options() }, &said.effect());
        let (head, _) = message.content.split_once("\r\n\r\n").unwrap();
        let names: Vec<&str> = head
            .split("\r\n")
            .filter(|line| !line.starts_with(' '))
            .map(|line| line.split(':').next().unwrap())
            .collect();
        let expected = [
            "Date",
            "Message-ID",
            "References",
            "User-Agent",
            "Auto-Submitted",
            "From",
            "Subject",
            "To",
            "Cc",
            "Reply-To",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding",
        ];
        assert_eq!(names, expected, "{head}");
        assert!(!head.contains('\0') && !head.replace("\r\n", "").contains(['\r', '\n']), "{head}");
        assert_eq!(message.recipients.len(), 4);
        assert_eq!(message.content.replace("\r\n", "").matches(['\r', '\n']).count(), 0);
    }
}

#[test]
fn no_text_of_a_run_is_markup_in_html() {
    let hostile = "<img src=x onerror=a> <script>b</script> \" ' javascript:c";
    let all_fields = format!("<p>{}</p><a href=\"{{{{.RunName}}}}\">x</a>", &*EVERY_FIELD);
    for text in [None, template(&all_fields)] {
        for event in shaped_runs() {
            let said = Hostile::new(event, hostile);
            let options = EmailOptions { body: text.clone(), is_html: true, ..options() };
            let body = body(&sent(options, &said.effect()).0.content);
            assert!(body.contains("&lt;img src=x onerror=a&gt;"), "{body}");
            for raw in ["<img", "<script", "</script", "href=\"javascript", "\" '"] {
                assert!(!body.contains(raw), "{raw} in {body}");
            }
        }
    }
}

#[test]
fn a_repeated_mail_has_the_name_of_the_first_and_a_run_has_one_thread() {
    let (route, event, context) = (route(), event(), context());
    let first = effect(&route, &event, &context);
    let again = Effect { is_in_doubt: true, ..first.clone() };
    let next_id = crate::effect::EffectId(crate::event::Key(0xdef));
    let next = Effect { id: next_id, ..first.clone() };
    let names = |effect| {
        let content = sent(options(), effect).0.content;
        (header(&content, "Message-ID"), header(&content, "References"))
    };
    assert_eq!(names(&first), names(&again));
    assert_ne!(names(&first).0, names(&next).0);
    assert_eq!(names(&first).1, names(&next).1);
    let other = RunEvent { uid: "another".to_owned(), ..event.clone() };
    assert_ne!(names(&first).1, names(&effect(&route, &other, &context)).1);
}

#[test]
fn every_transition_of_a_run_goes_to_one_stream() {
    let target = Email::new(options()).target(&event(), &context()).unwrap();
    assert_eq!(target.key.0, "email/team/5ab1d2f0-0000-4000-8000-000000000001");
    assert_eq!(target.delivery, Delivery::Stream);
}

#[test]
fn a_mail_that_was_taken_is_delivered_under_the_name_that_the_server_gave_it() {
    let (_, exchange) = sent(options(), &effect(&route(), &event(), &context()));
    let remote_id = Some("2.0.0 queued as 4B1F".to_owned());
    let receipt = done(exchange.on_reply(Reply::Accepted { remote_id, code: 250 }));
    assert_eq!((receipt.remote_id.as_str(), receipt.status), ("2.0.0 queued as 4B1F", 250));
}

#[test]
fn every_refusal_has_its_outcome() {
    use FailureKind::{Auth, Invalid, RateLimited, Server};
    use Retryability::{Permanent, Temporary};
    let rows = [
        (421, "greeting: 421 4.3.2 busy", Server, Temporary),
        (421, "greeting: 421 4.7.0 Too many requests", RateLimited, Temporary),
        (450, "RCPT TO a@b: 450 4.2.0 greylisted", Server, Temporary),
        (451, "mail: 451 4.7.1 rate limit exceeded", RateLimited, Temporary),
        (454, "AUTH: 454 4.7.0 not now", Server, Temporary),
        (530, "MAIL FROM: 530 5.7.0 log in", Auth, Permanent),
        (534, "AUTH: 534 5.7.9 too weak", Auth, Permanent),
        (535, "AUTH: 535 5.7.8 wrong", Auth, Permanent),
        (538, "AUTH: 538 5.7.11 not in the clear", Auth, Permanent),
        (550, "RCPT TO a@b: 550 5.1.1 unknown", Invalid, Permanent),
        (552, "mail: 552 5.3.4 too big", Invalid, Permanent),
        (554, "mail: 554 5.7.1 rate limit", Invalid, Permanent),
    ];
    for (code, detail, kind, retryability) in rows {
        let failure = judge(&Rejection { code, detail: detail.to_owned() });
        assert_eq!((failure.kind, failure.retryability), (kind, retryability), "{detail}");
        assert_eq!(failure.detail(), detail);
    }
    let with_url = Rejection { code: 550, detail: "see https://mx.example/why?id=1".to_owned() };
    assert_eq!(judge(&with_url).detail(), "see https://mx.example");
}
