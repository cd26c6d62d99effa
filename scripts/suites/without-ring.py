# without-ring.py PROGRAM ARGUMENT...: runs the program without io_uring, which it and all that it starts are denied, as by
# the profile of a container.
import ctypes
import errno
import os
import struct
import sys

# The same on every architecture: io_uring_setup, io_uring_enter, io_uring_register.
CALLS = (425, 426, 427)
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
SET_NO_NEW_PRIVS, SET_SECCOMP, FILTER = 38, 22, 2

rows = [(LOAD, 0, 0, 0)]
rows += [(JUMP_IF_EQUAL, len(CALLS) - i, 0, call) for i, call in enumerate(CALLS)]
rows += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *row) for row in rows))


class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('rows', ctypes.c_void_p)]


libc = ctypes.CDLL(None, use_errno=True)
program = Program(len(rows), ctypes.addressof(code))
# Root needs no such promise, which would take away from tests what they have other programs do.
if os.geteuid() != 0 and libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
if libc.prctl(SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[1], sys.argv[1:])
