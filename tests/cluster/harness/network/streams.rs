//! The TCP half: one connection to the real address for each one to the front.

use super::rule::{Closed, Rule, Rules};
use super::{Attachment, Identify, Member};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Bytes of one read; a piece in the sense of [`Rule::Delay`].
const PIECE_BYTES: usize = 16 * 1024;

/// Accepts connections to `member`'s front until the runtime ends.
pub(super) async fn listen(member: Member, at: Attachment, lane: (Arc<Rules>, Identify)) {
    let (rules, identify) = lane;
    let listener = TcpListener::bind(at.front_tcp).await.unwrap();
    tokio::spawn(async move {
        loop {
            let Ok((stream, client)) = listener.accept().await else { continue };
            // A connection that is already closed has no sender any more.
            let Some(from) = identify(client, at.front_tcp) else { continue };
            let passage = Passage { rules: Arc::clone(&rules), from, to: member };
            tokio::spawn(passage.carry(stream, at.real_tcp));
        }
    });
}

/// One connection, with its opener and its target.
struct Passage {
    rules: Arc<Rules>,
    from: Member,
    to: Member,
}

impl Passage {
    async fn carry(self, stream: TcpStream, real: SocketAddr) {
        let (there, back) = ((self.from, self.to), (self.to, self.from));
        let is_reset = async |pair| self.rules.until(pair, |rule| rule == Rule::Reset).await;
        tokio::select! {
            _ = self.exchange(stream, real) => {}
            () = is_reset(there) => {}
            () = is_reset(back) => {}
        }
    }

    async fn exchange(&self, stream: TcpStream, real: SocketAddr) -> Result<(), Closed> {
        let (there, back) = ((self.from, self.to), (self.to, self.from));
        // The first packet of a handshake, and its answer.
        self.rules.pass(there, 0).await?;
        self.rules.pass(back, 0).await?;
        let upstream = TcpStream::connect(real).await.map_err(|_| Closed)?;
        for socket in [&stream, &upstream] {
            socket.set_nodelay(true).map_err(|_| Closed)?;
        }
        let (from_read, from_write) = stream.into_split();
        let (to_read, to_write) = upstream.into_split();
        let there = pump(&self.rules, there, from_read, to_write);
        let back = pump(&self.rules, back, to_read, from_write);
        tokio::try_join!(there, back).map(|_| ())
    }
}

/// Copies one direction to its end, and passes the end on too.
async fn pump(
    rules: &Rules,
    pair: (Member, Member),
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
) -> Result<(), Closed> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = from.read(&mut piece).await.map_err(|_| Closed)?;
        rules.pass(pair, read).await?;
        if read == 0 {
            return to.shutdown().await.map_err(|_| Closed);
        }
        rules.note(&piece[..read]);
        to.write_all(&piece[..read]).await.map_err(|_| Closed)?;
    }
}
