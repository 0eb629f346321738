//! Bytes of a file or of standard input, as they arrive: unpacked where they are gzip, without a byte order mark.

use std::fs::File;
use std::io::{self, Chain, Cursor, Read};
use std::path::{Path, PathBuf};
use std::thread;

use flate2::read::MultiGzDecoder;
use tokio::sync::mpsc;

/// The file name that stands for standard input.
const STDIN: &str = "-";
/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 64 << 10;
/// Chunks that wait while events are normalized.
const CHUNKS: usize = 4;

/// The parts of an input as they arrive.
#[derive(Debug)]
pub(super) enum Arrival {
    /// More bytes.
    Bytes(Vec<u8>),
    /// It cannot be read on, for this reason and with this advice.
    Fault { reason: String, hint: &'static str },
}

/// An input that is being read.
#[derive(Debug)]
pub(super) struct Input {
    /// As messages name it.
    pub(super) name: String,
    pub(super) is_stdin: bool,
    arrivals: mpsc::Receiver<Arrival>,
}

impl Input {
    /// Opens `path`, or standard input, and begins to read it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let is_stdin = path == Path::new(STDIN);
        let (sender, arrivals) = mpsc::channel(CHUNKS);
        let name = if is_stdin {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        };
        let reader: Box<dyn Read + Send> = if is_stdin {
            Box::new(io::stdin())
        } else {
            Box::new(open_file(path.to_owned())?)
        };
        // A thread of its own: a read of standard input cannot be given up, and must not keep Ctrl-C waiting.
        thread::Builder::new().spawn(move || {
            if let Err(fault) = send_all(reader, &sender) {
                // Nobody is left to be told where the receiver is gone.
                let _ = sender.blocking_send(fault);
            }
        })?;
        Ok(Self {
            name,
            is_stdin,
            arrivals,
        })
    }

    /// Returns what arrives next; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Arrival> {
        self.arrivals.recv().await
    }
}

fn open_file(path: PathBuf) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::other("it is a directory"));
    }
    Ok(file)
}

/// Sends what `reader` gives, until its end or until nobody listens.
fn send_all(reader: Box<dyn Read + Send>, sender: &mpsc::Sender<Arrival>) -> Result<(), Arrival> {
    let (head, reader) = peek(reader)?;
    match head.as_slice() {
        [0x1f, 0x8b, ..] => {
            let (head, reader) = peek(MultiGzDecoder::new(reader))?;
            send_text(&head, reader, sender)
        }
        _ => send_text(&head, reader, sender),
    }
}

/// Sends text that begins with `head`.
fn send_text(
    head: &[u8],
    mut reader: impl Read,
    sender: &mpsc::Sender<Arrival>,
) -> Result<(), Arrival> {
    match head {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'{' | b'[', 0, ..] | [0, b'{' | b'[', ..] => {
            return Err(Arrival::Fault {
                reason: "it is UTF-16 text, and only UTF-8 is read".to_owned(),
                hint: "write it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE | tailrace normalize -",
            });
        }
        [0x28, 0xb5, 0x2f, 0xfd] => {
            return Err(Arrival::Fault {
                reason: "it is packed with zstd, and only gzip is unpacked".to_owned(),
                hint: "unpack it: zstd -dc FILE | tailrace normalize -",
            });
        }
        [b'P', b'K', 3, 4] => {
            return Err(Arrival::Fault {
                reason: "it is a zip archive, and only gzip is unpacked".to_owned(),
                hint: "unpack it: unzip -p FILE | tailrace normalize -",
            });
        }
        _ => {}
    }
    let mark = usize::from(head.starts_with(&[0xef, 0xbb, 0xbf])) * 3;
    let mut skipped = [0; 3];
    reader
        .read_exact(skipped.get_mut(..mark).unwrap_or_default())
        .map_err(|error| read_fault(&error))?;
    loop {
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = match reader.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(read_fault(&error)),
        };
        chunk.truncate(read);
        if sender.blocking_send(Arrival::Bytes(chunk)).is_err() {
            return Ok(());
        }
    }
}

/// A reader whose first bytes are known.
type Peeked<R> = (Vec<u8>, Chain<Cursor<Vec<u8>>, R>);

/// Returns the first four bytes, fewer where there are not as many, and a reader of the whole.
fn peek<R: Read>(mut reader: R) -> Result<Peeked<R>, Arrival> {
    let mut head = Vec::new();
    reader
        .by_ref()
        .take(4)
        .read_to_end(&mut head)
        .map_err(|error| read_fault(&error))?;
    Ok((head.clone(), Cursor::new(head).chain(reader)))
}

fn read_fault(error: &io::Error) -> Arrival {
    Arrival::Fault {
        reason: format!("it cannot be read on: {error}"),
        hint: "what is read up to there is shown above; fetch the file anew",
    }
}
