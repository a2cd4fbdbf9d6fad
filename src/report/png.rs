//! Pictures of pixels as PNG (ISO/IEC 15948), and sheets of samples.

use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use crate::error::{Error, Result};

/// A picture in 8-bit red, green and blue, all of one grey at first.
#[derive(Debug, Clone)]
pub struct Raster {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Raster {
    /// A picture of one grey.
    #[must_use]
    pub fn new(width: usize, height: usize, grey: u8) -> Self {
        Self { width, height, pixels: vec![[grey; 3]; width * height] }
    }

    /// Draws an image of values in 0..1, channels first, its pixels as squares of `scale` pixels.
    pub fn draw(
        &mut self,
        [left, top]: [usize; 2],
        [channels, height, width]: [usize; 3],
        scale: usize,
        values: &[f64],
    ) {
        for y in 0..height * scale {
            for x in 0..width * scale {
                let at = (y / scale) * width + x / scale;
                // One channel is grey; of others the first three are colours.
                let channel = |c: usize| if channels >= 3 { c } else { 0 };
                let value = |c: usize| values.get(channel(c) * height * width + at).copied().unwrap_or(0.0);
                if left + x < self.width
                    && let Some(pixel) = self.pixels.get_mut((top + y) * self.width + left + x)
                {
                    *pixel = [0, 1, 2].map(|c| byte(value(c)));
                }
            }
        }
    }

    /// The file.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] for a side of 2^31 pixels or more, [`Error::Internal`] if the encoder fails.
    pub fn png(&self) -> Result<Vec<u8>> {
        let side = |length: usize| {
            let bytes = length as u64;
            let large = || Error::TooLarge { operation: "picture", bytes, limit: u64::from(u32::MAX >> 1) };
            u32::try_from(length).ok().filter(|length| *length <= u32::MAX >> 1).ok_or_else(large)
        };
        let mut header = [side(self.width)?.to_be_bytes(), side(self.height)?.to_be_bytes()].concat();
        // Eight bits, colours, deflate, no filter choice beyond the standard, no interlace.
        header.extend([8, 2, 0, 0, 0]);
        let failed = |error: std::io::Error| Error::Internal { what: error.to_string() };
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        for row in self.pixels.chunks(self.width.max(1)) {
            encoder.write_all(&[0]).map_err(failed)?;
            encoder.write_all(row.as_flattened()).map_err(failed)?;
        }
        let data = encoder.finish().map_err(failed)?;
        let mut file = vec![0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];
        for (kind, data) in [(b"IHDR", header.as_slice()), (b"IDAT", &data), (b"IEND", &[])] {
            file.extend(side(data.len())?.to_be_bytes());
            let body = [kind.as_slice(), data].concat();
            let mut sum = Crc::new();
            sum.update(&body);
            file.extend(&body);
            file.extend(sum.sum().to_be_bytes());
        }
        Ok(file)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0..255")]
fn byte(value: f64) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_picture_by_hand() {
        let mut raster = Raster::new(3, 2, 128);
        raster.draw([1, 0], [1, 1, 2], 1, &[1.0, 0.0]);
        let file = raster.png().unwrap();
        assert_eq!(&file[..8], b"\x89PNG\r\n\x1a\n");
        assert_eq!(&file[8..33], b"\0\0\0\x0dIHDR\0\0\0\x03\0\0\0\x02\x08\x02\0\0\0\x12\x16\xf1\x4d");
        let length = u32::from_be_bytes(file[33..37].try_into().unwrap()) as usize;
        let mut rows = Vec::new();
        flate2::read::ZlibDecoder::new(&file[41..41 + length]).read_to_end(&mut rows).unwrap();
        assert_eq!(
            rows,
            [[0, 128, 128, 128, 255, 255, 255, 0, 0, 0], [0, 128, 128, 128, 128, 128, 128, 128, 128, 128]].concat()
        );
        assert_eq!(&file[file.len() - 12..], b"\0\0\0\0IEND\xae\x42\x60\x82");
    }
}
