//! Reads what the driver prints: registers, waves, and what the hottest loop consists of.

use std::collections::BTreeMap;

/// What a compiled kernel needs and does.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) vector_registers: String,
    pub(crate) spilled: String,
    pub(crate) local_memory: String,
    pub(crate) waves: String,
    pub(crate) hottest: Option<Loop>,
}

/// The make-up of the innermost loop with the most arithmetic.
#[derive(Debug, Default)]
pub(crate) struct Loop {
    pub(crate) instructions: usize,
    pub(crate) arithmetic: usize,
    pub(crate) other_vector: usize,
    pub(crate) scalar: usize,
    pub(crate) local: usize,
    pub(crate) global: usize,
    /// Accesses of these that take 16 bytes for each lane.
    pub(crate) wide: usize,
    pub(crate) waits: usize,
}

impl Loop {
    /// Percent of the instructions that multiply, add or compare floats.
    pub(crate) fn share(&self) -> f64 {
        100.0 * self.arithmetic as f64 / self.instructions.max(1) as f64
    }
}

const ARITHMETIC: [&str; 16] = [
    "v_fma",
    "v_mac",
    "v_fmac",
    "v_mad_f32",
    "v_pk_fma",
    "v_dot",
    "v_max_f32",
    "v_min_f32",
    "v_add_f32",
    "v_sub_f32",
    "v_subrev_f32",
    "v_mul_f32",
    "v_max3_f32",
    "v_min3_f32",
    "v_pk_add_f",
    "v_pk_mul_f",
];

/// Reads the driver's output.
pub(crate) fn read(text: &str) -> Figures {
    let grab = |key: &str| {
        let line = text.lines().map(str::trim).find(|line| line.starts_with(key));
        line.and_then(|line| line.rsplit([':', ' ']).find(|word| !word.is_empty())).unwrap_or("?").to_owned()
    };
    Figures {
        vector_registers: grab("VGPRs"),
        spilled: grab("Spilled VGPRs"),
        local_memory: grab("LDS"),
        waves: grab("Subgroups per SIMD"),
        hottest: hottest(&blocks(text)),
    }
}

/// Basic blocks of the disassembly: a label and its instructions.
fn blocks(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines().map(str::trim).skip_while(|line| !line.starts_with("disasm:")) {
        let first = line.split_whitespace().next().unwrap_or_default();
        if first.starts_with("BB") && first.ends_with(':') {
            found.push((first.trim_end_matches(':'), Vec::new()));
        } else if ["v_", "s_", "ds_", "buffer_", "global_", "flat_"].iter().any(|prefix| first.starts_with(prefix))
            && let Some((_, instructions)) = found.last_mut()
        {
            instructions.push(line);
        }
    }
    found
}

/// A loop is a branch to an earlier block; one that holds another loop is not the innermost.
fn hottest(blocks: &[(&str, Vec<&str>)]) -> Option<Loop> {
    let index: BTreeMap<&str, usize> = blocks.iter().enumerate().map(|(at, block)| (block.0, at)).collect();
    let mut loops = Vec::new();
    for (end, (_, instructions)) in blocks.iter().enumerate() {
        for branch in instructions.iter().filter(|line| line.starts_with("s_cbranch") || line.starts_with("s_branch")) {
            let target = branch.split_whitespace().find_map(|word| index.get(word)).copied();
            loops.extend(target.filter(|start| *start <= end).map(|start| (start, end)));
        }
    }
    let holds = |outer: &(usize, usize)| {
        loops.iter().any(|inner| inner.0 >= outer.0 && inner.1 <= outer.1 && (inner.0, inner.1) != *outer)
    };
    let innermost = loops.iter().filter(|one| !holds(one));
    let counted = innermost.map(|(start, end)| count(blocks[*start..=*end].iter().flat_map(|block| block.1.iter())));
    counted.max_by_key(|one| one.arithmetic)
}

fn count<'a>(instructions: impl Iterator<Item = &'a &'a str>) -> Loop {
    let mut found = Loop::default();
    for line in instructions {
        found.instructions += 1;
        let kind = if ARITHMETIC.iter().any(|prefix| line.starts_with(prefix)) {
            &mut found.arithmetic
        } else if line.starts_with("v_") {
            &mut found.other_vector
        } else if line.starts_with("s_waitcnt") {
            &mut found.waits
        } else if line.starts_with("s_") {
            &mut found.scalar
        } else if line.starts_with("ds_") {
            &mut found.local
        } else {
            &mut found.global
        };
        *kind += 1;
        found.wide += usize::from(line.contains("dwordx4") && !line.starts_with("s_"));
    }
    found
}
