//! Rust text with comments and the insides of literals blanked out.
//!
//! Knows where literals and comments begin and end, nothing else of the language. The result has
//! the same bytes at the same places otherwise, so that positions and line numbers stay true.

/// Blanks comments, strings, raw strings and characters; line breaks stay.
pub fn mask(text: &str) -> String {
    let mut masker = Masker { bytes: text.as_bytes(), at: 0, out: text.as_bytes().to_vec() };
    while masker.at < masker.bytes.len() {
        masker.step();
    }
    // Whole literals are blanked byte by byte, so what remains is valid UTF-8.
    String::from_utf8_lossy(&masker.out).into_owned()
}

struct Masker<'a> {
    bytes: &'a [u8],
    at: usize,
    out: Vec<u8>,
}

impl Masker<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn step(&mut self) {
        match (self.peek(0), self.peek(1)) {
            (b'/', b'/') => self.blank_to(self.line_end()),
            (b'/', b'*') => self.blank_to(self.comment_end()),
            (b'"', _) => self.blank_to(self.string_end(self.at + 1)),
            (b'\'', _) => self.quote(),
            (b'r' | b'b' | b'c', _) if !self.inside_word() => self.prefixed(),
            _ => self.at += 1,
        }
    }

    /// True when the byte before belongs to the same word, as the `r` in `for`.
    fn inside_word(&self) -> bool {
        let before = self.at.checked_sub(1).map_or(b' ', |i| self.bytes[i]);
        before.is_ascii_alphanumeric() || before == b'_'
    }

    /// `r"`, `r#"`, `b"`, `br#"`, `c"`, `b'x'`, or just a word (`r#type` too).
    fn prefixed(&mut self) {
        let rest = &self.bytes[self.at..];
        let word = rest.iter().take_while(|b| matches!(b, b'r' | b'b' | b'c')).count();
        let raw = rest[..word].contains(&b'r');
        let hashes = rest[word..].iter().take_while(|b| **b == b'#').count();
        let open = rest.get(word + hashes).copied();
        match open {
            Some(b'"') if raw && word <= 2 => {
                let end = self.raw_end(self.at + word + hashes + 1, hashes);
                self.blank_to(end);
            }
            Some(b'"') if hashes == 0 && word == 1 => {
                self.blank_to(self.string_end(self.at + 2));
            }
            Some(b'\'') if hashes == 0 && rest[..word] == *b"b" => {
                self.at += 1;
                self.quote();
            }
            _ => self.at += word,
        }
    }

    /// A character, or a lifetime, which stays.
    fn quote(&mut self) {
        if self.peek(1) == b'\\' {
            let rest = self.bytes.get(self.at + 3..).unwrap_or(&[]);
            let close = rest.iter().position(|b| *b == b'\'');
            return self.blank_to(close.map_or(self.bytes.len(), |n| self.at + 3 + n + 1));
        }
        let width = match self.peek(1) {
            0..0x80 => 1,
            0x80..0xE0 => 2,
            0xE0..0xF0 => 3,
            0xF0.. => 4,
        };
        match self.peek(1 + width) {
            b'\'' => self.blank_to(self.at + width + 2),
            _ => self.at += 1,
        }
    }

    fn line_end(&self) -> usize {
        let rest = &self.bytes[self.at..];
        self.at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())
    }

    /// Block comments nest.
    fn comment_end(&self) -> usize {
        let (mut depth, mut at) = (0, self.at);
        while at < self.bytes.len() {
            match self.bytes[at..] {
                [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
                [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
                _ => at += 1,
            }
            if depth == 0 {
                return at;
            }
        }
        at
    }

    fn string_end(&self, mut at: usize) -> usize {
        while at < self.bytes.len() {
            match self.bytes[at] {
                b'\\' => at += 2,
                b'"' => return at + 1,
                _ => at += 1,
            }
        }
        self.bytes.len()
    }

    fn raw_end(&self, from: usize, hashes: usize) -> usize {
        let close: Vec<u8> = std::iter::once(b'"').chain(vec![b'#'; hashes]).collect();
        let rest = self.bytes.get(from..).unwrap_or(&[]);
        rest.windows(close.len())
            .position(|w| w == close)
            .map_or(self.bytes.len(), |n| from + n + close.len())
    }

    fn blank_to(&mut self, end: usize) {
        let end = end.min(self.bytes.len());
        for byte in &mut self.out[self.at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        self.at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_what_is_not_code_and_nothing_else() {
        let rows = [
            ("a // b { c", "a         "),
            ("a /* { /* x */ } */ b", "a                   b"),
            ("f(\"{ \\\" }\") + 1", "f(        ) + 1"),
            ("f(r\"\\\") + 1", "f(    ) + 1"),
            ("f(r#\"a\"b\"#) + 1", "f(        ) + 1"),
            ("f(br##\"\"#\"##) }", "f(          ) }"),
            ("f(b\"{\") c", "f(    ) c"),
            ("f('{', '\\'', '\\u{7d}') }", "f(   ,     ,         ) }"),
            ("f(b'{') }", "f(b   ) }"),
            ("f('é') }", "f(    ) }"),
            ("fn f<'a>(x: &'a str) {", "fn f<'a>(x: &'a str) {"),
            ("'outer: loop { break 'outer }", "'outer: loop { break 'outer }"),
            ("let r#type = for_r; br", "let r#type = for_r; br"),
            ("number(\"x\")", "number(   )"),
            ("\"open", "     "),
            ("/* open", "       "),
            ("'\\", "  "),
        ];
        for (text, expected) in rows {
            assert_eq!(mask(text), expected, "{text}");
        }
    }

    #[test]
    fn keeps_every_line_break() {
        let text = "a\n/* b\n c */\n\"d\n e\"\nr#\"f\n\"#\n";
        assert_eq!(mask(text).matches('\n').count(), text.matches('\n').count());
    }
}
