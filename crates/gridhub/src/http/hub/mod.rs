//! The hub's service API (iot-hub C1 to C6): devices, modules, twins, queries, statistics, methods,
//! commands and their feedback, jobs; and what devices ask by HTTP (D6).
//!
//! Owns paths, headers, rights and pages, one file a noun. Refuses to know what becomes of a
//! device: its home decides with crate `hub`, and [`refused`] writes down a refusal.
//!
//! A request's way: [`route`] (which path), [`authority`] (who may), then its noun. Paths of the
//! service API that are not here are as unknown as any other.

mod asking;
pub mod authority;
mod bulk;
mod command;
mod continuation;
mod devicebound;
mod event;
mod feedback;
mod identity;
mod job;
mod merge;
mod message;
mod method;
mod query;
pub mod refused;
mod route;
mod statistics;
mod twin;

use axum::body::Body;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MATCH};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};

use hub::IfMatch;
use hub::errors::{ErrorCode, Refusal};
use hub::identity::{IdentityId, Right};
use hub::telemetry::AuthMethod;
use hub::twin::Mode;
use node::devices::Metered;

use super::app::App;
use super::backend::Backend;
use super::body;
use super::call::Call;
use super::error::HttpError;
use super::query::Query;
pub use job::counts as job_counts;
use route::Route;

/// The answer to a request for the service API; `None` when there is no hub or no such path.
pub async fn answer<B: Backend>(app: &App<B>, request: Request<Body>) -> Option<Response<Body>> {
    app.backend.hub()?;
    let (head, body) = request.into_parts();
    let tracking = Call::of(&head.extensions).clone();
    let answered = match Route::find(head.uri.path()) {
        Ok(route) => Asked { app, head: &head, route: &route? }.answer(body).await,
        Err(refusal) => Err(refusal.into()),
    };
    let mut response = answered.unwrap_or_else(|error| {
        refused::response(&error, tracking.request_id(), app.backend.wall_ms())
    });
    if let Some(id) = head.headers.get(REQUEST_ID).filter(|id| id.len() <= REQUEST_ID_BYTES_MAX) {
        response.headers_mut().insert(MS_REQUEST_ID, id.clone());
    }
    Some(response)
}

/// A request for a path that there is.
struct Asked<'a, B> {
    app: &'a App<B>,
    head: &'a Parts,
    route: &'a Route,
}

type Answer = Result<Response<Body>, HttpError>;

