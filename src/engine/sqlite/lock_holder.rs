//! Finds the process that holds a lock on a database file, where the system lists the locks of all processes.

use std::path::Path;

/// Adds the process that holds a lock on a database to the reason of an error, if the process is known.
pub(super) fn with_holder(why: &str, database: &Path) -> String {
    match holder(database) {
        Some(holder) => format!("{why}; the lock is held by process {holder}"),
        None => why.to_owned(),
    }
}

/// Returns a process with its name, such as `4711 (sqlite3)`.
#[cfg(target_os = "linux")]
fn holder(database: &Path) -> Option<String> {
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let own = std::process::id();
    let shared_memory = super::clone::companion(database, "-shm");
    // In WAL mode, writers lock the shared memory, in which every open connection has a read lock.
    let process = inode(database)
        .and_then(|inode| locking_process(&locks, inode, true, own))
        .or_else(|| locking_process(&locks, inode(&shared_memory)?, true, own))
        .or_else(|| locking_process(&locks, inode(database)?, false, own))?;
    let name = std::fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(format!("{process} ({})", crate::model::text::visible(name.trim_end())))
}

#[cfg(not(target_os = "linux"))]
fn holder(_database: &Path) -> Option<String> {
    None
}

#[cfg(target_os = "linux")]
fn inode(file: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Returns the first process, other than this one, that has a lock on a file. A line of the list looks like
/// `1: POSIX  ADVISORY  WRITE 4711 fd:01:12345 1073741824 1073742335`.
#[cfg(target_os = "linux")]
fn locking_process(locks: &str, (device, inode): (u64, u64), is_writer: bool, own: u32) -> Option<u32> {
    let device = format!("{:02x}:{:02x}", rustix::fs::major(device), rustix::fs::minor(device));
    let file = format!("{device}:{inode}");
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // A process that waits for a lock has an arrow before its words.
        let [_, "POSIX", _, kind, process, locked, ..] = words.as_slice() else { return None };
        let is_meant = *locked == file && (*kind == "WRITE" || !is_writer);
        process.parse().ok().filter(|process| is_meant && *process != own && *process > 0)
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn lock_of_another_process_on_the_file_is_found() {
        let locks = "1: POSIX  ADVISORY  READ 9 fd:01:7 128 128\n\
                     2: POSIX  ADVISORY  WRITE 5 fd:01:8 120 120\n\
                     2: -> POSIX  ADVISORY  WRITE 6 fd:01:7 120 120\n\
                     3: FLOCK  ADVISORY  WRITE 7 fd:01:7 0 EOF\n\
                     4: POSIX  ADVISORY  WRITE 4711 fd:01:7 1073741825 1073741825\n";
        let file = (rustix::fs::makedev(0xfd, 1), 7);
        assert_eq!(locking_process(locks, file, true, 1), Some(4711));
        assert_eq!(locking_process(locks, file, true, 4711), None);
        assert_eq!(locking_process(locks, file, false, 1), Some(9));
        assert_eq!(locking_process(locks, (file.0, 10), false, 1), None);
    }
}
