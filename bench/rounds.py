"""Rounds of a load on servers in turn, and what one takes beside another."""

from report import median

ROUND = 1                       # seconds


def rounds(variants, count, seconds=ROUND):
    """{name: [(rate, cpu, busy), ...]} of {name: (wrk, server, site)}."""
    out = {name: [] for name in variants}

    for i in range(count + 1):
        for name, (wrk, server, site) in variants.items():
            got = wrk.run(server, site, seconds)
            if i:                               # the first one warms up
                out[name].append(got)

    return out


def pairs(results, a, b, what, how):
    return median([how(x[what], y[what])
                   for x, y in zip(results[a], results[b])])


def ratio(results, ours, plain, what):
    """As in "ours does so much of plain": more is better."""
    return pairs(results, ours, plain, what,
                 (lambda x, y: x / y) if what == 0 else (lambda x, y: y / x))


def extra(results, ours, plain, pieces=1):
    """Microseconds of CPU that ours takes more."""
    return pairs(results, ours, plain, 1, lambda x, y: x - y) * 1e6 / pieces
