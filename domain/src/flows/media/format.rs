//! Detects the format of a file from its first bytes: neither its name nor its declared type
//! counts.

use serde::{Deserialize, Serialize};

use crate::core::labelled_enum::labelled_enum;

labelled_enum! {
    /// A kind of file.
    Kind {
        /// A photo, shown as an image.
        Photo = "photo", "照片";
        /// A video, with or without sound.
        Video = "video", "视频";
        /// A sound without a picture.
        Audio = "audio", "录音";
    }
}

labelled_enum! {
    /// A format that is accepted.
    Format {
        /// JPEG, a photo.
        Jpeg = "jpeg", "JPEG";
        /// PNG, a photo without loss.
        Png = "png", "PNG";
        /// WebP, a photo.
        Webp = "webp", "WebP";
        /// GIF; its first picture.
        Gif = "gif", "GIF";
        /// MPEG-4, a video.
        Mp4 = "mp4", "MP4";
        /// QuickTime, a video.
        Mov = "mov", "MOV";
        /// MPEG audio, layer III.
        Mp3 = "mp3", "MP3";
        /// MPEG-4, sound alone.
        M4a = "m4a", "M4A";
        /// Adaptive multi-rate speech.
        Amr = "amr", "AMR";
        /// AAC in ADTS.
        Aac = "aac", "AAC";
        /// RIFF WAVE, uncompressed sound.
        Wav = "wav", "WAV";
    }
}

labelled_enum! {
    /// Why a file is refused.
    Unfit {
        /// It is empty.
        Empty = "empty", "文件是空的";
        /// HEIC, the native photo format of an iPhone.
        Heic = "heic", "HEIC/HEIF 照片";
        /// An AV1 picture.
        Avif = "avif", "AVIF 图片";
        /// The format is unknown.
        Unknown = "unknown_format", "不认识的格式";
        /// It ends too early.
        Truncated = "truncated", "文件不完整";
        /// It cannot be read as what it says it is.
        Broken = "broken", "文件已损坏";
        /// It has more pixels than are accepted.
        TooManyPixels = "too_many_pixels", "像素过多";
        /// Decoding it would take too long.
        TooMuchWork = "too_much_work", "解码工作量过大";
        /// It has more bytes than are accepted of its kind.
        TooLarge = "too_large", "文件过大";
    }
}

impl Kind {
    /// The most bytes of one request, whatever the kind; larger files are sent in pieces.
    pub const AT_ONCE: u64 = 20 * 1024 * 1024;

    /// The most bytes of a file.
    pub const fn most_bytes(self) -> u64 {
        const MIB: u64 = 1024 * 1024;
        match self {
            Self::Photo => 20 * MIB,
            Self::Audio => 50 * MIB,
            Self::Video => 200 * MIB,
        }
    }

    /// The most bytes of any file.
    pub const LARGEST: u64 = Self::Video.most_bytes();

    /// The most pixels of a photo: 50 million.
    pub const MOST_PIXELS: u64 = 50_000_000;

    /// The most decoding work of a photo ([`Passes::work`]): that of the largest accepted photo,
    /// with as many passes as cameras and programs use.
    pub const MOST_WORK: u64 = 5 * Self::MOST_PIXELS;
}

/// The encoding of a photo, as far as it determines the work of decoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Passes {
    /// The number of its pixels.
    pub pixels: u64,
    /// How often a decoder goes over them.
    pub passes: u64,
}

impl Passes {
    /// The work, in pixels decoded once and shown: each further pass counts a quarter of that, and
    /// none is free, however small the picture.
    pub const fn work(self) -> u64 {
        const LEAST: u64 = 65_536;
        let more = self.passes.saturating_sub(1);
        let pass = if self.pixels > LEAST { self.pixels } else { LEAST };
        self.pixels.saturating_add(more.saturating_mul(pass) / 4)
    }
}

impl Format {
    /// The kind of file.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Jpeg | Self::Png | Self::Webp | Self::Gif => Kind::Photo,
            Self::Mp4 | Self::Mov => Kind::Video,
            Self::Mp3 | Self::M4a | Self::Amr | Self::Aac | Self::Wav => Kind::Audio,
        }
    }

    /// Its media type.
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
            Self::Mp4 => "video/mp4",
            Self::Mov => "video/quicktime",
            Self::Mp3 => "audio/mpeg",
            Self::M4a => "audio/mp4",
            Self::Amr => "audio/amr",
            Self::Aac => "audio/aac",
            Self::Wav => "audio/wav",
        }
    }

    /// The extension of a file name for the format.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png
            | Self::Webp
            | Self::Gif
            | Self::Mp4
            | Self::Mov
            | Self::Mp3
            | Self::M4a
            | Self::Amr
            | Self::Aac
            | Self::Wav => self.name(),
        }
    }
}

/// The format of a file that begins with `head` (its first 64 bytes are enough).
pub fn sniff_format(head: &[u8]) -> Result<Format, Unfit> {
    if head.is_empty() {
        return Err(Unfit::Empty);
    }
    let four = |at: usize| head.get(at..at + 4);
    if head.starts_with(&[0xff, 0xd8, 0xff]) {
        return Ok(Format::Jpeg);
    }
    if head.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Ok(Format::Png);
    }
    if head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a") {
        return Ok(Format::Gif);
    }
    match (four(0), four(8)) {
        (Some(b"RIFF"), Some(b"WEBP")) => return Ok(Format::Webp),
        (Some(b"RIFF"), Some(b"WAVE")) => return Ok(Format::Wav),
        _ => {}
    }
    if four(4) == Some(b"ftyp") {
        return sniff_iso_media(head);
    }
    if head.starts_with(b"#!AMR") {
        return Ok(Format::Amr);
    }
    sniff_audio(head)
}

