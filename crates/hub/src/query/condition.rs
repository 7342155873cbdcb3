//! A condition without a query around it: of a route, or of a job. Refuses to know what happens to
//! what it selects.

use super::document::Document;
use super::equality::{Equality, equalities};
use super::expression::{Constant, Expression};
use super::parser::Parser;
use super::path::{Path, Root, Scope};
use super::refused::Refused;
use super::statement::Source;

/// A condition.
#[derive(Debug, Clone)]
pub struct Condition {
    expression: Expression,
}

/// What a condition says of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is selected.
    True,
    /// It is not.
    False,
    /// It is not, because something is missing or of another type, which is worth a line in a log
    /// (B5).
    Undefined,
}

impl Condition {
    /// The condition of a route; empty text is `true`, the default of B5.
    ///
    /// # Errors
    /// Where it stops to make sense.
    pub fn of_route(text: &str) -> Result<Self, Refused> {
        Self::parse(text, Scope::Route)
    }

    /// The condition of a job or a configuration: what may stand after `WHERE` in a query of
    /// `source`. Empty text and `*` select all.
    ///
    /// # Errors
    /// Where it stops to make sense.
    pub fn of_documents(text: &str, source: Source) -> Result<Self, Refused> {
        let text = if text.trim() == "*" { "" } else { text };
        Self::parse(text, Scope::Documents(source))
    }

    fn parse(text: &str, scope: Scope) -> Result<Self, Refused> {
        let mut parser = Parser::new(text, scope)?;
        if parser.peek().is_none() {
            return Ok(Self { expression: Expression::Constant(Constant::Bool(true)) });
        }
        let expression = parser.expression()?;
        parser.end()?;
        Ok(Self { expression })
    }

    /// What it says of a document.
    pub fn verdict<D: Document + ?Sized>(&self, document: &D) -> Verdict {
        match self.expression.evaluate(document).bool() {
            Some(true) => Verdict::True,
            Some(false) => Verdict::False,
            None => Verdict::Undefined,
        }
    }

    /// Whether it looks into that part of a message: a body nobody looks into need not be read.
    pub fn looks_into(&self, root: Root) -> bool {
        self.expression.has_path(&|path: &Path| path.root == root)
    }

