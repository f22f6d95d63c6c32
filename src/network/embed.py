#!/usr/bin/env python3
"""Writes the interface files given as C: embed.py OUTPUT FILE.varlink..."""
import pathlib
import sys


def quote(line):
    return '"' + line.replace("\\", "\\\\").replace('"', '\\"') + '\\n"'


def main():
    out = ['#include "network/interfaces.h"', "", "#include <stddef.h>", "",
           "const struct interface interfaces[] = {"]
    for name in sys.argv[2:]:
        path = pathlib.Path(name)
        lines = path.read_text(encoding="utf-8").splitlines()
        out.append(f'\t{{ "{path.stem}",')
        out += ["\t  " + quote(line) for line in lines]
        out.append("\t},")
    out += ["\t{ NULL, NULL },", "};", ""]
    pathlib.Path(sys.argv[1]).write_text("\n".join(out), encoding="utf-8")


main()
