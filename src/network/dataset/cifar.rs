//! The binary version of CIFAR: records of one or two label bytes and 3 x 32 x 32 pixels.

use std::path::Path;

use super::{Array, Found};
use crate::error::{Error, Result};
use crate::network::mapping::Mapping;

const PIXELS: usize = 3 * 32 * 32;

/// One of the two data sets.
#[derive(Clone, Copy)]
pub(super) struct Version {
    /// Folder inside the archive.
    folder: &'static str,
    test: &'static [&'static str],
    train: &'static [&'static str],
    /// Label bytes of a record; the last is the class.
    labels: usize,
    classes: u8,
}

pub(super) const TEN: Version = Version {
    folder: "cifar-10-batches-bin",
    test: &["test_batch.bin"],
    train: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
    labels: 1,
    classes: 10,
};

pub(super) const HUNDRED: Version =
    Version { folder: "cifar-100-binary", test: &["test.bin"], train: &["train.bin"], labels: 2, classes: 100 };

pub(super) fn load((folder, train): (&Path, bool), version: Version) -> Result<Found> {
    let inner = folder.join(version.folder);
    let folder = if inner.is_dir() { inner } else { folder.to_owned() };
    let (mut pixels, mut labels, mut paths) = (Vec::new(), Vec::new(), Vec::new());
    for name in if train { version.train } else { version.test } {
        let path = folder.join(name);
        let refused = |problem: String| Error::Format { file: path.clone(), problem };
        let map = Mapping::open(&path)?;
        let record = version.labels + PIXELS;
        if map.len() % record != 0 {
            return Err(refused(format!("truncated: {} bytes are no multiple of the {record} of a record", map.len())));
        }
        for (at, bytes) in map.chunks_exact(record).enumerate() {
            let (head, image) = bytes.split_at(version.labels);
            let class = head.last().copied().unwrap_or_default();
            if class >= version.classes {
                return Err(refused(format!("label {class} of record {at} is not below {}", version.classes)));
            }
            labels.push(class);
            pixels.extend_from_slice(image);
        }
        paths.push(path);
    }
    let count = labels.len();
    Ok(Found {
        samples: Array::of_bytes("images", vec![count, 3, 32, 32], pixels),
        labels: Some(Array::of_bytes("labels", vec![count], labels)),
        paths,
    })
}
