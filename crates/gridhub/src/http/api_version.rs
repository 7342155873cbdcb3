//! The values of `api-version` that the `/mqtt/*` paths answer to (event-grid 2.9).

use super::error::HttpError;
use super::query::Query;

/// The known values, newest last. All are accepted on every `/mqtt/*` path.
#[derive(Clone, Debug)]
pub struct ApiVersions(Vec<String>);

impl ApiVersions {
    /// The values seen on the published pages.
    pub fn published() -> Self {
        ApiVersions(PUBLISHED.iter().map(|v| (*v).to_owned()).collect())
    }

    /// These and `more`; what is there already is not added.
    pub fn and(mut self, more: Vec<String>) -> Self {
        for version in more {
            if !self.0.contains(&version) {
                self.0.push(version);
            }
        }
        self
    }

    /// # Errors
    /// 400 when `api-version` is missing, there twice or unknown; the message lists the known ones.
    pub fn check(&self, query: Query<'_>) -> Result<(), HttpError> {
        match query.one("api-version")? {
            Some(version) if self.0.iter().any(|known| *known == *version) => Ok(()),
            Some(version) => Err(HttpError::bad_request(
                "UnsupportedApiVersion",
                format!("api-version '{version}' is not known; use one of {}", self.0.join(", ")),
            )),
            None => Err(HttpError::bad_request(
                "MissingApiVersion",
                format!(
                    "query parameter 'api-version' is missing; use one of {}",
                    self.0.join(", ")
                ),
            )),
        }
    }
}

const PUBLISHED: [&str; 3] = ["2025-02-15-preview", "2025-08-01-preview", "2025-11-16-preview"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_unknown_missing_and_twice() {
        let versions = ApiVersions::published();
        for known in PUBLISHED {
            let raw = format!("topic=a&api-version={known}");
            assert_eq!(versions.check(Query::new(Some(&raw))), Ok(()));
        }
        let more = ApiVersions::published().and(vec!["2026-01-01".into(), PUBLISHED[0].into()]);
        assert_eq!(more.0.len(), PUBLISHED.len() + 1);
        assert_eq!(more.check(Query::new(Some("api-version=2026-01-01"))), Ok(()));
        let check = |raw| versions.check(Query::new(raw)).unwrap_err();
        assert_eq!(check(None).code, "MissingApiVersion");
        let unknown = check(Some("api-version=2024-01-01"));
        assert_eq!(unknown.code, "UnsupportedApiVersion");
        assert!(PUBLISHED.iter().all(|known| unknown.message.contains(known)));
        let twice = check(Some("api-version=2025-08-01-preview&api-version=2025-08-01-preview"));
        assert_eq!(twice.code, "DuplicateQueryParameter");
    }
}
