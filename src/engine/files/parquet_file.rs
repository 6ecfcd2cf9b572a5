//! Parquet files: their footers, and reading their bytes from several threads.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::reader::ChunkReader;
use parquet::file::reader::Length;

use super::fault::Fault;
use super::fault::caught;
use super::lake::DataFile;
use crate::engine::read_at::read_at;
use crate::model::text::io_reason;

/// A Parquet file begins and ends with these bytes.
const MAGIC: &[u8; 4] = b"PAR1";

/// A file that threads can share, because it has no cursor.
struct SharedFile {
    file: File,
    size: u64,
}

/// A cursor of its own in a shared file.
pub(super) struct Cursor {
    file: Arc<SharedFile>,
    at: u64,
}

impl Read for Cursor {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let left = self.file.size.saturating_sub(self.at);
        let length = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        read_at(&self.file.file, &mut into[..length], self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

/// The handle under which the `parquet` crate reads a file.
pub(super) struct Handle(Arc<SharedFile>);

impl Handle {
    pub(super) fn file(&self) -> &File {
        &self.0.file
    }
}

impl Length for Handle {
    fn len(&self) -> u64 {
        self.0.size
    }
}

impl ChunkReader for Handle {
    type T = std::io::BufReader<Cursor>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(std::io::BufReader::new(Cursor { file: Arc::clone(&self.0), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let fits = start.checked_add(length as u64).is_some_and(|end| end <= self.0.size);
        if !fits {
            return Err(parquet::errors::ParquetError::EOF("it ends too early".to_owned()));
        }
        let mut bytes = vec![0; length];
        read_at(&self.0.file, &mut bytes, start)?;
        Ok(bytes.into())
    }
}

pub(super) fn open(file: &DataFile) -> Result<Handle, Fault> {
    let opened = File::open(&file.path).and_then(|opened| Ok((opened.metadata()?.len(), opened)));
    let (size, opened) = opened.map_err(|error| Fault::of(file, io_reason(&error)))?;
    Ok(Handle(Arc::new(SharedFile { file: opened, size })))
}

/// Reads the footer, and checks that all columns lie inside the file.
pub(super) fn footer(file: &DataFile) -> Result<Arc<ParquetMetaData>, Fault> {
    caught(file, || {
        let handle = open(file)?;
        let fault = |why: String| Fault::of(file, why);
        let size = handle.0.size;
        let mut magic = [0; 4];
        let is_parquet = size >= 12 && read_at(&handle.0.file, &mut magic, 0).is_ok() && magic == *MAGIC;
        if !is_parquet {
            return Err(fault("it is no Parquet file, which begins with PAR1".to_owned()));
        }
        let footer =
            ParquetMetaDataReader::new().parse_and_finish(&handle).map_err(|error| fault(error.to_string()))?;
        for group in footer.row_groups() {
            if group.num_rows() < 0 {
                return Err(fault("a row group has a negative number of rows".to_owned()));
            }
            if group.num_columns() != footer.file_metadata().schema_descr().num_columns() {
                return Err(fault("a row group lacks columns".to_owned()));
            }
            for column in group.columns() {
                let (start, length) = column.byte_range();
                if start.checked_add(length).is_none_or(|end| end > size) {
                    return Err(fault("a column ends after the file".to_owned()));
                }
                if column.num_values() != group.num_rows() && column.column_descr().max_rep_level() == 0 {
                    return Err(fault("a column has another number of values than its row group".to_owned()));
                }
            }
        }
        Ok(Arc::new(footer))
    })
}
