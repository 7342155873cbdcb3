//! A disk that loses its power: an ext4 file system in an image file behind a loop device, and the
//! image as it would be found. Refuses to know what lies on it.
//!
//! What is simulated: the server is stopped (SIGSTOP) and the image is copied without `sync`. What
//! the server wrote and did not `fdatasync` is in the page cache of the file system *inside* the
//! image, which is no part of the image and is lost, unless the kernel happened to write it back
//! before; names of files and lengths come back as ext4's journal has them. The copy is taken only
//! when the device wrote nothing meanwhile (its own counters say so), so that it is one moment.
//!
//! What is not: a device with a volatile cache. What was given to the loop device counts as
//! written, flushed or not, because it lies in the page cache of the image file outside, and
//! reading that file past the cache (`O_DIRECT`) would write the cache back first. A forgotten
//! `fdatasync` is found; a drive that lies about it, or a sector torn in two, is not.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted image.
pub struct Power {
    image: PathBuf,
    mount: PathBuf,
    mounted: bool,
}

impl Power {
    /// An empty file system mounted at `mount`, a new folder beside its image.
    ///
    /// # Errors
    /// Where that is not allowed or a tool is missing.
    pub fn new(mount: &Path) -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            bail!("mounting needs root");
        }
        let image = mount.with_extension("img");
        fs::File::create(&image)?.set_len(IMAGE_BYTES)?;
        fs::create_dir_all(mount)?;
        // Nothing is left for the kernel to write later in the background.
        let lazy = "lazy_itable_init=0,lazy_journal_init=0";
        tool(Command::new("mkfs.ext4").args(["-q", "-F", "-E", lazy]).arg(&image))?;
        let mut power = Self { image, mount: mount.to_owned(), mounted: false };
        power.mount()?;
        Ok(power)
    }

    /// The image as it is now, put aside for [`Power::restore`]. Nobody writes on it any more but
    /// the kernel.
    ///
    /// # Errors
    /// When the kernel does not leave the device alone.
    pub fn cut(&self) -> Result<()> {
        let device = self.device()?;
        for _ in 0..ATTEMPTS {
            let before = writes(&device)?;
            let mut copy = Command::new("cp");
            tool(copy.arg("--sparse=always").arg(&self.image).arg(self.copy()))?;
            if before.is_some() && before == writes(&device)? {
                return Ok(());
            }
        }
        bail!("{device} was written to during {ATTEMPTS} copies")
    }

    /// Mounts what [`Power::cut`] put aside, in place of what went on.
    ///
    /// # Errors
    /// When a process still holds the file system, or the copy is no file system.
    pub fn restore(&mut self) -> Result<()> {
        self.unmount()?;
        fs::rename(self.copy(), &self.image)?;
        self.mount()
    }

    fn mount(&mut self) -> Result<()> {
        tool(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.mount))?;
        self.mounted = true;
        Ok(())
    }

    fn unmount(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.mounted, false) {
            tool(Command::new("umount").arg(&self.mount))?;
        }
        Ok(())
    }

    /// The loop device's name, such as `loop0`.
    fn device(&self) -> Result<String> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let at = self.mount.canonicalize()?;
        let at = at.to_str().context("a path of ours is UTF-8")?;
        let line = mounts.lines().find(|line| line.split(' ').nth(1) == Some(at));
        let device = line.and_then(|line| line.split(' ').next()?.strip_prefix("/dev/"));
        Ok(device.context("the image is not mounted")?.to_owned())
    }

    fn copy(&self) -> PathBuf {
        self.image.with_extension("cut")
    }
}

impl Drop for Power {
    fn drop(&mut self) {
        if let Err(error) = self.unmount() {
            eprintln!("crash: {} stays mounted: {error:#}", self.mount.display());
        }
    }
}

/// Writes that a device has done; `None` while one is under way.
fn writes(device: &str) -> Result<Option<u64>> {
    let text = fs::read_to_string(format!("/sys/block/{device}/stat"))?;
    written(&text).context("the counters of a block device")
}

/// Of a line of counters: reads (4 numbers), writes done, merged, sectors, time, under way.
fn written(line: &str) -> Option<Option<u64>> {
    let mut numbers = line.split_whitespace().map(|number| number.parse::<u64>().ok());
    let done = numbers.nth(4)??;
    let under_way = numbers.nth(3)??;
    Some((under_way == 0).then_some(done))
}

fn tool(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let done = command.output().with_context(|| shown.clone())?;
    if !done.status.success() {
        bail!("{shown}: {} {}", done.status, String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(())
}

/// Sparse: what is not written takes no room.
const IMAGE_BYTES: u64 = 4 << 30;
/// The journal is committed every five seconds, a copy takes a fraction of one.
const ATTEMPTS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn what_was_synced_survives_and_what_was_not_does_not() {
        let folder = std::env::temp_dir().join(format!("gridhub-power-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        match Power::new(&folder.join("disk")) {
            Err(error) => eprintln!("skipped: what_was_synced_survives: {error:#}"),
            Ok(mut power) => {
                let (kept, lost) = (power.mount.join("kept"), power.mount.join("lost"));
                let mut file = fs::File::create(&kept).unwrap();
                file.write_all(b"kept").unwrap();
                file.sync_all().unwrap();
                fs::File::open(&power.mount).unwrap().sync_all().unwrap();
                drop(file);
                fs::write(&lost, b"lost").unwrap();
                power.cut().unwrap();
                assert_eq!(fs::read(&lost).unwrap(), b"lost", "the machine is still on");
                power.restore().unwrap();
                assert_eq!(fs::read(&kept).unwrap(), b"kept");
                // Its name may be there, if the journal was just committed.
                assert!(fs::read(&lost).unwrap_or_default().is_empty());
            }
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_device_at_rest_tells_its_writes() {
        let line = "  54 0 2100 7 12 0 96 2 0 4 11 0 0 0 0 1 0\n";
        assert_eq!(written(line), Some(Some(12)));
        assert_eq!(written(&line.replace(" 2 0 4 ", " 2 1 4 ")), Some(None));
        assert_eq!(written("1 2 3"), None);
    }
}
