//! How much memory this process may use: its control group's limit, or the machine's memory.
//! Refuses to know what it is used for.

use std::path::Path;

/// Bytes that the process may use. Where the system tells nothing, a gigabyte.
pub fn memory_bytes() -> usize {
    of(&|path| std::fs::read_to_string(path).ok())
}

fn of(read: &dyn Fn(&Path) -> Option<String>) -> usize {
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| total(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().filter_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let (root, file) = if controllers.is_empty() {
            (Path::new("/sys/fs/cgroup"), "memory.max")
        } else if controllers.split(',').any(|c| c == "memory") {
            (Path::new("/sys/fs/cgroup/memory"), "memory.limit_in_bytes")
        } else {
            return None;
        };
        // Every group above has its limit too. In a container the path may be the host's: then
        // only the root is there.
        let group = root.join(path.trim_start_matches('/'));
        let above = group.ancestors().take_while(|group| group.starts_with(root));
        above.filter_map(|group| read(&group.join(file))?.trim().parse().ok()).min()
    });
    limits.chain(machine).min().unwrap_or(UNKNOWN)
}

/// `MemTotal` of /proc/meminfo.
fn total(text: &str) -> Option<usize> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

const UNKNOWN: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn with(files: &[(&str, &str)]) -> usize {
        of(&|path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn the_lowest_limit_counts() {
        let meminfo = ("/proc/meminfo", "MemFree: 1 kB\nMemTotal:     1000 kB\n");
        let v2 = ("/proc/self/cgroup", "0::/a/b\n");
        let v1 = ("/proc/self/cgroup", "5:cpu:/x\n4:cpu,memory:/a/b\n0::/\n");
        let none = "9223372036854771712\n";
        let rows: [(&[(&str, &str)], usize); 7] = [
            (&[], UNKNOWN),
            (&[meminfo], 1_024_000),
            (&[meminfo, v2, ("/sys/fs/cgroup/a/b/memory.max", "max\n")], 1_024_000),
            (&[meminfo, v2, ("/sys/fs/cgroup/a/b/memory.max", "5000\n")], 5_000),
            (&[meminfo, v2, ("/sys/fs/cgroup/a/memory.max", "7000\n")], 7_000),
            (&[meminfo, v1, ("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", none)], 1_024_000),
            (&[meminfo, v1, ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9000\n")], 9_000),
        ];
        for (files, bytes) in rows {
            assert_eq!(with(files), bytes, "{files:?}");
        }
    }
}
