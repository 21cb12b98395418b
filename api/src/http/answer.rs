//! What a command answers, before it is a response: handlers render it, and the queue of a phone
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

/// The view of what a command made or moved.
pub struct Answer<V> {
    location: Option<String>,
    tag: Option<String>,
    view: V,
}

impl<V> Answer<V> {
    /// Something that moved to this place in its journal.
    pub fn of_change(seq: i64, view: V) -> Self {
        Self { location: None, tag: Some(etag(seq)), view }
    }

    /// Something that began, and where it is read.
    pub fn of_creation(location: String, seq: i64, view: V) -> Self {
        Self { location: Some(location), tag: Some(etag(seq)), view }
    }

    /// An account of what was done, which has no version.
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