/// A file of the ISO base media family, by its brands: the major one, then the compatible ones.
fn sniff_iso_media(head: &[u8]) -> Result<Format, Unfit> {
    const HEIC: &[&[u8]] =
        &[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"hevm"];
    const AVIF: &[&[u8]] = &[b"avif", b"avis"];
    const VIDEO: &[&[u8]] = &[
        b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ",
        b"3gp4", b"3gp5", b"3gp6", b"dash", b"MSNV",
    ];
    let compatible = head.get(16..).unwrap_or_default().chunks_exact(4);
    let major = head.get(8..12).unwrap_or_default();
    let brands: Vec<&[u8]> = std::iter::once(major).chain(compatible).collect();
    // Some pictures have a generic major brand: the compatible brands are exact.
    if AVIF.contains(&major) || (major == b"mif1" && brands.iter().any(|b| AVIF.contains(b))) {
        return Err(Unfit::Avif);
    }
    if HEIC.contains(&major) {
        return Err(Unfit::Heic);
    }
    match major {
        b"qt  " => Ok(Format::Mov),
        b"M4A " | b"M4B " => Ok(Format::M4a),
        brand if VIDEO.contains(&brand) => Ok(Format::Mp4),
        _ => Err(Unfit::Unknown),
    }
}

/// MPEG and AAC sound, which begins with a frame or with a tag.
fn sniff_audio(head: &[u8]) -> Result<Format, Unfit> {
    if head.starts_with(b"ID3") {
        return Ok(Format::Mp3);
    }
    match head {
        // Twelve ones; layer 0 is AAC in ADTS.
        [0xff, second, third, ..] if second & 0xf6 == 0xf0 && third & 0x3c != 0x3c => {
            Ok(Format::Aac)
        }
        // Eleven ones, a layer, and a bit rate and a frequency that exist.
        [0xff, second, third, ..]
            if second & 0xe0 == 0xe0
                && second & 0x18 != 0x08
                && second & 0x06 == 0x02
                && third & 0xf0 != 0xf0
                && third & 0xf0 != 0
                && third & 0x0c != 0x0c =>
        {
            Ok(Format::Mp3)
        }
        _ => Err(Unfit::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_pass_over_a_photo_is_free() {
        let work = |pixels, passes| Passes { pixels, passes }.work();
        assert_eq!(work(12_000_000, 1), 12_000_000);
        assert_eq!(work(12_000_000, 9), 36_000_000);
        // The largest photo, as progressive as programs make them.
        assert!(work(Kind::MOST_PIXELS, 12) < Kind::MOST_WORK);
        assert!(work(64, 20_000) > Kind::MOST_WORK);
        assert_eq!(work(u64::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn the_first_bytes_say_what_it_is() {
        let brand = |brand: &[u8]| [b"\0\0\0\x18ftyp", brand, b"\0\0\0\0mp42isom"].concat();
        for (head, expected) in [
            (b"\xff\xd8\xff\xe0".to_vec(), Ok(Format::Jpeg)),
            (b"\x89PNG\r\n\x1a\n".to_vec(), Ok(Format::Png)),
            (b"GIF89a".to_vec(), Ok(Format::Gif)),
            (b"RIFF\0\0\0\0WEBPVP8 ".to_vec(), Ok(Format::Webp)),
            (b"RIFF\0\0\0\0WAVEfmt ".to_vec(), Ok(Format::Wav)),
            (b"RIFF\0\0\0\0AVI LIST".to_vec(), Err(Unfit::Unknown)),
            (brand(b"isom"), Ok(Format::Mp4)),
            (brand(b"qt  "), Ok(Format::Mov)),
            (brand(b"M4A "), Ok(Format::M4a)),
            (brand(b"heic"), Err(Unfit::Heic)),
            (brand(b"mif1"), Err(Unfit::Heic)),
            (brand(b"avif"), Err(Unfit::Avif)),
            (brand(b"zzzz"), Err(Unfit::Unknown)),
            (b"#!AMR\n\x3c".to_vec(), Ok(Format::Amr)),
            (b"ID3\x04\0".to_vec(), Ok(Format::Mp3)),
            (b"\xff\xfb\x90\x64".to_vec(), Ok(Format::Mp3)),
            (b"\xff\xf1\x50\x80".to_vec(), Ok(Format::Aac)),
            (b"".to_vec(), Err(Unfit::Empty)),
            (b"<html>".to_vec(), Err(Unfit::Unknown)),
            (b"%PDF-1.7".to_vec(), Err(Unfit::Unknown)),
            (b"MZ\x90\0".to_vec(), Err(Unfit::Unknown)),
            (b"<svg xmlns=".to_vec(), Err(Unfit::Unknown)),
        ] {
            assert_eq!(sniff_format(&head), expected, "{head:?}");
        }
        let generic = b"\0\0\0\x1cftypmif1\0\0\0\0avifmif1miaf";
        assert_eq!(sniff_format(generic), Err(Unfit::Avif));
    }

    proptest! {
        #[test]
        fn any_bytes_are_something_or_nothing(head: Vec<u8>) {
            let _ = sniff_format(&head);
        }
    }
}
