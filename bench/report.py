"""One line a figure, and a table of goals at the end."""

import statistics

GOALS = []


def median(values):
    return statistics.median(values)


def figure(name, value, unit):
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 3
    print("bench %s %.*f %s" % (name, digits, value, unit), flush=True)


def goal(text, value, bound, unit="", least=True, judged=True):
    """least: is the bound the least or the most that will do?"""
    met = value >= bound if least else value <= bound
    GOALS.append((text, value, bound, unit, least,
                  ("met" if met else "NOT MET") if judged else "not judged"))


def table():
    print("\n%-58s %10s %12s" % ("goal", "measured", ""))
    for text, value, bound, unit, least, met in GOALS:
        print("%-58s %10.2f %s %-6.4g %-9s %s"
              % (text, value, ">=" if least else "<=", bound, unit,
                 met))

    words = [g[5] for g in GOALS]
    print("\n%d goals met, %d not met" % (words.count("met"),
                                          words.count("NOT MET")))
    if "not judged" in words:
        print("(a rate is not judged where the plain server did not fill its"
              " core)")
