//! How deep a jq program would take its parser, estimated from the text alone. The parser, the
//! compiler and the interpreter recurse for every bracket, operator and path part without a limit,
//! and a stack overflow ends the process. So the estimate is on the heavy side.

/// The heaviest accepted program. A 2 MiB stack, as of worker threads, overflowed in an unoptimised
/// build at 118 nested objects, 157 definitions, 196 operators or 1,334 path parts.
pub(super) const WEIGHT_MAX: usize = 1024;

/// An open bracket, or an open string: at most 64.
const BRACKET: usize = 16;

/// An operator, or a keyword that takes a term after it: at most 128 in one chain.
const OPERATOR: usize = 8;

/// A part of a path.
const PART: usize = 1;

const KEYWORDS: [&str; 9] = ["if", "try", "reduce", "foreach", "def", "as", "label", "and", "or"];

/// What is open at a place of the text, and the weight of its chain of operators so far.
struct Frame {
    opened_by: char,
    chain: usize,
}

/// The weight of the heaviest place of `text`: the sum over everything open there.
pub(super) fn weight(text: &str) -> usize {
    let mut scan = Scan { rest: text, frames: vec![Frame { opened_by: ' ', chain: 0 }] };
    let mut heaviest = 0;
    while scan.step() {
        let weight: usize = scan.frames.iter().map(|frame| frame.chain).sum();
        heaviest = heaviest.max(weight + BRACKET * (scan.frames.len() - 1));
        if heaviest > WEIGHT_MAX {
            break;
        }
    }
    heaviest
}

struct Scan<'a> {
    rest: &'a str,
    /// Never empty: the first frame is the program itself.
    frames: Vec<Frame>,
}

impl Scan<'_> {
    /// Reads one token; `false` at the end.
    fn step(&mut self) -> bool {
        let Some(c) = self.rest.chars().next() else { return false };
        self.rest = &self.rest[c.len_utf8()..];
        let opened_by = self.frames.last().map_or(' ', |frame| frame.opened_by);
        match c {
            '"' if opened_by == '"' => self.close(),
            '\\' if opened_by == '"' => self.escape(),
            _ if opened_by == '"' => {}
            '#' => self.skip_comment(),
            '"' | '(' | '[' | '{' => self.frames.push(Frame { opened_by: c, chain: 0 }),
            ')' | ']' | '}' => self.close(),
            ';' => self.end_chain(),
            ',' if opened_by == '{' => self.end_chain(),
            '|' | ',' | '+' | '-' | '*' | '/' | '%' | '=' | '<' | '>' => self.add(OPERATOR),
            '.' => self.add(PART),
            c if c.is_ascii_alphabetic() || c == '_' => self.word(c),
            _ => {}
        }
        true
    }

    fn add(&mut self, weight: usize) {
        if let Some(frame) = self.frames.last_mut() {
            frame.chain += weight;
        }
    }

    fn end_chain(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.chain = 0;
        }
    }

    /// A closed bracket counts at least as a path part of its surroundings.
    fn close(&mut self) {
        if self.frames.len() > 1 {
            self.frames.pop();
        }
        self.add(PART);
    }

    fn escape(&mut self) {
        let mut chars = self.rest.chars();
        if chars.next() == Some('(') {
            self.frames.push(Frame { opened_by: '(', chain: 0 });
        }
        self.rest = chars.as_str();
    }

    /// A comment continues after a line that ends with an odd number of backslashes (jq 1.7).
    fn skip_comment(&mut self) {
        loop {
            let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
            self.rest = rest;
            let line = line.strip_suffix('\r').unwrap_or(line);
            let backslashes = line.bytes().rev().take_while(|byte| *byte == b'\\').count();
            if backslashes % 2 == 0 || rest.is_empty() {
                return;
            }
        }
    }

    fn word(&mut self, first: char) {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let tail_len = self.rest.find(|c| !is_name(c)).unwrap_or(self.rest.len());
        let (tail, rest) = self.rest.split_at(tail_len);
        self.rest = rest;
        let is_keyword = KEYWORDS.iter().any(|keyword| {
            keyword.strip_prefix(first).is_some_and(|keyword_tail| keyword_tail == tail)
        });
        if is_keyword {
            self.add(OPERATOR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_brackets_add_up_and_closed_ones_do_not() {
        assert_eq!(weight("((1))"), 2 * BRACKET);
        assert_eq!(weight("(1)(1)(1)"), BRACKET + 2 * PART);
        assert_eq!(weight(r#""a\("b")""#), 3 * BRACKET);
    }

    #[test]
    fn brackets_and_operators_in_strings_and_comments_weigh_nothing() {
        assert_eq!(weight(r#""((( ||| \" {{""#), BRACKET);
        assert_eq!(weight("# ((( |||\n1"), 0);
        assert_eq!(weight("# one \\\n(((\n1"), 0);
    }

    #[test]
    fn a_chain_of_operators_is_depth() {
        assert_eq!(weight(".|.|."), 2 * OPERATOR + 3 * PART);
        assert_eq!(weight("try try 1"), 2 * OPERATOR);
        assert_eq!(weight("retry ifs _if"), 0);
        assert_eq!(weight(".a[0][1]"), PART + BRACKET + PART);
    }

    #[test]
    fn fields_of_an_object_are_no_chain() {
        let one = weight("{a:.b}");
        let many = format!("{{{}}}", vec!["a:.b"; 500].join(","));
        assert_eq!(weight(&many), one);
    }

    #[test]
    fn an_unbalanced_end_does_not_underflow() {
        assert_eq!(weight(")))"), 3 * PART);
    }
}
