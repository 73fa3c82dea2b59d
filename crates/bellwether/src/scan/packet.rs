//! XMP packets wherever they stand in a file: between `<?xpacket begin` and `<?xpacket end`. The
//! file is read in pieces, so its size does not matter. What a packet says is read in `xmp`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bellwether_engine::store::How;

use super::xmp::{self, Packet};
use super::{Place, Reference, Unread};

/// The most bytes of one packet: documents with thousands of ancestors have some.
const PACKET_MAX: usize = 16 * 1024 * 1024;
/// The most packets of one file.
const PACKETS_MAX: usize = 256;
/// How much is read at once.
const PIECE: usize = 1024 * 1024;
const BEGIN: &[u8] = b"<?xpacket begin";
const END: &[u8] = b"<?xpacket end";

/// Fills the buffer as far as the file goes.
pub(super) fn read_up_to(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

/// Where a sequence begins.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = wanted.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| byte == first) {
        let at = from + at;
        if bytes[at..].starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// The packets of a file, in order. What has no end, or is larger than it may be, is left out.
pub(super) fn packets(mut from: impl Read) -> io::Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    let mut held: Vec<u8> = Vec::new();
    let mut piece = vec![0; PIECE];
    let mut is_end = false;
    while !is_end && found.len() < PACKETS_MAX {
        let read = read_up_to(&mut from, &mut piece)?;
        is_end = read < piece.len();
        held.extend_from_slice(&piece[..read]);
        loop {
            let Some(begin) = find(&held, BEGIN) else {
                // A mark may lie across two pieces.
                let keep = held.len().min(BEGIN.len() - 1);
                held.drain(..held.len() - keep);
                break;
            };
            held.drain(..begin);
            if let Some(end) = find(&held, END) {
                found.push(held[..end].to_vec());
                held.drain(..end);
            } else if held.len() > PACKET_MAX {
                held.drain(..BEGIN.len());
            } else {
                break;
            }
            if found.len() >= PACKETS_MAX {
                break;
            }
        }
    }
    Ok(found)
}

/// What a file refers to by its packets alone.
///
/// # Errors
/// It cannot be read, or has no packet that can.
pub(super) fn read(path: &Path) -> Result<Vec<Reference>, Unread> {
    let file = File::open(path).map_err(|error| format!("it cannot be read: {error}"))?;
    let found = packets(file).map_err(|error| format!("it cannot be read: {error}"))?;
    let own = found.first().map(Vec::as_slice);
    of(own, &found)
}

/// What the packets of a file say: `own` is that of the file itself, the others are those of what
/// lies in it.
///
/// # Errors
/// There is none, or none of them can be read.
pub(super) fn of(own: Option<&[u8]>, all: &[Vec<u8>]) -> Result<Vec<Reference>, Unread> {
    let mut wrong = None;
    let mut references = Vec::new();
    let mut read = 0;
    let mut document = None;
    if let Some(own) = own {
        match xmp::read(own) {
            Ok(packet) => {
                read += 1;
                references.extend(packet.references.iter().cloned());
                document = packet.document_id().map(str::to_owned);
            }
            Err(why) => wrong = Some(why),
        }
    }
    for bytes in all.iter().filter(|bytes| Some(bytes.as_slice()) != own) {
        match xmp::read(bytes) {
            Ok(packet) => {
                read += 1;
                // Editors leave older packets of the same document behind.
                if document.is_none() || packet.document_id() != document.as_deref() {
                    references.push(embedded(&packet));
                }
            }
            Err(why) => wrong = Some(why),
        }
    }
    match wrong {
        Some(why) if read == 0 => Err(Unread::Broken(why)),
        None if read == 0 => Err(Unread::Silent),
        _ => Ok(references),
    }
}

/// A file that lies in another one with its own metadata.
fn embedded(packet: &Packet) -> Reference {
    let mut reference = Reference::new("embedded XMP", How::Embedded);
    for id in &packet.ids {
        reference.add(Place::Id, id);
    }
    reference
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_found_across_pieces_and_without_an_end_they_are_not() {
        for before in [0, 7, PIECE - 20, PIECE - 8, PIECE - 1, 2 * PIECE - 30] {
            let mut file = vec![b'<'; before];
            file.extend(b"<?xpacket begin='x'?><a/><?xpacket end='w'?>");
            file.extend(vec![b'x'; PIECE]);
            file.extend(b"<?xpacket begin='y'?><b/><?xpacket end='w'?><?xpacket begin='z'?>");
            let found = packets(&file[..]).unwrap();
            assert_eq!(found.len(), 2, "{before}");
            assert_eq!(found[0], b"<?xpacket begin='x'?><a/>");
            assert_eq!(found[1], b"<?xpacket begin='y'?><b/>");
        }
    }

    #[test]
    fn too_large_a_packet_and_too_many_of_them_take_no_memory() {
        let mut file = b"<?xpacket begin".to_vec();
        file.extend(vec![b' '; PACKET_MAX + PIECE]);
        file.extend(b"<?xpacket begin='y'?><b/><?xpacket end='w'?>");
        assert_eq!(packets(&file[..]).unwrap(), [b"<?xpacket begin='y'?><b/>"]);
        let many = b"<?xpacket begin?><?xpacket end?>".repeat(PACKETS_MAX + 5);
        assert_eq!(packets(&many[..]).unwrap().len(), PACKETS_MAX);
    }
}
