//! Photos: decoded within limits, turned upright, made anew without what the camera wrote into
//! them, in the sizes that are shown.
//!
//! What a photo costs is estimated first ([`Passes`]): one that would cost too much is refused
//! before anything is unpacked. Work is done on few threads of low priority, the senders in turn,
//! and large photos on a thread of their own: an ordinary photo waits for no large one, and no
//! sender waits for all the photos of another. Memory is bounded by the number of threads: a photo
//! of 50 million picture elements takes about 170 MB while it is decoded, a progressive one about
//! 450 MB, and of such large ones only one is decoded at a time.

use std::{
    error::Error,
    io::{self, BufRead, Cursor, Read, Seek, SeekFrom},
    time::{Duration, Instant as Moment},
};

use actix_web::http::header::RETRY_AFTER;
use domain::{
    Instant,
    core::id::PersonId,
    flows::media::{Format, Kind, Passes, Unfit},
};
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage,
    codecs::jpeg::JpegEncoder, imageops::FilterType, metadata::Orientation,
};

use zune_core::{bytestream::ZCursor, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

use super::{camera, receive::unfit_problem as refused, turns::Lane};
use crate::{
    app::background::Background,
    http::problem::{Code, Problem, Reply},
};

/// The longest side of each size that is shown.
const FULL: u32 = 4096;
const LARGE: u32 = 1024;
const SMALL: u32 = 240;

/// The work of a photo beyond which it is done on the thread for large ones: telephones take photos
/// of 12 million picture elements.
const APART: u64 = 16_000_000;

/// What a decoder may allocate besides the picture.
const MOST_MEMORY: u64 = 512 * 1024 * 1024;

/// How long one photo may take: many times as long as the largest does.
const DEADLINE: Duration = Duration::from_mins(1);

/// How long a sender waits for a turn before the request is refused with a time to retry.
const PATIENCE: Duration = Duration::from_mins(2);

/// The result of decoding a photo.
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
    /// When it was taken, by the camera's clock.
    pub(super) taken_at: Option<Instant>,
    /// Where it was taken: longitude and latitude in degrees.
    pub(super) place: Option<(f64, f64)>,
}

/// The threads that decode photos.
pub struct Darkroom {
    /// Estimates the work, which takes milliseconds, one at a time.
    scales: Background,
    /// Develops ordinary photos.
    usual: Lane<PersonId>,
    /// Develops large photos, one at a time, and a quarter of the time.
    apart: Lane<PersonId>,
}

impl Darkroom {
    /// Starts as many threads as there are pairs of processors, at most four, and one for large
    /// photos.
    pub fn new() -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Ok(Self {
            scales: Background::start("weigh", 1)?,
            usual: Lane::start("photo", (cores / 2).clamp(1, 4))?,
            apart: Lane::start("large", 1)?.with_rests(),
        })
    }

    /// How much work a photo is ([`Passes::work`]); refused when it is too much. An unreadable
    /// photo is no work: it is refused when it is developed.
    pub(super) async fn weigh_photo(
        &self,
        mut file: std::fs::File,
        format: Format,
    ) -> Result<u64, Unfit> {
        let work = move || weigh_bytes(read_whole(&mut file)?, format);
        self.scales.run(work).await.unwrap_or(Err(Unfit::Broken))
    }

    /// Develops a photo into the variants that are shown; `work` says how much work it is.
    pub(super) async fn develop_photo(
        &self,
        by: PersonId,
        mut file: std::fs::File,
        format: Format,
        work: u64,
    ) -> Reply<Photo> {
        let lane = if work > APART { &self.apart } else { &self.usual };
        let job = move || develop_bytes(read_whole(&mut file)?, format, Deadline::new());
        match tokio::time::timeout(PATIENCE, lane.run(by, job)).await {
            // A decoder that panics met an input its authors did not expect.
            Ok(done) => done.unwrap_or(Err(Unfit::Broken)).map_err(refused),
            Err(_) => Err(Problem::new(Code::Overloaded)
                .detail(
                    "等待处理的照片太多；请在 30 秒后用同一个编号重新上传。",
                    "Too many photos are waiting to be processed; upload it again with the same \
                     id in 30 seconds.",
                )
                .header(RETRY_AFTER, "30")),
        }
    }
}

