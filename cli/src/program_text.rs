//! The machine code of the program itself, as far as it is in memory.

/// Unmaps the program's code: what runs from here on is mapped again, from the page cache, when it is reached.
///
/// To start and to plan runs through much code that running a plan never comes back to, and Linux maps 64 kB around
/// whatever is reached: 43 MB, of which a join needs a fourth. Changes no answer, and nothing at all on other systems.
#[cfg(target_os = "linux")]
pub(crate) fn let_go() {
    if let Err(error) = unmap() {
        tracing::debug!(%error, "the program's code stays mapped");
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn let_go() {}

#[cfg(target_os = "linux")]
fn unmap() -> std::io::Result<()> {
    use rustix::mm::{Advice, madvise};

    let program = std::fs::read_link("/proc/self/exe")?;
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    for (start, length) in maps
        .lines()
        .filter_map(|line| code_of(line, &program.to_string_lossy()))
    {
        let address = std::ptr::with_exposed_provenance_mut(start);
        // SAFETY: a private mapping of a file that cannot be written to holds what the file holds, before and after.
        #[expect(unsafe_code, reason = "no safe function gives advice about code")]
        unsafe {
            madvise(address, length, Advice::LinuxDontNeed)?;
        }
    }
    Ok(())
}

/// Address and length of a mapping, if it is code of the program, from a line of `/proc/self/maps`:
/// `00a25000-06dc6000 r-xp 01824000 fe:00 1312 /usr/bin/geoflow`.
#[cfg(target_os = "linux")]
fn code_of(line: &str, program: &str) -> Option<(usize, usize)> {
    let (range, rest) = line.split_once(' ')?;
    let rest = rest.strip_prefix("r-xp ")?;
    if !rest.ends_with(&format!(" {program}")) {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let end = usize::from_str_radix(end, 16).ok()?;
    Some((start, end.checked_sub(start)?))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn code_alone_is_let_go() {
        let line = |permissions| {
            format!("00a25000-06dc6000 {permissions} 01824000 fe:00 1312      /bin/geoflow")
        };
        assert_eq!(
            code_of(&line("r-xp"), "/bin/geoflow"),
            Some((0xa2_5000, 0x63a_1000))
        );
        // What can be written to may have been.
        for permissions in ["r--p", "rw-p", "rwxp", "r-xs"] {
            assert_eq!(code_of(&line(permissions), "/bin/geoflow"), None);
        }
        assert_eq!(code_of(&line("r-xp"), "/bin/other"), None);
        let anonymous = "7f0000000000-7f0000001000 r-xp 00000000 00:00 0";
        assert_eq!(code_of(anonymous, "/bin/geoflow"), None);
        let_go();
    }
}
