//! What both ends of an outbound connection agree on: a protocol's name in the handshake, then HTTP/2 or a refusal.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The name under which a node dials. Ordinary clients say `h2`, so neither can be taken for the other.
pub(super) const NAME: &[u8] = b"liquid-outbound/1";

/// How long either end may take from the first packet to the first bytes of HTTP/2.
pub(super) const SETTLED_WITHIN: Duration = Duration::from_secs(10);

/// How HTTP/2 begins (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Longest refusal that is read.
const REFUSAL_BYTES_MAX: u64 = 500;

/// Waits for the coordinator's first bytes, which say that it expects this site; they are given back, as they belong to
/// HTTP/2. A connection is of use from here on, and its end is noticed by HTTP/2's own pings.
///
/// # Errors
/// What the coordinator says against it, or that it says nothing.
pub(super) async fn first_bytes(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Result<Bytes, String>> {
    let mut read = Vec::with_capacity(PREFACE.len());
    while read.len() < PREFACE.len() && PREFACE.starts_with(&read) {
        let missing = u64::try_from(PREFACE.len() - read.len()).unwrap_or_default();
        if (&mut *stream).take(missing).read_buf(&mut read).await? == 0 {
            break;
        }
    }
    if read == PREFACE {
        return Ok(Ok(read.into()));
    }
    if !PREFACE.starts_with(&read) {
        // A broken end still leaves what was said before it.
        let _ = stream.take(REFUSAL_BYTES_MAX).read_to_end(&mut read).await;
    }
    let said: String = String::from_utf8_lossy(&read).chars().filter(|c| !c.is_control()).collect();
    Ok(Err(said.trim().to_owned()))
}

/// Says why a connection is not taken, and ends it.
pub(super) async fn refuse(stream: &mut (impl AsyncWrite + Unpin), why: &str) {
    let said = async {
        stream.write_all(format!("{why}\n").as_bytes()).await?;
        stream.shutdown().await
    };
    // Whoever does not listen is refused all the same.
    let _ = tokio::time::timeout(SETTLED_WITHIN, said).await;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the node makes of these bytes when they come in pieces, and then the end.
    fn heard(bytes: &[u8], piece: usize) -> Result<Bytes, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut ours, mut theirs) = tokio::io::duplex(piece);
            let sent = bytes.to_vec();
            let sending = tokio::spawn(async move {
                // The reader may have heard enough.
                let _ = theirs.write_all(&sent).await;
            });
            let heard = first_bytes(&mut ours).await.unwrap();
            drop(ours);
            sending.await.unwrap();
            heard
        })
    }

    proptest! {
        #[test]
        fn http2_is_served_and_everything_else_is_a_refusal(
            more in prop::collection::vec(any::<u8>(), 0..900), piece in 1..64_usize, begins: bool,
        ) {
            let bytes = if begins { [PREFACE, &more].concat() } else { more };
            match heard(&bytes, piece) {
                Ok(early) => prop_assert!(bytes.starts_with(PREFACE) && early == PREFACE),
                Err(said) => {
                    prop_assert!(!bytes.starts_with(PREFACE));
                    prop_assert!(said.len() <= 4 * (500 + PREFACE.len()) && !said.contains(char::is_control));
                }
            }
        }
    }

    #[test]
    fn a_refusal_is_read_as_it_was_written() {
        assert_eq!(
            heard("no site `a`; ask its operator\n".as_bytes(), 7),
            Err("no site `a`; ask its operator".into())
        );
        assert_eq!(heard(b"PRI * HTTP/1.0\r\n\r\n", 64), Err("PRI * HTTP/1.0".into()));
        assert_eq!(heard(b"", 64), Err(String::new()));
    }
}
