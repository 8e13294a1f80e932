"""Runs a program under the system call filter of a systemd unit: under-filter.py UNIT PROGRAM [ARGUMENT...]

As systemd does it: what the filter lacks ends the process (SIGSYS)."""
import ctypes
import os
import re
import subprocess
import sys

unit, *program = sys.argv[1:]
sets, group = {}, ""
for line in subprocess.run(["systemd-analyze", "syscall-filter"], stdout=subprocess.PIPE, text=True).stdout.splitlines():
    if line.startswith("@"):
        group = line.strip()
        sets[group] = []
    elif line.strip() and not line.strip().startswith("#") and group:
        sets[group].append(line.strip())


def calls(names):
    return set().union(*(calls(sets[name]) if name.startswith("@") else {name} for name in names))


allowed = calls(["@default"])
for filters in re.findall(r"^SystemCallFilter=(.*)$", open(unit).read(), re.M):
    named = calls(filters.lstrip("~").split())
    allowed = allowed - named if filters.startswith("~") else allowed | named

seccomp = ctypes.CDLL("libseccomp.so.2")
seccomp.seccomp_init.restype = ctypes.c_void_p
KILL_PROCESS, ALLOW, NO_NEW_PRIVILEGES = 0x80000000, 0x7FFF0000, 38
context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(KILL_PROCESS)))
for name in allowed:
    number = seccomp.seccomp_syscall_resolve_name(name.encode())
    if number >= 0:
        seccomp.seccomp_rule_add(context, ctypes.c_uint32(ALLOW), number, 0)
ctypes.CDLL(None).prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
if seccomp.seccomp_load(context) != 0:
    sys.exit("the filter cannot be loaded")
os.execvp(program[0], program)
