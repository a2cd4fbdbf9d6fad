//! Copies between host and device, in chunks that bound what both hold besides the matrix.

use std::sync::mpsc;

use super::context::{Context, PATIENCE};
use super::matrix::{Blocks, Indices, Matrix};
use super::pool::{Buffer, Use};
use crate::backend::RowSource;
use crate::error::{Error, Result};

/// Bytes of one copy. A few of them are under way at a time.
const CHUNK: usize = 4 << 20;

/// Uploads rows as they are read.
pub(super) fn upload(context: &Context, source: &dyn RowSource) -> Result<Matrix> {
    let matrix = Matrix::new(context, "upload", source.shape())?;
    let columns = matrix.blocks.columns;
    let most = CHUNK.checked_div(columns * 4).unwrap_or(0).max(1);
    let mut scratch = vec![0.0_f32; most.min(matrix.blocks.rows) * columns];
    for (at, rows) in chunks(&matrix.blocks, most) {
        let chunk = scratch.get_mut(..rows.len() * columns).unwrap_or_default();
        source.read_rows(rows.start, chunk)?;
        let (buffer, first) = matrix.blocks.locate(rows.start)?;
        debug_assert_eq!(at, rows.start / matrix.blocks.step);
        write(context, buffer, u64::from(first) * columns as u64 * 4, bytemuck::cast_slice(chunk))?;
    }
    Ok(matrix)
}

/// Uploads a list of indices.
pub(super) fn upload_indices(context: &Context, indices: &[u32]) -> Result<Indices> {
    let list = Indices::new(context, "upload_indices", indices.len())?;
    for (_, rows) in chunks(&list.blocks, CHUNK / 4) {
        let (buffer, first) = list.blocks.locate(rows.start)?;
        let chunk = indices.get(rows).unwrap_or_default();
        write(context, buffer, u64::from(first) * 4, bytemuck::cast_slice(chunk))?;
    }
    Ok(list)
}

/// Rows in runs of at most `most`, each within one block, with the number of the block.
fn chunks(blocks: &Blocks, most: usize) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> {
    let rows = if blocks.is_empty() { 0 } else { blocks.rows };
    let step = blocks.step;
    super::matrix::parts(0..rows, &[step], most).into_iter().map(move |rows| (rows.start / step, rows))
}

fn write(context: &Context, buffer: &Buffer, offset: u64, bytes: &[u8]) -> Result<()> {
    context.scoped("upload", || context.queue.write_buffer(buffer.raw(), offset, bytes))?;
    // Submitted at once: the staging memory of a chunk is freed when its submission ends.
    context.submit(None).map(drop)
}

/// Calls `take` with all words of a matrix or list, in order. The device copies a chunk while the host takes the last.
pub(super) fn download(context: &Context, blocks: &Blocks, mut take: impl FnMut(&[u8])) -> Result<()> {
    let most = CHUNK.checked_div(blocks.columns * 4).unwrap_or(0).max(1);
    let mut under_way: Option<Window> = None;
    for (_, rows) in chunks(blocks, most) {
        let row = blocks.columns as u64 * 4;
        let (buffer, first) = blocks.locate(rows.start)?;
        let next = Window::open(context, buffer, u64::from(first) * row, rows.len() as u64 * row)?;
        if let Some(last) = under_way.replace(next) {
            last.read(context, &mut take)?;
        }
    }
    under_way.map_or(Ok(()), |last| last.read(context, &mut take))
}

/// A staging buffer to which a chunk is being copied.
struct Window {
    staging: Buffer,
    bytes: u64,
    copied: wgpu::SubmissionIndex,
    mapped: mpsc::Receiver<std::result::Result<(), wgpu::BufferAsyncError>>,
}

impl Window {
    /// Submits the copy, and asks to map what it fills.
    fn open(context: &Context, source: &Buffer, offset: u64, bytes: u64) -> Result<Self> {
        let staging = context.scoped("download", || context.pool.take(Use::Staging, bytes.next_power_of_two()))?;
        let commands = context.scoped("download", || {
            let mut encoder = context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.copy_buffer_to_buffer(source.raw(), offset, staging.raw(), 0, bytes);
            encoder.finish()
        })?;
        let copied = context.submit(Some(commands))?;
        let (sender, mapped) = mpsc::channel();
        staging.raw().map_async(wgpu::MapMode::Read, 0..bytes, move |outcome| {
            // The receiver is gone only if the download was given up.
            let _ = sender.send(outcome);
        });
        Ok(Self { staging, bytes, copied, mapped })
    }

    /// Waits for the copy and calls `take` with it.
    fn read(self, context: &Context, take: &mut impl FnMut(&[u8])) -> Result<()> {
        let lost = |reason: String| Error::DeviceLost { reason };
        context.wait(Some(self.copied.clone()))?;
        // The callback runs on whichever thread polls: another one may be about to call it.
        let outcome = self.mapped.recv_timeout(PATIENCE).map_err(|error| lost(error.to_string()))?;
        outcome.map_err(|error| lost(error.to_string()))?;
        let view = self.staging.raw().get_mapped_range(0..self.bytes).map_err(|error| lost(error.to_string()))?;
        take(&view);
        Ok(())
    }
}

impl Drop for Window {
    /// Whatever happened, the pool takes back a buffer that the device may write.
    fn drop(&mut self) {
        self.staging.raw().unmap();
    }
}
