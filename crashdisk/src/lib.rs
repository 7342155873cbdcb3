//! A disk that crashes on purpose: it keeps what was synced, any part of what was not, and fails
//! any call on demand. For tests and the simulator; refuses to know what the bytes mean.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::disk::{Disk, File};

/// A directory in memory. Clones are the same directory.
#[derive(Clone)]
pub struct CrashDisk(Arc<Mutex<State>>);

/// A file of it.
pub struct CrashFile {
    disk: CrashDisk,
    id: usize,
    /// Of the process that opened it: after a crash its handles are dead.
    life: u64,
}

/// What happens at some call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This call and all after it fail: the power is gone.
    PowerLoss,
    /// This call fails with EIO.
    Broken,
    /// From this call on there is no room for new files, for so many calls.
    Full(u64),
}

struct State {
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names since the last sync, in order.
    renames: Vec<NameChange>,
    life: u64,
    calls: u64,
    faults: Vec<(u64, Fault)>,
    dead: bool,
    chance: u64,
}

#[derive(Clone)]
enum NameChange {
    Set(String, usize),
    Remove(String),
}

#[derive(Default)]
struct Content {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

enum Change {
    Write(usize, Vec<u8>),
    Len(usize),
}

impl CrashDisk {
    /// An empty one; what a crash leaves follows from the seed.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            renames: Vec::new(),
            life: 0,
            calls: 0,
            faults: Vec::new(),
            dead: false,
            chance: seed | 1,
        })))
    }

    /// Plans a fault `after` calls from now.
    pub fn plan(&self, after: u64, fault: Fault) {
        let mut s = self.lock();
        let at = s.calls + after;
        s.faults.push((at, fault));
    }

    /// The power goes and comes back: of what was not synced some is there, torn anywhere.
    pub fn crash(&self) {
        let mut s = self.lock();
        let s = &mut *s;
        s.life += 1;
        s.dead = false;
        s.faults.clear();
        let mut names = s.durable_names.clone();
        let kept = below(&mut s.chance, s.renames.len() as u64 + 1) as usize;
        for change in s.renames.drain(..).take(kept) {
            apply(&mut names, change);
        }
        s.names = names.clone();
        s.durable_names = names;
        for file in &mut s.files {
            let mut bytes = std::mem::take(&mut file.durable);
            for change in file.unsynced.drain(..) {
                if below(&mut s.chance, 3) > 0 {
                    persist(&mut bytes, &change, &mut s.chance);
                }
            }
            file.bytes = bytes.clone();
            file.durable = bytes;
        }
    }

    /// Forgets every planned fault: all goes well from here on, but for power that is gone.
    pub fn mend(&self) {
        self.lock().faults.clear();
    }

    /// Changes one byte of a file where it is durable; the file has to be there.
    pub fn damage(&self, name: &str, at: u64) {
        let mut s = self.lock();
        let id = s.names[name];
        let file = &mut s.files[id];
        file.bytes[at as usize] ^= 0x40;
        file.durable[at as usize] ^= 0x40;
    }

    /// A directory with these files, all of it durable.
    pub fn holding(files: BTreeMap<String, Vec<u8>>) -> Self {
        let disk = Self::new(1);
        let mut s = disk.lock();
        for (name, bytes) in files {
            let id = s.files.len();
            s.files.push(Content { durable: bytes.clone(), bytes, unsynced: Vec::new() });
            s.names.insert(name.clone(), id);
            s.durable_names.insert(name, id);
        }
        drop(s);
        disk
    }

    /// What its files hold.
    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let s = self.lock();
        s.names.iter().map(|(name, id)| (name.clone(), s.files[*id].bytes.clone())).collect()
    }

    /// Bytes of all files with a name.
    pub fn bytes(&self) -> u64 {
        let s = self.lock();
        s.names.values().map(|id| s.files[*id].bytes.len() as u64).sum()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call that changes something; fails it when its time has come.
    fn call(&self, makes_file: bool) -> io::Result<MutexGuard<'_, State>> {
        let mut s = self.lock();
        s.calls += 1;
        if s.dead {
            return Err(io::Error::other("the power is gone"));
        }
        let now = s.calls;
        let mut due = Ok(());
        for (at, fault) in s.faults.clone() {
            match fault {
                Fault::PowerLoss if now >= at => {
                    s.dead = true;
                    due = Err(io::Error::other("the power is gone"));
                }
                Fault::Broken if now == at => due = Err(io::Error::from_raw_os_error(5)),
                Fault::Full(calls) if makes_file && now >= at && now < at + calls => {
                    due = Err(io::ErrorKind::StorageFull.into());
                }
                _ => {}
            }
        }
        due.map(|()| s)
    }
}

