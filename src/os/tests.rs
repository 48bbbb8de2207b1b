//! What Linux answers, and the lines that are read without echo.

use super::*;
use std::os::unix::fs::PermissionsExt;

#[test]
fn errors_are_sorted_by_their_number() {
    // Numbers of asm-generic/errno.h and errno-base.h, written out so that a wrong name shows.
    let sorted: [(Trouble, &[i32]); 5] = [
        (Trouble::Again, &[11]),
        (Trouble::Retry, &[4]),
        (Trouble::Skip, &[103, 1, 71, 100, 112, 64, 101, 95, 92, 113]),
        (Trouble::Exhausted, &[24, 23, 105, 12]),
        (Trouble::Broken, &[104, 32, 110, 9, 5, 22, 111]),
    ];
    for (trouble, numbers) in sorted {
        for number in numbers {
            let error = io::Error::from_raw_os_error(*number);
            assert_eq!(Trouble::of(&error), trouble, "{error}");
        }
    }
}

#[test]
fn errors_that_the_system_did_not_make_are_sorted_by_kind() {
    assert_eq!(Trouble::of(&io::ErrorKind::WouldBlock.into()), Trouble::Again);
    assert_eq!(Trouble::of(&io::ErrorKind::Interrupted.into()), Trouble::Retry);
    assert_eq!(Trouble::of(&io::ErrorKind::WriteZero.into()), Trouble::Broken);
}

#[test]
fn data_lives_with_the_user_or_beside_the_start() {
    let dir = |set: &[(&str, &str)]| {
        default_data_dir(|name| {
            set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
        })
    };
    assert_eq!(dir(&[("XDG_DATA_HOME", "/x"), ("HOME", "/h")]), Path::new("/x/parlor"));
    assert_eq!(dir(&[("HOME", "/h")]), Path::new("/h/.local/share/parlor"));
    assert_eq!(dir(&[("XDG_DATA_HOME", ""), ("HOME", "")]), Path::new("parlor-data"));
    assert_eq!(dir(&[("XDG_DATA_HOME", "relative")]), Path::new("parlor-data"));
}

#[test]
fn folders_and_files_are_for_their_owner_only() {
    let temp = tempfile::tempdir().unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let dir = temp.path().join("a/b");
    create_private_dir(&dir).unwrap();
    create_private_dir(&dir).unwrap();
    assert_eq!((mode(&dir), mode(&temp.path().join("a"))), (0o700, 0o700));
    open_append(&dir.join("log")).unwrap();
    create_private_file(&dir.join("file")).unwrap();
    assert_eq!((mode(&dir.join("log")), mode(&dir.join("file"))), (0o600, 0o600));
    std::fs::write(dir.join("file"), "kept").unwrap();
    FolderLock::take(&dir).unwrap().unwrap();
    assert_eq!(mode(&dir.join("lock")), 0o600);
    assert_eq!(std::fs::read(dir.join("file")).unwrap(), b"kept");
    assert!(create_private_file(&dir.join("file")).is_err());
}

#[test]
fn a_hidden_line_is_what_was_typed_after_all_corrections() {
    let line = |keys: &str| hidden_line(keys.as_bytes()).map_err(|error| error.kind());
    assert_eq!(line("open sesame\rmore"), Ok("open sesame".into()));
    assert_eq!(line("opem\u{7f}n \u{8}\n"), Ok("open".into()));
    assert_eq!(line("\u{7f}sésam\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}x\n"), Ok("x".into()));
    assert_eq!(line("wrong\u{15}right\n"), Ok("right".into()));
    assert_eq!(line("half\u{3}\n"), Err(io::ErrorKind::Interrupted));
    assert_eq!(line("\u{4}"), Err(io::ErrorKind::UnexpectedEof));
    assert_eq!(line("no end"), Err(io::ErrorKind::UnexpectedEof));
    assert_eq!(line(&"x".repeat(5000)), Err(io::ErrorKind::Other));
    let raw = hidden_line(&b"\xff\n"[..]).map_err(|error| error.kind());
    assert_eq!(raw, Err(io::ErrorKind::Other));
}

#[test]
fn the_system_gives_other_random_numbers_each_time() {
    let mut bytes = [[0; 32]; 2];
    bytes.iter_mut().for_each(|bytes| random(bytes).unwrap());
    assert_ne!(bytes[0], bytes[1]);
    assert_ne!(bytes[0], [0; 32]);
}

#[test]
fn a_thread_steps_back_and_the_others_do_not() {
    let nice = || rustix::process::getpriority_process(None).unwrap();
    let before = nice();
    let lowered = std::thread::spawn(move || {
        lower_thread_priority();
        nice()
    });
    assert_eq!((lowered.join().unwrap(), nice()), (10, before));
}

#[test]
fn memory_and_processor_time_are_told() {
    let status = "VmPeak:\t  900 kB\nVmHWM:\t     120 kB\nVmRSS:\t     100 kB\n";
    let memory = MemoryUse { resident_bytes: 102_400, peak_bytes: 122_880 };
    assert_eq!(MemoryUse::parse(status), Some(memory));
    assert_eq!(MemoryUse::parse("VmRSS: many kB"), None);
    assert!(MemoryUse::now().unwrap().resident_bytes > 100_000);
    let before = thread_cpu().unwrap();
    assert!((0..).any(|_| thread_cpu().unwrap() > before));
}

