"""Problems with the line that they stand on and a caret under it; secrets are never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from drybill.errors import Problem
from drybill.report import words
from drybill.report.layout import cells
from drybill.report.words import clean

_SHOWN = 120  # characters of a source line
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"?|'[^']*'?")
_SECRET_KEY = re.compile(
    r"(?i)(credentials|secret|passw(?:or)?d|passphrase|pwd|token|private_?key|api_?key|access_?key"
    r"|client_?key|bearer|authorization|\bpass|\bauth)[\w\"' ]*\s*[=:]"
)
_USER_INFO = re.compile(r"(?<=://)[^/@\s\"']+(?=@)")
_BARE = re.compile(_SECRET_KEY.pattern + r"\s*([^\s\"'\[{].*)")
_REFERENCE = re.compile(r"^[\"'](env|keyring|cmd|file):")
_TOKEN = re.compile(r"\[\[?[^\]]*\]\]?|\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|[\w.-]+|\S")
_HEADER = re.compile(r"\s*\[+\s*[\"']?(\w+)")
_BARE_NUMBER = re.compile(r"(?<![\w\"'.-])\d[\w.]*")
_BROKEN = frozenset({"toml-syntax", "not-utf-8", "set-twice"})
_MASK = '"***"'


def render_problems(
    problems: Sequence[Problem], sources: Mapping[str, Sequence[str]], tail: str = ""
) -> str:
    """All problems in the order of the file, then their number and `tail`.

    `sources` holds the text lines of the files, by the name that the places use; a file that is
    not there is shown without its lines.
    """
    names = dict.fromkeys(p.where.file for p in problems if p.where)
    files = {file: position for position, file in enumerate(names)}
    secret_lines = {
        (p.where.file, p.where.line) for p in problems if p.where and p.code == "secret-in-file"
    }

    def place(problem: Problem) -> tuple[int, int, int]:
        where = problem.where
        return (files[where.file], where.line, where.column) if where else (-1, 0, 0)

    lines: list[str] = []
    for problem in sorted(problems, key=place):
        lines += _problem(problem, sources, secret_lines)
    errors = sum(problem.level == "error" for problem in problems)
    warnings = len(problems) - errors
    counts = [words.count(errors, "error")] if errors or not warnings else []
    counts += [words.count(warnings, "warning")] if warnings else []
    lines.append(", ".join(counts) + (f"; {clean(tail)}" if tail else ""))
    return "".join(f"{line}\n" for line in lines)


def _problem(
    problem: Problem, sources: Mapping[str, Sequence[str]], secret_lines: set[tuple[str, int]]
) -> list[str]:
    where = problem.where
    place = f"{clean(str(where))}: " if where else ""
    summary = _USER_INFO.sub("***", clean(problem.summary))
    head = f"{place}{problem.level}[{problem.code}]: {summary}"
    known = sources.get(where.file, ()) if where else ()
    if where is None or not 1 <= where.line <= len(known):
        return [head, f"  help: {clean(problem.fix)}"] if problem.fix else [head]
    broken = problem.code in _BROKEN
    if broken and _with_settings(known, where.line):
        line, at = _key_alone(known[where.line - 1].rstrip("\r\n"))
    else:
        line, at = _masked(
            known[where.line - 1].rstrip("\r\n"),
            max(where.column - 1, 0),
            (where.file, where.line) in secret_lines,
            broken,
        )
    line, at = _window(line, at)
    number = str(where.line)
    token = _TOKEN.match(line, at)
    carets = "^" * max(cells(clean(token.group())) if token else 0, 1)
    below = f" {' ' * len(number)} | {' ' * cells(clean(line[:at]))}{carets}"
    help_text = f" help: {clean(problem.fix)}" if problem.fix else ""
    return [head, f" {number} | {clean(line)}", below + help_text]


def _with_settings(lines: Sequence[str], number: int) -> bool:
    """Whether a line stands in a table of a PSA or a vendor: there any value may be a secret."""
    for line in reversed(lines[:number]):
        if header := _HEADER.match(line):
            return header.group(1) in ("psa", "vendors") and line is not lines[number - 1]
    return False


def _key_alone(line: str) -> tuple[str, int]:
    """What may be shown of a broken line that may hold a secret: the key, if it has one."""
    key, equals, _ = line.partition("=")
    return (
        (f"{key}= ***", len(key) + 2) if equals and re.fullmatch(r"[\w \t.-]+", key) else ("***", 0)
    )


def _masked(line: str, at: int, is_secret: bool, broken: bool) -> tuple[str, int]:
    """The line without what may be a secret, and where its column `at` went.

    On a line that holds one, every quoted text is hidden, whichever problem it is shown for.
    """
    line, at = _without_users(line, at)
    if not is_secret and not _SECRET_KEY.search(line):
        return line, at
    named = _SECRET_KEY.search(line)
    if broken and named:  # which quote opens and which closes is anyone's guess
        return line[: named.end()] + " ***", min(at, named.end())
    if bare := _BARE.search(line):  # a syntax error may stand on a secret without its quotes
        return line[: bare.start(1)] + "***", min(at, bare.start(1))
    shown, taken, moved = "", 0, at
    for quoted in _QUOTED.finditer(line):
        text = quoted.group()
        if _REFERENCE.match(text) and not is_secret:
            continue
        shown += line[taken : quoted.start()]
        if quoted.start() <= at < quoted.end():
            moved = len(shown)
        elif at >= quoted.end():
            moved += len(_MASK) - len(text)
        shown += _MASK
        taken = quoted.end()
    shown += line[taken:]
    if named and named.end() <= len(shown):
        shown = shown[: named.end()] + _BARE_NUMBER.sub("***", shown[named.end() :])
    if is_secret and not taken:  # not quoted: hide all that follows the key
        key = line.partition("=")[0] + "= " if "=" in line else ""
        return f"{key}***", len(key)
    return shown, moved


def _without_users(line: str, at: int) -> tuple[str, int]:
    """Users and passwords of URLs hidden."""
    shown, taken, moved = "", 0, at
    for found in _USER_INFO.finditer(line):
        shown += f"{line[taken : found.start()]}***"
        taken = found.end()
        if at >= taken:
            moved += 3 - len(found.group())
        elif at >= found.start():
            moved = len(shown) - 3
    return shown + line[taken:], moved


def _window(line: str, at: int) -> tuple[str, int]:
    """A long line cut to what surrounds the column; binary files have very long ones."""
    if len(line) <= _SHOWN:
        return line, min(at, len(line))
    start = max(min(at, len(line)) - _SHOWN // 2, 0)
    lead = "..." if start else ""
    rest = "..." if start + _SHOWN < len(line) else ""
    return lead + line[start : start + _SHOWN] + rest, min(at, len(line)) - start + len(lead)