/// The bytes of a temporary file.
fn read_whole(file: &mut std::fs::File) -> Result<Vec<u8>, Unfit> {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(|error| {
        tracing::warn!(%error, "cannot read a temporary file");
        Unfit::Broken
    })?;
    Ok(bytes)
}

/// When to stop working on a photo.
#[derive(Clone, Copy)]
struct Deadline(Moment);

impl Deadline {
    fn new() -> Self {
        Self(Moment::now() + DEADLINE)
    }

    fn is_over(self) -> bool {
        Moment::now() >= self.0
    }

    fn check(self) -> Result<(), Unfit> {
        if self.is_over() { Err(Unfit::TooMuchWork) } else { Ok(()) }
    }
}

/// A photo that can be read until the deadline: decoders that read as they go stop there.
struct Timed<R>(R, Deadline);

impl<R> Timed<R> {
    fn check(&self) -> io::Result<()> {
        if self.1.is_over() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}

impl<R: Read> Read for Timed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.0.read(buffer)
    }
}

impl<R: BufRead> BufRead for Timed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.check()?;
        self.0.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.0.consume(amount);
    }
}

impl<R: Seek> Seek for Timed<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

fn image_format(format: Format) -> Result<ImageFormat, Unfit> {
    match format {
        Format::Jpeg => Ok(ImageFormat::Jpeg),
        Format::Png => Ok(ImageFormat::Png),
        Format::Webp => Ok(ImageFormat::WebP),
        Format::Gif => Ok(ImageFormat::Gif),
        Format::Mp4
        | Format::Mov
        | Format::Mp3
        | Format::M4a
        | Format::Amr
        | Format::Aac
        | Format::Wav => Err(Unfit::Unknown),
    }
}

fn weigh_bytes(bytes: Vec<u8>, format: Format) -> Result<u64, Unfit> {
    let passes = count_passes(&bytes, format);
    let sides =
        ImageReader::with_format(Cursor::new(bytes), image_format(format)?).into_dimensions();
    let Ok((width, height)) = sides else { return Ok(0) };
    let pixels = u64::from(width) * u64::from(height);
    if pixels > Kind::MOST_PIXELS {
        return Err(Unfit::TooManyPixels);
    }
    let work = Passes { pixels, passes }.work();
    if work > Kind::MOST_WORK { Err(Unfit::TooMuchWork) } else { Ok(work) }
}

/// How often a decoder goes over the picture.
fn count_passes(bytes: &[u8], format: Format) -> u64 {
    match format {
        // Interlaced, or with two bytes a colour: each costs about as much as the picture again.
        Format::Png => {
            let interlaced = bytes.get(28) == Some(&1);
            let deep = bytes.get(24) == Some(&16);
            1 + 4 * (u64::from(interlaced) + u64::from(deep))
        }
        // Progressive photos come in scans, each over the whole picture.
        Format::Jpeg => {
            let scans = find_scan(bytes).and_then(|at| bytes.get(at..)).unwrap_or_default();
            let scans = scans.windows(2).filter(|pair| pair == &[0xff, 0xda]).count();
            u64::try_from(scans).unwrap_or(u64::MAX).max(1)
        }
        Format::Webp
        | Format::Gif
        | Format::Mp4
        | Format::Mov
        | Format::Mp3
        | Format::M4a
        | Format::Amr
        | Format::Aac
        | Format::Wav => 1,
    }
}

fn develop_bytes(bytes: Vec<u8>, format: Format, deadline: Deadline) -> Result<Photo, Unfit> {
    let known = image_format(format)?;
    let whole = has_end(&bytes, format);
    if format == Format::Jpeg && !whole {
        return Err(Unfit::Truncated);
    }
    // For other formats a decoder says first whether the data can be read.
    let torn = |why| if why == Unfit::Broken && !whole { Unfit::Truncated } else { why };
    // Decoders report the end of their input by many errors.
    let over = |why| if deadline.is_over() { Unfit::TooMuchWork } else { torn(why) };
    decode_photo(&bytes, known, deadline).map_err(over)
}

