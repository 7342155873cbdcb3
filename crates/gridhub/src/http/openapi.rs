//! `GET /openapi.json`: the description of every path, written by hand and held against the router
//! by a test.

use axum::response::{IntoResponse, Response};
use hyper::header::CONTENT_TYPE;

/// The document.
pub async fn handle() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

/// OpenAPI 3.1.
pub const DOCUMENT: &str = include_str!("openapi.json");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::DOCUMENT;
    use crate::http::hub;
    use crate::http::router::ROUTES;
    use crate::http::telemetry;

    #[test]
    fn every_route_is_described_and_every_description_is_a_route() {
        let document: serde_json::Value = serde_json::from_str(DOCUMENT).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let mut described = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if method == "parameters" {
                    continue;
                }
                assert!(operation["responses"].is_object(), "{path} {method}");
                assert!(operation["operationId"].is_string(), "{path} {method}");
                described.insert((path.clone(), method.to_uppercase()));
            }
        }
        let routes: BTreeSet<_> = ROUTES
            .iter()
            .chain(hub::ROUTES)
            .chain(telemetry::ROUTES)
            .flat_map(|(path, methods)| {
                methods.split(", ").map(|method| ((*path).to_owned(), method.to_owned()))
            })
            .filter(|(_, method)| method != "HEAD")
            .collect();
        assert_eq!(described, routes);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document: serde_json::Value = serde_json::from_str(DOCUMENT).unwrap();
        fn walk(root: &serde_json::Value, value: &serde_json::Value) {
            match value {
                serde_json::Value::Object(members) => {
                    if let Some(target) = members.get("$ref").and_then(|r| r.as_str()) {
                        let pointer = target.strip_prefix('#').expect("local references only");
                        assert!(root.pointer(pointer).is_some(), "{target}");
                    }
                    members.values().for_each(|v| walk(root, v));
                }
                serde_json::Value::Array(items) => items.iter().for_each(|v| walk(root, v)),
                _ => {}
            }
        }
        walk(&document, &document);
    }
}
