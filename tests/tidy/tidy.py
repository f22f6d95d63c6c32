"""The rules of the tree, each a function that returns its findings as a list of lines.

Nothing here needs git: the tree is walked, so that a copy of a checkout is judged alike.
"""

import ipaddress
import json
import pathlib
import re
import subprocess

# What each folder of src/ may include. "public" stands for the public headers of that layer.
LAYERS = {
    "base": {"base"},
    "wire": {"base", "wire"},
    "port": {"base", "wire", "port"},
    "stack": {"base", "wire", "port", "stack"},
    "link": {"base", "wire", "port", "stack", "link"},
    "guest": {"base", "wire", "port", "stack", "guest"},
    "network": {"base", "wire", "port", "stack", "link", "guest", "network"},
    "service": {"base", "port", "service"},
    "cli": {"base", "wire", "port", "service", "cli"},
}

# Public headers, by the lowest layer that may include them.
PUBLIC = {
    "address.h": "base", "drop.h": "base", "packet.h": "base", "time.h": "base",
    "host.h": "stack", "tcp.h": "stack", "udp.h": "stack", "reeve.h": "stack",
}

# The command is one binary, so it calls the entry points of the supervisor and of the network
# process, the way to its sockets, and what opens a TAP with the caller's privilege; nothing else.
ENTRY_POINTS = {"guest/run.h", "network/connect.h", "network/main.h", "link/tap.h"}

# What a layer without I/O may take from the system.
PURE_HEADERS = {
    "arpa/inet.h", "assert.h", "errno.h", "inttypes.h", "limits.h", "stdbool.h", "stddef.h", "stdint.h",
    "stdio.h", "stdlib.h", "string.h", "sys/uio.h",
}
PURE_FOLDERS = ("base", "wire", "port", "stack")

# Functions of libc that read no clock, do no I/O and keep no state but the heap, and the
# arithmetic that the compiler brings itself.
PURE_SYMBOLS = {
    "calloc", "free", "malloc", "realloc", "aligned_alloc", "qsort", "bsearch",
    "memchr", "memcmp", "memcpy", "memmove", "memset", "bcmp",
    "snprintf", "strchr", "strcmp", "strcspn", "strlen", "strncmp", "strnlen", "strrchr",
    "strspn", "strcasecmp", "strncasecmp", "strtol", "strtoul", "strtoull", "__ctype_b_loc",
    "__ctype_tolower_loc", "__isoc99_sscanf",
    "__memcpy_chk", "__memmove_chk", "__memset_chk", "__snprintf_chk", "__stack_chk_fail",
    "_GLOBAL_OFFSET_TABLE_", "inet_ntop", "inet_pton",
    "__popcountdi2", "__udivti3", "__umodti3",
    "__cpu_model",  # libgcc's, which says what the processor can: the same for the process's life
}

FILE_LINES = 800
FUNCTION_LINES = 70
PARAMETERS = 6

# Joined, so that this file can be searched like any other.
UNFINISHED = re.compile(
    r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "place" + "holder",
                       "for " + r"now(?! or)", "not (yet )?" + "implemented", "st" + "ub(?! resolver)"))
    + r")\b", re.IGNORECASE)
LOCAL_PATH = re.compile(r"(?<![\w.])/(home|Users|work)/\w")

ALLOWED_NETWORKS = [ipaddress.ip_network(n) for n in (
    "127.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15",
    "169.254.0.0/16", "224.0.0.0/3",
)]
# Where the blocks of RFC 6890 themselves are written down, and tested.
ADDRESS_TABLES = re.compile(r"(blocks|cmd_address|test_tidy|test_address|address)[^/]*\.(c|h|py|txt|json|1)$")
IPV4 = re.compile(r"(?<![\w.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\w.]*\d)")
IPV6 = re.compile(r"(?<![\w:])[23][0-9a-f]{3}:(?:[0-9a-f]{0,4}:)+[0-9a-f]{0,4}", re.IGNORECASE)

TEXT = {".c", ".h", ".py", ".sh", ".build", ".md", ".varlink", ".toml", ".txt", ".1", ".3", ".5",
        ".list", ".json", ".conf", ".html", ".yaml", ".go", ".pkt"}
SKIPPED = {".git", "__pycache__", ".pytest_cache", "data"}


def files(root, suffixes=None):
    """Every file of the tree that is ours, sorted: no build directories, no data."""
    for path in sorted(pathlib.Path(root).iterdir()):
        if path.name in SKIPPED or path.is_symlink():
            continue
        if path.is_dir():
            if not (path / "meson-private").exists() and not path.name.startswith("build"):
                yield from files(path, suffixes)
        elif suffixes is None or path.suffix in suffixes:
            yield path


def text_files(root):
    yield from files(root, TEXT)
    for name in ("Makefile", ".ci/run", "bench/run"):
        if (root / name).is_file():
            yield root / name


def lines(path):
    return path.read_text(encoding="utf-8", errors="replace").split("\n")