fn decode_photo(bytes: &[u8], known: ImageFormat, deadline: Deadline) -> Result<Photo, Unfit> {
    let mut reader = ImageReader::with_format(Timed(Cursor::new(bytes), deadline), known);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| classify_error(&error))?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > Kind::MOST_PIXELS {
        return Err(Unfit::TooManyPixels);
    }
    if pixels == 0 {
        return Err(Unfit::Broken);
    }
    let notes = decoder.exif_metadata().ok().flatten();
    let mut notes = notes.map(camera::read).unwrap_or_default();
    if notes.place.is_none()
        && let Ok(Some(xmp)) = decoder.xmp_metadata()
    {
        notes.place = camera::read_xmp_place(&xmp);
    }
    let turned = notes.orientation.and_then(Orientation::from_exif);
    let orientation = turned.or_else(|| decoder.orientation().ok());
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| classify_error(&error))?;
    deadline.check()?;
    if known == ImageFormat::Jpeg && looks_unfinished(&picture) && !is_sound_jpeg(bytes) {
        return Err(Unfit::Broken);
    }
    deadline.check()?;
    // Shrunk first: turning takes a copy.
    let mut full = DynamicImage::ImageRgb8(flatten_alpha(shrink_picture(picture, FULL)));
    deadline.check()?;
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
    deadline.check()?;
    Ok(Photo {
        size: if turned { (height, width) } else { (width, height) },
        look: compute_look(&small),
        full: encode_jpeg(full, 88)?,
        large: encode_jpeg(large, 82)?,
        small: encode_jpeg(small, 78)?,
        taken_at: notes.taken_at,
        place: notes.place,
    })
}

/// What a decoder of JPEG leaves where it could not read on.
const UNREAD: u8 = 128;

/// Whether a picture may be what a decoder had when it could not read on: grey rows at its end, or
/// a quarter of it grey.
fn looks_unfinished(picture: &DynamicImage) -> bool {
    const BLOCK: usize = 8;
    let width = usize::try_from(picture.width()).unwrap_or(usize::MAX);
    let bytes = picture.as_bytes();
    let row = bytes.len() / usize::try_from(picture.height()).unwrap_or(1).max(1);
    let unread = |some: &[u8]| some.iter().all(|byte| *byte == UNREAD);
    let height = bytes.len().checked_div(row).unwrap_or_default();
    let grey_rows = bytes.rchunks_exact(row.max(1)).take_while(|row| unread(row)).count();
    if grey_rows >= BLOCK.min(height) {
        return true;
    }
    let pixel = row.checked_div(width).unwrap_or(1).max(1);
    let pixels = || bytes.chunks_exact(pixel);
    pixels().filter(|pixel| unread(pixel)).count() * 4 >= pixels().count()
}

/// Whether a JPEG can be read to its end without anything amiss.
fn is_sound_jpeg(bytes: &[u8]) -> bool {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX);
    JpegDecoder::new_with_options(ZCursor::new(bytes), options).decode().is_ok()
}

/// The picture, no side longer than `side`.
fn shrink_picture(picture: DynamicImage, side: u32) -> DynamicImage {
    if picture.width().max(picture.height()) <= side {
        return picture;
    }
    picture.thumbnail(side, side)
}

/// Flattens transparency onto white.
fn flatten_alpha(picture: DynamicImage) -> RgbImage {
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

fn encode_jpeg(picture: DynamicImage, quality: u8) -> Result<Vec<u8>, Unfit> {
    let mut bytes = Vec::new();
    picture
        .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality))
        .map_err(|error| classify_error(&error))?;
    Ok(bytes)
}

