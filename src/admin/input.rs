//! Where passwords come from: a terminal, a variable, a file, the lines of an import.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read};
use std::path::Path;

use super::{AdminError, shown};
use crate::limits::{MIB, PASSWORD_MAX};
use crate::message::{UserName, check_password, may_be_password, without_mark};
use crate::os;

/// Longest import that is read: some hundred thousand lines. A device or a wrong name shall not
/// fill the memory.
const IMPORT_BYTES_MAX: u64 = 16 * MIB;
/// Longest first line of a file with a password; more is no password.
const LINE_BYTES_MAX: u64 = 4096;

/// A password that may be set: of the file if there is one, else of the person at the terminal,
/// else of the variable. The variable does not go before the person: it may be in the environment
/// for `parlor chat`, and is then the owner's own.
pub(super) fn new_password(file: Option<&Path>) -> Result<String, AdminError> {
    let password = match file {
        Some(path) => first_line(path)?,
        None if io::stdin().is_terminal() => ask_twice()?,
        None => from_variable()?,
    };
    check_password(&password).map_err(|refusal| AdminError::Usage(refusal.to_string()))?;
    Ok(password)
}

fn first_line(path: &Path) -> Result<String, AdminError> {
    let cannot = |error| AdminError::Read { what: shown(path), error };
    let file = File::open(path).map_err(cannot)?;
    let mut line = String::new();
    BufReader::new(file.take(LINE_BYTES_MAX)).read_line(&mut line).map_err(cannot)?;
    Ok(without_mark(&line).trim_end_matches(['\r', '\n']).to_owned())
}

fn ask_twice() -> Result<String, AdminError> {
    let ask = |prompt| {
        os::read_secret(prompt)
            .map_err(|error| AdminError::Read { what: "the password".to_owned(), error })
    };
    let password = ask("new password: ")?;
    check_password(&password).map_err(|refusal| AdminError::Usage(refusal.to_string()))?;
    if ask("repeat it: ")? != password {
        return Err(AdminError::Usage("the two passwords differ; nothing was changed".to_owned()));
    }
    Ok(password)
}

fn from_variable() -> Result<String, AdminError> {
    let none = "no password given; set PARLOR_PASSWORD, or use --password-file FILE";
    match std::env::var("PARLOR_PASSWORD") {
        Ok(password) => Ok(password),
        Err(std::env::VarError::NotPresent) => Err(AdminError::Usage(none.to_owned())),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(AdminError::Usage("PARLOR_PASSWORD is not UTF-8".to_owned()))
        }
    }
}

/// Reads an import to its end; `-` is standard input.
pub(super) fn read_accounts(path: &Path) -> Result<Vec<(UserName, String)>, AdminError> {
    let is_input = path.as_os_str() == "-";
    let name = if is_input { "standard input".to_owned() } else { shown(path) };
    let text =
        if is_input { read_whole(io::stdin()) } else { File::open(path).and_then(read_whole) };
    let text = text.map_err(|error| AdminError::Read { what: name.clone(), error })?;
    parse(&text).map_err(|(line, what)| AdminError::Line { file: name, line, what })
}

fn read_whole(from: impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    if from.take(IMPORT_BYTES_MAX + 1).read_to_end(&mut text)? as u64 > IMPORT_BYTES_MAX {
        return Err(io::Error::other("it is longer than 16MiB"));
    }
    Ok(text)
}

/// The accounts of an import, or the first line that is none and what is wrong with it. What is
/// wrong never has the line's password in it.
fn parse(text: &[u8]) -> Result<Vec<(UserName, String)>, (usize, String)> {
    let mut accounts: Vec<(UserName, String)> = Vec::new();
    let mut known = std::collections::BTreeMap::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line_number = index + 1;
        let wrong = |what: &str| (line_number, what.to_owned());
        let line = std::str::from_utf8(line).map_err(|_| wrong("it is not UTF-8"))?;
        let line = if index == 0 { without_mark(line) } else { line };
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.trim_ascii().is_empty() {
            continue;
        }
        let (name, password) = line
            .split_once([' ', '\t'])
            .ok_or_else(|| wrong("it should be a name, a blank and a password"))?;
        let name =
            UserName::parse(name).map_err(|error| wrong(&format!("invalid user name: {error}")))?;
        let password = password.trim_matches([' ', '\t']);
        if !may_be_password(password) {
            let what =
                format!("a password needs 1 to {PASSWORD_MAX} bytes, without control characters");
            return Err((line_number, what));
        }
        if let Some(first) = known.insert(name.as_str().to_ascii_lowercase(), line_number) {
            return Err((line_number, format!("{name} is in line {first} already")));
        }
        accounts.push((name, password.to_owned()));
    }
    Ok(accounts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<(String, String)>, (usize, String)> {
        let accounts = parse(text.as_bytes())?;
        Ok(accounts.into_iter().map(|(name, password)| (name.to_string(), password)).collect())
    }

    #[test]
    fn an_import_has_a_name_and_a_password_a_line() {
        let text = "\u{feff}hans falcon*solo\nyoda wise@!man\r\n\n  \nLea\t a b \nx 1";
        let accounts = [("hans", "falcon*solo"), ("yoda", "wise@!man"), ("Lea", "a b"), ("x", "1")];
        let accounts = accounts.map(|(name, password)| (name.to_owned(), password.to_owned()));
        assert_eq!(parsed(text), Ok(accounts.to_vec()));
        assert_eq!(parsed(""), Ok(Vec::new()));
    }

    #[test]
    fn a_mistake_names_its_line_and_never_the_password() {
        let wrong = |text: &str| parsed(text).unwrap_err();
        assert_eq!(wrong("a secret\nb"), (2, "it should be a name, a blank and a password".into()));
        let no_name = "invalid user name: only the letters a to z, A to Z and the digits 0 to 9 \
                       are allowed";
        assert_eq!(wrong("a.b secret"), (1, no_name.into()));
        assert_eq!(wrong(" a secret").0, 1);
        let no_password = "a password needs 1 to 256 bytes, without control characters";
        assert_eq!(wrong("a x\nb  \nc x"), (2, no_password.into()));
        assert_eq!(wrong(&format!("a {}", "x".repeat(257))), (1, no_password.into()));
        assert_eq!(wrong("a sec\u{7}ret"), (1, no_password.into()));
        assert_eq!(wrong("a secret\n\nA secret"), (3, "A is in line 1 already".into()));
        assert_eq!(parse(b"a x\nb \xff"), Err((2, "it is not UTF-8".into())));
    }

    #[test]
    fn the_first_line_of_a_file_is_the_password() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        std::fs::write(&path, "\u{feff}open sesame \r\nmore\n").unwrap();
        assert_eq!(first_line(&path).unwrap(), "open sesame ");
        assert!(matches!(first_line(dir.path()), Err(AdminError::Read { .. })));
    }
}
