//! A local relay to the server that avoids delays by Nagle's algorithm. The driver does not set TCP_NODELAY on its
//! sockets. A message that it writes in two pieces then waits up to 40 milliseconds for the acknowledgement of the
//! first, several times for each new connection. Where Unix sockets exist, the driver therefore writes to a Unix socket
//! of ours, and the relay forwards the bytes over TCP without delay.
//!
//! The relay does not read the bytes: the driver and the server encrypt them as they would without it.

use std::io::Result;
use std::path::Path;
use std::path::PathBuf;

use sqlx::ConnectOptions;
use tokio::task::JoinHandle;

#[cfg(unix)]
use super::connect_failure::UnknownHost;

/// The size of the relay's buffers, in bytes.
#[cfg(unix)]
const BUFFER: usize = 1 << 16;

/// The server of some connection options, and the same options for a Unix socket.
pub(in crate::engine) trait Route: ConnectOptions {
    /// Returns host and port; `None` if the options name a Unix socket themselves.
    fn tcp(&self) -> Option<(String, u16)>;

    /// Returns the options for a socket in this folder, and the path of that socket.
    fn through(self, folder: &Path) -> (Self, PathBuf);
}

pub(super) struct Relay {
    task: JoinHandle<()>,
}

impl Relay {
    /// Connects to the server. Returns the options for the driver; `None` if the driver must connect directly, because
    /// there are no Unix sockets or the socket's path would be too long.
    #[cfg(unix)]
    pub(super) async fn open<O: Route>(options: &O) -> Result<Option<(O, Relay)>> {
        let Some((host, port)) = options.tcp() else { return Ok(None) };
        // The folder is accessible to this user only.
        let Ok(folder) = tempfile::tempdir() else { return Ok(None) };
        let (through, path) = options.clone().through(folder.path());
        let Ok(listener) = tokio::net::UnixListener::bind(path) else { return Ok(None) };
        let found = tokio::net::lookup_host((host.clone(), port)).await;
        let addresses: Vec<_> = found.map_err(|_| UnknownHost::error(host))?.collect();
        let mut server = tokio::net::TcpStream::connect(addresses.as_slice()).await?;
        server.set_nodelay(true)?;
        let task = tokio::spawn(async move {
            let Ok((mut driver, _)) = listener.accept().await else { return };
            // Exactly one driver connects. The socket's file is deleted now, so nothing remains however the program
            // ends.
            drop((listener, folder));
            // Each side notices from its own socket that the other side has closed.
            let _ = tokio::io::copy_bidirectional_with_sizes(&mut driver, &mut server, BUFFER, BUFFER).await;
        });
        Ok(Some((through, Relay { task })))
    }

    #[cfg(not(unix))]
    pub(super) async fn open<O: Route>(_: &O) -> Result<Option<(O, Relay)>> {
        Ok(None)
    }

    /// Waits until all pending bytes are forwarded.
    pub(super) async fn finish(self) {
        let _ = self.task.await;
    }

    /// Closes both sockets, so that the server notices at once that the client is gone.
    pub(super) async fn cut(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sqlx::postgres::PgConnectOptions;
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;
    use tokio::net::TcpStream;
    use tokio::net::UnixStream;

    use super::*;

    /// Both ends of a relay.
    async fn open_relay() -> (Relay, UnixStream, TcpStream) {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port);
        let (through, relay) = Relay::open(&options).await.unwrap().unwrap();
        let folder = through.get_socket().unwrap().clone();
        let (_, path) = options.through(&folder);
        let driver = UnixStream::connect(path).await.unwrap();
        let (server, _) = server.accept().await.unwrap();
        while folder.exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (relay, driver, server)
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    #[test]
    fn bytes_are_forwarded_in_both_directions() {
        run(async {
            let (relay, mut driver, mut server) = open_relay().await;
            let mut received = [0; 5];
            driver.write_all(b"hello").await.unwrap();
            server.read_exact(&mut received).await.unwrap();
            assert_eq!(&received, b"hello");
            server.write_all(b"there").await.unwrap();
            driver.read_exact(&mut received).await.unwrap();
            assert_eq!(&received, b"there");
            driver.write_all(b"adieu").await.unwrap();
            drop(driver);
            let mut last = Vec::new();
            server.read_to_end(&mut last).await.unwrap();
            assert_eq!(last, b"adieu");
            drop(server);
            relay.finish().await;
        });
    }

    #[test]
    fn closed_server_is_seen_by_the_driver() {
        run(async {
            let (_relay, mut driver, server) = open_relay().await;
            drop(server);
            assert_eq!(driver.read(&mut [0; 5]).await.unwrap(), 0);
        });
    }

    #[test]
    fn cut_relay_is_seen_by_the_server() {
        run(async {
            let (relay, _driver, mut server) = open_relay().await;
            relay.cut().await;
            assert_eq!(server.read(&mut [0; 5]).await.unwrap(), 0);
        });
    }
}