def include_direction(root):
    found = []
    for path in files(root / "src", {".c", ".h"}):
        layer = path.relative_to(root / "src").parts[0]
        for number, line in enumerate(lines(path), 1):
            match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
            if not match:
                continue
            problem = include_problem(layer, match[1] == "<", match[2])
            if problem:
                found.append(f"{path.relative_to(root)}:{number}: {problem}")
    return found


def include_problem(layer, system, name):
    if system:
        if layer in PURE_FOLDERS and name not in PURE_HEADERS:
            return f"src/{layer} does no I/O and must not include <{name}>"
        return None
    folder, _, rest = name.partition("/")
    if not rest:
        return f'"{name}" lacks its folder'
    if folder == "reeve":
        least = PUBLIC.get(rest)
        if least is None:
            return f'"{name}" is in no layer: tests/tidy/tidy.py lists the public headers'
        return None if least in LAYERS[layer] else f'src/{layer} must not know "{name}"'
    if layer == "cli" and name in ENTRY_POINTS:
        return None
    return None if folder in LAYERS[layer] else f"src/{layer} must not include src/{folder}"


def headers_alone(root, compiler):
    """Each header compiles by itself; a public one sees nothing but include/ and plain C11."""
    found = []
    for path in files(root, {".h"}):
        public = path.is_relative_to(root / "include")
        flags = ["-std=c11", "-Wpedantic"] if public else ["-std=gnu17", "-D_GNU_SOURCE",
                                                          f"-I{root}/src"]
        if not path.is_relative_to(root / "src") and not public:
            flags += [f"-I{path.parent}", f"-I{root}/tests", f"-I{root}/bench"]
        run = subprocess.run(
            [*compiler, *flags, f"-I{root}/include", "-fsyntax-only", "-Wall", "-Wextra",
             "-Wno-unused-function", "-Werror", "-x", "c", "-"],
            input=f'#include "{path}"\n', capture_output=True, text=True, check=False)
        if run.returncode:
            first = next((l for l in run.stderr.split("\n") if "error" in l), run.stderr)
            found.append(f"{path.relative_to(root)}: does not compile alone: {first}")
        if "#pragma once" not in path.read_text(encoding="utf-8"):
            found.append(f"{path.relative_to(root)}: lacks #pragma once")
    return found


def impure_symbols(archive):
    """Undefined symbols of the archive that are not pure functions of libc."""
    def names(option):
        run = subprocess.run(["nm", option, str(archive)], capture_output=True, text=True,
                             check=True)
        return {line.split()[-1] for line in run.stdout.split("\n") if " " in line}

    wanted = names("--undefined-only") - names("--defined-only")
    return [f"{archive.name}: uses {name}" for name in sorted(wanted - PURE_SYMBOLS)]


def mutable_globals(archive):
    """Sections of the archive's objects that can be written when the program runs."""
    run = subprocess.run(["readelf", "-SW", str(archive)], capture_output=True, text=True,
                         check=True)
    found, member = [], archive.name
    for line in run.stdout.split("\n"):
        if line.startswith("File: "):
            member = line[6:]
        match = re.match(r"\s*\[\s*\d+\]\s+(\.\S+)\s+\S+\s+\S+\s+\S+\s+([0-9a-f]+)", line)
        if match and re.match(r"\.(data|bss|tdata|tbss)(?!\.rel\.ro)", match[1]) \
                and int(match[2], 16):
            found.append(f"{member}: {int(match[2], 16)} bytes in {match[1]}")
    return found


def foreign_exports(library):
    run = subprocess.run(["nm", "-D", "--defined-only", str(library)], capture_output=True,
                         text=True, check=True)
    return [f"{library.name}: exports {line.split()[-1]}" for line in run.stdout.split("\n")
            if line and not line.split()[-1].startswith("reeve_")]


def functions(path):
    """(name, first line, lines of the body, parameters) of each function in the house layout."""
    text = lines(path)
    start = None
    for number, line in enumerate(text):
        if line == "{" and number and not text[number - 1].endswith("="):
            start = number
        elif line.startswith("}") and start is not None:
            head = number_of_head(text, start)
            signature = " ".join(text[head:start])
            match = re.search(r"(\w+)\s*\(", signature)
            if match:
                yield match[1], head + 1, number - start - 1, parameters(signature, match.end())
            start = None


def number_of_head(text, start):
    head = start - 1
    while head > 0 and not re.match(r"\w", text[head]):
        head -= 1
    return head


def parameters(signature, position):
    depth, count, rest = 1, 1, signature[position:]
    if rest.strip().startswith((")", "void)")):
        return 0
    for character in rest:
        depth += (character == "(") - (character == ")")
        count += character == "," and depth == 1
        if not depth:
            break
    return count


def sizes(root):
    found = []
    for path in files(root, {".c", ".h", ".py", ".sh"}):
        name = path.relative_to(root)
        length = len(lines(path)) - 1
        if length > FILE_LINES:
            found.append(f"{name}: {length} lines, {FILE_LINES} at most")
        if path.suffix not in (".c", ".h"):
            continue
        for function, number, body, count in functions(path):
            if body > FUNCTION_LINES:
                found.append(f"{name}:{number}: {function} has {body} lines, "
                             f"{FUNCTION_LINES} at most")
            if count > PARAMETERS:
                found.append(f"{name}:{number}: {function} has {count} parameters, "
                             f"{PARAMETERS} at most")
    return found


