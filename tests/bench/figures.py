"""The table that a benchmark prints, as figures.hpp does: each figure with its peer of the same run and its limit."""


def number(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


class Table:
    def __init__(self):
        self.missed = False
        print(f"{'figure':<62} {'value':>14} {'peer':>14} {'ratio':>8} {'limit':>16}")

    def add(self, name, value, peer=None, least_ratio=None, most_ratio=None, most=None, enough=None):
        """`enough` is as good as least_ratio, however fast the peer is."""
        ratio = value / peer if peer else None
        kept, limit = True, "-"
        if least_ratio is not None:
            limit = f"ratio >= {number(least_ratio)}"
            kept = ratio >= least_ratio or (enough is not None and value >= enough)
        elif most_ratio is not None:
            limit = f"ratio <= {number(most_ratio)}"
            kept = ratio <= most_ratio
        elif most is not None:
            limit = f"<= {number(most)}"
            kept = value <= most
        print(f"{name:<62} {number(value):>14} {number(peer) if peer else '-':>14} {number(ratio) if peer else '-':>8} "
              f"{limit:>16}  {'ok' if kept else 'MISSED'}", flush=True)
        self.missed = self.missed or not kept
