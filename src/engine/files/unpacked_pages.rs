//! Unpacks the pages of a column to no more bytes than their headers give.
//!
//! The `parquet` crate unpacks gzip, brotli and frames of LZ4 without a limit, and compares the size afterwards. A small page of
//! a hostile file could so take all memory. Here the crate reads such a column as one that is not packed, and the pages that
//! it returns are unpacked. [`lz4`] unpacks the deprecated codec `LZ4`, of which the crate does not know all framings.

use std::io;
use std::io::Read;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::column::page::Page;
use parquet::column::page::PageMetadata;
use parquet::column::page::PageReader;
use parquet::errors::ParquetError;
use parquet::errors::Result;
use parquet::file::metadata::ColumnChunkMetaData;

use super::lz4;

/// A compression that the crate unpacks without a limit, or not in all its forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Brotli,
    Lz4,
}

impl Packing {
    pub(super) fn of(compression: Compression) -> Option<Packing> {
        match compression {
            Compression::GZIP(_) => Some(Packing::Gzip),
            Compression::BROTLI(_) => Some(Packing::Brotli),
            Compression::LZ4 => Some(Packing::Lz4),
            _ => None,
        }
    }
}

/// Returns the same column as one whose pages are not packed.
pub(super) fn as_unpacked(chunk: &ColumnChunkMetaData) -> Result<ColumnChunkMetaData> {
    chunk.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build()
}

/// The pages of a column, unpacked. `pages` returns them as they are stored.
pub(super) struct UnpackedPages<R> {
    pages: R,
    packing: Packing,
    /// The sizes that the headers of the pages give, in bytes, the last page first.
    sizes: Vec<u64>,
}

impl<R: PageReader> UnpackedPages<R> {
    pub(super) fn new(pages: R, packing: Packing, mut sizes: Vec<u64>) -> UnpackedPages<R> {
        sizes.reverse();
        UnpackedPages { pages, packing, sizes }
    }

    fn unpacked(&self, mut page: Page, size: u64) -> Result<Page> {
        match &mut page {
            Page::DataPageV2 { is_compressed: false, .. } => {}
            Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
                // The levels of such a page are not packed.
                let levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
                *buf = self.bytes(buf, levels, size)?;
            }
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => *buf = self.bytes(buf, 0, size)?,
        }
        Ok(page)
    }

    /// Returns the first `plain` bytes as they are, and the others unpacked: `size` bytes in all.
    fn bytes(&self, buffer: &Bytes, plain: u64, size: u64) -> Result<Bytes> {
        let damaged = |why: &str| ParquetError::General(why.to_owned());
        let plain = usize::try_from(plain).ok().filter(|plain| *plain <= buffer.len());
        let plain =
            plain.filter(|plain| *plain as u64 <= size).ok_or_else(|| damaged("a page has no room for its levels"))?;
        let mut unpacked = Vec::with_capacity(usize::try_from(size)?);
        unpacked.extend_from_slice(&buffer[..plain]);
        let (packed, expected) = (&buffer[plain..], size - plain as u64);
        // A page without values may have no bytes at all.
        if expected > 0 {
            let reader: Box<dyn Read + '_> = match self.packing {
                Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed)),
                Packing::Brotli => Box::new(brotli::Decompressor::new(packed, 64 << 10)),
                Packing::Lz4 => {
                    let bytes = lz4::unpacked(packed, usize::try_from(expected)?);
                    Box::new(io::Cursor::new(bytes.ok_or_else(|| {
                        damaged("a page unpacks to another size than its header gives, or LZ4 has not packed it")
                    })?))
                }
            };
            // A byte too many shows that the header is wrong.
            reader.take(expected + 1).read_to_end(&mut unpacked)?;
        }
        if unpacked.len() as u64 != size {
            return Err(damaged("a page unpacks to another size than its header gives"));
        }
        Ok(unpacked.into())
    }
}

impl<R: PageReader> Iterator for UnpackedPages<R> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Result<Page>> {
        self.get_next_page().transpose()
    }
}

impl<R: PageReader> PageReader for UnpackedPages<R> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some(page) = self.pages.get_next_page()? else { return Ok(None) };
        let size = self.sizes.pop().ok_or_else(|| ParquetError::General("a page appeared".to_owned()))?;
        self.unpacked(page, size).map(Some)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.sizes.pop();
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use parquet::basic::Encoding;

    use super::*;

    /// A column with one page.
    struct Single(Option<Page>);

    impl Iterator for Single {
        type Item = Result<Page>;

        fn next(&mut self) -> Option<Result<Page>> {
            self.0.take().map(Ok)
        }
    }

    impl PageReader for Single {
        fn get_next_page(&mut self) -> Result<Option<Page>> {
            Ok(self.0.take())
        }

        fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
            Ok(None)
        }

        fn skip_next_page(&mut self) -> Result<()> {
            Ok(())
        }
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    fn brotli(bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        brotli::CompressorWriter::new(&mut packed, 4_096, 5, 22).write_all(bytes).unwrap();
        packed
    }

    fn unpacked(packed: Vec<u8>, packing: Packing, size: u64) -> Result<Vec<u8>> {
        let (encoding, buf) = (Encoding::PLAIN, packed.into());
        let page = Page::DictionaryPage { buf, num_values: 1, encoding, is_sorted: false };
        let mut pages = UnpackedPages::new(Single(Some(page)), packing, vec![size]);
        Ok(pages.get_next_page()?.unwrap().buffer().to_vec())
    }

    #[test]
    fn page_is_unpacked_to_the_size_of_its_header() {
        let bytes = b"to be, or not to be".repeat(100);
        let size = bytes.len() as u64;
        for (packed, packing) in [(gzip(&bytes), Packing::Gzip), (brotli(&bytes), Packing::Brotli)] {
            assert_eq!(unpacked(packed.clone(), packing, size).unwrap(), bytes);
            assert!(unpacked(packed.clone(), packing, size - 1).is_err());
            assert!(unpacked(packed.clone(), packing, size + 1).is_err());
            assert!(unpacked(packed[..packed.len() / 2].to_vec(), packing, size).is_err());
        }
    }

    #[test]
    fn page_of_a_gigabyte_stops_at_the_size_of_its_header() {
        // Members of gzip that follow each other are one text.
        let packed = gzip(&vec![0; 4 << 20]).repeat(256);
        let error = unpacked(packed, Packing::Gzip, 1_000).unwrap_err();
        assert!(error.to_string().contains("another size than its header gives"), "{error}");
    }
}
