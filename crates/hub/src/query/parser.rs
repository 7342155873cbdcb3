//! Words to expressions. Owns which binds closer (`OR`, `AND`, `NOT`, comparisons and `IN`, `+ -`,
//! `* / %`, signs) and the bound on depth; refuses to know statements.

use super::expression::{Comparison, Constant, Expression, Membership, Operator};
use super::function::Function;
use super::lexer::{Token, Word, words};
use super::limits::DEPTH_MAX;
use super::number::Number;
use super::path::{Path, Scope, Step};
use super::refused::Refused;

/// A query half read.
pub(super) struct Parser<'q> {
    query: &'q str,
    pub scope: Scope,
    words: Vec<Word<'q>>,
    at: usize,
    depth: usize,
}

impl<'q> Parser<'q> {
    pub fn new(query: &'q str, scope: Scope) -> Result<Self, Refused> {
        Ok(Self { query, scope, words: words(query)?, at: 0, depth: 0 })
    }

    /// `OR` of what binds closer.
    pub fn expression(&mut self) -> Result<Expression, Refused> {
        let first = self.all()?;
        if !self.is_keyword("OR") {
            return Ok(first);
        }
        let mut any = vec![first];
        while self.took_keyword("OR") {
            any.push(self.all()?);
        }
        Ok(Expression::Any(any))
    }

