"""Databases in MaxMind's format, as small as a test needs them.

https://maxmind.github.io/MaxMind-DB/
"""

import ipaddress
import struct

MARK = b"\xab\xcd\xefMaxMind.com"
STRING, DOUBLE, BYTES, UINT16, UINT32, MAP = 2, 3, 4, 5, 6, 7
UINT64, ARRAY = 9, 11                           # "extended"
KINDS = {"binary_format_major_version": UINT16,
         "binary_format_minor_version": UINT16,
         "record_size": UINT16, "ip_version": UINT16, "build_epoch": UINT64}


def head(kind, size):
    assert size < 285
    more = b"" if size < 29 else bytes([size - 29])
    size = min(size, 29)

    if kind > 7:
        return bytes([size, kind - 7]) + more

    return bytes([kind << 5 | size]) + more


def encode(value, kind=UINT32):
    if isinstance(value, str):
        text = value.encode()
        return head(STRING, len(text)) + text

    if isinstance(value, dict):
        return head(MAP, len(value)) + b"".join(
            encode(k) + encode(v, KINDS.get(k, UINT32))
            for k, v in value.items())

    if isinstance(value, list):
        return head(ARRAY, len(value)) + b"".join(map(encode, value))

    number = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return head(kind, len(number)) + number


def database(networks, kind="Test-Country"):
    """networks: {"127.0.0.0/8": {"country": {"iso_code": "DE"}}, ...}, apart
    from each other; the bytes of a file for IPv4 and IPv6."""
    nodes, data = [[None, None]], b""

    for name, record in networks.items():
        network = ipaddress.ip_network(name)
        bits = format(int(network.network_address), "0128b")
        depth = network.prefixlen + (96 if network.version == 4 else 0)
        at = 0

        for bit in bits[:depth - 1]:
            if nodes[at][int(bit)] is None:
                nodes.append([None, None])
                nodes[at][int(bit)] = len(nodes) - 1
            at = nodes[at][int(bit)]

        nodes[at][int(bits[depth - 1])] = ("data", len(data))
        data += encode(record)

    def pointer(to):
        if to is None:
            return len(nodes)
        return to if isinstance(to, int) else len(nodes) + 16 + to[1]

    tree = b"".join(struct.pack(">II", *map(pointer, node)) for node in nodes)
    about = {"binary_format_major_version": 2, "binary_format_minor_version": 0,
             "build_epoch": 1767225600, "database_type": kind,
             "description": {"en": "for tests"}, "ip_version": 6,
             "languages": ["en"], "node_count": len(nodes),
             "record_size": 32}

    return tree + bytes(16) + data + MARK + encode(about)