def unfinished(root):
    found = []
    for path in text_files(root):
        for number, line in enumerate(lines(path), 1):
            for rule in (UNFINISHED, LOCAL_PATH):
                match = rule.search(line)
                if match:
                    found.append(f"{path.relative_to(root)}:{number}: '{match[0]}'")
    return found


def foreign_addresses(root):
    """Addresses that belong to somebody: only the documentation's and the loopback's are used."""
    found = []
    for path in text_files(root):
        if ADDRESS_TABLES.search(path.name):
            continue
        for number, line in enumerate(lines(path), 1):
            for text in bad_addresses(line):
                found.append(f"{path.relative_to(root)}:{number}: {text} is not an address for "
                             "examples (RFC 5737, RFC 2544, RFC 3849)")
    return found


def bad_addresses(line):
    for match in IPV4.finditer(line):
        octets = [int(part) for part in match.groups()]
        # Numbers of sections look alike, and begin with a small one.
        if octets[0] < 10 and len(set(octets)) > 1 or octets[0] == 0 or max(octets) > 255:
            continue
        address = ipaddress.ip_address(".".join(map(str, octets)))
        if not any(address in network for network in ALLOWED_NETWORKS):
            yield match[0]
    for match in IPV6.finditer(line):
        if not re.match(r"2001:0?db8:", match[0], re.IGNORECASE):
            yield match[0]


def is_named(path, root):
    """Whether the meson.build of the file's folder names it, in whatever branch."""
    listing = path.parent / "meson.build"
    return listing.exists() and f"'{path.name}'" in listing.read_text()


def unlisted_sources(root, build):
    """C files that no target is built from: not here, and not where something more is installed."""
    targets = json.loads((build / "meson-info/intro-targets.json").read_text())
    built = {pathlib.Path(source).resolve() for target in targets
             for group in target["target_sources"] for source in group.get("sources", [])}
    return [f"{path.relative_to(root)}: in no meson.build" for path in files(root, {".c"})
            if path.resolve() not in built and not is_named(path, root)
            and "fuzz" not in path.parts]


def layout(root):
    """What no formatter looks at: white space at the ends of lines and of files."""
    found = []
    for path in text_files(root):
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.name.endswith((".json", ".txt")):
            continue
        if text and (not text.endswith("\n") or text.endswith("\n\n")):
            found.append(f"{path.relative_to(root)}: ends in no newline, or in several")
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                found.append(f"{path.relative_to(root)}:{number}: white space at the end")
    return found


def man_pages(root):
    pages = [str(p) for p in files(root / "man", {".1", ".3", ".5", ".7", ".8"})]
    if not pages:
        return ["man: no pages"]
    run = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True,
                         text=True, check=False)
    return [line for line in run.stdout.split("\n") if line]


# What a test in C is run by: cmocka's own, and the macros of files whose tests have a set-up.
REGISTERED = r"\b(cmocka_unit_test\w*|\w*CASE|\w*TEST)\({name}[,)]"
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def has(path, name, is_test):
    """Whether a source has this function, with a body; and if it is a test in C, whether it is run."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return re.search(rf"^\s*def {name}\(", text, re.MULTILINE) is not None
    if path.suffix != ".c":
        return re.search(rf"\b{name}\b", text) is not None
    if name not in {function for function, *_ in functions(path)}:
        return False
    return not is_test or \
        re.search(REGISTERED.format(name=name), COMMENT.sub("", text)) is not None


def broken_references(root):
    """What documents point to and what is not there: files, and tests and functions by name."""
    found = []
    for path in [*root.glob("*.md"), *root.glob("docs/*.md")]:
        text = path.read_text(encoding="utf-8")
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            if not (path.parent / link).exists():
                found.append(f"{path.relative_to(root)}: there is no {link}")
        for name, tests in re.findall(r"`((?:tests|src)/[\w./-]+\.\w+)`(?:: ((?:\w+(?:, )?)+))?", text):
            if not (root / name).is_file():
                found.append(f"{path.relative_to(root)}: there is no {name}")
                continue
            found += [f"{path.relative_to(root)}: there is no {named} in {name}"
                      for named in re.findall(r"\w+", tests)
                      if not has(root / name, named, name.startswith("tests/"))]
    return found


def open_requirements(root):
    """Rows of docs/rfc.md that say that a rule is met and do not say where and by which test, or
    that say that it is not and do not say why."""
    found = []
    for number, line in enumerate((root / "docs/rfc.md").read_text(encoding="utf-8").split("\n"), 1):
        cells = [cell.strip() for cell in line[1:].rstrip("|").split("|")]
        if not line.startswith("|") or line.startswith("|---") or "what it asks" in line:
            continue
        good = len(cells) == 5 and cells[2] in ("yes", "part", "no") and cells[4]
        if good and cells[2] != "no":
            good = "`src/" in cells[3] and "`tests/" in cells[4]
        if not good:
            found.append(f"docs/rfc.md:{number}: says neither where and which test nor why not")
    return found