#[test]
fn the_descriptor_limit_is_raised_once_and_for_all() {
    let limit = raise_descriptor_limit();
    assert!(limit >= 64);
    assert_eq!(raise_descriptor_limit(), limit);
    open_reserve().unwrap();
}

#[test]
fn signals_arrive_as_events_with_their_meaning() {
    let mut poll = mio::Poll::new().unwrap();
    let waker = Arc::new(mio::Waker::new(poll.registry(), mio::Token(8)).unwrap());
    let mut signals = Signals::new(poll.registry(), mio::Token(7), &waker).unwrap();
    assert_eq!(signals.pending(), []);
    signal_hook::low_level::raise(signal_hook::consts::SIGUSR1).unwrap();
    let mut events = mio::Events::with_capacity(4);
    poll.poll(&mut events, Some(Duration::from_secs(10))).or_else(ignore_interrupt).unwrap();
    assert_eq!(signals.pending(), [Signal::Report]);
    signal_hook::low_level::raise(signal_hook::consts::SIGHUP).unwrap();
    assert_eq!(signals.pending(), [Signal::Reopen]);
    signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap();
    assert_eq!(signals.pending(), [Signal::Stop]);
}

fn ignore_interrupt(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}

#[test]
fn an_accepted_socket_has_the_patience_of_the_one_that_listens() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let time = Duration::from_secs(90);
    limit_unconfirmed(&listener.try_clone().unwrap().into(), time).unwrap();
    let _peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    assert_eq!(rustix::net::sockopt::tcp_user_timeout(&accepted).unwrap(), 90_000);
}

#[test]
fn only_a_regular_file_is_opened_and_no_link_is_followed() {
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name);
    std::fs::write(path("file"), "old").unwrap();
    open_regular(&path("file"), true).unwrap().write_all(b"new").unwrap();
    assert_eq!(std::fs::read(path("file")).unwrap(), b"new");
    assert!(open_regular(&path("file"), false).unwrap().write_all(b"x").is_err());
    std::os::unix::fs::symlink(path("file"), path("link")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), kind, mode, 0).unwrap();
    for bad in ["link", "pipe", "", "missing"] {
        assert!(open_regular(&path(bad), false).is_err(), "{bad}");
    }
}

#[test]
fn free_bytes_are_those_of_a_file_system() {
    let free = free_bytes(Path::new("/")).unwrap().unwrap();
    assert!(free > 0 && free < 1 << 60, "{free}");
    assert_eq!(free_bytes(Path::new("/proc")).unwrap(), Some(0));
    assert!(free_bytes(Path::new("/nowhere")).is_err());
}

#[test]
fn a_folder_has_one_lock_whatever_becomes_of_the_file_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, link) = (dir.path().join("data"), dir.path().join("link"));
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(&folder, &link).unwrap();
    let path = folder.join("lock");
    let held = FolderLock::take(&folder).unwrap().unwrap();
    held.note_process();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
    for change in [&|| {}, &|| std::fs::remove_file(&path).unwrap(), &|| {
        std::fs::write(dir.path().join("other"), "").unwrap();
        std::fs::rename(dir.path().join("other"), &path).unwrap();
    }] as [&dyn Fn(); 3]
    {
        change();
        assert!(FolderLock::take(&folder).unwrap().is_none());
        assert!(FolderLock::take(&link).unwrap().is_none());
    }
    drop(held);
    // One that somebody else's server holds by the file alone, as older ones do.
    let older = std::fs::File::open(&path).unwrap();
    older.lock().unwrap();
    assert!(FolderLock::take(&folder).unwrap().is_none());
    drop(older);
    // A link is not followed, be what it points to held or not.
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(dir.path().join("victim"), &path).unwrap();
    assert!(FolderLock::take(&folder).is_err());
    assert!(!dir.path().join("victim").exists());
    std::fs::remove_file(&path).unwrap();
    assert!(FolderLock::take(&folder).unwrap().is_some());
}

#[test]
fn what_lasts_as_long_as_a_program_is_with_its_user_or_nowhere() {
    let dir = |set: &[(&str, &str)]| {
        run_dir(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    };
    let is = |set: &[(&str, &str)], path: &str| assert_eq!(dir(set), Some(path.into()));
    is(&[("XDG_RUNTIME_DIR", "/r"), ("XDG_STATE_HOME", "/s"), ("HOME", "/h")], "/r/parlor");
    is(&[("XDG_RUNTIME_DIR", "r"), ("XDG_STATE_HOME", "/s"), ("HOME", "/h")], "/s/parlor");
    is(&[("HOME", "/h")], "/h/.local/state/parlor");
    assert_eq!(dir(&[("HOME", "")]), None);
}

#[test]
fn a_folder_that_others_may_enter_or_a_link_to_one_is_not_private() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("a");
    assert!(!is_private_dir(&dir));
    create_private_dir(&dir).unwrap();
    assert!(is_private_dir(&dir));
    std::os::unix::fs::symlink(&dir, temp.path().join("link")).unwrap();
    assert!(!is_private_dir(&temp.path().join("link")));
    for mode in [0o750, 0o701] {
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(mode)).unwrap();
        assert!(!is_private_dir(&dir), "{mode:o}");
    }
    create_private_file(&temp.path().join("file")).unwrap();
    assert!(!is_private_dir(&temp.path().join("file")));
}
