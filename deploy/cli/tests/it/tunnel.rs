//! An HTTP proxy that opens tunnels (CONNECT), and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// It takes every connection until the tests end.
pub(crate) struct Tunnels {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Tunnels {
    /// Opens tunnels to whoever shows these credentials, and refuses all others; without any, it refuses everybody.
    pub(crate) fn start(credentials: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self { address: listener.local_addr().unwrap().to_string(), asked: Arc::default() };
        let asked = Arc::clone(&proxy.asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let asked = Arc::clone(&asked);
                std::thread::spawn(move || handle(stream.unwrap(), credentials, &asked));
            }
        });
        proxy
    }

    /// The heads of all requests so far, as one text.
    pub(crate) fn asked(&self) -> String {
        self.asked.lock().unwrap().join("\n")
    }

    pub(crate) fn forget(&self) {
        self.asked.lock().unwrap().clear();
    }
}

/// One connection, whose peer may leave at any time.
fn handle(near: TcpStream, credentials: Option<&str>, asked: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(near.try_clone().unwrap());
    let lines = reader.by_ref().lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    asked.lock().unwrap().extend(head.iter().cloned());
    let shows = |wanted: &str| {
        head.iter().any(|line| line.to_lowercase().starts_with("proxy-auth") && line.ends_with(wanted))
    };
    let mut near = near;
    let target = head.first().and_then(|line| line.strip_prefix("CONNECT ")?.split(' ').next());
    let (Some(target), true) = (target, credentials.is_some_and(shows)) else {
        let _left = near.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        return;
    };
    let Ok(far) = TcpStream::connect(target) else { return };
    near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
    let mut far_out = far.try_clone().unwrap();
    std::thread::spawn(move || std::io::copy(&mut reader, &mut far_out));
    let mut far = far;
    let _ended = std::io::copy(&mut far, &mut near);
    let _gone = near.shutdown(std::net::Shutdown::Both);
}