impl Disk for CrashDisk {
    type File = CrashFile;

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().names.keys().cloned().collect())
    }

    fn create(&self, name: &str, len: u64) -> io::Result<CrashFile> {
        let mut s = self.call(true)?;
        let bytes = vec![0; len as usize];
        let id = s.files.len();
        s.files.push(Content { durable: bytes.clone(), bytes, unsynced: Vec::new() });
        s.names.insert(name.to_owned(), id);
        s.renames.push(NameChange::Set(name.to_owned(), id));
        Ok(CrashFile { disk: self.clone(), id, life: s.life })
    }

    fn open(&self, name: &str) -> io::Result<CrashFile> {
        let s = self.lock();
        let id = *s.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(CrashFile { disk: self.clone(), id, life: s.life })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut s = self.call(false)?;
        let id = s.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        s.names.insert(to.to_owned(), id);
        // One step for the directory: it is under one name or the other.
        s.renames.push(NameChange::Set(to.to_owned(), id));
        s.renames.push(NameChange::Remove(from.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut s = self.call(false)?;
        s.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        s.renames.push(NameChange::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut s = self.call(false)?;
        s.durable_names = s.names.clone();
        s.renames.clear();
        Ok(())
    }
}

impl CrashFile {
    fn call(&self) -> io::Result<MutexGuard<'_, State>> {
        let s = self.disk.call(false)?;
        if s.life == self.life { Ok(s) } else { Err(io::Error::other("a handle of before")) }
    }
}

impl File for CrashFile {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let s = self.disk.lock();
        let bytes = &s.files[self.id].bytes;
        let from = bytes.get(at as usize..).unwrap_or(&[]);
        let n = from.len().min(into.len());
        into[..n].copy_from_slice(&from[..n]);
        Ok(n)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut s = self.call()?;
        let file = &mut s.files[self.id];
        write(&mut file.bytes, at as usize, bytes);
        file.unsynced.push(Change::Write(at as usize, bytes.to_vec()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut s = self.call()?;
        let file = &mut s.files[self.id];
        file.durable = file.bytes.clone();
        file.unsynced.clear();
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.lock().files[self.id].bytes.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut s = self.call()?;
        let file = &mut s.files[self.id];
        file.bytes.resize(len as usize, 0);
        file.unsynced.push(Change::Len(len as usize));
        Ok(())
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: NameChange) {
    match change {
        NameChange::Set(name, id) => {
            names.retain(|_, other| *other != id);
            names.insert(name, id);
        }
        NameChange::Remove(name) => {
            names.remove(&name);
        }
    }
}

/// Of a write each sector comes to the disk or does not.
fn persist(bytes: &mut Vec<u8>, change: &Change, chance: &mut u64) {
    match change {
        Change::Len(len) => bytes.resize(*len, 0),
        Change::Write(at, new) => {
            let torn = below(chance, 2) == 0;
            let mut from = 0;
            while from < new.len() {
                let sector_end = (at + from) / SECTOR * SECTOR + SECTOR;
                let to = new.len().min(sector_end - at);
                if !torn || below(chance, 3) > 0 {
                    write(bytes, at + from, &new[from..to]);
                }
                from = to;
            }
        }
    }
}

fn write(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    if bytes.len() < at + new.len() {
        bytes.resize(at + new.len(), 0);
    }
    bytes[at..at + new.len()].copy_from_slice(new);
}

/// A number below `n`.
pub fn below(chance: &mut u64, n: u64) -> u64 {
    *chance ^= *chance << 13;
    *chance ^= *chance >> 7;
    *chance ^= *chance << 17;
    *chance % n
}

const SECTOR: usize = 512;
