//! The IDX files of MNIST and its relatives: a magic number, the length of each axis (u32, big-endian), and bytes.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::{Array, Found};
use crate::error::{Error, Result};

pub(super) fn load((folder, train): (&Path, bool)) -> Result<Found> {
    let part = if train { "train" } else { "t10k" };
    let images = find(folder, &format!("{part}-images"), "idx3-ubyte")?;
    let labels = find(folder, &format!("{part}-labels"), "idx1-ubyte")?;
    let (axes, pixels) = read::<3>(&images)?;
    let ([_], classes) = read::<1>(&labels)?;
    let [samples, rows, columns] = axes;
    if classes.len() != samples {
        let problem = format!("{} labels, {} has {samples} images", classes.len(), images.display());
        return Err(Error::Format { file: labels, problem });
    }
    Ok(Found {
        samples: Array::of_bytes("images", vec![samples, 1, rows, columns], pixels),
        labels: Some(Array::of_bytes("labels", vec![samples], classes)),
        paths: vec![images, labels],
    })
}

/// The file under one of the names it goes by.
fn find(folder: &Path, stem: &str, kind: &str) -> Result<PathBuf> {
    let names = ["-", "."].into_iter().flat_map(|dash| ["", ".gz"].map(|zip| format!("{stem}{dash}{kind}{zip}")));
    let missing = || Error::InputMissing { file: folder.join(format!("{stem}-{kind}[.gz]")) };
    names.map(|name| folder.join(name)).find(|path| path.is_file()).ok_or_else(missing)
}

/// Reads a file of `AXES` axes. Memory grows with what the file holds, not with what it claims.
fn read<const AXES: usize>(path: &Path) -> Result<([usize; AXES], Vec<u8>)> {
    let refused = |problem: String| Error::Format { file: path.to_owned(), problem };
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::UnexpectedEof => refused("truncated".to_owned()),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => refused(format!("not a gzip file: {source}")),
        _ => Error::Io { file: path.to_owned(), source },
    };
    let file = File::open(path).map_err(failed)?;
    let zipped = path.extension().is_some_and(|extension| extension == "gz");
    let mut reader: Box<dyn Read> =
        if zipped { Box::new(GzDecoder::new(io::BufReader::new(file))) } else { Box::new(io::BufReader::new(file)) };
    let mut word = || -> Result<u32> {
        let mut bytes = [0; 4];
        reader.read_exact(&mut bytes).map_err(failed)?;
        Ok(u32::from_be_bytes(bytes))
    };
    let (magic, expected) = (word()?, 0x0800 + u32::try_from(AXES).unwrap_or_default());
    if magic != expected {
        return Err(refused(format!("magic number {magic:#010x}, expected {expected:#010x} (bytes on {AXES} axes)")));
    }
    let mut axes = [0; AXES];
    for axis in &mut axes {
        *axis = usize::try_from(word()?).unwrap_or(usize::MAX);
    }
    let claimed = axes.iter().try_fold(1_usize, |product, axis| product.checked_mul(*axis));
    let claimed = claimed.ok_or_else(|| refused(format!("the product of shape {axes:?} overflows")))?;
    let mut bytes = Vec::new();
    reader.by_ref().take((claimed as u64).saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len().cmp(&claimed) {
        std::cmp::Ordering::Equal => Ok((axes, bytes)),
        std::cmp::Ordering::Less => {
            Err(refused(format!("truncated: shape {axes:?} needs {claimed} bytes, there are {}", bytes.len())))
        }
        std::cmp::Ordering::Greater => Err(refused(format!("bytes follow the {claimed} of shape {axes:?}"))),
    }
}