impl<B: Backend> Asked<'_, B> {
    /// Which method of which path needs which right, and who answers.
    async fn answer(&self, body: Body) -> Answer {
        use Right::{RegistryRead, RegistryWrite, ServiceConnect};
        match (self.route, &self.head.method) {
            (Route::Devices, &Method::GET) => {
                self.may(&[RegistryRead])?;
                identity::list(self).await
            }
            (Route::Devices, &Method::POST) => {
                self.may(&[RegistryWrite])?;
                bulk::apply(self, body).await
            }
            (Route::Query(_), &Method::POST) => {
                self.may(&[ServiceConnect])?;
                query::run(self, body).await
            }
            (Route::Identity(id) | Route::Query(id), &Method::GET) => {
                self.may(&[RegistryRead])?;
                identity::show(self, id).await
            }
            (Route::Identity(id) | Route::Query(id), &Method::PUT) => {
                self.may(&[RegistryWrite])?;
                identity::put(self, id, body).await
            }
            (Route::Identity(id) | Route::Query(id), &Method::DELETE) => {
                self.may(&[RegistryWrite])?;
                identity::delete(self, id).await
            }
            (Route::Modules(id), &Method::GET) => {
                self.may(&[RegistryRead])?;
                identity::modules(self, id).await
            }
            (Route::Twin(id), &Method::GET) => {
                self.may(&[ServiceConnect])?;
                twin::show(self, id).await
            }
            (Route::Twin(id), &Method::PATCH) => {
                self.may(&[ServiceConnect])?;
                twin::write(self, id, Mode::Merge, body).await
            }
            (Route::Twin(id), &Method::PUT) => {
                self.may(&[ServiceConnect])?;
                twin::write(self, id, Mode::Replace, body).await
            }
            (Route::DeviceStatistics, &Method::GET) => {
                self.may(&[RegistryRead, ServiceConnect])?;
                statistics::devices(self).await
            }
            (Route::ServiceStatistics, &Method::GET) => {
                self.may(&[RegistryRead, ServiceConnect])?;
                statistics::service(self).await
            }
            _ => self.answer_messages(body).await,
        }
    }

    /// The same for methods, commands and their feedback.
    async fn answer_messages(&self, body: Body) -> Answer {
        match (self.route, &self.head.method) {
            (Route::Methods(id), &Method::POST) => {
                self.may(&[Right::ServiceConnect])?;
                method::invoke(self, id, body).await
            }
            (Route::Send, &Method::POST) => {
                self.may(&[Right::ServiceConnect])?;
                command::send(self, body).await
            }
            (Route::Commands(id), &Method::DELETE) => {
                self.may(&[Right::ServiceConnect])?;
                command::purge(self, id).await
            }
            (Route::Feedback, &Method::GET) => {
                self.may(&[Right::ServiceConnect])?;
                feedback::receive(self).await
            }
            (Route::FeedbackLocked(lock), &Method::DELETE)
            | (Route::FeedbackAbandon(lock), &Method::POST) => {
                self.may(&[Right::ServiceConnect])?;
                feedback::settle(self, *lock).await
            }
            (Route::Shown(id), &Method::GET) => {
                self.allowed(&[Right::ServiceConnect])?;
                command::show(self, id).await
            }
            (Route::TwinHistory(id), &Method::GET) => {
                self.allowed(&[Right::ServiceConnect])?;
                twin::history(self, id).await
            }
            (Route::Events(id), &Method::POST) => {
                let auth_method = self.is(id).await?;
                event::send(self, (id, auth_method), body).await
            }
            (Route::DeviceBound(id), &Method::GET) => {
                self.is(id).await?;
                devicebound::receive(self, id).await
            }
            (Route::Locked(id, lock), &Method::DELETE)
            | (Route::Abandon(id, lock), &Method::POST) => {
                self.is(id).await?;
                devicebound::settle(self, id, *lock).await
            }
            _ => self.answer_jobs(body).await,
        }
    }

    /// The same for jobs.
    async fn answer_jobs(&self, body: Body) -> Answer {
        let route = self.route;
        if matches!(route, Route::Jobs | Route::Job(_) | Route::CancelJob(_)) {
            // They read the registry, and use the service side.
            self.may(&[Right::ServiceConnect])?;
            self.may(&[Right::RegistryRead])?;
        }
        match (route, &self.head.method) {
            (Route::Jobs, &Method::GET) => job::list(self).await,
            (Route::Job(id), &Method::PUT) => job::plan(self, id, body).await,
            (Route::Job(id), &Method::GET) => job::show(self, id).await,
            (Route::CancelJob(id), &Method::POST) => job::cancel(self, id).await,
            _ => Err(HttpError::method_not_allowed(route.methods())),
        }
    }

    /// Who asks has one of these rights, and says which version he speaks.
    fn may(&self, rights: &[Right]) -> Result<(), HttpError> {
        self.allowed(rights)?;
        self.version()?;
        self.unhurried()
    }

    /// What is about no single device is counted here, the rest at the device's home.
    fn unhurried(&self) -> Result<(), HttpError> {
        let kind = match (self.route, &self.head.method) {
            (Route::Query(_), &Method::POST) => Metered::Queries,
            // Its rows count, which are not read yet.
            (Route::Devices, &Method::POST) => return Ok(()),
            (Route::Devices | Route::Identity(_) | Route::Modules(_) | Route::Query(_), _) => {
                Metered::Registry
            }
            _ => return Ok(()),
        };
        self.take(kind, 1)
    }

    /// So many operations at once are not too many.
    fn take(&self, kind: Metered, count: usize) -> Result<(), HttpError> {
        let backend = &self.app.backend;
        let now_ms = backend.wall_ms();
        let taken = backend.hub().map_or(Ok(()), |hub| hub.throttles.take(kind, count, now_ms));
        taken.map_err(|throttled| Refusal::from(throttled).into())
    }

    fn allowed(&self, rights: &[Right]) -> Result<(), HttpError> {
        let segments = self.route.segments();
        let segments: Vec<&str> = segments.iter().map(|segment| &**segment).collect();
        authority::check(self.app, self.head, &segments, rights)
    }

    /// Who asks is this device, and says which version he speaks.
    async fn is(&self, id: &IdentityId) -> Result<AuthMethod, HttpError> {
        let auth_method = authority::device(self.app, self.head, id).await?;
        self.version().map(|()| auth_method)
    }

    fn version(&self) -> Result<(), HttpError> {
        match self.query().one("api-version")? {
            Some(version) if !version.is_empty() => Ok(()),
            _ => {
                let text = "query parameter 'api-version' is missing; add ?api-version=2021-04-12";
                Err(Refusal::new(ErrorCode::InvalidProtocolVersion, text).into())
            }
        }
    }

    fn query(&self) -> Query<'_> {
        Query::new(self.head.uri.query())
    }

    /// A header's text; `None` when it is absent.
    fn header(&self, name: &HeaderName) -> Result<Option<&str>, HttpError> {
        let Some(value) = self.head.headers.get(name) else { return Ok(None) };
        value.to_str().map(Some).map_err(|_| {
            let text = format!("header {name} is no ASCII text");
            Refusal::new(ErrorCode::ArgumentInvalid, text).into()
        })
    }

    fn if_match(&self) -> Result<IfMatch, HttpError> {
        Ok(IfMatch::parse(self.header(&IF_MATCH)?))
    }

    async fn body(&self, body: Body) -> Result<(Vec<u8>, body::Share), HttpError> {
        let bytes_max = self.app.backend.limits().http_body_bytes_max;
        body::read(body, self.app.body_bounds(bytes_max)).await
    }
}

