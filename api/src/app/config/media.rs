//! Where the bytes of files are kept, as an address.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::Deserialize;

/// A folder, or a bucket.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub enum MediaUrl {
    /// `file:///…`, or a path.
    Folder(PathBuf),
    /// `s3://BUCKET?endpoint=…&region=…`.
    Bucket {
        /// The bucket's name, as `BUCKET` in the address.
        bucket: String,
        /// The endpoint, where that is not Amazon's.
        endpoint: Option<String>,
        /// The region it lies in.
        region: Option<String>,
    },
}

/// An address that names neither a folder nor a bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotAPlace(String);

impl fmt::Display for NotAPlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}; expected file:///FOLDER or s3://BUCKET?endpoint=https://HOST&region=REGION",
            self.0
        )
    }
}

impl std::error::Error for NotAPlace {}

impl FromStr for MediaUrl {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let wrong = |why: &str| NotAPlace(why.to_owned());
        if let Some(folder) = text.strip_prefix("file://") {
            if folder.is_empty() {
                return Err(wrong("file:// needs a folder"));
            }
            return Ok(Self::Folder(PathBuf::from(folder)));
        }
        let Some(rest) = text.strip_prefix("s3://") else {
            let scheme = text.split_once("://");
            return match scheme {
                Some((scheme, _)) => {
                    Err(NotAPlace(format!("{scheme}:// is not a kind of storage")))
                }
                None if text.is_empty() => Err(wrong("the value is empty")),
                None => Ok(Self::Folder(PathBuf::from(text))),
            };
        };
        let (bucket, query) = rest.split_once('?').unwrap_or((rest, ""));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if bucket.is_empty() || !bucket.chars().all(plain) {
            return Err(wrong("s3:// needs the name of a bucket (letters, digits, -, . and _)"));
        }
        let (mut endpoint, mut region) = (None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "endpoint" => {
                    let web = value.starts_with("https://") || value.starts_with("http://");
                    if !web || value.contains('@') {
                        return Err(wrong(
                            "endpoint must begin with https:// or http:// and contain no @",
                        ));
                    }
                    endpoint = Some(value.into_owned());
                }
                "region" => region = Some(value.into_owned()),
                other => return Err(NotAPlace(format!("the parameter {other} is unknown"))),
            }
        }
        Ok(Self::Bucket { bucket: bucket.to_owned(), endpoint, region })
    }
}

impl TryFrom<String> for MediaUrl {
    type Error = NotAPlace;

    fn try_from(text: String) -> Result<Self, NotAPlace> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_folder_or_a_bucket() {
        let folder = |path: &str| MediaUrl::Folder(PathBuf::from(path));
        assert_eq!("file:///srv/media".parse(), Ok(folder("/srv/media")));
        assert_eq!("media".parse(), Ok(folder("media")));
        let url = "s3://grid?endpoint=http%3A%2F%2F127.0.0.1%3A9000&region=cn";
        let Ok(MediaUrl::Bucket { bucket, endpoint, region }) = url.parse() else {
            panic!("a bucket")
        };
        assert_eq!(bucket, "grid");
        assert_eq!(endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!(region.as_deref(), Some("cn"));
        for wrong in
            ["", "file://", "s3://", "s3://a b", "gs://x", "s3://a?endpoint=x", "s3://a?x=1"]
        {
            assert!(wrong.parse::<MediaUrl>().is_err(), "{wrong}");
        }
    }
}
