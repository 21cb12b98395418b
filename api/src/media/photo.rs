//! Photos: decoded within limits, turned upright, made anew without what the camera wrote into
//! them, in the sizes that are shown.
//!
//! Work is done on few threads of low priority, so that memory is bounded by their number: a
//! photo of 50 million picture elements takes about 170 MB while it is decoded, a progressive one
//! about 450 MB, and of such large ones only one is decoded at a time.

use std::{
    error::Error,
    io::{self, Cursor, Read, Seek},
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    Instant,
    media::{Format, Kind, Unfit},
};
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage,
    codecs::jpeg::JpegEncoder, imageops::FilterType, metadata::Orientation,
};

use super::camera;
use crate::background::Background;

/// The longest side of each size that is shown.
const FULL: u32 = 4096;
const LARGE: u32 = 1024;
const SMALL: u32 = 240;

/// Above so many picture elements a photo is decoded alone.
const ALONE: u64 = 24_000_000;

/// What a decoder may allocate besides the picture.
const MOST_MEMORY: u64 = 512 * 1024 * 1024;

/// What is made of a photo.
pub(super) struct Photo {
    /// Width and height, upright, as it was sent.
    pub(super) size: (u32, u32),
    /// In full, at most 4096 a side.
    pub(super) full: Vec<u8>,
    /// The larger thumbnail.
    pub(super) large: Vec<u8>,
    /// The smaller thumbnail.
    pub(super) small: Vec<u8>,
    /// A perceptual hash.
    pub(super) look: u64,
    /// When it was taken, as the camera says.
    pub(super) taken_at: Option<Instant>,
    /// Where: longitude and latitude in degrees.
    pub(super) place: Option<(f64, f64)>,
}

/// Where photos are looked at.
#[derive(Clone, Debug)]
pub struct Darkroom {
    threads: Background,
    alone: Arc<Mutex<()>>,
}

impl Darkroom {
    /// With as many threads as there are pairs of processors, at most four.
    pub fn new() -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let threads = Background::start("photo", (cores / 2).clamp(1, 4))?;
        Ok(Self { threads, alone: Arc::default() })
    }

    /// Makes of a photo what is shown of it.
    pub(super) async fn develop(
        &self,
        mut file: std::fs::File,
        format: Format,
    ) -> Result<Photo, Unfit> {
        let alone = Arc::clone(&self.alone);
        let work = move || {
            let mut bytes = Vec::new();
            file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(|error| {
                tracing::warn!(%error, "cannot read a temporary file");
                Unfit::Broken
            })?;
            developed(bytes, format, &alone)
        };
        // A decoder that panics found something nobody thought of.
        self.threads.run(work).await.unwrap_or(Err(Unfit::Broken))
    }
}

fn developed(bytes: Vec<u8>, format: Format, alone: &Mutex<()>) -> Result<Photo, Unfit> {
    let known = match format {
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Png => ImageFormat::Png,
        Format::Webp => ImageFormat::WebP,
        Format::Gif => ImageFormat::Gif,
        Format::Mp4
        | Format::Mov
        | Format::Mp3
        | Format::M4a
        | Format::Amr
        | Format::Aac
        | Format::Wav => return Err(Unfit::Unknown),
    };
    let whole = ends(&bytes, format);
    if format == Format::Jpeg && !whole {
        return Err(Unfit::Truncated);
    }
    // Of other formats a decoder says first whether what is there can be read.
    let torn = |why| if why == Unfit::Broken && !whole { Unfit::Truncated } else { why };
    opened(bytes, known, alone).map_err(torn)
}

fn opened(bytes: Vec<u8>, known: ImageFormat, alone: &Mutex<()>) -> Result<Photo, Unfit> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), known);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| unfit(&error))?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > Kind::MOST_PIXELS {
        return Err(Unfit::TooManyPixels);
    }
    if pixels == 0 {
        return Err(Unfit::Broken);
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let notes = decoder.exif_metadata().ok().flatten();
    let notes = notes.map(camera::read).unwrap_or_default();
    let guard = (pixels > ALONE).then(|| alone.lock().unwrap_or_else(PoisonError::into_inner));
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| unfit(&error))?;
    // Smaller first: turning takes a copy.
    let mut full = DynamicImage::ImageRgb8(plain(within(picture, FULL)));
    drop(guard);
    full.apply_orientation(orientation);
    let turned = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let large = full.thumbnail(LARGE.min(full.width()), LARGE.min(full.height()));
    let small = large.thumbnail(SMALL.min(large.width()), SMALL.min(large.height()));
    Ok(Photo {
        size: if turned { (height, width) } else { (width, height) },
        look: look(&small),
        full: encoded(full, 88)?,
        large: encoded(large, 82)?,
        small: encoded(small, 78)?,
        taken_at: notes.taken_at,
        place: notes.place,
    })
}

