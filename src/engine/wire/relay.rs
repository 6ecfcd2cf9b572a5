//! A way to the server that does not dawdle. The driver leaves its sockets as they are made: what it writes in two pieces
//! waits until the other side has acknowledged the first, which may take 40 milliseconds, and does so several times while a
//! connection is opened. So where there are Unix sockets the driver writes to one of ours, and from there it goes on at
//! once.
//!
//! What passes is not looked at: the driver and the server encrypt it as they would without us.

use std::io::Result;
use std::path::Path;
use std::path::PathBuf;

use sqlx::ConnectOptions;
use tokio::task::JoinHandle;

/// How much is carried at once.
#[cfg(unix)]
const PIECE: usize = 1 << 16;

/// Where a driver goes, and how it goes there through a Unix socket instead.
pub(in crate::engine) trait Route: ConnectOptions {
    /// Host and port; `None` where it goes through a Unix socket by itself.
    fn tcp(&self) -> Option<(String, u16)>;

    /// The same through a socket in this folder, and the socket's place.
    fn through(self, folder: &Path) -> (Self, PathBuf);
}

pub(super) struct Relay {
    carrying: JoinHandle<()>,
}

impl Relay {
    /// Reaches the server, and tells the driver where to begin. `None` where it goes by itself: there are no Unix sockets,
    /// or the name of one would be too long.
    #[cfg(unix)]
    pub(super) async fn lay<O: Route>(options: &O) -> Result<Option<(O, Relay)>> {
        let Some((host, port)) = options.tcp() else { return Ok(None) };
        // Nobody else may enter it.
        let Ok(folder) = tempfile::tempdir() else { return Ok(None) };
        let (through, place) = options.clone().through(folder.path());
        let Ok(listener) = tokio::net::UnixListener::bind(place) else { return Ok(None) };
        let mut server = tokio::net::TcpStream::connect((host, port)).await?;
        server.set_nodelay(true)?;
        let carrying = tokio::spawn(async move {
            let Ok((mut driver, _)) = listener.accept().await else { return };
            // One driver comes, once: nothing is left behind, however the program ends.
            drop((listener, folder));
            // Either side learns from its own end that the other one is gone.
            let _ = tokio::io::copy_bidirectional_with_sizes(&mut driver, &mut server, PIECE, PIECE).await;
        });
        Ok(Some((through, Relay { carrying })))
    }

    #[cfg(not(unix))]
    pub(super) async fn lay<O: Route>(_: &O) -> Result<Option<(O, Relay)>> {
        Ok(None)
    }

    /// Carries what is still on its way, to the end.
    pub(super) async fn end(self) {
        let _ = self.carrying.await;
    }

    /// Lets the server see at once that nobody listens any more.
    pub(super) async fn cut(self) {
        self.carrying.abort();
        let _ = self.carrying.await;
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
    async fn laid() -> (Relay, UnixStream, TcpStream) {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port);
        let (through, relay) = Relay::lay(&options).await.unwrap().unwrap();
        let folder = through.get_socket().unwrap().clone();
        let (_, place) = options.through(&folder);
        let driver = UnixStream::connect(place).await.unwrap();
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
    fn what_is_said_arrives_on_either_side() {
        run(async {
            let (relay, mut driver, mut server) = laid().await;
            let mut heard = [0; 5];
            driver.write_all(b"hello").await.unwrap();
            server.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"hello");
            server.write_all(b"there").await.unwrap();
            driver.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"there");
            driver.write_all(b"adieu").await.unwrap();
            drop(driver);
            let mut last = Vec::new();
            server.read_to_end(&mut last).await.unwrap();
            assert_eq!(last, b"adieu");
            drop(server);
            relay.end().await;
        });
    }

    #[test]
    fn a_server_that_goes_is_gone() {
        run(async {
            let (_relay, mut driver, server) = laid().await;
            drop(server);
            assert_eq!(driver.read(&mut [0; 5]).await.unwrap(), 0);
        });
    }

    #[test]
    fn a_line_that_is_cut_is_cut_for_the_server() {
        run(async {
            let (relay, _driver, mut server) = laid().await;
            relay.cut().await;
            assert_eq!(server.read(&mut [0; 5]).await.unwrap(), 0);
        });
    }
}
