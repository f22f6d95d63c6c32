#!/usr/bin/python3
"""Runs a command that cannot make user namespaces: unshare() and clone() refuse CLONE_NEWUSER with
EPERM, as where an administrator forbids them, and clone3(), whose flags a filter cannot see, is
ENOSYS, as under older container runtimes.

    tools/no-user-namespaces.py COMMAND [ARGUMENT...]
"""

import ctypes
import errno
import os
import sys

CLONE_NEWUSER = 0x10000000
SCMP_ACT_ALLOW = 0x7FFF0000
SCMP_ACT_ERRNO = 0x00050000
SCMP_CMP_MASKED_EQ = 7
SCMP_FLTATR_ACT_BADARCH = 2


class Comparison(ctypes.Structure):
    """struct scmp_arg_cmp"""
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int),
                ("mask", ctypes.c_uint64), ("value", ctypes.c_uint64)]


def main():
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    seccomp.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint,
        ctypes.POINTER(Comparison)]
    seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
    seccomp.seccomp_attr_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
    context = seccomp.seccomp_init(SCMP_ACT_ALLOW)
    # Calls of other architectures are the command's own business, and would be its end.
    seccomp.seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW)
    new_user = Comparison(0, SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER)
    rules = [(b"unshare", errno.EPERM, [new_user]), (b"clone", errno.EPERM, [new_user]),
             (b"clone3", errno.ENOSYS, [])]
    for name, error, comparisons in rules:
        array = (Comparison * len(comparisons))(*comparisons)
        number = seccomp.seccomp_syscall_resolve_name(name)
        if seccomp.seccomp_rule_add_array(context, SCMP_ACT_ERRNO | error, number,
                                          len(comparisons), array):
            sys.exit(f"no-user-namespaces: no rule for {name.decode()}")
    if seccomp.seccomp_load(context):
        sys.exit("no-user-namespaces: the filter could not be loaded")
    os.execvp(sys.argv[1], sys.argv[1:])


main()
