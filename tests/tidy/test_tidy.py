"""Every rule holds for the tree, and every rule catches an example that breaks it."""

import os
import pathlib
import shlex
import subprocess
import sys

import pytest
import tidy

ROOT = pathlib.Path(os.environ["REEVE_SOURCE"])
BUILD = pathlib.Path(os.environ["REEVE_BUILD"])
COMPILER = shlex.split(os.environ.get("REEVE_CC", "cc"))
sys.path.append(str(ROOT / "tests"))

from needs import need  # noqa: E402

SANITIZED = os.environ.get("REEVE_SANITIZE", "none") != "none"

plain_build = pytest.mark.skipif(SANITIZED, reason="a sanitizer adds its own symbols")


def example(tmp_path, **contents):
    """A little tree; a name's __ stands for a slash and its last _ for the dot."""
    for name, text in contents.items():
        stem, _, suffix = name.replace("__", "/").rpartition("_")
        path = tmp_path / f"{stem}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def compiled(tmp_path, text, shared=False):
    source = tmp_path / "example.c"
    source.write_text(text)
    output = tmp_path / ("example.so" if shared else "example.o")
    mode = ["-shared", "-fPIC"] if shared else ["-c"]
    subprocess.run([*COMPILER, *mode, "-O1", "-o", output, source], check=True)
    return output


def none(findings):
    assert not findings, "\n" + "\n".join(findings)


def test_includes_point_one_way():
    none(tidy.include_direction(ROOT))


@pytest.mark.parametrize("folder,line", [
    ("base", '#include "wire/tcp.h"'),
    ("port", '#include "stack/ip.h"'),
    ("port", '#include "reeve/tcp.h"'),
    ("stack", '#include "link/link.h"'),
    ("stack", "#include <sys/socket.h>"),
    ("guest", '#include "network/loop.h"'),
    ("cli", '#include "stack/ip.h"'),
    ("wire", '#include "bytes.h"'),
    ("wire", '#include "reeve/unknown.h"'),
])
def test_include_against_the_direction_is_found(tmp_path, folder, line):
    tree = example(tmp_path, **{f"src__{folder}__x_c": line + "\n"})
    assert len(tidy.include_direction(tree)) == 1


def test_include_with_the_direction_is_fine(tmp_path):
    tree = example(tmp_path, src__stack__x_c='#include <string.h>\n#include "port/space.h"\n')
    none(tidy.include_direction(tree))


def test_headers_compile_alone():
    none(tidy.headers_alone(ROOT, COMPILER))


def test_header_that_needs_another_is_found(tmp_path):
    tree = example(tmp_path, src__base__x_h="#pragma once\nuint8_t f(void);\n",
                   include__reeve__y_h="int g(void);\n")
    found = tidy.headers_alone(tree, COMPILER)
    assert len(found) == 2 and "alone" in found[1] and "pragma" in found[0]


@plain_build
def test_libreeve_does_no_io():
    none(tidy.impure_symbols(BUILD / "libreeve.a"))


def test_a_clock_is_found(tmp_path):
    found = tidy.impure_symbols(compiled(tmp_path, "#include <time.h>\nlong f(void);\n"
                                                   "long f(void) { return time(0); }\n"))
    assert found == ["example.o: uses time"]


@plain_build
def test_libreeve_has_no_mutable_globals():
    none(tidy.mutable_globals(BUILD / "libreeve.a"))


@pytest.mark.parametrize("text", ["int counter;", "int counter = 1;", "static int c; int *f(void);"
                                  " int *f(void) { return &c; }"])
def test_a_mutable_global_is_found(tmp_path, text):
    assert tidy.mutable_globals(compiled(tmp_path, text + "\n"))


def test_a_constant_is_no_mutable_global(tmp_path):
    none(tidy.mutable_globals(compiled(tmp_path, "const char *const names[] = { \"a\" };\n")))


@plain_build
def test_libreeve_exports_its_api_only():
    library = BUILD / "libreeve.so"
    none(tidy.foreign_exports(library))
    symbols = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True,
                             text=True, check=True).stdout
    assert "reeve_address_parse" in symbols


def test_a_foreign_export_is_found(tmp_path):
    found = tidy.foreign_exports(compiled(tmp_path, "int packet_new;\nint reeve_x;\n", True))
    assert found == ["example.so: exports packet_new"]


def test_sizes():
    none(tidy.sizes(ROOT))


def test_what_is_too_big_is_found(tmp_path):
    tree = example(
        tmp_path,
        src__a_c="int f(int a, int b, int c,\n      int d, int e, int f, int g)\n{\n}\n",
        src__b_c="void f(void)\n{\n" + "\tg();\n" * 71 + "}\n",
        src__c_h="\n" * 801,
        src__d_c="void f(void)\n{\n" + "\tg();\n" * 70 + "}\n")
    found = tidy.sizes(tree)
    assert len(found) == 3
    assert "a.c:1: f has 7 parameters" in found[0]
    assert "b.c:1: f has 71 lines" in found[1]
    assert "c.h: 801 lines" in found[2]


def test_nothing_is_left_undone():
    none(tidy.unfinished(ROOT))


