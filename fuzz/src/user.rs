//! F-USER: `user[:group]` and further groups, by a passwd and a group file out of an image.
//!
//! Input: the parts with a NUL between: user, passwd, group, then further groups. The oracle reads the files
//! whole, into tables, and asks the same questions slowly.

use dhow_engine::Kind;
use dhow_engine::fuzzing::{Identity, resolve};

/// The answer is the tables' answer, and an error is one of input.
///
/// # Panics
/// When it is not.
pub fn check(data: &[u8]) {
    let mut parts = data.split(|byte| *byte == 0);
    let mut next = || parts.next().unwrap_or_default();
    let (user, passwd, group) = (next(), next(), next());
    let Ok(user) = std::str::from_utf8(user) else {
        return;
    };
    let further: Option<Vec<String>> = parts
        .take(4)
        .map(|part| String::from_utf8(part.to_vec()).ok())
        .collect();
    let Some(further) = further else {
        return;
    };
    let expected = expected(&rows(passwd), &rows(group), user, &further);
    match resolve(passwd, group, user, &further) {
        Ok(found) => {
            assert!(found.groups.len() <= 1024 + further.len());
            assert_eq!(Some(found), expected, "{user:?}");
        }
        Err(error) => {
            assert_eq!(error.kind(), Kind::InvalidInput, "{error}");
            assert_eq!(expected, None, "{user:?}: {error}");
        }
    }
}

type Row<'a> = Vec<&'a str>;

/// The fields of every readable line.
fn rows(file: &[u8]) -> Vec<Row<'_>> {
    let lines = file.split(|byte| *byte == b'\n');
    let texts = lines
        .filter(|line| line.len() <= 4096)
        .map(std::str::from_utf8);
    texts
        .filter_map(|text| Some(text.ok()?.split(':').collect()))
        .collect()
}

/// An id: decimal digits, and not the one that means none.
fn id(text: &str) -> Option<u32> {
    let mut value = 0u64;
    for digit in text.chars() {
        value = (value * 10 + u64::from(digit.to_digit(10)?)).min(1 << 40);
    }
    let value = u32::try_from(value).ok().filter(|value| *value != u32::MAX);
    value.filter(|_| !text.is_empty())
}

fn expected(
    users: &[Row<'_>],
    groups: &[Row<'_>],
    user: &str,
    further: &[String],
) -> Option<Identity> {
    let (user, group) = match user.find(':') {
        Some(at) => (&user[..at], Some(&user[at + 1..])),
        None => (user, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    // name:password:uid:gid:comment:home:shell
    let valid = |row: &&Row<'_>| {
        row.len() >= 4 && !row[0].is_empty() && id(row[2]).is_some() && id(row[3]).is_some()
    };
    let mut valid = users.iter().filter(valid);
    let entry = match id(user) {
        Some(uid) => valid.find(|row| id(row[2]) == Some(uid)),
        None => Some(valid.find(|row| row[0] == user)?),
    };
    let uid = id(user).or(entry.and_then(|row| id(row[2])))?;
    let gid = match group {
        Some(group) => group_id(groups, group)?,
        None => entry.and_then(|row| id(row[3])).unwrap_or(0),
    };
    let mut ids = Vec::new();
    if let (None, Some(entry)) = (group, entry) {
        let member = |row: &&Row<'_>| {
            let members = row.get(3).copied().unwrap_or_default();
            members.split(',').any(|member| member.trim() == entry[0])
        };
        let mine = groups
            .iter()
            .filter(|row| row.len() >= 3 && id(row[2]).is_some());
        ids.extend(mine.filter(member).take(1024).filter_map(|row| id(row[2])));
    }
    for group in further {
        ids.push(group_id(groups, group)?);
    }
    ids.sort_unstable();
    ids.dedup();
    ids.retain(|one| *one != gid);
    ids.truncate(1024);
    Some(Identity {
        uid,
        gid,
        groups: ids,
        home: entry.map(|row| row.get(5).copied().unwrap_or_default().to_owned()),
    })
}

/// name:password:gid:members
fn group_id(groups: &[Row<'_>], group: &str) -> Option<u32> {
    if let Some(gid) = id(group) {
        return Some(gid);
    }
    let named = groups
        .iter()
        .filter(|row| row.len() >= 3 && id(row[2]).is_some());
    let mut named = named.filter(|row| row[0] == group && !group.is_empty());
    named.next().and_then(|row| id(row[2]))
}
