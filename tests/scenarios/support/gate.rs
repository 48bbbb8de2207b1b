//! A way to the server on which the parts of files wait until they are let through, so that an
//! upload holds its slot for as long as a test wants.
//!
//! Knows frames as far as their length and kind; everything else passes at once.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// The kind of a frame that is a part of a file.
const CHUNK: u8 = 2;

#[derive(Clone, Default)]
struct Latch(Arc<(Mutex<bool>, Condvar)>);

impl Latch {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn wait(&self) {
        let closed = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(closed, |open| !*open).unwrap());
    }
}

/// One connection's way.
pub(crate) struct Gate {
    addr: String,
    latch: Latch,
    server: TcpStream,
}

impl Gate {
    /// For the next one who calls [`Gate::addr`].
    pub(crate) fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let server = TcpStream::connect(server).unwrap();
        let latch = Latch::default();
        let (to_server, waits) = (server.try_clone().unwrap(), latch.clone());
        std::thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            let (to_client, from_server) =
                (client.try_clone().unwrap(), to_server.try_clone().unwrap());
            std::thread::spawn(move || copy(from_server, to_client));
            // Whoever is gone on either side ends it; what that means is for the test to say.
            let _ = copy_frames(client, &to_server, &waits);
            let _ = to_server.shutdown(Shutdown::Both);
        });
        Self { addr, latch, server }
    }

    pub(crate) fn addr(&self) -> &str {
        &self.addr
    }

    /// Lets the parts of files through from now on.
    pub(crate) fn open(&self) {
        self.latch.open();
    }

    /// The connection breaks.
    pub(crate) fn cut(&self) {
        let _ = self.server.shutdown(Shutdown::Both);
        self.latch.open();
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}

fn copy_frames(mut from: TcpStream, mut to: &TcpStream, latch: &Latch) -> std::io::Result<()> {
    loop {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        from.read_exact(&mut frame)?;
        if frame.first() == Some(&CHUNK) {
            latch.wait();
        }
        to.write_all(&[&length[..], &frame].concat())?;
    }
}