/// A JSON body; an etag goes without quotes here and with them into its header.
fn json(status: StatusCode, body: impl Into<Bytes>, etag: Option<&str>) -> Answer {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    if let Some(etag) = etag {
        let quoted = HeaderValue::try_from(format!("\"{etag}\""));
        response.headers_mut().insert(ETAG, quoted.expect("etags are base64"));
    }
    Ok(response)
}

fn no_content() -> Answer {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// Some clients read JSON only where they see this.
const JSON: &str = "application/json; charset=utf-8";
/// What some clients call their requests.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const MS_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Path and methods of every route, for the description and its test.
#[cfg(test)]
pub const ROUTES: &[(&str, &str)] = &[
    ("/devices", "GET, POST"),
    ("/devices/query", "POST"),
    ("/devices/{deviceId}", "GET, PUT, DELETE"),
    ("/devices/{deviceId}/commands", "DELETE"),
    ("/devices/{deviceId}/messages/events", "POST"),
    ("/devices/{deviceId}/messages/devicebound", "GET"),
    ("/devices/{deviceId}/messages/devicebound/{lockToken}", "DELETE"),
    ("/devices/{deviceId}/messages/devicebound/{lockToken}/abandon", "POST"),
    ("/devices/{deviceId}/modules", "GET"),
    ("/devices/{deviceId}/modules/{moduleId}", "GET, PUT, DELETE"),
    ("/twins/{deviceId}", "GET, PATCH, PUT"),
    ("/twins/{deviceId}/modules/{moduleId}", "GET, PATCH, PUT"),
    ("/twins/{deviceId}/methods", "POST"),
    ("/twins/{deviceId}/modules/{moduleId}/methods", "POST"),
    ("/messages/deviceBound", "POST"),
    ("/messages/serviceBound/feedback", "GET"),
    ("/messages/serviceBound/feedback/{lockToken}", "DELETE"),
    ("/messages/serviceBound/feedback/{lockToken}/abandon", "POST"),
    ("/jobs/v2/query", "GET"),
    ("/jobs/v2/{jobId}", "GET, PUT"),
    ("/jobs/v2/{jobId}/cancel", "POST"),
    ("/admin/devices/{deviceId}/commands", "GET"),
    ("/admin/devices/{deviceId}/twin/history", "GET"),
    ("/admin/devices/{deviceId}/modules/{moduleId}/twin/history", "GET"),
    ("/statistics/devices", "GET"),
    ("/statistics/service", "GET"),
];
