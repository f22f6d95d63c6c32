#!/usr/bin/python3
"""Turns IANA's CSV of service names and port numbers into the C tables of src/port/registry.c.

    registry.py data/service-names-port-numbers.csv OUTPUT.c

The tables, all constant and without pointers, so that they cost no relocation when a program
starts:

    rows        one a CSV row, sorted by port, then protocol, then as IANA has them; rows without
                a port come last
    names       the indices of the rows that have a name, sorted by that name in lower case
    aliases     names in daily use that IANA does not have, each with the IANA name it stands for
    ranges      the indices of the rows that cover more than one port
    services    for each protocol the ports that have a service: a bitmap, the number of bits set
                before each of its words, and the services' rows in the order of the bits
    text        all strings, each once, ended by NUL; rows refer to them by offset
"""

import csv
import re
import sys

# Reviewed by hand: names that people and /etc/services use, and that IANA does not have (or has
# for something without a port). The target must be in the CSV; a name may stand for several.
ALIASES = (
    ("whois", "nicname"),  # RFC 3912 runs on port 43, which IANA calls nicname
    ("whois", "whoispp"),  # RFC 1834, at port 63
    ("dns", "domain"),
    ("mail", "smtp"),
    ("smtps", "submissions"),
    ("readnews", "nntp"),
    ("portmapper", "sunrpc"),
    ("portmap", "sunrpc"),
    ("rpcbind", "sunrpc"),
    ("postgres", "postgresql"),
    ("rdp", "ms-wbt-server"),
    ("smb", "microsoft-ds"),
    ("cifs", "microsoft-ds"),
    ("snmp-trap", "snmptrap"),
    ("krb5", "kerberos"),
)

PROTOCOLS = {"": 0, "tcp": 1, "udp": 2, "sctp": 4, "dccp": 8}
SERVICE_PROTOCOLS = ("tcp", "udp", "sctp", "dccp")
ASSIGNED, RESERVED, UNASSIGNED = "REGISTRY_ASSIGNED", "REGISTRY_RESERVED", "REGISTRY_UNASSIGNED"

# What IANA writes, beside "Reserved", of ports that were taken back and are not given out again.
WITHDRAWN = re.compile(r"reserved|de-?registered|removed|deprecated|de-?comm?iss?ion|possibly used",
                       re.IGNORECASE)
ALIAS_NOTE = re.compile(r"This entry is an alias to|This is a duplicate of", re.IGNORECASE)


def fold(text):
    return " ".join(text.split())


def status_of(name, description):
    if name:
        return ASSIGNED
    if re.match(r"\(?unassigned", description, re.IGNORECASE):
        return UNASSIGNED
    if WITHDRAWN.match(description):
        return RESERVED
    return ASSIGNED  # "any private mail system": given out, without a name


class Row:
    def __init__(self, order, fields):
        name, port, protocol, description = (fold(f) for f in fields[:4])
        self.order = order
        self.name = name
        self.description = description
        self.reference = fold(fields[8])
        self.notes = fold(fields[11])
        self.protocol = PROTOCOLS[protocol.lower()]
        self.has_port = port != ""
        first, _, last = port.partition("-")
        self.first = int(first or 0)
        self.last = int(last or first or 0)
        self.status = status_of(name, description)
        self.is_alias = bool(ALIAS_NOTE.search(fields[11]))
        if not 0 <= self.first <= self.last <= 65535:
            raise ValueError(f"row {order}: port '{port}'")

    def key(self):
        return (not self.has_port, self.first, self.protocol, self.order)


class Text:
    """All strings in one, by offset; the empty string is at 0."""

    def __init__(self):
        self.offsets = {"": 0}
        self.strings = [""]
        self.size = 1

    def add(self, string):
        if string not in self.offsets:
            self.offsets[string] = self.size
            self.strings.append(string)
            self.size += len(string.encode()) + 1
        return self.offsets[string]


