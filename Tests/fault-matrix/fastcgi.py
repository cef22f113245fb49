"""FastCGI records as a web server sends them (FastCGI Specification 1.0, section 3)."""
import struct

BEGIN, ABORT, PARAMS, STDIN, DATA, GET_VALUES = 1, 2, 4, 5, 8, 9


def record(kind, content=b"", request=1, padding=0, version=1, length=None, padding_bytes=None):
    fill = bytes(padding) if padding_bytes is None else padding_bytes
    return struct.pack(">BBHHBx", version, kind, request, len(content) if length is None else length,
                       len(fill)) + content + fill


def begin(role=1, request=1, keep=1):
    return record(BEGIN, struct.pack(">HB5x", role, keep), request)


def pair(name, value):
    def size(data):
        return bytes([len(data)]) if len(data) < 128 else struct.pack(">I", len(data) | 1 << 31)
    return size(name) + size(value) + name + value


def whole(variables, body):
    """A request with its variables, already encoded as pairs, and its body in one record each; none for an empty one."""
    return (begin() + (record(PARAMS, variables) if variables else b"") + record(PARAMS)
            + (record(STDIN, body) if body else b"") + record(STDIN))
