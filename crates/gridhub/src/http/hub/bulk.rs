//! Bulk operations on the registry (iot-hub C3): `POST /devices`.

use axum::body::Body;
use hyper::StatusCode;

use hub::errors::Refusal;
use hub::identity::{BulkResult, BulkRow};
use node::devices::{Ask, Metered};

use super::{Answer, Asked, asking, json, refused};
use crate::http::backend::Backend;
use crate::http::body;
use crate::http::error::HttpError;

/// 200 when every row had its effect, else 400 with the errors of the others. Rows are decided in
/// their order and reach the disk together.
pub async fn apply<B: Backend>(asked: &Asked<'_, B>, body: Body) -> Answer {
    let backend = &asked.app.backend;
    let (body, _share) = body::read(body, asked.app.body_bounds(BODY_BYTES_MAX)).await?;
    let rows = BulkRow::read_all(&body)?;
    let count = rows.len();
    asked.take(Metered::Registry, count)?;
    let mut pending = Vec::with_capacity(count);
    for row in rows {
        pending.push(match row {
            Err(error) => Err(error),
            Ok(row) => {
                let (id, fresh) = (row.id.clone(), asking::drawn(backend)?);
                let ask = |reply| Ask::Row(Box::new(row), fresh, reply);
                Ok(asking::post(backend, &id, ask))
            }
        });
    }
    let mut result = BulkResult::default();
    for row in pending {
        let outcome = match row {
            Ok(row) => row.answer().await?,
            Err(error) => Err(error),
        };
        result.errors.extend(outcome.err());
    }
    let document = result.document().to_string();
    let Some(code) = result.code() else { return json(StatusCode::OK, document, None) };
    let first = result.errors.first().map_or("", |error| &*error.refusal.message);
    let text = format!("{} of {count} rows had no effect, first: {first}", result.errors.len());
    Ok(refused::with_code(&HttpError::from(Refusal::new(code, text)), document))
}

/// A hundred rows with large twins.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
