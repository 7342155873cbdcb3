//! A query that selects: what it reads, what it makes of a document, in which form. Refuses to
//! know its text and how results are paged.

use super::aggregate::Aggregate;
use super::document::Document;
use super::equality::{Equality, equalities};
use super::expression::Expression;
use super::path::Path;
use super::refused::Refused;
use super::statement_parser;
use super::tally::Tally;
use crate::json::write_text;
use std::sync::Arc;

/// `SELECT ... FROM ... [WHERE ...] [GROUP BY ...]` (B7).
#[derive(Debug, Clone)]
pub struct Query {
    pub(super) top: Option<u32>,
    pub(super) source: Source,
    pub(super) select: Select,
    pub(super) condition: Option<Expression>,
    pub(super) group_by: Option<Path>,
}

/// What a query reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The twins of devices.
    Devices,
    /// The twins of modules.
    Modules,
    /// What jobs did to devices.
    Jobs,
}

/// `x-ms-item-type` of an answer (C4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemKind {
    /// Whole twins.
    Twin,
    /// Whole records of jobs.
    DeviceJob,
    /// What the query made.
    Raw,
}

#[derive(Debug, Clone)]
pub(super) enum Select {
    Everything,
    Columns(Vec<Column>),
}

#[derive(Debug, Clone)]
pub(super) struct Column {
    pub name: String,
    pub what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Path(Path),
    Aggregate(Aggregate),
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// Where it stops to make sense.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        statement_parser::parse(text)
    }

    /// What it reads.
    pub fn source(&self) -> Source {
        self.source
    }

    /// How many rows it wants at most (`TOP`).
    pub fn top(&self) -> Option<u32> {
        self.top
    }

    /// What its rows are.
    pub fn item_kind(&self) -> ItemKind {
        match (&self.select, self.source) {
            (Select::Columns(_), _) => ItemKind::Raw,
            (Select::Everything, Source::Jobs) => ItemKind::DeviceJob,
            (Select::Everything, _) => ItemKind::Twin,
        }
    }

    /// Whether a document is selected: only true selects.
    pub fn matches<D: Document + ?Sized>(&self, document: &D) -> bool {
        let condition = self.condition.as_ref();
        condition.is_none_or(|c| c.evaluate(document).bool() == Some(true))
    }

    /// Appends the row of a document as JSON; columns that are undefined are left out. A query
    /// with a [`tally`](Self::tally) has no row of one document, and appends nothing.
    pub fn write_row<D: Document + ?Sized>(&self, document: &D, out: &mut Vec<u8>) {
        if self.is_tallied() {
            return;
        }
        let Select::Columns(columns) = &self.select else { return document.write_all(out) };
        out.push(b'{');
        let begin = out.len();
        let mut end = begin;
        for column in columns {
            if end > begin {
                out.push(b',');
            }
            write_text(&column.name, out);
            out.push(b':');
            if matches!(&column.what, What::Path(path) if document.write(path, out)) {
                end = out.len();
            }
            out.truncate(end);
        }
        out.push(b'}');
    }

    /// Where all selected documents are counted together before there is a row: aggregates and
    /// `GROUP BY`.
    pub fn tally(self: &Arc<Self>) -> Option<Tally> {
        self.is_tallied().then(|| Tally::new(Arc::clone(self)))
    }

    /// Comparisons with constants that hold for every document that is selected, so each of them
    /// alone may be answered by an index; what it gives has still to be asked
    /// [`matches`](Self::matches).
    pub fn equalities(&self) -> Vec<Equality<'_>> {
        equalities(self.condition.as_ref())
    }

    fn is_tallied(&self) -> bool {
        let aggregates = match &self.select {
            Select::Everything => false,
            Select::Columns(columns) => {
                columns.iter().any(|column| matches!(column.what, What::Aggregate(_)))
            }
        };
        aggregates || self.group_by.is_some()
    }
}

impl Source {
    /// As it stands after `FROM`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Devices => "devices",
            Self::Modules => "devices.modules",
            Self::Jobs => "devices.jobs",
        }
    }
}