/// The picture, no side longer than `side`.
fn within(picture: DynamicImage, side: u32) -> DynamicImage {
    if picture.width().max(picture.height()) <= side {
        return picture;
    }
    picture.thumbnail(side, side)
}

/// Colours alone; what is transparent lies on white.
fn plain(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let picture = picture.into_rgba8();
    let mut plain = RgbImage::new(picture.width(), picture.height());
    for (to, from) in plain.pixels_mut().zip(picture.pixels()) {
        let [red, green, blue, alpha] = from.0.map(u16::from);
        let over = |colour: u16| {
            let mixed = (colour * alpha + 255 * (255 - alpha)) / 255;
            u8::try_from(mixed).unwrap_or(u8::MAX)
        };
        to.0 = [over(red), over(green), over(blue)];
    }
    plain
}

fn encoded(picture: DynamicImage, quality: u8) -> Result<Vec<u8>, Unfit> {
    let mut bytes = Vec::new();
    picture
        .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality))
        .map_err(|error| unfit(&error))?;
    Ok(bytes)
}

/// A difference hash: for each of 8 rows, whether each of 8 places is darker than the next one.
fn look(picture: &DynamicImage) -> u64 {
    let grey = picture.resize_exact(9, 8, FilterType::Triangle).into_luma8();
    let mut look = 0;
    for row in grey.rows() {
        let row: Vec<u8> = row.map(|pixel| pixel.0[0]).collect();
        for pair in row.windows(2) {
            look = look << 1 | u64::from(pair.first() < pair.last());
        }
    }
    look
}

/// Whether a photo has an end: what was cut off on its way has none.
fn ends(bytes: &[u8], format: Format) -> bool {
    if format == Format::Png {
        return bytes.windows(4).rev().take(64 * 1024).any(|four| four == b"IEND");
    }
    if format != Format::Jpeg {
        return true;
    }
    let begins = scan_begins(bytes);
    begins
        .and_then(|at| bytes.get(at..))
        .is_some_and(|scan| scan.windows(2).any(|pair| pair == [0xff, 0xd9]))
}

/// Where the picture itself begins, after the segments before it.
fn scan_begins(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        let marker = *bytes.get(at + 1)?;
        match (bytes.get(at)?, marker) {
            // Filled up with ones.
            (0xff, 0xff) => at += 1,
            (0xff, 0xda) => return Some(at),
            // Without a length.
            (0xff, 0x01 | 0xd0..=0xd8) => at += 2,
            (0xff, _) => {
                let length = bytes.get(at + 2..at + 4)?;
                let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                at += 2 + length.max(2);
            }
            // Between segments decoders skip what is none.
            _ => at += 1,
        }
    }
}

/// Why a decoder refuses.
fn unfit(error: &ImageError) -> Unfit {
    if matches!(error, ImageError::Limits(_)) {
        return Unfit::TooManyPixels;
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(one) = cause {
        let io = one.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::UnexpectedEof) {
            return Unfit::Truncated;
        }
        cause = one.source();
    }
    Unfit::Broken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(change: u8) -> DynamicImage {
        DynamicImage::ImageRgb8(RgbImage::from_fn(640, 480, |x, y| {
            let wave = (f64::from(x) / 40.0).sin() * (f64::from(y) / 30.0).cos();
            #[expect(
                clippy::as_conversions,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a picture"
            )]
            let grey = (wave * 100.0 + 128.0) as u8;
            image::Rgb([grey, grey.saturating_add(change), grey / 2])
        }))
    }

    #[test]
    fn the_same_photo_looks_the_same_however_it_is_packed() {
        let first = look(&picture(0));
        let small = picture(0).resize(200, 150, FilterType::Triangle);
        let packed = image::load_from_memory(&encoded(small, 40).unwrap()).unwrap();
        assert!((first ^ look(&packed)).count_ones() <= 4);
        let mut other = picture(0);
        other.invert();
        assert!((first ^ look(&other)).count_ones() > 10);
    }

    #[test]
    fn what_was_cut_off_has_no_end() {
        let whole = encoded(picture(3), 80).unwrap();
        assert!(ends(&whole, Format::Jpeg));
        for length in [3, 10, 100, whole.len() / 2, whole.len() - 2] {
            assert!(!ends(&whole[..length], Format::Jpeg), "{length}");
        }
        for length in 0..whole.len().min(700) {
            let _ = ends(&whole[..length], Format::Jpeg);
        }
    }
}
