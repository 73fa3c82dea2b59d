//! Photoshop's documents (PSD, PSB): the XMP of the document is an image resource; further packets
//! belong to what lies in it. Layers and pixels are not read.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::packet;
use super::{Reference, Unread};

/// The number of the image resource that holds XMP.
const XMP: u16 = 1060;
/// The most bytes of that resource.
const XMP_MAX: u32 = 16 * 1024 * 1024;
/// The bytes before the section of colours.
const HEADER: u64 = 26;
/// The most image resources that are looked at.
const RESOURCES_MAX: usize = 10_000;

/// What a document refers to.
///
/// # Errors
/// It is no such document, or holds no XMP.
pub(super) fn read(path: &Path) -> Result<Vec<Reference>, Unread> {
    let failed = |error: std::io::Error| format!("it cannot be read as a Photoshop file: {error}");
    let mut file = File::open(path).map_err(failed)?;
    let own = own_packet(&mut file).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut all = packet::packets(&file).map_err(failed)?;
    if let Some(own) = &own {
        // The scan finds it too, without what stands around it.
        let body = packet::packets(own.as_slice()).map_err(failed)?;
        all.retain(|found| !body.contains(found));
    }
    packet::of(own.as_deref(), &all)
}

/// The XMP of the document itself.
fn own_packet(file: &mut (impl Read + Seek)) -> std::io::Result<Option<Vec<u8>>> {
    file.seek(SeekFrom::Start(HEADER))?;
    let colours = number(file)?;
    file.seek(SeekFrom::Current(i64::from(colours)))?;
    let mut left = u64::from(number(file)?);
    for _ in 0..RESOURCES_MAX {
        let mut head = [0; 7];
        if left < 12 || packet::read_up_to(file, &mut head)? < head.len() {
            return Ok(None);
        }
        if !matches!(&head[..4], b"8BIM" | b"MeSa" | b"PHUT" | b"AgHg" | b"DCSR") {
            return Ok(None);
        }
        let id = u16::from_be_bytes([head[4], head[5]]);
        // A name with its length, padded to an even number of bytes.
        let name = u64::from(head[6] | 1);
        file.seek(SeekFrom::Current(i64::try_from(name).unwrap_or(1)))?;
        let size = number(file)?;
        let padded = u64::from(size) + u64::from(size & 1);
        if id == XMP && size <= XMP_MAX {
            let mut body = vec![0; usize::try_from(size).unwrap_or(0)];
            file.read_exact(&mut body)?;
            return Ok(Some(body));
        }
        file.seek(SeekFrom::Current(i64::try_from(padded).unwrap_or(i64::MAX)))?;
        left = left.saturating_sub(11 + name + padded);
    }
    Ok(None)
}

fn number(file: &mut impl Read) -> std::io::Result<u32> {
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}