impl ItemKind {
    /// As the header has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Twin => "Twin",
            Self::DeviceJob => "DeviceJob",
            Self::Raw => "Raw",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::TwinDocument;
    use super::super::expression::Constant;
    use super::super::limits::{DEPTH_MAX, GROUPS_MAX, QUERY_CHARS_MAX};
    use super::*;
    use crate::json;
    use crate::twin::{About, IfVersion, Twin, patch, patch_reported};
    use crate::{IfMatch, Moment};

    const DAY: u64 = 1_600_000_000_000;

    fn twin(tags: &str, desired: &str, reported: &str) -> Twin {
        let service = format!("{{\"tags\":{tags},\"properties\":{{\"desired\":{desired}}}}}");
        let twin = patch(&Twin::new(DAY), service.as_bytes(), &IfMatch::Any, DAY).unwrap().twin;
        patch_reported(&twin, reported.as_bytes(), IfVersion::Any, DAY + 1).unwrap().twin
    }

    fn sample() -> Twin {
        twin(
            concat!(
                r#"{"location":{"region":"US","floor":3},"odd-name":{"x":1},"null":"n","#,
                r#""order":[7,{"k":"v"}]}"#
            ),
            r#"{"level":1.0,"on":true}"#,
            concat!(
                r#"{"level":1,"text":"It's \u00e9","deep":{"a":{"b":[1,2]}},"z":-2.5,"#,
                r#""day":"2020-01-01"}"#
            ),
        )
    }

