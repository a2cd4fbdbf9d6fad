//! Launches: operands given in the order of the WGSL bindings, checked against them, then dispatched.

use std::sync::Arc;

use bytemuck::Pod;
use naga::ScalarKind;

use super::context::Context;
use super::kernel::{Kernel, Kind};
use super::pool::{Buffer, Use};
use crate::error::{Error, Result};

/// A dispatch whose operands are being collected. The first mismatch is kept and reported by [`Launch::dispatch`].
pub(super) struct Launch<'a> {
    context: &'a Context,
    kernel: Arc<Kernel>,
    bound: Vec<&'a Buffer>,
    params: Option<Buffer>,
    error: Option<Error>,
}

impl Context {
    pub(super) fn launch(&self, kernel: &Arc<Kernel>) -> Launch<'_> {
        Launch { context: self, kernel: Arc::clone(kernel), bound: Vec::new(), params: None, error: None }
    }
}

impl<'a> Launch<'a> {
    /// Gives the parameters, the first binding of every kernel that has any.
    pub(super) fn params<P: Pod>(mut self, params: &P) -> Self {
        let bytes = bytemuck::bytes_of(params);
        self.expect(Kind::Uniform(bytes.len() as u64));
        if self.error.is_none() {
            let buffer = self.context.pool.take(Use::Uniform, (bytes.len() as u64).next_multiple_of(16));
            self.context.queue.write_buffer(buffer.raw(), 0, bytes);
            self.params = Some(buffer);
        }
        self
    }

    /// Gives floats that the kernel reads.
    pub(super) fn read(mut self, buffer: &'a Buffer) -> Self {
        self.expect(Kind::Read(ScalarKind::Float));
        self.bound.push(buffer);
        self
    }

    /// Gives floats that the kernel reads, if they are there.
    pub(super) fn read_or_empty(self, buffer: Option<&'a Buffer>) -> Self {
        let empty = self.context.empty();
        self.read(buffer.unwrap_or(empty))
    }

    /// Gives indices, or the bits of floats, that the kernel reads.
    pub(super) fn read_words(mut self, buffer: &'a Buffer) -> Self {
        self.expect(Kind::Read(ScalarKind::Uint));
        self.bound.push(buffer);
        self
    }

    /// Gives floats that the kernel writes. The borrow is exclusive, so that no operand is written and read at once.
    pub(super) fn write(mut self, buffer: &'a mut Buffer) -> Self {
        self.expect(Kind::Write(ScalarKind::Float));
        self.bound.push(buffer);
        self
    }

    /// Gives indices, or the bits of floats, that the kernel writes.
    pub(super) fn write_words(mut self, buffer: &'a mut Buffer) -> Self {
        self.expect(Kind::Write(ScalarKind::Uint));
        self.bound.push(buffer);
        self
    }

    /// Checks the next binding of the kernel against what is given.
    fn expect(&mut self, given: Kind) {
        let at = self.bound.len() + usize::from(self.params.is_some());
        let problem = match self.kernel.bindings.get(at) {
            Some(binding) if binding.kind == given => return,
            Some(binding) => format!("`{}` is declared as {:?} but given {given:?}", binding.name, binding.kind),
            None => format!("operand {at} is given {given:?} but not declared"),
        };
        self.error.get_or_insert(Error::Shader { kernel: self.kernel.stem, diagnostic: problem });
    }