/// A difference hash: for each of 8 rows, whether each of 8 places is darker than the next one.
fn compute_look(picture: &DynamicImage) -> u64 {
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

/// Whether a photo has an end marker: one that was cut off on its way has none.
fn has_end(bytes: &[u8], format: Format) -> bool {
    if format == Format::Png {
        return bytes.windows(4).rev().take(64 * 1024).any(|four| four == b"IEND");
    }
    if format != Format::Jpeg {
        return true;
    }
    let begins = find_scan(bytes);
    begins
        .and_then(|at| bytes.get(at..))
        .is_some_and(|scan| scan.windows(2).any(|pair| pair == [0xff, 0xd9]))
}

/// Where the image data begins, after the segments before it.
fn find_scan(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        let marker = *bytes.get(at + 1)?;
        match (bytes.get(at)?, marker) {
            // A fill byte.
            (0xff, 0xff) => at += 1,
            (0xff, 0xda) => return Some(at),
            // A marker without a length.
            (0xff, 0x01 | 0xd0..=0xd8) => at += 2,
            (0xff, _) => {
                let length = bytes.get(at + 2..at + 4)?;
                let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                at += 2 + length.max(2);
            }
            // Decoders skip other bytes between segments.
            _ => at += 1,
        }
    }
}

/// Why a decoder refuses.
fn classify_error(error: &ImageError) -> Unfit {
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
        let first = compute_look(&picture(0));
        let small = picture(0).resize(200, 150, FilterType::Triangle);
        let packed = image::load_from_memory(&encode_jpeg(small, 40).unwrap()).unwrap();
        assert!((first ^ compute_look(&packed)).count_ones() <= 4);
        let mut other = picture(0);
        other.invert();
        assert!((first ^ compute_look(&other)).count_ones() > 10);
    }

    #[test]
    fn work_is_known_before_it_is_done() {
        let png = |width: u32, height: u32, depth: u8, interlaced: u8| {
            let mut bytes = Vec::new();
            let picture = DynamicImage::new_luma8(1, 1);
            picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
            bytes[16..20].copy_from_slice(&width.to_be_bytes());
            bytes[20..24].copy_from_slice(&height.to_be_bytes());
            (bytes[24], bytes[28]) = (depth, interlaced);
            bytes
        };
        let passes_of = |bytes: &[u8]| count_passes(bytes, Format::Png);
        assert_eq!(passes_of(&png(9, 9, 8, 0)), 1);
        assert_eq!(passes_of(&png(9, 9, 8, 1)), 5);
        assert_eq!(passes_of(&png(9, 9, 16, 1)), 9);
        let jpeg = encode_jpeg(picture(3), 80).unwrap();
        assert_eq!(weigh_bytes(jpeg.clone(), Format::Jpeg), Ok(640 * 480));
        // As many scans as fit into a file.
        let scans = [jpeg, [0xff, 0xda].repeat(20_000)].concat();
        assert_eq!(weigh_bytes(scans, Format::Jpeg), Err(Unfit::TooMuchWork));
        assert_eq!(weigh_bytes(b"no photo".to_vec(), Format::Jpeg), Ok(0));
    }

    #[test]
    fn nobody_works_on_a_photo_for_ever() {
        let over = Deadline(Moment::now());
        let bytes = encode_jpeg(picture(3), 80).unwrap();
        let refused = develop_bytes(bytes.clone(), Format::Jpeg, over).err();
        assert_eq!(refused, Some(Unfit::TooMuchWork));
        assert!(develop_bytes(bytes, Format::Jpeg, Deadline::new()).is_ok());
    }

    #[test]
    fn what_was_cut_off_has_no_end() {
        let whole = encode_jpeg(picture(3), 80).unwrap();
        assert!(has_end(&whole, Format::Jpeg));
        for length in [3, 10, 100, whole.len() / 2, whole.len() - 2] {
            assert!(!has_end(&whole[..length], Format::Jpeg), "{length}");
        }
        for length in 0..whole.len().min(700) {
            let _ = has_end(&whole[..length], Format::Jpeg);
        }
    }
}