@pytest.mark.parametrize("words", ["TO" "DO: later", "a HA" "CK", "good enough for" " now",
                                   "place" "holder", "see /ho" "me/me/notes"])
def test_what_is_left_undone_is_found(tmp_path, words):
    assert len(tidy.unfinished(example(tmp_path, src__a_c=f"/* {words} */\n"))) == 1


def test_addresses_are_nobodys():
    none(tidy.foreign_addresses(ROOT))


@pytest.mark.parametrize("address", ["192.168.1.1", "10.0.0.1", "172.16.3.4", "8.8.8.8",
                                     "93.184.216.34", "2a00:1450:4001::1"])
def test_a_foreign_address_is_found(tmp_path, address):
    assert len(tidy.foreign_addresses(example(tmp_path, README_md=f"try {address}.\n"))) == 1


@pytest.mark.parametrize("text", ["198.18.0.1:80", "RFC 9293, 3.10.7.4", "2001:db8::1",
                                  "127.0.0.1", "255.255.255.255", "version 1.0.1"])
def test_an_address_for_examples_is_fine(tmp_path, text):
    none(tidy.foreign_addresses(example(tmp_path, README_md=text + "\n")))


def test_every_source_is_built():
    none(tidy.unlisted_sources(ROOT, BUILD))


def test_an_unlisted_source_is_found(tmp_path):
    tree = example(tmp_path, src__a_c="", src__b_c="", src__c_c="",
                   src__meson_build="if found\n  executable('c', 'c.c')\nendif\n")
    info = tmp_path / "build" / "meson-info"
    info.mkdir(parents=True)
    (info / "intro-targets.json").write_text(
        '[{"target_sources": [{"sources": ["%s/src/a.c"]}, {"parameters": []}]}]' % tree)
    assert tidy.unlisted_sources(tree, tmp_path / "build") == ["src/b.c: in no meson.build"]


def test_layout():
    none(tidy.layout(ROOT))


def test_bad_layout_is_found(tmp_path):
    tree = example(tmp_path, a_c="int x; \n", b_c="int y;", c_c="int z;\n\n", d_c="int d;\n")
    assert len(tidy.layout(tree)) == 3


def test_documents_point_to_what_is_there():
    none(tidy.broken_references(ROOT))


def test_a_broken_reference_is_found(tmp_path):
    tree = example(tmp_path, docs__x_md="`tests/unit/test_b.c`; [gone](gone.md), "
                                        "[far](https://example.org/)")
    assert tidy.broken_references(tree) == [
        "docs/x.md: there is no gone.md",
        "docs/x.md: there is no tests/unit/test_b.c"]


def test_what_is_only_named_is_no_function(tmp_path):
    """Called but not defined, a part of a longer name, a test that nothing runs: none is a place."""
    tree = example(
        tmp_path,
        src__a_c="int send_all(void)\n{\n\treturn send();\n}\n",
        tests__unit__test_a_c="/* CASE(test_two) */\n"
                              + "".join(f"static void test_{n}(void **state)\n{{\n}}\n"
                                        for n in ("one", "two", "three", "four"))
                              + "\t\tcmocka_unit_test(test_one), PAIR_CASE(test_four),\n",
        tests__b_py="def test_five():\n    test_six()\n",
        docs__x_md="`src/a.c`: send_all, send; `tests/unit/test_a.c`: test_one, test_two, test_thr, "
                   "test_three, test_four; `tests/b.py`: test_five, test_six")
    assert tidy.broken_references(tree) == [
        "docs/x.md: there is no send in src/a.c",
        "docs/x.md: there is no test_two in tests/unit/test_a.c",
        "docs/x.md: there is no test_thr in tests/unit/test_a.c",
        "docs/x.md: there is no test_three in tests/unit/test_a.c",
        "docs/x.md: there is no test_six in tests/b.py"]


def test_each_requirement_has_its_place():
    none(tidy.open_requirements(ROOT))


@pytest.mark.parametrize("row", [
    "| 1 | MUST fly | yes | `src/a.c` | it does |",
    "| 1 | MUST fly | yes | | `tests/a.c` |",
    "| 1 | MUST fly | no | | |",
    "| 1 | MUST fly | perhaps | `src/a.c` | `tests/a.c` |",
])
def test_an_open_requirement_is_found(tmp_path, row):
    head = "| | what it asks | met | where | test, or why not |\n|---|---|---|---|---|\n"
    good = "| 1 | MUST walk | yes | `src/a.c` | `tests/a.c` |\n| 2 | MUST run | no | | it is late |\n"
    tree = example(tmp_path, docs__rfc_md=head + good + row + "\n")
    assert len(tidy.open_requirements(tree)) == 1


def test_man_pages():
    need("mandoc")
    none(tidy.man_pages(ROOT))


def test_a_bad_man_page_is_found(tmp_path):
    need("mandoc")
    tree = example(tmp_path, man__bad_1=".Dd $Mdocdate$\n.Dt BAD 1\n.Os\n.Sh NAME\n.Xx\n")
    assert tidy.man_pages(tree)
