//! `GET /metrics`: Prometheus text 0.0.4. Refuses to know what is counted: it only prints it.

use std::fmt::Write as _;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::header::CONTENT_TYPE;

use super::app::App;
use super::backend::{Backend, Family, Kind, Sample};
use super::{hub_metrics, log_metrics, outlet_metrics};

/// `GET /metrics`.
pub async fn handle<B: Backend>(State(app): State<App<B>>) -> Response {
    let mut families = app.backend.counters();
    for family in app.counters.families() {
        merge(&mut families, family);
    }
    let keys = app.keys.count() as u64;
    let bytes = app.bodies.used() as u64;
    let left_out = app.refusals.left_out_total();
    for (name, help, kind, value) in [
        ("gridhub_http_idempotency_keys", "Idempotency keys remembered.", Kind::Gauge, keys),
        ("gridhub_http_body_bytes", "Request bodies in memory.", Kind::Gauge, bytes),
        (
            "gridhub_http_refusals_left_out_total",
            "Refusals that the log only counts, because there were too many in a second.",
            Kind::Counter,
            left_out,
        ),
    ] {
        families.push(Family { name, help, kind, samples: vec![(Vec::new(), value)] });
    }
    families.extend(hub_metrics::families(&app.backend).await);
    families.extend(outlet_metrics::families(&app.backend));
    let log = app.backend.log();
    families.extend(log.iter().flat_map(log_metrics::families));
    let mut text = text(&families);
    text.extend(log.iter().map(|log| log_metrics::sync_seconds(&log.syncs)));
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// A name may stand in the text once: samples of the same name go to the family that is there.
fn merge(families: &mut Vec<Family>, family: Family) {
    match families.iter_mut().find(|known| known.name == family.name) {
        Some(known) => known.samples.extend(family.samples),
        None => families.push(family),
    }
}

/// Prometheus text format 0.0.4.
fn text(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a String does not fail.
        let _ = writeln!(text, "# HELP {} {help}\n# TYPE {} {kind}", family.name, family.name);
        for sample in &family.samples {
            line(&mut text, family.name, sample);
        }
    }
    text
}

fn line(text: &mut String, name: &str, (labels, value): &Sample) {
    text.push_str(name);
    for (n, (label, content)) in labels.iter().enumerate() {
        text.push(if n == 0 { '{' } else { ',' });
        let _ = write!(text, "{label}=\"");
        for c in content.chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                c => text.push(c),
            }
        }
        text.push('"');
    }
    let _ = writeln!(text, "{} {value}", if labels.is_empty() { "" } else { "}" });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_format_escapes_and_groups() {
        let mut families = vec![Family {
            name: "a_total",
            help: "line\nbreak \\",
            kind: Kind::Counter,
            samples: vec![(vec![("x", "q\"b\\n\n".to_owned()), ("y", String::new())], 1)],
        }];
        let more = Family { samples: vec![(Vec::new(), 2)], ..families[0].clone() };
        merge(&mut families, more);
        merge(
            &mut families,
            Family { name: "b", help: "b", kind: Kind::Gauge, samples: vec![(Vec::new(), 3)] },
        );
        assert_eq!(
            text(&families),
            "# HELP a_total line\\nbreak \\\\\n# TYPE a_total counter\n\
             a_total{x=\"q\\\"b\\\\n\\n\",y=\"\"} 1\na_total 2\n\
             # HELP b b\n# TYPE b gauge\nb 3\n"
        );
    }
}
