//! Whether a cloud's metadata service is there.
//!
//! Without credentials the clients ask it for those of the machine's role. Where there is none, as
//! on a laptop, they retry for minutes; one attempt to connect tells in a moment.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The address that AWS, Google Cloud and Azure share.
const METADATA_SERVICE: ([u8; 4], u16) = ([169, 254, 169, 254], 80);

/// A service on the same machine answers within a millisecond.
const TIMEOUT: Duration = Duration::from_millis(300);

pub(super) fn has_metadata_service() -> bool {
    TcpStream::connect_timeout(&SocketAddr::from(METADATA_SERVICE), TIMEOUT).is_ok()
}
