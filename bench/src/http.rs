//! A client that costs little: one keep-alive connection, one request at a time.

use std::{io::Write, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use uuid::Uuid;

use crate::trouble::{Done, new_trouble};

/// A connection to the server that is kept open.
pub(crate) struct Client {
    stream: TcpStream,
    answer: Vec<u8>,
    body: usize,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Done<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::with_capacity(64 * 1024), body: 0 })
    }

    /// Sends a request and reads the whole answer; answers its status.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Done<u16> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        let (status, length) = loop {
            self.read_more().await?;
            if let Some(end) = self.answer.windows(4).position(|four| four == b"\r\n\r\n") {
                self.body = end + 4;
                break parse_head(self.answer.get(..end).unwrap_or_default())?;
            }
        };
        while self.answer.len() < self.body + length {
            self.read_more().await?;
        }
        Ok(status)
    }

    async fn read_more(&mut self) -> Done {
        if self.stream.read_buf(&mut self.answer).await? == 0 {
            return Err(new_trouble("the server closed the connection"));
        }
        Ok(())
    }

    /// The body of the last answer.
    pub(crate) fn body(&self) -> &[u8] {
        self.answer.get(self.body..).unwrap_or_default()
    }
}

/// The status and the length of the body.
fn parse_head(head: &[u8]) -> Done<(u16, usize)> {
    const LENGTH: &str = "content-length:";
    let head = std::str::from_utf8(head)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let length = lines.find_map(|line| {
        let (name, value) = line.split_at_checked(LENGTH.len())?;
        name.eq_ignore_ascii_case(LENGTH).then(|| value.trim().parse().ok())?
    });
    status
        .map(|status| (status, length.unwrap_or(0)))
        .ok_or_else(|| new_trouble("this is not HTTP"))
}

/// A request that reads.
pub(crate) fn get_request(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n")
        .into_bytes()
}

/// A request that writes, as the command with this key.
pub(crate) fn post_request(path: &str, token: &str, key: Uuid, body: &str) -> Vec<u8> {
    let mut request = Vec::with_capacity(1024 + body.len());
    // Writing to a vector cannot fail.
    let _ = write!(
        request,
        "POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nIdempotency-Key: {key}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    request
}