def c_string(string):
    out = []
    for byte in string.encode():
        if byte in b'"\\?' or not 32 <= byte < 127:
            out.append(f"\\{byte:03o}")
        else:
            out.append(chr(byte))
    return '"' + "".join(out) + '\\0"'


def read_rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.reader(file, strict=True)
        header = next(reader)
        expected = ["Service Name", "Port Number", "Transport Protocol", "Description"]
        if header[:4] != expected or header[8] != "Reference" or header[11] != "Assignment Notes":
            raise ValueError(f"{path}: unknown columns {header}")
        rows = [Row(order, fields) for order, fields in enumerate(reader)]
    return sorted(rows, key=Row.key)


def services(rows, protocol):
    """Port -> index of the row that names it for this protocol: the narrowest that is no alias."""
    best = {}
    for index, row in enumerate(rows):
        if not (row.has_port and row.name and row.protocol in (0, PROTOCOLS[protocol])):
            continue
        rank = (row.last - row.first, row.is_alias, row.protocol == 0, index)
        for port in range(row.first, row.last + 1):
            if port not in best or rank < best[port]:
                best[port] = rank
    return {port: rank[3] for port, rank in best.items()}


def emit_numbers(out, kind, name, numbers, form="{}"):
    out.append(f"static const {kind} {name}[] = {{")
    for start in range(0, len(numbers), 12):
        out.append("\t" + " ".join(form.format(n) + "," for n in numbers[start:start + 12]))
    out.append("};")


def emit_services(out, rows, protocol):
    found = services(rows, protocol)
    words = [0] * 1024
    for port in found:
        words[port // 64] |= 1 << (port % 64)
    before, total = [], 0
    for word in words:
        before.append(total)
        total += bin(word).count("1")
    emit_numbers(out, "uint64_t", f"{protocol}_bits", words, "UINT64_C(0x{:x})")
    emit_numbers(out, "uint16_t", f"{protocol}_before", before)
    emit_numbers(out, "uint16_t", f"{protocol}_rows", [found[p] for p in sorted(found)] or [0])


def emit_rows(out, rows, text):
    out.append("static const struct row rows[] = {")
    for row in rows:
        strings = [text.add(s) for s in (row.name, row.description, row.reference, row.notes)]
        offsets = ", ".join(str(offset) for offset in strings)
        out.append(f"\t{{ {offsets}, {row.first}, {row.last}, {row.protocol}, {row.status}, "
                   f"{'true' if row.has_port else 'false'} }},")
    out.append("};")


def emit_aliases(out, rows, text):
    names = {row.name.lower() for row in rows}
    out.append("static const struct alias aliases[] = {")
    for alias, target in ALIASES:
        if target not in names:
            raise ValueError(f"alias {alias}: no service '{target}'")
        out.append(f"\t{{ {text.add(alias)}, {text.add(target)} }},")
    out.append("};")


def generate(rows):
    text = Text()
    out = ["/* Made by tools/registry.py from data/service-names-port-numbers.csv. */", ""]
    emit_rows(out, rows, text)
    emit_aliases(out, rows, text)
    named = sorted((i for i, row in enumerate(rows) if row.name),
                   key=lambda i: (rows[i].name.lower(), i))
    emit_numbers(out, "uint16_t", "names", named)
    emit_numbers(out, "uint16_t", "ranges",
                 [i for i, row in enumerate(rows) if row.has_port and row.first != row.last])
    for protocol in SERVICE_PROTOCOLS:
        emit_services(out, rows, protocol)
    out.append("static const char text[] =")
    out.extend("\t" + c_string(string) for string in text.strings)
    out.append("\t;")
    return "\n".join(out) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: registry.py CSV OUTPUT")
    rows = read_rows(sys.argv[1])
    with open(sys.argv[2], "w", encoding="ascii") as file:
        file.write(generate(rows))


if __name__ == "__main__":
    main()
