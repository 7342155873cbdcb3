//! The text of a query to its words. Refuses to know which words may follow each other.

use super::limits::QUERY_CHARS_MAX;
use super::number::Number;
use super::refused::Refused;

/// A word with the byte at which it begins.
#[derive(Debug, Clone)]
pub(super) struct Word<'q> {
    pub at: usize,
    pub token: Token<'q>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'q> {
    /// A keyword, a function or a name.
    Name(&'q str),
    /// `[[a name]]`.
    Bracketed(&'q str),
    Number(NumberText),
    Text(String),
    /// `( ) [ ] , . * + - / % = != <> < <= > >=`.
    Sign(&'static str),
}

/// A number with whether it has no fraction, for places that count.
#[derive(Debug, Clone, Copy)]
pub(super) struct NumberText(pub Number);

impl PartialEq for NumberText {
    fn eq(&self, other: &Self) -> bool {
        self.0.order(other.0).is_eq()
    }
}

/// All words of a query.
pub(super) fn words(query: &str) -> Result<Vec<Word<'_>>, Refused> {
    // No character takes more than four bytes: what is longer is not even counted.
    let chars = if query.len() > 4 * QUERY_CHARS_MAX { query.len() / 4 } else { 0 };
    let chars = if chars > 0 { chars } else { query.chars().count() };
    if chars > QUERY_CHARS_MAX {
        return Err(Refused::TooLong(chars));
    }
    let mut lexer = Lexer { query, at: 0 };
    let mut words = Vec::new();
    loop {
        lexer.at = query.len() - lexer.rest().trim_start().len();
        let at = lexer.at;
        if at == query.len() {
            return Ok(words);
        }
        let after_dot = words.last().is_some_and(|w: &Word<'_>| w.token == Token::Sign("."));
        let token = lexer.token(after_dot)?;
        words.push(Word { at, token });
    }
}

struct Lexer<'q> {
    query: &'q str,
    at: usize,
}

impl<'q> Lexer<'q> {
    fn token(&mut self, after_dot: bool) -> Result<Token<'q>, Refused> {
        let rest = self.rest();
        let first = rest.chars().next().unwrap_or(' ');
        let starts_name = first.is_alphabetic() || matches!(first, '_' | '$');
        if starts_name || after_dot && first.is_ascii_digit() {
            return Ok(self.name());
        }
        match first {
            '\'' | '"' => self.text(first).map(Token::Text),
            '0'..='9' => self.number(),
            '[' if rest.starts_with("[[") => self.bracketed(),
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                let Some(sign) = sign else {
                    return Err(self.wrong(self.at, format!("'{first}' has no meaning here")));
                };
                self.at += sign.len();
                Ok(Token::Sign(sign))
            }
        }
    }

    fn name(&mut self) -> Token<'q> {
        let rest = self.rest();
        let mut end = 0;
        for (at, c) in rest.char_indices() {
            let inner_dash =
                c == '-' && rest[at + 1..].starts_with(|n: char| n.is_alphanumeric() || n == '_');
            if !(c.is_alphanumeric() || matches!(c, '_' | '$') || inner_dash && at > 0) {
                break;
            }
            end = at + c.len_utf8();
        }
        self.at += end;
        Token::Name(&rest[..end])
    }

    fn bracketed(&mut self) -> Result<Token<'q>, Refused> {
        let rest = &self.rest()[2..];
        let Some(end) = rest.find("]]") else {
            return Err(self.wrong(self.at, "this name has no ]] at its end"));
        };
        self.at += end + 4;
        Ok(Token::Bracketed(&rest[..end]))
    }

    fn number(&mut self) -> Result<Token<'q>, Refused> {
        let start = self.at;
        let rest = self.rest();
        if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
            let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
            self.at += 2 + end;
            let number = i64::from_str_radix(&hex[..end], 16);
            let number = number.map_err(|_| self.wrong(start, "this is no hexadecimal number"))?;
            self.no_name_follows()?;
            return Ok(Token::Number(NumberText(Number::Integer(number))));
        }
        let mut before = ' ';
        let part = |c: char| {
            let signed = matches!(before, 'e' | 'E') && matches!(c, '+' | '-');
            before = c;
            !(c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E') || signed)
        };
        let end = rest.find(part).unwrap_or(rest.len());
        self.at += end;
        let number = rest[..end].ends_with(|c: char| c.is_ascii_digit());
        let number = number.then(|| Number::parse(&rest[..end])).flatten();
        let number = number.ok_or_else(|| self.wrong(start, "this is no number"))?;
        self.no_name_follows()?;
        Ok(Token::Number(NumberText(number)))
    }

    fn no_name_follows(&self) -> Result<(), Refused> {
        if self.rest().starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            return Err(self.wrong(self.at, "a blank is missing after the number"));
        }
        Ok(())
    }

    fn text(&mut self, quote: char) -> Result<String, Refused> {
        let start = self.at;
        let mut text = String::new();
        let mut chars = self.query[start + 1..].char_indices();
        while let Some((offset, c)) = chars.next() {
            let at = start + 1 + offset;
            if c == quote {
                self.at = at + 1;
                return Ok(text);
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            match chars.next() {
                Some((_, escaped @ ('\'' | '"' | '\\'))) => text.push(escaped),
                Some((_, 'u')) => {
                    let (c, digits) = code_point(&self.query[at..])
                        .ok_or_else(|| self.wrong(at, "this escape is no character"))?;
                    text.push(c);
                    // Two bytes of it are read.
                    chars.nth(digits - 3);
                }
                _ => return Err(self.wrong(at, "the escapes are \\' \\\" \\\\ and \\uXXXX")),
            }
        }
        Err(self.wrong(start, "this text has no quote at its end"))
    }

    fn rest(&self) -> &'q str {
        &self.query[self.at..]
    }

    fn wrong(&self, at: usize, what: impl Into<String>) -> Refused {
        Refused::at(self.query, at, what)
    }
}

/// The character of `\uXXXX`, or of two of them, and how many bytes they take.
fn code_point(text: &str) -> Option<(char, usize)> {
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        let all_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        all_hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    };
    let first = unit(text)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, 6));
    }
    let second = unit(&text[6..])?;
    if !(0xD800..0xDC00).contains(&first) || !(0xDC00..0xE000).contains(&second) {
        return None;
    }
    let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
    Some((char::from_u32(code)?, 12))
}

/// Longer ones before those that they begin with.
const SIGNS: [&str; 18] =
    ["!=", "<>", "<=", ">=", "<", ">", "=", "(", ")", "[", "]", ",", ".", "*", "+", "-", "/", "%"];
