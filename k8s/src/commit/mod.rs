//! Which parts count, and the one write that says so.

mod output;
mod settle;
mod success;

pub use output::{check_free, claim};
pub use settle::{Settled, settle};
pub use success::{SUCCESS_VERSION, Success, commit, read_success, success_name};