    fn about() -> About<'static> {
        About {
            device_id: "d1",
            last_activity: Moment::at(DAY),
            status_reason: Some("since \"then\""),
            primary_thumbprint: Some("AB"),
            ..About::default()
        }
    }

    fn matches(condition: &str) -> bool {
        let (about, twin) = (about(), sample());
        let query = Query::parse(&format!("SELECT * FROM devices WHERE {condition}"));
        let query = query.unwrap_or_else(|e| panic!("{condition}: {e}"));
        query.matches(&TwinDocument { about: &about, twin: &twin })
    }

    fn refusal(query: &str) -> String {
        Query::parse(query).map(|_| "accepted".to_owned()).unwrap_or_else(|e| e.to_string())
    }

    fn row(query: &str) -> String {
        let (about, twin) = (about(), sample());
        let mut out = b">".to_vec();
        let query = Query::parse(query).unwrap_or_else(|e| panic!("{query}: {e}"));
        query.write_row(&TwinDocument { about: &about, twin: &twin }, &mut out);
        String::from_utf8(out.split_off(1)).unwrap()
    }

    #[test]
    fn conditions_select_what_the_table_says() {
        for (condition, selected) in [
            ("deviceId = 'd1'", true),
            ("DEVICEID = 'd1'", true),
            ("devices.deviceId = 'd1'", true),
            ("deviceId = 'D1'", false),
            ("deviceId != 'd2' and deviceId <> 'd3'", true),
            ("tags.location.region = 'US'", true),
            ("Tags.location.region = \"US\"", true),
            ("tags.Location.region = 'US'", false),
            ("tags.location.region != 'DE'", true),
            ("tags.location.town != 'DE'", false),
            ("tags.location.region IN ['DE', 'US']", true),
            ("tags.location.region NIN ['DE', 'US']", false),
            ("tags.location.region nin ['DE']", true),
            ("tags.location.town NIN ['DE']", false),
            ("tags.location.floor IN [-1, 0x3]", true),
            ("tags.location IN ['x']", false),
            ("tags.location.floor > 2 AND tags.location.floor <= 3", true),
            ("3 = tags.location.floor", true),
            ("tags.location.floor = '3'", false),
            ("tags.location.floor != '3'", true),
            ("tags.location.floor < 'a'", false),
            ("NOT tags.location.floor < 'a'", false),
            ("tags.location.floor + 1 * 2 = 5", true),
            ("(tags.location.floor + 1) * 2 = 8", true),
            ("tags.location.floor - 1 - 1 = 1", true),
            ("tags.location.floor / 2 = 1.5", true),
            ("tags.location.floor % 2 = 1", true),
            ("tags.location.floor / 0 > 0", false),
            ("-tags.location.floor = -3", true),
            ("tags.location = tags.location", false),
            ("tags.odd-name.x = 1", true),
            ("tags['odd-name']['x'] = 1 AND tags.[[odd-name]].x = 1", true),
            ("tags.null = 'n' AND tags.order[0] = 7 AND tags.order[1].k = 'v'", true),
            ("tags.order[2] = 7", false),
            ("properties.desired.level = properties.reported.level", true),
            ("properties.desired.on", true),
            ("NOT properties.desired.on", false),
            ("properties.desired.level", false),
            ("NOT properties.desired.level", false),
            ("properties.desired.off OR properties.desired.on", true),
            ("properties.desired.on = true AND true", true),
            ("properties.Reported.text = 'It\\'s \\u00e9'", true),
            ("properties.reported.deep.a.b[1] = 2", true),
            ("properties.reported.z < 0 AND properties.reported.z = -2.50", true),
            ("properties.reported.day >= '2019-12-31'", true),
            ("properties.reported.$version = 2 AND properties.desired.$version = 2", true),
            ("properties.reported.$metadata.deep.a.$lastUpdated > '2020-09-13'", true),
            ("properties.desired.$metadata.level.$lastUpdatedVersion = 2", true),
            ("IS_DEFINED(properties.reported.$metadata.$lastUpdatedVersion)", false),
            ("lastActivityTime = '2020-09-13T12:26:40.0000000Z'", true),
            ("lastActivityTime < '2020-09-14'", true),
            ("lastActivityTime = '2020-09-13T12:26:40Z'", true),
            ("lastActivityTime IN ['2020-09-13T14:26:40+02:00']", true),
            ("'2020-09-13T12:26:40.001' > lastActivityTime", true),
            ("lastActivityTime > '2020-09' AND STARTS_WITH(lastActivityTime, '2020-')", true),
            ("statusUpdateTime = '0001-01-01T00:00:00Z'", true),
            ("etag = 'AAAAAAAAAAI=' AND version = 4 AND status = 'enabled'", true),
            ("x509Thumbprint.primaryThumbprint = 'AB'", true),
            ("x509Thumbprint.secondaryThumbprint = null", true),
            ("capabilities.iotEdge = false", true),
            ("IS_DEFINED(tags.location)", true),
            ("is_defined(tags.town) OR NOT IS_DEFINED(moduleId)", true),
            ("STARTS_WITH(deviceId, 'd') AND ENDS_WITH(deviceId, '1')", true),
            ("STARTS_WITH(tags.location.floor, '3')", false),
            ("tags.town = undefined", false),
            ("tags.town != undefined", false),
            ("tags.town = null", false),
            ("null = null", true),
            ("tags.town = 'x' OR deviceId = 'd1'", true),
            ("NOT (tags.town = 'x' AND deviceId = 'd2')", true),
            ("NOT (tags.town = 'x' AND deviceId = 'd1')", false),
            ("true OR false AND false", true),
            ("NOT true = false", true),
            ("1", false),
        ] {
            assert_eq!(matches(condition), selected, "{condition}");
        }
    }

    #[test]
    fn every_field_of_the_document_is_found_under_its_name() {
        let (scopes, twin) = (["s".into()], sample());
        let about = About {
            module_id: Some("m"),
            device_scope: Some("x".into()),
            parent_scopes: &scopes,
            model_id: "dtmi:a;1",
            ..about()
        };
        let document = TwinDocument { about: &about, twin: &twin };
        let mut whole = Vec::new();
        document.write_all(&mut whole);
        let Ok(json::Value::Object(fields)) = json::parse(&whole, 32) else { panic!("an object") };
        assert_eq!(fields.len(), 19);
        for (name, value) in fields {
            let mut expected = format!("{{\"{name}\":").into_bytes();
            value.write(&mut expected);
            expected.push(b'}');
            let mut found = Vec::new();
            let query = format!("SELECT {} FROM devices", name.to_uppercase());
            Query::parse(&query).unwrap().write_row(&document, &mut found);
            let (found, expected) = (String::from_utf8(found), String::from_utf8(expected));
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn rows_have_the_columns_that_are_there() {
        for (query, expected) in [
            ("SELECT deviceId FROM devices", r#"{"deviceId":"d1"}"#),
            (
                "select DeviceId as id, tags.town, version FROM devices",
                r#"{"id":"d1","version":4}"#,
            ),
            ("SELECT tags.town FROM devices", "{}"),
            ("SELECT tags.from.x, tags.order[0] AS n FROM devices", r#"{"n":7}"#),
            (
                "SELECT TOP 5 properties.desired.level, properties.reported.deep AS 'd d' \
                 FROM devices",
                r#"{"level":1.0,"d d":{"a":{"b":[1,2]}}}"#,
            ),
            (
                "SELECT statusReason AS s, tags.order[1] AS [[o]], capabilities FROM devices",
                r#"{"s":"since \"then\"","o":{"k":"v"},"capabilities":{"iotEdge":false}}"#,
            ),
            (
                "SELECT properties.reported.$metadata.z AS m FROM devices",
                r#"{"m":{"$lastUpdated":"2020-09-13T12:26:40.0010000Z"}}"#,
            ),
        ] {
            assert_eq!(row(query), expected, "{query}");
        }
        let all = row("SELECT * FROM devices.modules");
        assert!(all.starts_with(r#"{"deviceId":"d1","etag":"#), "{all}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_where_it_stops() {
        let deep = format!("SELECT * FROM devices WHERE {}1", "(".repeat(DEPTH_MAX + 1));
        let nots = format!("SELECT * FROM devices WHERE {}1", "NOT ".repeat(DEPTH_MAX + 1));
        let minus = format!("SELECT * FROM devices WHERE {}1", "- ".repeat(DEPTH_MAX + 1));
        for (query, said) in [
            ("", "character 1: a query begins with SELECT"),
            ("DELETE FROM devices", "character 1: a query begins"),
            ("SELECT *", "character 9: FROM is missing"),
            ("SELECT * FROM", "character 14: a query reads devices"),
            ("SELECT * FROM twins", "character 15: a query reads devices"),
            ("SELECT * FROM devices.x", "character 23: a query reads devices"),
            ("SELECT * FROM devices d", "character 23: this does not belong here"),
            ("SELECT deviceId id FROM devices", "character 17: FROM is missing, or AS"),
            ("SELECT a FROM devices WHERE", "character 28: it ends where a value is missing"),
            ("SELECT a FROM devices WHERE é é", "character 31: this does not belong"),
            ("SELECT a FROM devices WHERE a =", "character 32: it ends where"),
            ("SELECT a FROM devices WHERE a = = 1", "character 33: a value is missing"),
            ("SELECT a FROM devices WHERE a = 1 = 1", "character 35: comparisons"),
            ("SELECT a FROM devices WHERE (a", "character 31: ')' is missing"),
            ("SELECT a FROM devices WHERE a IN 'x'", "character 34: '[' is missing"),
            ("SELECT a FROM devices WHERE a IN [b]", "character 35: a constant is missing"),
            ("SELECT a FROM devices WHERE a IN [1 2]", "character 37: ',' is missing"),
            ("SELECT a FROM devices WHERE a = 'x", "character 33: this text has no quote"),
            ("SELECT a FROM devices WHERE a = 'x\\n'", "character 35: the escapes are"),
            ("SELECT a FROM devices WHERE a = '\\ud800'", "character 34: this escape"),
            ("SELECT a FROM devices WHERE a ; b", "character 31: ';' has no meaning"),
            ("SELECT a FROM devices WHERE a = 1x", "character 34: a blank is missing"),
            ("SELECT a FROM devices WHERE a = 0x", "character 33: this is no hex"),
            ("SELECT a FROM devices WHERE a = 1.", "character 33: this is no number"),
            ("SELECT a FROM devices WHERE a[x] = 1", "character 31: an index or a name"),
            ("SELECT a FROM devices WHERE a[1.5] = 1", "character 31: an index is"),
            ("SELECT a FROM devices WHERE a. = 1", "character 32: a name is missing"),
            ("SELECT a FROM devices WHERE AND", "character 29: a value is missing before AND"),
            ("SELECT a FROM devices WHERE FOO(a)", "character 29: there is no function FOO"),
            ("SELECT a FROM devices WHERE LOWER(a) = 'x'", "LOWER is a function of routes"),
            ("SELECT a FROM devices WHERE IS_DEFINED()", "IS_DEFINED does not take 0"),
            ("SELECT a FROM devices WHERE COUNT() > 1", "there is no function COUNT"),
            ("SELECT a FROM devices ORDER BY a", "character 23: this does not belong"),
            ("SELECT TOP x * FROM devices", "character 12: after TOP comes"),
            ("SELECT FOO() FROM devices", "character 8: FOO is no aggregate"),
            ("SELECT COUNT(a) FROM devices", "character 14: ')' is missing"),
            ("SELECT AVG() FROM devices", "character 12: a name is missing"),
            ("SELECT a, b.a FROM devices", "character 11: two columns are called 'a'"),
            ("SELECT a, COUNT() FROM devices", "character 8: beside aggregates"),
            ("SELECT a FROM devices GROUP BY b", "character 8: beside aggregates"),
            ("SELECT * FROM devices GROUP BY b", "character 8: with GROUP BY"),
            ("SELECT a FROM devices GROUP BY a, b", "character 33: groups are made by one"),
            ("SELECT a FROM devices GROUP a", "character 29: after GROUP comes BY"),
            ("SELECT status FROM devices.jobs", "of devices.jobs there is SELECT * only"),
            ("SELECT COUNT() FROM devices.jobs", "of devices.jobs there is SELECT * only"),
            ("SELECT * FROM devices.jobs WHERE tags.x = 1", "fields of jobs only"),
            (&deep, "lie too deep"),
            (&nots, "lie too deep"),
            (&minus, "lie too deep"),
            (&"x".repeat(QUERY_CHARS_MAX + 1), "a query of 8193 characters is too long"),
        ] {
            let found = refusal(query);
            assert!(found.contains(said), "{query}: {found}");
        }
        let long = |len: usize| format!("SELECT * FROM devices WHERE a = '{}'", "é".repeat(len));
        assert_eq!(refusal(&long(QUERY_CHARS_MAX - 34)), "accepted");
        assert!(refusal(&long(QUERY_CHARS_MAX - 33)).contains("too long"));
    }

    #[test]
    fn jobs_are_asked_by_their_fields() {
        let record = br#"{"deviceId":"d1","jobId":"j","jobType":"scheduleUpdateTwin",
            "status":"completed","createdDateTimeUtc":"2026-01-01T00:00:00Z"}"#;
        let record = json::parse(record, 8).unwrap();
        let sample = "SELECT * FROM devices.jobs WHERE devices.jobs.deviceId = 'd1' \
            AND devices.jobs.jobtype = 'scheduleUpdateTwin' AND devices.jobs.status = 'completed' \
            AND CreatedDateTimeUtc > '2016-09-01'";
        let query = Query::parse(sample).unwrap();
        assert_eq!((query.source(), query.item_kind()), (Source::Jobs, ItemKind::DeviceJob));
        assert!(query.matches(&record));
        let other = Query::parse("SELECT * FROM devices.jobs WHERE status = 'failed'").unwrap();
        assert!(!other.matches(&record));
        let mut out = Vec::new();
        query.write_row(&record, &mut out);
        assert!(out.starts_with(br#"{"deviceId":"d1","jobId":"j""#));
    }

    fn tallied(query: &str, reported: &[&str]) -> Vec<String> {
        let query = Arc::new(Query::parse(query).unwrap());
        let mut tally = query.tally().unwrap();
        for reported in reported {
            let twin = twin("{}", "{}", reported);
            let document = TwinDocument { about: &about(), twin: &twin };
            if query.matches(&document) {
                tally.count(&document).unwrap();
            }
        }
        let mut rows = Vec::new();
        tally.write_rows(|row| rows.push(String::from_utf8(row.to_vec()).unwrap()));
        rows
    }

    #[test]
    fn groups_are_counted() {
        let all = [r#"{"s":"on","n":1}"#, r#"{"s":"off","n":2.5}"#, r#"{"s":"on","n":4}"#, "{}"];
        let select = "SELECT properties.reported.s AS s, COUNT() AS n FROM devices";
        let by = "GROUP BY properties.reported.s";
        for (query, expected) in [
            (
                format!("{select} {by}"),
                &[r#"{"s":"on","n":2}"#, r#"{"s":"off","n":1}"#, r#"{"n":1}"#][..],
            ),
            (
                format!("{select} WHERE properties.reported.n > 2 {by}"),
                &[r#"{"s":"off","n":1}"#, r#"{"s":"on","n":1}"#],
            ),
            (select.replace("properties.reported.s AS s, ", ""), &[r#"{"n":4}"#]),
            (
                "SELECT COUNT(), COUNT() AS c FROM devices WHERE deviceId = 'none'".into(),
                &[r#"{"$1":0,"c":0}"#],
            ),
            (format!("{select} WHERE deviceId = 'none' {by}"), &[]),
            (format!("SELECT TOP 1 COUNT() FROM devices {by}"), &[r#"{"$1":2}"#]),
            (
                format!("SELECT properties.reported.s FROM devices {by}"),
                &[r#"{"s":"on"}"#, r#"{"s":"off"}"#, "{}"],
            ),
            (
                "SELECT SUM(properties.reported.n) AS sum, AVG(properties.reported.n), \
                 MIN(properties.reported.n) AS least, MAX(properties.reported.n) AS most \
                 FROM devices"
                    .into(),
                &[r#"{"sum":7.5,"$2":2.5,"least":1,"most":4}"#],
            ),
            (
                "SELECT SUM(tags.x) AS s, AVG(tags.x) AS a, MIN(tags.x) AS l FROM devices".into(),
                &[r#"{"s":0}"#],
            ),
        ] {
            assert_eq!(tallied(&query, &all), expected, "{query}");
        }
        let same = [r#"{"s":1}"#, r#"{"s":1.0}"#, r#"{"s":"1"}"#, r#"{"s":[1]}"#];
        let expected = [r#"{"s":1,"n":2}"#, r#"{"s":"1","n":1}"#, r#"{"s":[1],"n":1}"#];
        assert_eq!(tallied(&format!("{select} {by}"), &same), expected);
    }

    #[test]
    fn groups_have_a_bound() {
        let query = Query::parse("SELECT COUNT() FROM devices GROUP BY deviceId").unwrap();
        let (twin, mut tally) = (Twin::new(0), Arc::new(query).tally().unwrap());
        let mut count = |n: usize| {
            let about = About { device_id: &n.to_string(), ..About::default() };
            tally.count(&TwinDocument { about: &about, twin: &twin })
        };
        assert!((0..GROUPS_MAX).all(|n| count(n).is_ok()));
        assert!(count(5).is_ok());
        assert_eq!(count(GROUPS_MAX), Err(Refused::TooManyGroups));
    }

    #[test]
    fn an_index_learns_what_it_may_answer() {
        let terms = |condition: &str| {
            let query = Query::parse(&format!("SELECT * FROM devices WHERE {condition}")).unwrap();
            let shown = |constant: &&Constant| match constant {
                Constant::Text(text) => text.to_string(),
                other => format!("{other:?}"),
            };
            let shown = |term: &Equality<'_>| {
                let steps: Vec<_> = term.path.steps.iter().filter_map(|step| step.key()).collect();
                let any_of: Vec<_> = term.any_of.iter().map(shown).collect();
                format!("{}={}", steps.join("."), any_of.join("|"))
            };
            query.equalities().iter().map(shown).collect::<Vec<_>>().join(" ")
        };
        for (condition, expected) in [
            ("deviceid = 'a'", "deviceId=a"),
            ("'a' = tags.x AND (tags.y IN ['b','c'] AND NOT tags.z = 'd')", "tags.x=a tags.y=b|c"),
            ("tags.x = 'a' OR tags.y = 'b'", ""),
            ("tags.x = 'a' OR tags.x IN ['b'] OR tags.y = 'c' AND tags.x = 'd'", "tags.x=a|b|d"),
            ("(tags.x = 'a' OR tags.x = 'b') AND tags.y > 1", "tags.x=a|b"),
            ("tags.x = 'a' OR tags.x > 'b'", ""),
            ("tags.x != 'a' AND tags.x NIN ['b'] AND tags.x = tags.y", ""),
            ("tags.x = null AND tags.y IN ['a', null] AND tags.z IN [undefined, 'b']", "tags.z=b"),
            ("tags.x = undefined", "tags.x="),
        ] {
            assert_eq!(terms(condition), expected, "{condition}");
        }
    }
}
