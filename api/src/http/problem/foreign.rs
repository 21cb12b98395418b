//! Errors that actix made itself, as problems: nothing leaves in another format.

use actix_web::{
    Error, HttpResponse,
    error::{JsonPayloadError, PathError, PayloadError, QueryPayloadError, UrlencodedError},
    http::{
        StatusCode,
        header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};

use super::{Code, Problem};

/// The problem in place of an error response that did not come from this program's own code.
pub(crate) fn foreign_problem<B>(response: &HttpResponse<B>) -> Problem {
    let error = response.error();
    let code = error.and_then(code_by_kind).unwrap_or_else(|| code_by_status(response.status()));
    let mut problem = Problem::new(code);
    for name in [ALLOW, RETRY_AFTER, WWW_AUTHENTICATE] {
        if let Some(value) = response.headers().get(&name) {
            problem.0.headers.push((name, value.clone()));
        }
    }
    match error {
        // What actix says of a bad request may quote it, and requests are not logged.
        Some(error) if response.status().is_server_error() => problem.because(error),
        Some(_) | None => problem,
    }
}

fn code_by_kind(error: &Error) -> Option<Code> {
    let is_path = error.as_error::<PathError>().is_some();
    let is_query = error.as_error::<QueryPayloadError>().is_some();
    let is_body = error.as_error::<JsonPayloadError>().is_some()
        || error.as_error::<UrlencodedError>().is_some();
    let overflow = matches!(error.as_error(), Some(PayloadError::Overflow))
        || error.as_response_error().status_code() == StatusCode::PAYLOAD_TOO_LARGE;
    match () {
        () if overflow => Some(Code::PayloadTooLarge),
        () if is_path => Some(Code::InvalidPath),
        () if is_query => Some(Code::InvalidQuery),
        () if is_body => Some(Code::InvalidBody),
        () => None,
    }
}

fn code_by_status(status: StatusCode) -> Code {
    match status {
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::NotPermitted,
        StatusCode::NOT_FOUND | StatusCode::GONE => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::REQUEST_TIMEOUT => Code::Timeout,
        StatusCode::CONFLICT => Code::LostRace,
        StatusCode::PRECONDITION_FAILED => Code::Stale,
        StatusCode::PAYLOAD_TOO_LARGE => Code::PayloadTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
        StatusCode::TOO_MANY_REQUESTS => Code::TooManyRequests,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        status if status.is_client_error() => Code::BadRequest,
        _ => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_actix_says_becomes_a_problem() {
        let response = HttpResponse::from_error(PayloadError::Overflow);
        assert_eq!(foreign_problem(&response).code(), Code::PayloadTooLarge);
        let response = HttpResponse::from_error(actix_web::error::ErrorNotFound("gone"));
        assert_eq!(foreign_problem(&response).code(), Code::NotFound);
        let response = HttpResponse::new(StatusCode::IM_A_TEAPOT);
        assert_eq!(foreign_problem(&response).code(), Code::BadRequest);
        let response = HttpResponse::new(StatusCode::BAD_GATEWAY);
        assert_eq!(foreign_problem(&response).code(), Code::Internal);
    }

    #[test]
    fn headers_with_a_meaning_are_kept() {
        let mut response = HttpResponse::new(StatusCode::METHOD_NOT_ALLOWED);
        response.headers_mut().insert(ALLOW, "GET, POST".parse().unwrap());
        let problem = foreign_problem(&response);
        assert_eq!(problem.code(), Code::MethodNotAllowed);
        assert_eq!(problem.0.headers.len(), 1);
    }
}
