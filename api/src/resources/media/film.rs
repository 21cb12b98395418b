//! Videos and sounds in MPEG-4 and QuickTime: where they were taken is blanked before they are
//! kept. Everything else stays where it was, so nothing in the file has to be counted anew.

use std::io::{self, Read, Seek, SeekFrom, Write};

use actix_web::web;
use domain::flows::media::Unfit;

use super::receive::unfit_problem;
use crate::http::problem::{Code, Problem, Reply};

/// The most boxes that are looked at.
const MOST_BOXES: usize = 100_000;

/// The most bytes of one table of samples: a day of them.
const MOST_TABLE: u64 = 16 * 1024 * 1024;

/// Blanks where a file was taken, on a thread that may wait.
pub(super) async fn blank_positions_apart(mut file: std::fs::File) -> Reply<std::fs::File> {
    let work = move || blank_positions(&mut file).map(|()| file);
    let done =
        web::block(work).await.map_err(|error| Problem::new(Code::Internal).because(error))?;
    done.map_err(|error| {
        if error.kind() == io::ErrorKind::InvalidData {
            unfit_problem(Unfit::Broken)
        } else if error.kind() == io::ErrorKind::UnexpectedEof {
            unfit_problem(Unfit::Truncated)
        } else {
            Problem::new(Code::StorageUnavailable).because(error)
        }
    })
}

/// A box: what it is, where it begins, where what it holds begins, and where it ends.
#[derive(Clone, Copy)]
struct Block {
    name: [u8; 4],
    begins: u64,
    holds: u64,
    ends: u64,
}

/// A file that is looked through.
struct Film<'a, F> {
    file: &'a mut F,
    size: u64,
    looked: usize,
    /// How many more bytes of samples may be blanked: a file has no more than it has.
    left: u64,
}

/// Blanks what says where a file was taken: notes of the file and of its tracks, and tracks that
/// are neither picture nor sound.
fn blank_positions<F: Read + Write + Seek>(file: &mut F) -> io::Result<()> {
    let size = file.seek(SeekFrom::End(0))?;
    let mut looking = Film { file, size, looked: 0, left: size };
    for block in looking.list_blocks(0, size)? {
        match &block.name {
            b"moov" => looking.blank_in_movie(block)?,
            b"meta" | b"udta" | b"uuid" => looking.blank_block(block)?,
            _ => {}
        }
    }
    looking.file.flush()
}

