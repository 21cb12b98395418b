//! The answer of a command before it is a response: handlers render it, and the queue of a phone
//! takes it as it is.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    http::{
        StatusCode,
        header::{ETAG, LOCATION},
    },
};
use serde::Serialize;

use crate::http::headers::etag;

/// The view of what a command created or changed.
pub struct Answer<V> {
    location: Option<String>,
    tag: Option<String>,
    view: V,
}

impl<V> Answer<V> {
    /// The answer of a change, with its seq in the journal.
    pub fn of_change(seq: i64, view: V) -> Self {
        Self { location: None, tag: Some(etag(seq)), view }
    }

    /// The answer of a creation, with the address where it is read.
    pub fn of_creation(location: String, seq: i64, view: V) -> Self {
        Self { location: Some(location), tag: Some(etag(seq)), view }
    }

    /// A report of what was done, which has no version.
    pub const fn of_account(view: V) -> Self {
        Self { location: None, tag: None, view }
    }

    /// The HTTP status it is answered with.
    pub const fn status(&self) -> StatusCode {
        if self.location.is_some() { StatusCode::CREATED } else { StatusCode::OK }
    }

    /// The view alone.
    pub fn into_view(self) -> V {
        self.view
    }
}

impl<V: Serialize> Responder for Answer<V> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::build(self.status());
        if let Some(location) = self.location {
            response.insert_header((LOCATION, location));
        }
        if let Some(tag) = self.tag {
            response.insert_header((ETAG, tag));
        }
        response.json(self.view)
    }
}
