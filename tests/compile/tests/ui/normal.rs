//! Normalizes a compiler's messages: removes paths of the machine, and line numbers of code outside the case.

/// How wide the column of line numbers is. The compiler makes it as wide as the largest number of a message, which may be
/// that of a line in a library.
const GUTTER: usize = 4;

/// The messages about a case, in the form in which they are recorded.
pub(crate) fn normal(messages: &str, case: &str) -> String {
    let mut text = String::new();
    for message in messages.split("\n\n").filter(|message| !is_summary(message.trim())) {
        let width = message.lines().find_map(gutter).unwrap_or(GUTTER);
        let mut elsewhere = false;
        for line in message.lines().filter(|line| !names_a_file(line)) {
            let line = counted(&regutter(line, width));
            if let Some(place) = place(&line) {
                elsewhere = !place.starts_with(case);
            } else if !line.starts_with([' ', '.'])
                && line.trim_end().parse::<u32>().is_err()
                && !is_code(&line)
            {
                // A headline: what follows without a place of its own is about the case.
                elsewhere = false;
            }
            let line = match place(&line) {
                Some(place) if elsewhere => line.replace(place, &portable(place)),
                _ if elsewhere && is_code(&line) => format!("{:GUTTER$}{}", "", &line[GUTTER..]),
                _ => line,
            };
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text.push('\n');
    }
    let text = text.trim();
    if text.is_empty() { String::new() } else { format!("{text}\n") }
}

/// The last lines, which count.
fn is_summary(message: &str) -> bool {
    let beginnings = [
        "error: aborting due to ",
        "Some errors have detailed explanations: ",
        "For more information about ",
        "warning: ",
    ];
    message.is_empty()
        || beginnings.iter().any(|beginning| message.starts_with(beginning))
            && !message.contains("-->")
            && message.lines().count() <= 2
}

/// Long types are written to files of random names.
fn names_a_file(line: &str) -> bool {
    line.contains("the full name for the type has been written to")
        || line.contains("the full type name has been written to")
        || line.contains("consider using `--verbose` to print the full type name")
}

/// How wide the column of line numbers is in the message of a line that names a place.
fn gutter(line: &str) -> Option<usize> {
    place(line).map(|_| line.len() - line.trim_start().len())
}

/// The place that a line names.
fn place(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix("--> ").or_else(|| line.strip_prefix("::: "))
}

/// Whether a line shows one of source code.
fn is_code(line: &str) -> bool {
    let rest = line.trim_start_matches([' ', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    line.starts_with([' ', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
        && rest.len() < line.len()
        && rest.starts_with(['|', '+', '-', '~', '/'])
        && place(line).is_none()
}

/// A line with a column of line numbers of the same width everywhere.
fn regutter(line: &str, width: usize) -> String {
    match line.split_at_checked(width) {
        Some((number, rest))
            if number.chars().all(|it| it == ' ' || it.is_ascii_digit()) && !line.is_empty() =>
        {
            format!("{:>GUTTER$}{rest}", number.trim())
        }
        _ => line.to_owned(),
    }
}

/// How many more types there are depends on the versions of libraries.
fn counted(line: &str) -> String {
    match line.trim_start().strip_prefix("and ").and_then(|rest| rest.strip_suffix(" others")) {
        Some(number) if number.parse::<u32>().is_ok() => line.replace(number, "$N"),
        _ => line.to_owned(),
    }
}

/// A place in a library: its file, wherever that lies, and whatever the library's version.
fn portable(place: &str) -> String {
    // Without line and column.
    let file = place.trim_end_matches(|it: char| it == ':' || it.is_ascii_digit());
    if let Some((_, registry)) = file.split_once("/registry/src/") {
        let mut parts = registry.splitn(3, '/').skip(1);
        let (package, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let name = package.rsplit_once('-').map_or(package, |(name, _)| name);
        return format!("$CARGO/{name}-$VERSION/{rest}");
    }
    if let Some((_, library)) = file.split_once("/library/") {
        return format!("$RUST/{library}");
    }
    let root = env!("CARGO_MANIFEST_DIR").trim_end_matches("tests/compile");
    format!("$WORKSPACE/{}", file.strip_prefix(root).unwrap_or(file))
}