    /// Runs `groups` workgroups, folded into a grid that the adapter allows.
    pub(super) fn dispatch(self, groups: u64) -> Result<()> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let given = self.bound.len() + usize::from(self.params.is_some());
        let kernel = &self.kernel;
        if let Some(missing) = kernel.bindings.get(given) {
            let diagnostic = format!("`{}` is not given", missing.name);
            return Err(Error::Shader { kernel: kernel.stem, diagnostic });
        }
        if groups == 0 {
            return Ok(());
        }
        let grid = fold(groups, self.context.max_groups)
            .ok_or_else(|| Error::Internal { what: format!("`{}` with {groups} workgroups", kernel.stem) })?;
        let context = self.context;
        let encode = |timestamp_writes: Option<wgpu::ComputePassTimestampWrites<'_>>| {
            let buffers = self.params.iter().chain(self.bound.iter().copied());
            let entries: Vec<_> = kernel
                .bindings
                .iter()
                .zip(buffers)
                .map(|(binding, buffer)| wgpu::BindGroupEntry {
                    binding: binding.slot,
                    resource: buffer.raw().as_entire_binding(),
                })
                .collect();
            let bind_group = context.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &kernel.layout,
                entries: &entries,
            });
            let mut encoder = context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let descriptor = wgpu::ComputePassDescriptor { timestamp_writes, ..Default::default() };
            let mut pass = encoder.begin_compute_pass(&descriptor);
            pass.set_pipeline(&kernel.pipeline);
            pass.set_bind_group(0, &bind_group, &[]);
            pass.dispatch_workgroups(grid[0], grid[1], grid[2]);
            drop(pass);
            encoder.finish()
        };
        // The parameters go back to the pool after the submission, so that the next user's write comes after it.
        let submit = |timestamp_writes: Option<wgpu::ComputePassTimestampWrites<'_>>| {
            let commands = context.scoped(kernel.stem, || encode(timestamp_writes))?;
            context.submit(Some(commands)).map(drop)
        };
        match &context.profiler {
            Some(profiler) => {
                profiler.timed(&context.device, &context.queue, kernel.entry, |writes| submit(Some(writes)))
            }
            None => submit(None),
        }
    }
}

/// The smallest grid with at least `groups` workgroups; a kernel ignores those beyond its last row.
fn fold(groups: u64, limit: u32) -> Option<[u32; 3]> {
    let limit = u64::from(limit);
    let x = groups.min(limit);
    let y = groups.div_ceil(x).min(limit);
    let z = groups.div_ceil(x * y);
    let narrow = |n: u64| u32::try_from(n).ok().filter(|n| u64::from(*n) <= limit);
    Some([narrow(x)?, narrow(y)?, narrow(z)?])
}

#[cfg(test)]
mod tests {
    use super::super::{Context, GpuOptions, adapter, matmul};
    use super::fold;
    use crate::backend::gpu::tile;
    use crate::error::Error;

    #[test]
    fn grids_fold_at_the_limit() {
        for (groups, grid) in [
            (1, [1, 1, 1]),
            (65_535, [65_535, 1, 1]),
            (65_536, [65_535, 2, 1]),
            (65_535 * 65_535 + 1, [65_535, 65_535, 2]),
        ] {
            assert_eq!(fold(groups, 65_535), Some(grid));
        }
        assert_eq!(fold(28, 3), None);
    }

    #[test]
    #[cfg_attr(no_adapter, ignore = "needs an adapter")]
    fn a_wrong_operand_is_named_as_in_wgsl() -> Result<(), Error> {
        let options = GpuOptions { allow_software: true, ..GpuOptions::default() };
        let context = Context::new(&adapter::choose(&options)?, &options)?;
        let (_, tile) = tile::samples().next().ok_or(Error::Internal { what: "no tile".to_owned() })?;
        let kernel = context.kernel(&matmul::SOURCE, tile.constants())?;
        let (x, mut z) = (context.storage("test", 64)?, context.storage("test", 64)?);
        let words = [0_u32; 17];
        let message = |outcome: Result<(), Error>| outcome.err().map(|error| error.to_string()).unwrap_or_default();
        let launch = || context.launch(&kernel);
        for (problem, found) in [
            ("`params` is declared as Uniform(68) but given Uniform(4)", launch().params(&0_u32).dispatch(1)),
            (
                "`y` is declared as Read(Float) but given Read(Uint)",
                launch().params(&words).read(&x).read_words(&x).dispatch(1),
            ),
            (
                "`z` is declared as Write(Float) but given Read(Float)",
                launch().params(&words).read(&x).read(&x).read(&x).dispatch(1),
            ),
            ("`z` is not given", launch().params(&words).read(&x).read(&x).dispatch(1)),
            (
                "operand 4 is given Read(Float) but not declared",
                launch().params(&words).read(&x).read(&x).write(&mut z).read(&x).dispatch(1),
            ),
        ] {
            assert_eq!(message(found), format!("shader `matmul`: {problem}"));
        }
        Ok(())
    }
}
