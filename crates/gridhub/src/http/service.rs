//! One request in, one response out: bounds that hold for every path, the short way to HTTP
//! Publish, and the headers that every response carries. Refuses to know sockets.

use std::sync::Arc;

use axum::Router;
use axum::body::Body as RoutedBody;
use axum::extract::Request as RoutedRequest;
use http_body_util::{Either, Full};
use hyper::body::{Body, Bytes};
use hyper::header::{ALLOW, HeaderName, HeaderValue};
use hyper::service::Service as _;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use hyper_util::service::TowerToHyperService;

use super::app::App;
use super::backend::Backend;
use super::body::Drained;
use super::call::Call;
use super::error::HttpError;
use super::refusals::Part;
use super::router::{self, HEALTH, PUBLISH, READY};
use super::server::Peer;
use super::{probes, publish, websocket};

/// Answers the requests of one listener.
pub struct Service<B> {
    app: App<B>,
    router: TowerToHyperService<Router>,
}

/// A small body of our own, or what the router made.
pub type ResponseBody = Either<Full<Bytes>, RoutedBody>;

impl<B: Backend> Service<B> {
    /// A service for all connections of a listener.
    pub fn new(app: App<B>) -> Self {
        let router = TowerToHyperService::new(router::router(app.clone()));
        Service { app, router }
    }

    /// The app it answers for.
    pub fn app(&self) -> &App<B> {
        &self.app
    }

    /// One response, always with `x-ms-request-id`; the caller's `x-ms-client-request-id` is
    /// echoed.
    pub async fn answer<T>(&self, request: Request<T>, peer: &Peer) -> Response<ResponseBody>
    where
        T: Body<Data = Bytes> + Send + Unpin + 'static,
        T::Error: Into<axum::BoxError>,
    {
        let request_id = self.app.request_ids.next();
        let call = Call::new(request_id.clone(), peer, &request);
        let client_id = client_request_id(request.headers());
        let (mut head, body) = request.into_parts();
        head.extensions.insert(Arc::clone(&call));
        let body = Drained::new(&head.headers, body);
        let request = Request::from_parts(head, body);
        let mut response = match self.early(&request) {
            Some(error) => error.response::<Full<Bytes>>().map(Either::Left),
            None if websocket::is_asked(&request) => {
                websocket::answer(&request).unwrap_or_else(|e| e.response()).map(Either::Left)
            }
            None if request.uri().path() == PUBLISH => {
                publish::response::<Full<Bytes>>(&publish::handle(&self.app, request).await)
                    .map(Either::Left)
            }
            None => self.route(request).await.map(Either::Right),
        };
        self.app.counters.responded(response.status());
        if let Some(error) = response.extensions_mut().remove::<HttpError>() {
            self.app.refusals.refused(&call, Part::Whole, &error);
        }
        let headers = response.headers_mut();
        // A hub echoes what its client calls the request.
        headers.entry(REQUEST_ID).or_insert(request_id);
        if let Some(id) = client_id {
            headers.insert(CLIENT_REQUEST_ID, id);
        }
        response
    }

    /// What refuses a request before its path is looked at closely.
    fn early<T>(&self, request: &Request<T>) -> Option<HttpError> {
        let path = request.uri().path();
        let bytes_max = self.app.backend.limits().http_header_bytes_max;
        if uri_bytes(request.uri()) > URI_BYTES_MAX {
            return Some(uri_too_long());
        }
        if request.headers().len() > HEADERS_MAX {
            return Some(headers_too_large(&format!("there are more than {HEADERS_MAX} headers")));
        }
        if header_bytes(request.headers()) > bytes_max {
            let what = format!("the headers are larger than {bytes_max} bytes");
            return Some(headers_too_large(&what));
        }
        if !self.app.backend.ready() && path != HEALTH && path != READY {
            return Some(probes::not_ready());
        }
        if path == PUBLISH && request.method() != Method::POST {
            return Some(HttpError::method_not_allowed("POST"));
        }
        None
    }

    async fn route<T>(&self, request: Request<T>) -> Response<RoutedBody>
    where
        T: Body<Data = Bytes> + Send + Unpin + 'static,
        T::Error: Into<axum::BoxError>,
    {
        let request: RoutedRequest = request.map(RoutedBody::new);
        let Ok(response) = self.router.call(request).await;
        named(response)
    }
}

/// axum's own refusals are plain text or nothing: they get our shape.
fn named(response: Response<RoutedBody>) -> Response<RoutedBody> {
    let status = response.status();
    let ours = response.extensions().get::<HttpError>().is_some();
    if ours || !status.is_client_error() {
        return response;
    }
    let mut error = match status {
        StatusCode::METHOD_NOT_ALLOWED => HttpError::new(
            status,
            "MethodNotAllowed",
            "this path does not answer to this method; the Allow header lists those it does",
        ),
        StatusCode::BAD_REQUEST => {
            HttpError::bad_request("InvalidPath", "the path does not decode to UTF-8")
        }
        _ => HttpError::new(status, "Refused", "the request cannot be read"),
    }
    .response::<RoutedBody>();
    if let Some(allow) = response.headers().get(ALLOW) {
        error.headers_mut().insert(ALLOW, allow.clone());
    }
    error
}

/// Names, values and what stands between and behind them in HTTP/1.1.
fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum()
}

fn headers_too_large(what: &str) -> HttpError {
    HttpError::new(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "RequestHeadersTooLarge",
        format!("{what}; send fewer headers or user properties"),
    )
}

fn uri_bytes(uri: &Uri) -> usize {
    uri.path_and_query().map_or(0, |target| target.as_str().len())
}

fn uri_too_long() -> HttpError {
    HttpError::new(
        StatusCode::URI_TOO_LONG,
        "UriTooLong",
        format!("path and query are longer than {URI_BYTES_MAX} bytes; name a shorter topic"),
    )
}

/// Echoed only when it is short: it goes into logs of others.
fn client_request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(CLIENT_REQUEST_ID).filter(|id| id.len() <= CLIENT_ID_BYTES_MAX).cloned()
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
const CLIENT_ID_BYTES_MAX: usize = 128;
/// Below the 65,534 bytes at which hyper answers 414 by itself, without a body and an id.
const URI_BYTES_MAX: usize = 60 * 1024;
/// User properties take one header together, so nobody needs many.
const HEADERS_MAX: usize = 100;