impl<F: Read + Write + Seek> Film<'_, F> {
    fn read_bytes<const N: usize>(&mut self, at: u64) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The boxes between two places; what is no box ends the list.
    fn list_blocks(&mut self, from: u64, until: u64) -> io::Result<Vec<Block>> {
        let (mut at, mut blocks) = (from, Vec::new());
        while until.saturating_sub(at) >= 8 {
            self.looked += 1;
            if self.looked > MOST_BOXES {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let head: [u8; 8] = self.read_bytes(at)?;
            let [s0, s1, s2, s3, n0, n1, n2, n3] = head;
            let (length, holds) = match u32::from_be_bytes([s0, s1, s2, s3]) {
                0 => (until - at, at + 8),
                1 => (u64::from_be_bytes(self.read_bytes(at + 8)?), at + 16),
                length => (u64::from(length), at + 8),
            };
            let ends = at.saturating_add(length);
            if ends < holds {
                break;
            }
            // What was cut off ends with what holds it.
            let ends = ends.min(until);
            blocks.push(Block { name: [n0, n1, n2, n3], begins: at, holds, ends });
            at = ends;
        }
        Ok(blocks)
    }

    fn find_block(&mut self, within: Block, name: [u8; 4]) -> io::Result<Option<Block>> {
        let blocks = self.list_blocks(within.holds, within.ends)?;
        Ok(blocks.into_iter().find(|block| block.name == name))
    }

    fn blank_in_movie(&mut self, movie: Block) -> io::Result<()> {
        for block in self.list_blocks(movie.holds, movie.ends)? {
            match &block.name {
                b"trak" => self.blank_in_track(block)?,
                b"meta" | b"udta" | b"uuid" => self.blank_block(block)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn blank_in_track(&mut self, track: Block) -> io::Result<()> {
        if let Some(media) = self.find_block(track, *b"mdia")? {
            let handler = match self.find_block(media, *b"hdlr")? {
                Some(handler) => self.read_bytes(handler.holds + 8)?,
                None => [0; 4],
            };
            // A phone writes where it was beside the picture, as samples of a track.
            if !matches!(&handler, b"vide" | b"soun" | b"hint" | b"tmcd") {
                self.blank_samples(media)?;
                return self.blank_block(track);
            }
        }
        for block in self.list_blocks(track.holds, track.ends)? {
            if matches!(&block.name, b"meta" | b"udta" | b"uuid") {
                self.blank_block(block)?;
            }
        }
        Ok(())
    }

    /// Makes a box one that is to be skipped, with nothing in it.
    fn blank_block(&mut self, block: Block) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(block.begins + 4))?;
        self.file.write_all(b"free")?;
        self.blank_bytes(block.holds, block.ends)
    }

    fn blank_bytes(&mut self, from: u64, until: u64) -> io::Result<()> {
        let length = until.min(self.size).saturating_sub(from);
        self.file.seek(SeekFrom::Start(from))?;
        io::copy(&mut io::repeat(0).take(length), self.file)?;
        Ok(())
    }

    /// Blanks the samples of a track, chunk by chunk.
    fn blank_samples(&mut self, media: Block) -> io::Result<()> {
        let Some(inner) = self.find_block(media, *b"minf")? else { return Ok(()) };
        let Some(tables) = self.find_block(inner, *b"stbl")? else { return Ok(()) };
        let (mut sizes, mut chunks, mut runs) = (Vec::new(), Vec::new(), Vec::new());
        let mut one_size = 0;
        for table in self.list_blocks(tables.holds, tables.ends)? {
            match &table.name {
                b"stsz" => {
                    let words = self.read_words(table)?;
                    one_size = words.get(1).copied().unwrap_or_default();
                    sizes = words.get(3..).unwrap_or_default().to_vec();
                }
                b"stco" => {
                    let words = self.read_words(table)?;
                    chunks = words.iter().skip(2).map(|word| u64::from(*word)).collect();
                }
                b"co64" => {
                    let words = self.read_words(table)?;
                    let pairs = words.get(2..).unwrap_or_default().chunks_exact(2);
                    let wide = |pair: &[u32]| {
                        pair.iter().fold(0, |sum, word| sum << 32 | u64::from(*word))
                    };
                    chunks = pairs.map(wide).collect();
                }
                b"stsc" => {
                    let words = self.read_words(table)?;
                    let rows = words.get(2..).unwrap_or_default().chunks_exact(3);
                    runs = rows.filter_map(|row| Some((*row.first()?, *row.get(1)?))).collect();
                }
                _ => {}
            }
        }
        let mut sizes = sizes.into_iter();
        for (number, offset) in (1_u32..).zip(chunks) {
            let run = runs.iter().take_while(|(first, _)| *first <= number).last();
            let count = run.map_or(1, |(_, count)| *count);
            let length = if one_size > 0 {
                u64::from(one_size) * u64::from(count)
            } else {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                sizes.by_ref().take(count).map(u64::from).sum()
            };
            let length = length.min(self.left);
            self.left -= length;
            self.blank_bytes(offset, offset.saturating_add(length))?;
        }
        Ok(())
    }

    /// A table as numbers of four bytes, the first of which is its version and flags.
    fn read_words(&mut self, table: Block) -> io::Result<Vec<u32>> {
        let length = table.ends - table.holds;
        if length > MOST_TABLE {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(table.holds))?;
        (&mut *self.file).take(length).read_to_end(&mut bytes)?;
        let word = |four: &[u8]| four.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        Ok(bytes.chunks_exact(4).map(word).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn block(name: [u8; 4], parts: &[&[u8]]) -> Vec<u8> {
        let held = parts.concat();
        let length = u32::try_from(held.len() + 8).unwrap();
        [length.to_be_bytes().as_slice(), &name, &held].concat()
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn handler(name: [u8; 4]) -> Vec<u8> {
        block(*b"hdlr", &[&[0; 8], &name, &[0; 13]])
    }

    const PLACE: &[u8] = b"+30.2211+115.0902/";

    fn film() -> Vec<u8> {
        let data = block(*b"mdat", &[b"PICTURE", PLACE]);
        let notes = block(*b"udta", &[&block(*b"\xa9xyz", &[PLACE])]);
        let keys = block(*b"meta", &[&block(*b"ilst", &[PLACE])]);
        let picture = block(*b"mdia", &[&handler(*b"vide")]);
        let at = u32::try_from(8 + b"PICTURE".len()).unwrap();
        let size = u32::try_from(PLACE.len()).unwrap();
        let tables = block(
            *b"stbl",
            &[
                &block(*b"stsz", &[&words(&[0, 0, 1, size])]),
                &block(*b"stco", &[&words(&[0, 1, at])]),
                &block(*b"stsc", &[&words(&[0, 1, 1, 1, 1])]),
            ],
        );
        let where_it_was = block(*b"mdia", &[&handler(*b"meta"), &block(*b"minf", &[&tables])]);
        let tracks =
            [block(*b"trak", &[&picture, &notes]), block(*b"trak", &[&where_it_was])].concat();
        let uuid = block(*b"uuid", &[&[7; 16], PLACE]);
        [data, block(*b"moov", &[&tracks, &notes, &keys]), uuid].concat()
    }

    fn holds(bytes: &[u8], text: &[u8]) -> bool {
        bytes.windows(text.len()).any(|some| some == text)
    }

    #[test]
    fn a_film_tells_nobody_where_it_was_taken() {
        let sent = film();
        assert!(holds(&sent, PLACE));
        let mut kept = Cursor::new(sent.clone());
        blank_positions(&mut kept).unwrap();
        let kept = kept.into_inner();
        assert_eq!(kept.len(), sent.len());
        assert!(!holds(&kept, PLACE) && !holds(&kept, b"xyz") && !holds(&kept, b"ilst"));
        assert!(holds(&kept, b"PICTURE") && holds(&kept, b"vide"));
    }

    #[test]
    fn no_file_is_looked_through_for_ever() {
        let sent = film();
        for cut in 0..sent.len() {
            let _ = blank_positions(&mut Cursor::new(sent[..cut].to_vec()));
            let mut bent = sent.clone();
            bent[cut] ^= 0xff;
            let _ = blank_positions(&mut Cursor::new(bent));
        }
        // Every chunk is the whole file, again and again.
        let huge = words(&[0, 0xffff_ffff, 1]);
        let many: Vec<u32> = [0, 100_000].into_iter().chain((0..100_000).map(|_| 0)).collect();
        let tables =
            block(*b"stbl", &[&block(*b"stsz", &[&huge]), &block(*b"stco", &[&words(&many)])]);
        let media = block(*b"mdia", &[&handler(*b"meta"), &block(*b"minf", &[&tables])]);
        let mut film = Cursor::new(block(*b"moov", &[&block(*b"trak", &[&media])]));
        blank_positions(&mut film).unwrap();
    }
}