    fn all(&mut self) -> Result<Expression, Refused> {
        let first = self.negation()?;
        if !self.is_keyword("AND") {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.took_keyword("AND") {
            all.push(self.negation()?);
        }
        Ok(Expression::All(all))
    }

    fn negation(&mut self) -> Result<Expression, Refused> {
        if self.took_keyword("NOT") {
            let one = self.deeper(Self::negation)?;
            return Ok(Expression::Not(Box::new(one)));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expression, Refused> {
        let left = self.sum()?;
        for (keyword, membership) in [("IN", Membership::In), ("NIN", Membership::NotIn)] {
            if self.took_keyword(keyword) {
                let constants = self.constants()?;
                return Ok(Expression::Member(Box::new(left), membership, constants));
            }
        }
        let Some(comparison) = self.comparison_sign() else { return Ok(left) };
        self.at += 1;
        let right = self.sum()?;
        if self.comparison_sign().is_some() {
            return Err(self.wrong("comparisons do not follow each other: put AND between them"));
        }
        Ok(Expression::Compare(Box::new((left, comparison, right))))
    }

    fn comparison_sign(&self) -> Option<Comparison> {
        let Some(Token::Sign(sign)) = self.peek() else { return None };
        Some(match *sign {
            "=" => Comparison::Equal,
            "!=" | "<>" => Comparison::Unequal,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        })
    }

    fn sum(&mut self) -> Result<Expression, Refused> {
        self.chain(&[("+", Operator::Add), ("-", Operator::Subtract)], Self::product)
    }

    fn product(&mut self) -> Result<Expression, Refused> {
        let signs =
            [("*", Operator::Multiply), ("/", Operator::Divide), ("%", Operator::Remainder)];
        self.chain(&signs, Self::signed)
    }

    fn chain(
        &mut self,
        signs: &[(&str, Operator)],
        part: fn(&mut Self) -> Result<Expression, Refused>,
    ) -> Result<Expression, Refused> {
        let first = part(self)?;
        let mut rest = Vec::new();
        while let Some((_, operator)) = signs.iter().find(|(sign, _)| self.is_sign(sign)) {
            self.at += 1;
            rest.push((*operator, part(self)?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        Ok(Expression::Arithmetic(Box::new(first), rest))
    }

    fn signed(&mut self) -> Result<Expression, Refused> {
        if self.took_sign("-") {
            let one = self.deeper(Self::signed)?;
            return Ok(match one {
                Expression::Constant(Constant::Number(number)) => {
                    Expression::Constant(Constant::Number(negative(number)))
                }
                one => Expression::Negative(Box::new(one)),
            });
        }
        self.primary()
    }

    fn primary(&mut self) -> Result<Expression, Refused> {
        if self.took_sign("(") {
            let inner = self.deeper(Self::expression)?;
            self.sign(")")?;
            return Ok(inner);
        }
        if let Some(constant) = self.took_constant() {
            return Ok(Expression::Constant(constant));
        }
        match self.peek() {
            Some(Token::Name(name)) if self.is_reserved(name) => {
                Err(self.wrong(format!("a value is missing before {name}")))
            }
            Some(Token::Name(name)) if self.next_is("(") => {
                let name = *name;
                self.call(name)
            }
            Some(Token::Name(_) | Token::Bracketed(_) | Token::Sign("[")) => {
                self.path().map(Expression::Path)
            }
            Some(_) => Err(self.wrong("a value is missing")),
            None => Err(self.wrong("it ends where a value is missing")),
        }
    }

    fn call(&mut self, name: &str) -> Result<Expression, Refused> {
        let Some((function, arity)) = Function::named(name) else {
            return Err(self.wrong(format!("there is no function {name} here")));
        };
        if self.scope != Scope::Route && !function.is_for_documents() {
            return Err(self.wrong(format!("{name} is a function of routes only")));
        }
        let begin = self.at;
        self.at += 2;
        let mut arguments = Vec::new();
        while !self.is_sign(")") {
            if !arguments.is_empty() {
                self.sign(",")?;
            }
            arguments.push(self.deeper(Self::expression)?);
        }
        self.at += 1;
        if !arity.contains(&arguments.len()) {
            self.at = begin;
            let count = arguments.len();
            return Err(self.wrong(format!("{name} does not take {count} arguments")));
        }
        Ok(Expression::Call(function, arguments))
    }

    /// `[constant, ...]`.
    fn constants(&mut self) -> Result<Vec<Constant>, Refused> {
        self.sign("[")?;
        let mut constants = Vec::new();
        while !self.took_sign("]") {
            if !constants.is_empty() {
                self.sign(",")?;
            }
            let negated = self.took_sign("-");
            constants.push(match (self.took_constant(), negated) {
                (Some(Constant::Number(number)), true) => Constant::Number(negative(number)),
                (Some(constant), false) => constant,
                _ => return Err(self.wrong("a constant is missing")),
            });
        }
        Ok(constants)
    }

    fn took_constant(&mut self) -> Option<Constant> {
        let constant = match self.peek()? {
            Token::Number(number) => Constant::Number(number.0),
            Token::Text(text) => Constant::Text(text.as_str().into()),
            Token::Name(name) if !self.next_is(".") && !self.next_is("(") => match *name {
                name if name.eq_ignore_ascii_case("true") => Constant::Bool(true),
                name if name.eq_ignore_ascii_case("false") => Constant::Bool(false),
                name if name.eq_ignore_ascii_case("null") => Constant::Null,
                name if name.eq_ignore_ascii_case("undefined") => Constant::Undefined,
                _ => return None,
            },
            _ => return None,
        };
        self.at += 1;
        Some(constant)
    }

    /// A name with what follows it by dots and brackets.
    pub fn path(&mut self) -> Result<Path, Refused> {
        let begin = self.offset();
        let mut steps = Vec::new();
        match self.peek() {
            Some(Token::Name(name)) if self.is_reserved(name) => {
                return Err(self.wrong(format!("a name is missing before {name}")));
            }
            Some(Token::Name(_) | Token::Bracketed(_)) => steps.push(self.key()?),
            Some(Token::Sign("[")) => steps.push(self.subscript()?),
            _ => return Err(self.wrong("a name is missing")),
        }
        loop {
            match self.peek() {
                Some(Token::Sign(".")) => {
                    self.at += 1;
                    steps.push(self.key()?);
                }
                Some(Token::Bracketed(_)) => steps.push(self.key()?),
                Some(Token::Sign("[")) => steps.push(self.subscript()?),
                _ => return Path::resolve(self.scope, steps, (self.query, begin)),
            }
        }
    }

    fn key(&mut self) -> Result<Step, Refused> {
        let step = match self.peek() {
            Some(Token::Name(name) | Token::Bracketed(name)) => Step::Key((*name).into()),
            _ => return Err(self.wrong("a name is missing")),
        };
        self.at += 1;
        Ok(step)
    }

    /// `[0]` or `['name']`.
    fn subscript(&mut self) -> Result<Step, Refused> {
        self.sign("[")?;
        let step = match self.peek() {
            Some(Token::Text(text)) => Step::Key(text.as_str().into()),
            Some(Token::Number(number)) => match number.0 {
                Number::Integer(n) if u32::try_from(n).is_ok() => Step::Index(n as u32),
                _ => return Err(self.wrong("an index is a whole number from 0")),
            },
            _ => return Err(self.wrong("an index or a name in quotes is missing")),
        };
        self.at += 1;
        self.sign("]")?;
        Ok(step)
    }

    fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        if self.depth == DEPTH_MAX {
            return Err(self.wrong("parentheses, calls, NOT and signs lie too deep in each other"));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn is_reserved(&self, name: &str) -> bool {
        let reserved: &[&str] = match self.scope {
            Scope::Route => &["AND", "OR", "NOT", "IN", "NIN"],
            Scope::Documents(_) => {
                &["AND", "OR", "NOT", "IN", "NIN", "SELECT", "FROM", "WHERE", "GROUP", "AS"]
            }
        };
        reserved.iter().any(|word| word.eq_ignore_ascii_case(name))
    }

    pub fn peek(&self) -> Option<&Token<'q>> {
        self.words.get(self.at).map(|word| &word.token)
    }

    pub fn skip(&mut self) {
        self.at += 1;
    }

    pub fn next_is(&self, sign: &str) -> bool {
        self.words.get(self.at + 1).is_some_and(|w| matches!(w.token, Token::Sign(s) if s == sign))
    }

    pub fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(s)) if *s == sign)
    }

    pub fn took_sign(&mut self, sign: &str) -> bool {
        let there = self.is_sign(sign);
        self.at += usize::from(there);
        there
    }

    pub fn sign(&mut self, sign: &str) -> Result<(), Refused> {
        if self.took_sign(sign) { Ok(()) } else { Err(self.wrong(format!("'{sign}' is missing"))) }
    }

    pub fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(name)) if name.eq_ignore_ascii_case(keyword))
    }

    pub fn took_keyword(&mut self, keyword: &str) -> bool {
        let there = self.is_keyword(keyword);
        self.at += usize::from(there);
        there
    }

    pub fn end(&self) -> Result<(), Refused> {
        if self.at == self.words.len() {
            return Ok(());
        }
        Err(self.wrong("this does not belong here, or an operator is missing before it"))
    }

    /// The byte at which the next word begins.
    pub fn offset(&self) -> usize {
        self.words.get(self.at).map_or(self.query.len(), |word| word.at)
    }

    pub fn wrong(&self, what: impl Into<String>) -> Refused {
        Refused::at(self.query, self.offset(), what)
    }

    pub fn wrong_at(&self, byte: usize, what: impl Into<String>) -> Refused {
        Refused::at(self.query, byte, what)
    }

    /// The words from `first` on, to be read again.
    pub fn at_word(&mut self, first: usize) {
        self.at = first;
    }

    pub fn position(&self) -> usize {
        self.at
    }
}

fn negative(number: Number) -> Number {
    match number {
        Number::Integer(n) => n.checked_neg().map_or(Number::Float(-(n as f64)), Number::Integer),
        Number::Float(float) => Number::Float(-float),
    }
}
