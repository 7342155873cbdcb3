//! Words to a query. `FROM` is read before what stands before it, because it says which names
//! there are. Refuses to know how expressions are read.

use super::aggregate::{Aggregate, Kind};
use super::lexer::Token;
use super::number::Number;
use super::parser::Parser;
use super::path::{Path, Scope};
use super::refused::Refused;
use super::statement::{Column, Query, Select, Source, What};

pub(super) fn parse(text: &str) -> Result<Query, Refused> {
    let mut parser = Parser::new(text, Scope::Documents(Source::Devices))?;
    if !parser.took_keyword("SELECT") {
        return Err(parser.wrong("a query begins with SELECT"));
    }
    let begin = parser.position();
    let source = source_ahead(&mut parser)?;
    parser.scope = Scope::Documents(source);
    parser.at_word(begin);
    let select_at = parser.offset();
    let top = if parser.took_keyword("TOP") { Some(count(&mut parser)?) } else { None };
    let select = select(&mut parser)?;
    if !parser.took_keyword("FROM") {
        return Err(parser.wrong("FROM is missing, or AS before a name, or a comma"));
    }
    source_name(&mut parser)?;
    let condition = if parser.took_keyword("WHERE") { Some(parser.expression()?) } else { None };
    let group_by = group_by(&mut parser)?;
    parser.end()?;
    let query = Query { top, source, select, condition, group_by };
    check(&query).map_err(|what| parser.wrong_at(select_at, what))?;
    Ok(query)
}

/// What stands after the first `FROM`.
fn source_ahead(parser: &mut Parser<'_>) -> Result<Source, Refused> {
    let mut after_dot = false;
    while parser.peek().is_some() {
        if !after_dot && parser.took_keyword("FROM") {
            return source_name(parser);
        }
        after_dot = parser.is_sign(".");
        parser.skip();
    }
    Err(parser.wrong("FROM is missing"))
}

fn source_name(parser: &mut Parser<'_>) -> Result<Source, Refused> {
    if !parser.took_keyword("devices") {
        return Err(parser.wrong("a query reads devices, devices.modules or devices.jobs"));
    }
    if !parser.took_sign(".") {
        return Ok(Source::Devices);
    }
    match () {
        () if parser.took_keyword("modules") => Ok(Source::Modules),
        () if parser.took_keyword("jobs") => Ok(Source::Jobs),
        () => Err(parser.wrong("a query reads devices, devices.modules or devices.jobs")),
    }
}

fn count(parser: &mut Parser<'_>) -> Result<u32, Refused> {
    let count = match parser.peek() {
        Some(Token::Number(number)) => match number.0 {
            Number::Integer(n) => u32::try_from(n).ok(),
            Number::Float(_) => None,
        },
        _ => None,
    };
    let count = count.ok_or_else(|| parser.wrong("after TOP comes a whole number"))?;
    parser.skip();
    Ok(count)
}

fn select(parser: &mut Parser<'_>) -> Result<Select, Refused> {
    if parser.took_sign("*") {
        return Ok(Select::Everything);
    }
    let mut columns: Vec<Column> = Vec::new();
    let mut aggregate_count = 0;
    loop {
        let at = parser.offset();
        let column = column(parser, &mut aggregate_count)?;
        if columns.iter().any(|other| other.name == column.name) {
            let what = format!("two columns are called '{}': give one of them AS", column.name);
            return Err(parser.wrong_at(at, what));
        }
        columns.push(column);
        if !parser.took_sign(",") {
            return Ok(Select::Columns(columns));
        }
    }
}

fn column(parser: &mut Parser<'_>, aggregate_count: &mut usize) -> Result<Column, Refused> {
    let (what, name) = match parser.peek() {
        Some(Token::Name(name)) if parser.next_is("(") => {
            let kind = Kind::named(name);
            let kind = kind.ok_or_else(|| parser.wrong(format!("{name} is no aggregate")))?;
            *aggregate_count += 1;
            let aggregate = aggregate(parser, kind)?;
            (What::Aggregate(aggregate), format!("${aggregate_count}"))
        }
        _ => {
            let path = parser.path()?;
            let name = path.last_name().to_owned();
            (What::Path(path), name)
        }
    };
    if !parser.took_keyword("AS") {
        return Ok(Column { name, what });
    }
    let name = match parser.peek() {
        Some(Token::Name(name) | Token::Bracketed(name)) => (*name).to_owned(),
        Some(Token::Text(name)) => name.clone(),
        _ => return Err(parser.wrong("after AS comes a name")),
    };
    parser.skip();
    Ok(Column { name, what })
}

fn aggregate(parser: &mut Parser<'_>, kind: Kind) -> Result<Aggregate, Refused> {
    parser.skip();
    parser.sign("(")?;
    let of = if kind == Kind::Count { None } else { Some(parser.path()?) };
    parser.sign(")")?;
    Ok(Aggregate { kind, of })
}

fn group_by(parser: &mut Parser<'_>) -> Result<Option<Path>, Refused> {
    if !parser.took_keyword("GROUP") {
        return Ok(None);
    }
    if !parser.took_keyword("BY") {
        return Err(parser.wrong("after GROUP comes BY"));
    }
    let path = parser.path()?;
    if parser.is_sign(",") {
        return Err(parser.wrong("groups are made by one path"));
    }
    Ok(Some(path))
}

/// What fits together.
fn check(query: &Query) -> Result<(), &'static str> {
    let columns = match (&query.select, query.source) {
        (Select::Everything, _) if query.group_by.is_some() => {
            return Err("with GROUP BY name the columns: its path and aggregates");
        }
        (Select::Everything, _) => return Ok(()),
        (Select::Columns(_), Source::Jobs) => return Err("of devices.jobs there is SELECT * only"),
        (Select::Columns(columns), _) => columns,
    };
    let aggregates = columns.iter().any(|column| matches!(column.what, What::Aggregate(_)));
    let plain = columns.iter().filter_map(|column| match &column.what {
        What::Path(path) => Some(path),
        What::Aggregate(_) => None,
    });
    let mut plain = plain.filter(|path| query.group_by.as_ref() != Some(*path));
    match plain.next() {
        Some(_) if aggregates || query.group_by.is_some() => {
            Err("beside aggregates stands only the path of GROUP BY")
        }
        _ => Ok(()),
    }
}
