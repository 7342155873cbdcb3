//! One Rust file as the rules need it: masked code, where its tests begin, its functions.
use super::mask::mask;
use std::ops::Range;

/// A Rust file, read once.
pub struct Source {
    /// Path relative to the workspace's root.
    pub file: String,
    /// The text as it is.
    pub text: String,
    /// The text without comments and literals, same positions.
    pub code: String,
    /// Byte ranges of items under `#[cfg(test)]`; everything when the file is a test itself.
    tests: Vec<Range<usize>>,
}

/// One function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of `fn`, from 1.
    pub line: usize,
    /// Lines from `fn` to the closing brace, both counted.
    pub lines: usize,
}

impl Source {
    /// Masks the text and finds its tests.
    pub fn new(file: &str, text: &str) -> Self {
        let code = mask(text);
        let all = 0..text.len() + 1;
        let tests = if is_test_file(file) { vec![all] } else { test_items(&code) };
        Self { file: file.into(), text: text.into(), code, tests }
    }

    /// True when the byte at `at` belongs to tests.
    pub fn in_tests(&self, at: usize) -> bool {
        self.tests.iter().any(|r| r.contains(&at))
    }

    /// Lines that belong to no test.
    pub fn lines_outside_tests(&self) -> usize {
        let mut at = 0;
        let mut count = 0;
        for line in self.text.split_inclusive('\n') {
            count += usize::from(!self.in_tests(at));
            at += line.len();
        }
        count
    }

    /// The line of a byte, from 1.
    pub fn line(&self, at: usize) -> usize {
        self.text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() + 1
    }

    /// Positions of `word` in the code, as whole words when it begins or ends like one.
    pub fn find<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        let bytes = self.code.as_bytes();
        self.code.match_indices(word).map(|(at, _)| at).filter(move |at| {
            let before = at.checked_sub(1).map_or(b' ', |i| bytes[i]);
            let after = bytes.get(at + word.len()).copied().unwrap_or(b' ');
            let ends = |edge: Option<char>, next| {
                !(edge.is_some_and(|c| c.is_alphanumeric()) && is_word(next))
            };
            ends(word.chars().next(), before) && ends(word.chars().last(), after)
        })
    }

    /// Every function with a body outside the tests.
    pub fn functions(&self) -> Vec<Function> {
        let code = self.code.as_bytes();
        let mut found = Vec::new();
        for at in self.find("fn").filter(|at| !self.in_tests(*at)) {
            let name: String = self.code[at + 2..]
                .trim_start()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            let Some(open) = body(code, at) else { continue };
            if name.is_empty() {
                continue;
            }
            let (line, end) = (self.line(at), self.line(close(code, open).min(code.len())));
            found.push(Function { name, line, lines: end + 1 - line });
        }
        found
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Integration tests, benches, the end-to-end crate, and `mod tests;` in a file of its own.
fn is_test_file(file: &str) -> bool {
    let mut parts = file.split('/');
    parts.any(|p| matches!(p, "tests" | "benches" | "tests.rs"))
}

fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (at, _) in code.match_indices("#[cfg(test)]") {
        if ranges.last().is_some_and(|r| r.contains(&at)) {
            continue;
        }
        let bytes = code.as_bytes();
        let end = match body(bytes, at + "#[cfg(test)]".len()) {
            Some(open) => close(bytes, open),
            // An item without a body: up to its semicolon.
            None => at + code[at..].find(';').map_or(code.len() - at, |n| n + 1),
        };
        ranges.push(at..end);
    }
    ranges
}

/// The brace that opens the body of the item at `from`, or nothing when it ends with `;` or `,`.
fn body(code: &[u8], from: usize) -> Option<usize> {
    let mut depth = 0i32;
    for (at, byte) in code.iter().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at),
            b';' | b'}' if depth == 0 => return None,
            _ => {}
        }
        if depth < 0 {
            return None;
        }
    }
    None
}

/// One past the brace that closes the one at `open`.
fn close(code: &[u8], open: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in code.iter().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions(text: &str) -> Vec<(String, usize, usize)> {
        let source = Source::new("src/x.rs", text);
        source.functions().into_iter().map(|f| (f.name, f.line, f.lines)).collect()
    }

    #[test]
    fn measures_functions_by_their_braces() {
        let text = "//! x\nfn a() {\n    let b = \"}\";\n    if c { d('}') }\n}\n\n\
                    impl X {\n    pub fn e<'a>(&'a self) -> [u8; 2]\n    where\n        Y: Z,\n    \
                    {\n        // }\n    }\n}\nfn one() {}\n";
        let expected = [("a", 2, 4), ("e", 8, 6), ("one", 15, 1)];
        assert_eq!(functions(text), expected.map(|(n, l, c)| (n.to_string(), l, c)));
    }

    #[test]
    fn skips_declarations_pointers_and_tests() {
        let text = "trait T {\n    fn a(&self);\n}\ntype F = fn(u8) -> u8;\n\
                    fn g(f: fn(u8)) {\n}\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\n";
        assert_eq!(functions(text), [("g".to_string(), 5, 2)]);
    }

    #[test]
    fn knows_where_tests_begin_and_end() {
        let text = "fn a() {}\n#[cfg(test)]\nuse x;\nfn b() {}\n#[cfg(test)]\nmod tests {\n}\n";
        let source = Source::new("src/x.rs", text);
        let at = |word: &str| text.find(word).expect("in the text");
        assert!(!source.in_tests(at("fn a")));
        assert!(source.in_tests(at("use x")));
        assert!(!source.in_tests(at("fn b")));
        assert!(source.in_tests(at("mod tests")));
        assert!(Source::new("crates/a/tests/b.rs", text).in_tests(0));
        assert!(Source::new("crates/a/src/b/tests.rs", text).in_tests(0));
    }

    #[test]
    fn counts_lines_outside_tests_only() {
        let count = |text| Source::new("src/x.rs", text).lines_outside_tests();
        assert_eq!(count("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
        assert_eq!(count("#[cfg(test)]\nuse a;\nb\nc"), 2);
        assert_eq!(count("a\nb\n"), 2);
    }

    #[test]
    fn finds_whole_words_in_code_only() {
        let source = Source::new("src/x.rs", "unsafely(); // unsafe\nx(\"unsafe\"); unsafe {}");
        let lines: Vec<usize> = source.find("unsafe").map(|at| source.line(at)).collect();
        assert_eq!(lines, [2]);
        let source = Source::new("src/x.rs", "a.dbg!(x); my_dbg!(y); dbg!(z)");
        assert_eq!(source.find("dbg!(").count(), 2);
    }
}
