//! What a connection remembers between its requests: a body in chunks is the last one on it.
//!
//! A proxy and this server may disagree where such a body ends (a line feed in
//! the place of the end of line is enough: CVE-2026-134342), and one of them may take for a request
//! what the other takes for the body. So the answer to a body in chunks closes the connection, and
//! nothing that follows on it is executed.

use std::{
    any::Any,
    sync::atomic::{AtomicBool, Ordering},
};

use actix_web::{
    Error,
    body::BoxBody,
    dev::{Extensions, ServiceRequest, ServiceResponse},
    http::{ConnectionType, header::TRANSFER_ENCODING},
    middleware::Next,
};

use crate::http::problem::{Code, Problem, refuse_request};

/// One connection of a client or proxy.
#[derive(Debug, Default)]
pub struct Connection {
    /// Whether it has carried a body of unknown length.
    ended: AtomicBool,
}

/// Begins to remember: for `HttpServer::on_connect`.
pub fn remember(_: &dyn Any, data: &mut Extensions) {
    data.insert(Connection::default());
}

/// The middleware: executes nothing after a body in chunks, and closes the connection behind it.
pub async fn guard(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let chunked = request.headers().contains_key(TRANSFER_ENCODING);
    let ended = request.conn_data::<Connection>().is_some_and(|connection| {
        if chunked {
            connection.ended.swap(true, Ordering::Relaxed)
        } else {
            connection.ended.load(Ordering::Relaxed)
        }
    });
    if ended {
        let problem = Problem::new(Code::BadRequest).detail(
            "同一连接上，分块传输（chunked）的请求之后不再受理其他请求；请在新的连接上重发。",
            "After a request with a chunked body, no other request is accepted on the same \
             connection; send it again on a new connection.",
        );
        tracing::warn!("a request after a chunked one on the same connection was not executed");
        let mut refused = refuse_request(request, problem);
        refused.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        return Ok(refused);
    }
    let mut response = next.call(request).await?;
    if chunked {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}