    /// As [`Query::equalities`](super::Query::equalities).
    pub fn equalities(&self) -> Vec<Equality<'_>> {
        equalities(Some(&self.expression))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Body, Message};
    use super::*;
    use crate::IfMatch;
    use crate::twin::{Twin, patch};

    /// What a condition says of one message: `t`, `f` or `u`.
    fn says(condition: &str) -> char {
        let text = br#"{"weather":{"temp":50,"list":[{"a":"x"},2],"ok":true,"none":null,
            "id":9007199254740993},"n":[1]}"#;
        let body = Body::of(text, Some("Application/JSON; charset=utf-8"), None).unwrap();
        let body = body.value().unwrap();
        let request = br#"{"tags":{"x":{"Y":5}},"properties":{"desired":{"l":"on"}}}"#;
        let twin = patch(&Twin::new(0), request, &IfMatch::Any, 1).unwrap().twin;
        let message = Message {
            properties: &[("Level", "info"), ("level", "storage"), ("a.b", "1"), ("n", "-1.50")],
            system: &[("contentType", "application/json"), ("dt-subject", "room"), ("from", "x")],
            body: Some(&body),
            twin: Some(&twin),
        };
        let parsed = Condition::of_route(condition).unwrap_or_else(|e| panic!("{condition}: {e}"));
        match parsed.verdict(&message) {
            Verdict::True => 't',
            Verdict::False => 'f',
            Verdict::Undefined => 'u',
        }
    }

    #[test]
    fn routes_say_what_the_table_says() {
        for (condition, verdict) in [
            ("", 't'),
            ("true", 't'),
            ("false", 'f'),
            ("level = 'storage'", 't'),
            ("LEVEL = 'storage' AND Level != 'info'", 't'),
            ("none = 'x'", 'u'),
            ("none = 'x' OR level = 'storage'", 't'),
            ("none = 'x' AND level = 'info'", 'f'),
            ("NOT none", 'u'),
            ("a.b = '1' AND ['a.b'] = '1'", 't'),
            ("$contentType = 'application/json'", 't'),
            ("$CONTENTTYPE = 'application/json' AND $dt-subject = 'room'", 't'),
            ("contentType = 'application/json'", 'u'),
            ("$level = 'storage'", 't'),
            ("$from = 'x' AND from IN ['y']", 'u'),
            ("$body.weather.temp = 50", 't'),
            ("$Body.weather.temp > 49.9 AND $body.weather.ok", 't'),
            ("$body.Weather.temp = 50", 'u'),
            ("$body.weather.list[0].a = 'x' AND $body.weather.list[1] = 2", 't'),
            ("$body.weather.list[2] = 2", 'u'),
            ("$body.weather.id = 9007199254740993", 't'),
            ("$body.weather.id = 9007199254740992", 'f'),
            ("IS_DEFINED($body) OR IS_DEFINED($body[0])", 'f'),
            ("IS_DEFINED($body.weather)", 't'),
            ("$body.weather = $body.weather", 'u'),
            ("$twin.tags.x.Y = 5 AND $Twin.Properties.Desired.l = 'on'", 't'),
            ("$twin.properties.desired.$version = 2", 't'),
            ("$twin.properties.reported.l = 'on'", 'u'),
            ("IS_OBJECT($twin.tags) AND IS_OBJECT($twin.tags.x)", 't'),
            ("AS_NUMBER(n) = -1.5", 't'),
            ("n = -1.5", 'f'),
            ("AS_NUMBER(level) = 1", 'u'),
            ("AS_NUMBER($body.weather.temp) = 50", 't'),
            ("ABS(AS_NUMBER(n)) = 1.5 AND ABS(-3) = 3", 't'),
            ("FLOOR(1.5) = 1 AND CEILING(1.5) = 2 AND FLOOR(-1.5) = -2", 't'),
            ("SQUARE(3) = 9 AND SQRT(9) = 3 AND POWER(2, 10) = 1024", 't'),
            ("SIGN(-2.5) = -1 AND SIGN(0) = 0 AND SIGN(7) = 1", 't'),
            ("EXP(0) = 1", 't'),
            ("SQRT(-1) = 0", 'u'),
            ("EXP(1000) > 0", 'u'),
            ("IS_ARRAY($body.n) AND IS_BOOL($body.weather.ok)", 't'),
            ("IS_NULL($body.weather.none) AND $body.weather.none = null", 't'),
            ("IS_NULL($body.none)", 'f'),
            ("IS_NUMBER($body.weather.temp) AND IS_STRING(level)", 't'),
            ("IS_PRIMITIVE($body.weather.none) AND NOT IS_PRIMITIVE($body.n)", 't'),
            ("IS_PRIMITIVE(none)", 'f'),
            ("CONCAT(level, '-', 'x') = 'storage-x'", 't'),
            ("CONCAT(level, 1) = 'storage1'", 'u'),
            ("LENGTH('é\\u00e9') = 2", 't'),
            ("LENGTH($body.n) = 1", 'u'),
            ("UPPER(level) = 'STORAGE' AND lower('AÉ') = 'aé'", 't'),
            ("SUBSTRING(level, 2) = 'orage' AND SUBSTRING('aéb', 1, 1) = 'é'", 't'),
            ("SUBSTRING(level, 100) = '' AND SUBSTRING(level, 5, 100) = 'ge'", 't'),
            ("SUBSTRING(level, -1) = ''", 'u'),
            ("SUBSTRING(UPPER(level), 0, 2) = 'ST'", 't'),
            ("INDEX_OF('aéb', 'b') = 2 AND INDEX_OF(level, 'z') = -1", 't'),
            ("STARTS_WITH(level, 'st') AND ENDS_WITH(level, 'ge')", 't'),
            ("CONTAINS(level, 'tor') AND NOT CONTAINS(level, 'Tor')", 't'),
            ("CONTAINS(none, 'x')", 'u'),
            ("1 + 2 * 3 - 4 / 2 = 5 AND 7 % 4 = 3 AND 1 / 2 = 0.5", 't'),
            ("1 + '2' = 3", 'u'),
            ("9223372036854775807 + 1 > 9223372036854775807", 't'),
        ] {
            assert_eq!(says(condition), verdict, "{condition}");
        }
    }

    #[test]
    fn what_a_route_cannot_mean_is_refused() {
        for (condition, said) in [
            ("$twin.deviceId = 'x'", "character 1: after $twin comes"),
            ("x = $twin.properties.a", "character 5: after $twin comes"),
            ("x[0] = 1", "properties of messages are no arrays"),
            ("['a b'] = 1", "a name in a route"),
            ("['a/b'] = 1", "a name in a route"),
            ("SELECT * FROM devices", "does not belong here"),
            ("CONCAT() = ''", "CONCAT does not take 0"),
            ("SUBSTRING('a') = ''", "SUBSTRING does not take 1"),
        ] {
            let refused = Condition::of_route(condition).unwrap_err().to_string();
            assert!(refused.contains(said), "{condition}: {refused}");
        }
    }

    #[test]
    fn conditions_say_what_they_look_into() {
        let looks = |condition: &str| {
            let condition = Condition::of_route(condition).unwrap();
            [Root::Body, Root::Twin, Root::System].map(|root| condition.looks_into(root))
        };
        assert_eq!(looks("a = 1 OR NOT (LOWER($body.x) IN ['a'])"), [true, false, false]);
        assert_eq!(looks("1 + -$twin.tags.x > 2 AND $messageId = ''"), [false, true, true]);
    }

    #[test]
    fn jobs_take_all_or_some() {
        for text in ["", " ", "*", " * "] {
            let all = Condition::of_documents(text, Source::Devices).unwrap();
            assert_eq!(all.verdict(&crate::json::Value::Null), Verdict::True);
        }
        let condition = Condition::of_documents("deviceId IN ['a','b']", Source::Devices).unwrap();
        assert_eq!(condition.equalities()[0].any_of.len(), 2);
        assert!(Condition::of_documents("* AND x", Source::Devices).is_err());
    }

    #[test]
    fn texts_that_functions_make_have_a_bound() {
        let long = "x".repeat(200_000);
        let message = Message { properties: &[("p", &long)], ..Message::default() };
        let verdict = |text| Condition::of_route(text).unwrap().verdict(&message);
        assert_eq!(verdict("LENGTH(CONCAT(p, 'x')) = 200001"), Verdict::True);
        assert_eq!(verdict("LENGTH(CONCAT(p, p)) > 1"), Verdict::Undefined);
    }
}
