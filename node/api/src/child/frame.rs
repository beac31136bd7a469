//! Frames between two processes: `u32` length of a JSON header, `u32` number of attachments, `u64` length of each, then
//! the header, then the attachments; little endian. Memory grows with the bytes that arrive, not with what lengths say.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest header.
const HEADER_BYTES_MAX: u32 = 16 << 20;
/// Most attachments.
const ATTACHMENTS_MAX: u32 = 256;
/// All attachments of one frame together.
const ATTACHED_BYTES_MAX: u64 = 256 << 20;

/// A frame, ready to be written.
#[derive(Debug)]
pub struct Frame {
    lengths_and_header: BytesMut,
    attached: Vec<Bytes>,
}

impl Frame {
    /// Encodes one.
    ///
    /// # Errors
    /// Where it is larger than any side takes.
    pub fn new<T: Serialize>(header: &T, attached: Vec<Bytes>) -> io::Result<Self> {
        let header = serde_json::to_vec(header).map_err(io::Error::other)?;
        let header_length = u32::try_from(header.len()).ok().filter(|n| *n <= HEADER_BYTES_MAX);
        let count = u32::try_from(attached.len()).ok().filter(|n| *n <= ATTACHMENTS_MAX);
        if attached.iter().map(|a| a.len() as u64).sum::<u64>() > ATTACHED_BYTES_MAX {
            return Err(oversized());
        }
        let mut lengths_and_header = BytesMut::new();
        lengths_and_header.put_u32_le(header_length.ok_or_else(oversized)?);
        lengths_and_header.put_u32_le(count.ok_or_else(oversized)?);
        for attachment in &attached {
            lengths_and_header.put_u64_le(attachment.len() as u64);
        }
        lengths_and_header.put_slice(&header);
        Ok(Self { lengths_and_header, attached })
    }

    /// Writes it.
    ///
    /// # Errors
    /// Where the other side is gone.
    pub async fn write(self, out: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        out.write_all(&self.lengths_and_header).await?;
        for attachment in &self.attached {
            out.write_all(attachment).await?;
        }
        out.flush().await
    }
}

/// Reads one frame; none at the end of the stream.
///
/// # Errors
/// Where the stream ends inside a frame, a length is beyond its limit, or the header is not a `T`.
pub async fn read<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<(T, Vec<Bytes>)>> {
    let mut first = [0_u8; 4];
    match from.read(&mut first).await? {
        0 => return Ok(None),
        n => {
            from.read_exact(first.get_mut(n..).unwrap_or_default()).await?;
        }
    }
    let header_length = u32::from_le_bytes(first);
    let count = from.read_u32_le().await?;
    if header_length > HEADER_BYTES_MAX || count > ATTACHMENTS_MAX {
        return Err(oversized());
    }
    let mut lengths = Vec::new();
    for _ in 0..count {
        lengths.push(from.read_u64_le().await?);
    }
    if lengths.iter().try_fold(0_u64, |sum, n| sum.checked_add(*n)).is_none_or(|n| n > ATTACHED_BYTES_MAX) {
        return Err(oversized());
    }
    let header = exactly(from, u64::from(header_length)).await?;
    let mut attached = Vec::new();
    for length in lengths {
        attached.push(exactly(from, length).await?.into());
    }
    let header = serde_json::from_slice(&header).map_err(|e| {
        io::Error::new(io::ErrorKind::InvalidData, format!("a frame's header is not understood: {e}"))
    })?;
    Ok(Some((header, attached)))
}

async fn exactly(from: &mut (impl AsyncRead + Unpin), length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if from.take(length).read_to_end(&mut bytes).await? as u64 == length {
        Ok(bytes)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn oversized() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a frame is larger than its limit")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text: String, attached in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..5)) {
            let attached: Vec<Bytes> = attached.into_iter().map(Bytes::from).collect();
            let mut wire = Vec::new();
            block(Frame::new(&text, attached.clone()).unwrap().write(&mut wire)).unwrap();
            let (header, read_back) = block(read::<String>(&mut wire.as_slice())).unwrap().unwrap();
            prop_assert_eq!(header, text);
            prop_assert_eq!(read_back, attached);
        }

        #[test]
        fn a_cut_frame_is_an_error_and_not_an_end(cut in 1_usize..30) {
            let mut wire = Vec::new();
            let attached = vec![Bytes::from_static(b"attached")];
            block(Frame::new(&"header", attached).unwrap().write(&mut wire)).unwrap();
            prop_assume!(cut < wire.len());
            wire.truncate(cut);
            prop_assert!(block(read::<String>(&mut wire.as_slice())).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 1..64)) {
            let _ = block(read::<String>(&mut bytes.as_slice()));
        }
    }

    /// Whoever writes a length gets no memory for it: only what arrives is kept.
    #[test]
    fn a_length_is_no_reason_to_allocate() {
        /// A reader that knows how much it was ever offered room for.
        struct Offered<'a>(&'a [u8], usize);
        impl AsyncRead for Offered<'_> {
            fn poll_read(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &mut tokio::io::ReadBuf<'_>,
            ) -> std::task::Poll<io::Result<()>> {
                self.1 = self.1.max(buf.remaining());
                std::pin::Pin::new(&mut self.0).poll_read(cx, buf)
            }
        }
        let mut wire = Vec::new();
        wire.put_u32_le(2);
        wire.put_u32_le(1);
        wire.put_u64_le(ATTACHED_BYTES_MAX);
        wire.put_slice(b"\"\"");
        wire.put_slice(&[0; 100]);
        let mut offered = Offered(&wire, 0);
        assert!(block(read::<String>(&mut offered)).is_err(), "256 MiB are claimed, 100 bytes are there");
        assert!((1..1 << 20).contains(&offered.1), "room for {} bytes was made", offered.1);
    }

    #[test]
    fn the_end_between_frames_is_an_end() {
        assert!(block(read::<String>(&mut [].as_slice())).unwrap().is_none());
    }
}
